package web

import (
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/policy"
)

// callerKey is where a handler leaves who asked.
const callerKey = "caller"

// logged writes a line for each request: what, by whose program, how it ended. No path,
// no query, no person: an id in a log is a person in a log. The request's own id is in
// the answer too, so that a caller can name it.
func (c *Config) logged(g *gin.Context) {
	id := c.IDs()
	g.Header("X-Request-Id", id)
	start := time.Now()
	g.Next()
	if operational(g.Request.URL.Path) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", id), slog.String("method", methodOf(g.Request)), slog.String("route", routeOf(g)),
		slog.Int("status", g.Writer.Status()), slog.Int("bytes", max(g.Writer.Size(), 0)),
		slog.Float64("ms", float64(time.Since(start).Microseconds())/1000),
	}
	if p, ok := g.Get(callerKey); ok {
		p := p.(policy.Principal)
		attrs = append(attrs, slog.String("tenant", p.Tenant), slog.String("client", p.Client), slog.String("role", string(p.Role)))
	}
	c.Log.LogAttrs(g.Request.Context(), slog.LevelInfo, "request", attrs...)
}
