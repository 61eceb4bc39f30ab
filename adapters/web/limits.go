package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
)

// Limits bound what callers may take up. A zero field has its default.
type Limits struct {
	Body     int64         // bytes of a body; default 16 MiB
	Time     time.Duration // for the work on one request, without streams; default 60 s
	Requests int           // worked on at the same time; default 512
	Wait     time.Duration // for a place among them before 503; default 2 s
}

const defaultMaxBody = 16 << 20

func (l *Limits) fill() {
	if l.Body == 0 {
		l.Body = defaultMaxBody
	}
	if l.Time == 0 {
		l.Time = time.Minute
	}
	if l.Requests == 0 {
		l.Requests = 512
	}
	if l.Wait == 0 {
		l.Wait = 2 * time.Second
	}
}

// operational addresses answer whatever else is going on.
func operational(path string) bool {
	return path == "/livez" || path == "/readyz" || path == "/metrics"
}

// inTurn lets so many requests be worked on at a time. One that waits too long is told
// to come back: a queue without end helps nobody.
func (c *Config) inTurn() gin.HandlerFunc {
	places := make(chan struct{}, c.Limits.Requests)
	return func(g *gin.Context) {
		if operational(g.Request.URL.Path) {
			g.Next()
			return
		}
		select {
		case places <- struct{}{}:
		default:
			late := time.NewTimer(c.Limits.Wait)
			defer late.Stop()
			select {
			case places <- struct{}{}:
			case <-g.Request.Context().Done():
				g.Abort()
				return
			case <-late.C:
				answer(g, rest.Failure(&fhir.Error{Code: fhir.Transient, Detail: "The gateway is busy; try again."}))
				g.Abort()
				return
			}
		}
		defer func() { <-places }()
		g.Next()
	}
}

// timeKey is where limit leaves how to stop its clock.
const timeKey = "time"

// limit bounds the body and the time of a request.
func (c *Config) limit(g *gin.Context) {
	g.Request.Body = http.MaxBytesReader(g.Writer, g.Request.Body, c.Limits.Body)
	ctx, cancel := context.WithCancelCause(g.Request.Context())
	clock := time.AfterFunc(c.Limits.Time, func() { cancel(context.DeadlineExceeded) })
	defer cancel(nil)
	defer clock.Stop()
	g.Set(timeKey, clock)
	g.Request = g.Request.WithContext(ctx)
	g.Next()
}

// slowest is for how long a reader of a stream may take none of it.
const slowest = 30 * time.Second

// patient moves the deadline of a connection on with each piece that was taken.
type patient struct {
	http.ResponseWriter
	deadline *http.ResponseController
}

func (w patient) Write(b []byte) (int, error) {
	_ = w.deadline.SetWriteDeadline(time.Now().Add(slowest)) // where there is none, none is needed
	return w.ResponseWriter.Write(b)
}

// stream sends what is too large to hold. Whoever gets half of it must not take it for
// the whole: the connection breaks.
func stream(g *gin.Context, r rest.Response) {
	if clock, ok := g.Get(timeKey); ok {
		clock.(*time.Timer).Stop() // what is streamed takes as long as its reader does
	}
	g.Header("Content-Type", contentType(r))
	g.Status(r.Status)
	g.Writer.WriteHeaderNow()
	if err := r.Stream(patient{g.Writer, http.NewResponseController(g.Writer)}); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// mediaType is what a request's body is to be.
func mediaType(r *http.Request) string {
	switch {
	case r.Method == http.MethodPatch:
		return "application/json-patch+json"
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/_search"):
		return "application/x-www-form-urlencoded"
	}
	return "application/fhir+json"
}
