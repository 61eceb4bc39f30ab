package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/policy"
)

// Gates makes the gate of a principal; *policy.Guard is one.
type Gates interface {
	For(policy.Principal) fhir.Gate
}

// Verifier turns a bearer token into a principal; *token.Verifier is one.
type Verifier interface {
	Verify(ctx context.Context, raw string) (policy.Principal, error)
}

// Config is what the web needs. Router, Gates, Verify and Metrics are required.
type Config struct {
	Router   func(tenant string) (*rest.Router, error)
	Metadata []byte // the CapabilityStatement, the same for every tenant
	Gates    Gates
	Verify   Verifier
	Practice *Practice // nil: /practice is not served
	// Refused is told of each request without a valid token, with the address it came from.
	Refused func(ctx context.Context, source string)
	SMART   func() []byte // /fhir/.well-known/smart-configuration; nil: there is none
	Health  []Dependency
	Metrics *Metrics
	Mounts  map[string]http.Handler // path prefix, e.g. "/auth/", to its handler
	Limits  Limits
	Origins []string     // web sites whose scripts may ask, "https://app.example"; none: no other site
	Log     *slog.Logger // nil: none. Gets codes and places, never content
	IDs     fhir.NewIDs  // of requests, for the log. nil: requests are not logged
}

// New returns the handler of everything. Serve it with [Server].
func New(c Config) http.Handler {
	c.Limits.fill()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash, e.RedirectFixedPath, e.HandleMethodNotAllowed = false, false, true
	if err := e.SetTrustedProxies(nil); err != nil {
		panic(err) // nil is always accepted
	}
	e.Use(c.Metrics.measure)
	if c.IDs != nil {
		e.Use(c.logged)
	}
	e.Use(c.survive, headers, c.origins(), plainPath, c.inTurn(), c.limit)

	open(e, "/livez", func(g *gin.Context) { g.String(http.StatusOK, "ok\n") })
	open(e, "/readyz", c.ready)
	open(e, "/metrics", gin.WrapH(c.Metrics.handler()))
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		e.Handle(method, "/fhir", c.fhir)
		e.Handle(method, "/fhir/*path", c.fhir)
	}
	if c.Practice != nil {
		c.practice(e.Group("/practice"))
	}
	for prefix, h := range c.Mounts {
		e.Any(strings.TrimSuffix(prefix, "/")+"/*rest", gin.WrapH(h))
	}
	e.NoRoute(func(g *gin.Context) {
		answer(g, rest.Failure(&fhir.Error{Code: fhir.NotFound, Detail: "There is nothing at this address; the FHIR API is at /fhir."}))
	})
	e.NoMethod(notAllowed)
	return e
}

// open serves an address that needs no token.
func open(e *gin.Engine, path string, h gin.HandlerFunc) {
	e.GET(path, h)
	e.HEAD(path, h)
}

// notAllowed answers a method that an address does not know. gin has set Allow.
// OPTIONS asks for just that; it tells nothing that openapi.yaml does not.
func notAllowed(g *gin.Context) {
	if g.Request.Method == http.MethodOptions {
		answer(g, rest.Response{Status: http.StatusNoContent})
		return
	}
	answer(g, rest.Response{Status: http.StatusMethodNotAllowed, Body: rest.Outcome(
		&fhir.Error{Code: fhir.NotSupported, Detail: "This address does not take this method; the Allow header names those that it takes."})})
}

// Server returns an http.Server with limits against slow and large clients.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      120 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}

// answer writes a response of the router, as FHIR JSON.
func answer(g *gin.Context, r rest.Response) {
	for name, vs := range r.Header {
		if name == "Content-Type" {
			continue // said once, below
		}
		if name != "Vary" { // what else it depends on stays true
			g.Writer.Header().Del(name) // an answer knows better than the rule for all
		}
		for _, v := range vs {
			g.Writer.Header().Add(name, v)
		}
	}
	if r.Stream != nil {
		stream(g, r)
		return
	}
	if r.Body == nil {
		g.Status(r.Status)
		g.Writer.WriteHeaderNow()
		return
	}
	g.Data(r.Status, contentType(r), r.Body)
}

func contentType(r rest.Response) string {
	if t := r.Header.Get("Content-Type"); t != "" {
		return t
	}
	return "application/fhir+json; charset=utf-8"
}

// fail answers with an error. Only what is our own fault is logged: its text has
// no content by contract, but may name what it was about.
func (c *Config) fail(g *gin.Context, err error) {
	err = rest.InTime(g.Request.Context(), err)
	if fhir.CodeOf(err) == fhir.Exception && !errors.Is(err, context.Canceled) {
		c.Log.ErrorContext(g.Request.Context(), "request failed", "route", routeOf(g), "err", err)
	}
	answer(g, rest.Failure(err))
}

func headers(g *gin.Context) {
	h := g.Writer.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("Vary", "Authorization, Accept, Prefer, Origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Referrer-Policy", "no-referrer")
	if g.Request.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	g.Next()
}

// plainPath refuses paths that two readers can read in two ways: what stands in
// front of the gateway would judge one and we serve the other.
func plainPath(g *gin.Context) {
	// Some clients escape the $ of an operation; nothing else of ours needs it.
	if odd(g.Request.URL.Path) || strings.Contains(strings.ReplaceAll(g.Request.URL.RawPath, "%24", "$"), "%") {
		answer(g, rest.Failure(&fhir.Error{Code: fhir.Invalid, Detail: "The path has dot segments, empty segments or escapes that it does not need; write it plainly."}))
		g.Abort()
		return
	}
	g.Next()
}

// odd reports whether a decoded path has segments that are resolved by some and
// not by others, or characters that no address of ours has.
func odd(path string) bool {
	if !strings.HasPrefix(path, "/") {
		return true
	}
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7f || c == '\\' || c == '%' || c == ';' {
			return true
		}
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return true
		}
	}
	return false
}

// survive turns a panic into an answer that tells nothing; the log gets the
// place, never what was being worked on.
func (c *Config) survive(g *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v)
		}
		c.Log.ErrorContext(g.Request.Context(), "panic", "route", routeOf(g), "stack", string(debug.Stack()))
		if !g.Writer.Written() {
			answer(g, rest.Failure(errors.New("panic")))
		}
		g.Abort()
	}()
	g.Next()
}

// source is the address of the direct peer; forwarded headers are not believed.
func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	return host
}
