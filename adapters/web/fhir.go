package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/fhir/spec"
)

// fhir hands a request to its tenant's router with its caller's gate.
func (c *Config) fhir(g *gin.Context) {
	path := strings.TrimPrefix(g.Param("path"), "/")
	if g.Request.Method == http.MethodGet || g.Request.Method == http.MethodHead {
		switch path {
		case "metadata":
			c.metadata(g)
			return
		case ".well-known/smart-configuration":
			c.smart(g)
			return
		}
	}
	typ, _, _ := strings.Cut(path, "/")
	if _, served := spec.Capability().Type(typ); served {
		setRoute(g, "/fhir/"+typ)
	}
	p, ok := c.principal(g)
	if !ok {
		return
	}
	query, err := url.ParseQuery(g.Request.URL.RawQuery)
	if err != nil {
		// What is dropped silently could have been meant to narrow the answer.
		answer(g, rest.Failure(&fhir.Error{Code: fhir.Invalid, Detail: "The query cannot be read: separate parameters by & and escape what is special."}))
		return
	}
	body, ok := readBody(g, mediaType(g.Request))
	if !ok {
		return
	}
	// An operation may have a page or a file to show; it knows itself.
	operation := strings.Contains(path, "$") && takes(g.Request.Header.Values("Accept"), "text/html", "application/fhir+ndjson", "application/octet-stream", "text/csv")
	if !query.Has("_format") && !operation && !accepts(g, "application/fhir+json") {
		return
	}
	router, err := c.Router(p.Tenant)
	if err != nil {
		c.fail(g, err)
		return
	}
	answer(g, router.Serve(g.Request.Context(), &rest.Request{
		Method: g.Request.Method,
		Path:   path,
		Query:  query,
		Header: g.Request.Header,
		Body:   body,
		Gate:   c.Gates.For(p),
	}))
}

// metadata and smart hold nothing of anybody, so whoever likes may keep them.
func (c *Config) metadata(g *gin.Context) {
	setRoute(g, "/fhir/metadata")
	public(g)
	answer(g, rest.Response{Status: http.StatusOK, Body: c.Metadata})
}

func (c *Config) smart(g *gin.Context) {
	setRoute(g, "/fhir/.well-known/smart-configuration")
	if c.SMART == nil {
		answer(g, rest.Failure(&fhir.Error{Code: fhir.NotFound, Detail: "No SMART configuration is published here."}))
		return
	}
	public(g)
	g.Data(http.StatusOK, "application/json", c.SMART())
}

func public(g *gin.Context) {
	g.Header("Access-Control-Allow-Origin", "*")
	g.Header("Cache-Control", "public, max-age=60")
}
