package web

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/mapping/trajectory"
)

// getTrajectory tells how a client has fared. The client is named by the Patient's id
// and by nothing else: a record number would be in a URL.
func (c *Config) getTrajectory(g *gin.Context) {
	if t, _, ok := c.trajectory(g, "application/json"); ok {
		c.say(g, http.StatusOK, t)
	}
}

// drawTrajectory answers with the picture. It holds no script and loads nothing, so
// that the answer's policy, which allows neither, stays as it is.
func (c *Config) drawTrajectory(g *gin.Context) {
	t, query, ok := c.trajectory(g, svg)
	if !ok {
		return
	}
	g.Header("Content-Disposition", `inline; filename="trajectory.svg"`)
	g.Data(http.StatusOK, svg, t.SVG(query.Get("instrument")))
}

const svg = "image/svg+xml"

func (c *Config) trajectory(g *gin.Context, mediaType string) (t *trajectory.Trajectory, query url.Values, ok bool) {
	p, ok := c.principal(g)
	if !ok || !takesType(g, mediaType) {
		return nil, nil, false
	}
	query, err := parameters(g.Request.URL, "instrument")
	if err != nil {
		c.fail(g, err)
		return nil, nil, false
	}
	client := fhir.Key{Type: "Patient", ID: g.Param("id")}
	ask := trajectory.Ask{Instrument: query.Get("instrument"), Now: c.Practice.now(), Zone: c.Practice.rules(p.Tenant).Zone}
	ctx := g.Request.Context()
	act := fhir.Act{Interaction: fhir.SearchType, Type: "Observation", Query: []byte("patient=" + client.ID)}
	err = c.Gates.For(p).View(ctx, act, func(r fhir.Reader) (err error) {
		if !fhir.ValidID(client.ID) {
			return fhir.Missing(client)
		}
		t, err = trajectory.Read(ctx, r, c.Practice.Library, client, ask)
		return err
	})
	if err != nil {
		c.fail(g, err)
		return nil, nil, false
	}
	return t, query, true
}

// takesType reports whether the caller takes JSON or a picture, and answers the
// request when not.
func takesType(g *gin.Context, mediaType string) bool {
	if mediaType != svg {
		return accepts(g, mediaType)
	}
	if takes(g.Request.Header.Values("Accept"), svg, "image/*", "*/*") {
		return true
	}
	answer(g, rest.Response{Status: http.StatusNotAcceptable, Body: rest.Outcome(
		&fhir.Error{Code: fhir.NotSupported, Detail: "Only a picture is served here: send Accept: " + svg + "."})})
	return false
}
