package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/fhir/validate"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
	"rapport/policy"
)

// Practice is what the routes below /practice need. All fields are required.
type Practice struct {
	// Mapper returns the mapper of a tenant that is served.
	Mapper func(tenant string) (*mapping.Mapper, error)
	// Follow returns what comes of each write of a tenant, in its transaction: the
	// same list that the tenant's router runs.
	Follow   func(tenant string) ([]fhir.Follow, error)
	Validate *validate.Validator
	Library  *instrument.Library
	// Notes returns the notes gate of a principal; (*policy.Guard).Notes is it.
	Notes func(policy.Principal) *policy.Notes
}

// processNote is the one kind that is no resource and goes by the notes gate.
const processNote = "process-note"

// practice mounts
//
//	POST /practice/sessions            and each other kind of record, by its plural
//	POST /practice/process-notes
//	GET  /practice/process-notes/{id}  for its author
func (c *Config) practice(group *gin.RouterGroup) {
	group.POST("/:records", c.postRecord)
	group.POST("/process-notes", c.postNote)
	group.GET("/process-notes/:id", c.getNote)
	group.HEAD("/process-notes/:id", c.getNote)
}

// kindOf returns the kind that a plural names; process notes are not among them.
func kindOf(records string) (string, bool) {
	kind, plural := strings.CutSuffix(records, "s")
	return kind, plural && kind != processNote && slices.Contains(practice.Kinds(), kind)
}

// postRecord stores one record with everything that comes of it, in one transaction.
func (c *Config) postRecord(g *gin.Context) {
	kind, known := kindOf(g.Param("records"))
	if known {
		setRoute(g, "/practice/"+kind+"s")
	}
	p, ok := c.principal(g)
	if !ok {
		return
	}
	if !known {
		names := make([]string, 0, len(practice.Kinds()))
		for _, k := range practice.Kinds() {
			names = append(names, k+"s")
		}
		answer(g, rest.Failure(fhir.Errorf(fhir.NotFound, "", "There is no such kind of record; there are %s.", strings.Join(names, ", "))))
		return
	}
	rec, ok := c.record(g, kind)
	if !ok {
		return
	}
	j := job{Practice: c.Practice, gate: c.Gates.For(p), record: rec}
	var err error
	if j.mapper, err = c.Practice.Mapper(p.Tenant); err == nil {
		j.follow, err = c.Practice.Follow(p.Tenant)
	}
	var r receipt
	if err == nil {
		r, err = j.do(g.Request.Context())
	}
	if err != nil {
		c.fail(g, err)
		return
	}
	status := http.StatusOK
	if r.Outcome == created {
		status = http.StatusCreated
		g.Header("Location", "/fhir/"+r.Resources[0].Reference)
	}
	c.say(g, status, r)
}

// record reads and decodes what was posted, and answers the request when it is no
// record of the kind.
func (c *Config) record(g *gin.Context, kind string) (practice.Record, bool) {
	body, ok := readBody(g, "application/json")
	if !ok || !accepts(g, "application/json") {
		return nil, false
	}
	if len(g.Request.URL.RawQuery) > 0 {
		answer(g, rest.Failure(&fhir.Error{Code: fhir.NotSupported, Detail: "This address takes no parameters; all of a record goes into the body."}))
		return nil, false
	}
	if len(body) == 0 {
		answer(g, rest.Failure(&fhir.Error{Code: fhir.Structure, Detail: "Send the record as JSON in the body.", At: []string{"/"}}))
		return nil, false
	}
	rec, err := practice.Decode(kind, body)
	if err != nil {
		c.fail(g, err)
		return nil, false
	}
	return rec, true
}

// say answers with a document that is no resource.
func (c *Config) say(g *gin.Context, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		c.fail(g, err)
		return
	}
	g.Data(status, "application/json", append(b, '\n'))
}
