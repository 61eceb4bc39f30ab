package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// origins lets scripts of the named web sites ask. Credentials that a browser adds by
// itself are of no use here, so none are allowed: a token comes in a header or not at all.
// Without names the browser's own rule holds: no other site.
//
// Source: https://fetch.spec.whatwg.org/#http-cors-protocol
func (c *Config) origins() gin.HandlerFunc {
	if len(c.Origins) == 0 {
		return func(g *gin.Context) { g.Next() }
	}
	o := cors.New(cors.Options{
		AllowedOrigins: c.Origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Accept", "Prefer", "If-Match", "If-None-Match", "If-None-Exist", "If-Modified-Since", "Idempotency-Key"},
		ExposedHeaders: []string{"ETag", "Last-Modified", "Location", "Content-Location", "Retry-After", "X-Progress", "X-Request-Id", "Expires", "Idempotent-Replayed"},
		MaxAge:         600,
	})
	return func(g *gin.Context) {
		o.HandlerFunc(g.Writer, g.Request)
		if g.Request.Method == http.MethodOptions && g.GetHeader("Access-Control-Request-Method") != "" {
			g.Status(http.StatusNoContent)
			g.Writer.WriteHeaderNow()
			g.Abort()
			return
		}
		g.Next()
	}
}
