package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what /metrics shows: of HTTP, of the process, and of whoever asked
// for a counter. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics returns the metrics of one instance.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total", Help: "Requests answered."}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_seconds", Help: "Time to answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Counter registers a counter with one label and returns what counts one event.
// The values of the label are words of ours, never ids. A name registered twice
// panics.
func (m *Metrics) Counter(name, help, label string) func(value string) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	m.registry.MustRegister(c)
	return func(value string) { c.WithLabelValues(value).Inc() }
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// routeKey is where a handler leaves a name for what it serves that is finer than
// its route.
const routeKey = "route"

func setRoute(g *gin.Context, name string) { g.Set(routeKey, name) }

// routeOf names what was asked for by our own words, never by the path.
func routeOf(g *gin.Context) string {
	if name := g.GetString(routeKey); name != "" {
		return name
	}
	if route := g.FullPath(); route != "" {
		return route
	}
	return "none"
}

func (m *Metrics) measure(g *gin.Context) {
	start := time.Now()
	g.Next()
	route := routeOf(g)
	m.requests.WithLabelValues(route, methodOf(g.Request), strconv.Itoa(g.Writer.Status())).Inc()
	m.seconds.WithLabelValues(route).Observe(time.Since(start).Seconds())
}

// methodOf keeps a caller from making words of ours.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions:
		return r.Method
	}
	return "other"
}
