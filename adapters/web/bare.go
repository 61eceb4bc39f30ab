package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Bare answers every request with a body, through the web framework and nothing
// else: the ceiling that `gateway bench` measures beside a gateway.
func Bare(body []byte) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.GET("/", func(g *gin.Context) { g.Data(http.StatusOK, "application/fhir+json; charset=utf-8", body) })
	return e
}
