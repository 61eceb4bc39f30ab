package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/fhir/validate"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/mapping/monitoring"
	"rapport/mapping/practice"
	"rapport/policy"
)

// Practice is what the routes below /practice need. Fields are required unless said
// otherwise.
type Practice struct {
	// Mapper returns the mapper of a tenant that is served.
	Mapper func(tenant string) (*mapping.Mapper, error)
	// Follow returns what comes of each write of a tenant, in its transaction: the
	// same list that the tenant's router runs.
	Follow   func(tenant string) ([]fhir.Follow, error)
	Validate *validate.Validator
	Library  *instrument.Library
	// Voiced returns the Library that speaks with a tenant's voice, see
	// [instrument.Library.With]; nil: Library itself, in general words.
	Voiced func(tenant string) *instrument.Library
	// About returns the clients whom a resource is about; (*policy.Guard).About is it.
	About func(fhir.Resource) []fhir.Key
	// Notes returns the notes gate of a principal; (*policy.Guard).Notes is it.
	Notes func(policy.Principal) *policy.Notes
	// Rules returns by what a tenant's due and overdue are worked out: its time zone
	// above all. nil: the days of UTC.
	Rules func(tenant string) *monitoring.Rules
	Clock fhir.Clock // nil: the system's
}

// processNote is the one kind that is no resource and goes by the notes gate.
const processNote = "process-note"

// practice mounts
//
//	POST /practice/sessions            and each other kind of record, by its plural
//	GET  /practice/process-notes/{id}  for its author
//	GET  /practice/due                 what is due and overdue
//	GET  /practice/clients/{id}/trajectory and /trajectory.svg
func (c *Config) practice(group *gin.RouterGroup) {
	group.POST("/:records", c.postRecord)
	group.GET("/process-notes/:id", c.getNote)
	group.HEAD("/process-notes/:id", c.getNote)
	for path, h := range map[string]gin.HandlerFunc{
		"/due": c.getDue, "/clients/:id/trajectory": c.getTrajectory, "/clients/:id/trajectory.svg": c.drawTrajectory,
	} {
		group.GET(path, h)
		group.HEAD(path, h)
	}
}

// postRecord takes one record, or several, and stores each with everything that
// comes of it in one transaction.
func (c *Config) postRecord(g *gin.Context) {
	kind, known := practice.FromPlural(g.Param("records"))
	if known {
		setRoute(g, "/practice/"+practice.Plural(kind))
	}
	p, ok := c.principal(g)
	if !ok {
		return
	}
	if !known {
		names := make([]string, 0, len(practice.Kinds()))
		for _, k := range practice.Kinds() {
			names = append(names, practice.Plural(k))
		}
		answer(g, rest.Failure(fhir.Errorf(fhir.NotFound, "", "There is no such kind of record; there are %s.", strings.Join(names, ", "))))
		return
	}
	try, err := dryRun(g.Request.URL)
	if err != nil {
		c.fail(g, err)
		return
	}
	in, ok := c.posted(g)
	if !ok {
		return
	}
	once, err := onceOf(g, kind, in)
	if err != nil {
		c.fail(g, err)
		return
	}
	k, err := c.custodianOf(p, kind, once)
	if err != nil {
		c.fail(g, err)
		return
	}
	if in.several {
		c.storeAll(g, k, kind, in, try)
		return
	}
	rec, err := practice.Decode(kind, in.bodies[0].json)
	if err != nil {
		c.fail(g, err)
		return
	}
	if try {
		c.tryOne(g, k, rec)
		return
	}
	r, err := k.keep(g.Request.Context(), rec)
	if err != nil {
		c.fail(g, err)
		return
	}
	if r.replayed {
		g.Header(rest.Replayed, "true")
	}
	status := http.StatusOK
	if r.Outcome == created {
		status = http.StatusCreated
		g.Header("Location", r.location())
	}
	c.say(g, status, r)
}

// custodianOf returns by whom records of a kind are kept; once may be nil.
func (c *Config) custodianOf(p policy.Principal, kind string, once *rest.Once) (custodian, error) {
	if kind != processNote {
		d, err := c.clerkOf(p)
		if err != nil {
			return nil, err
		}
		d.once = once
		return d, nil
	}
	m, err := c.Practice.Mapper(p.Tenant)
	return &scribe{Practice: c.Practice, author: p.User, mapper: m, gate: c.Gates.For(p), notes: c.Practice.Notes(p)}, err
}

// clerkOf returns what all records of one request are stored with.
func (c *Config) clerkOf(p policy.Principal) (*clerk, error) {
	m, err := c.Practice.Mapper(p.Tenant)
	if err != nil {
		return nil, err
	}
	follow, err := c.Practice.Follow(p.Tenant)
	if err != nil {
		return nil, err
	}
	voiced := c.Practice.Library
	if c.Practice.Voiced != nil {
		voiced = c.Practice.Voiced(p.Tenant)
	}
	return &clerk{Practice: c.Practice, gate: c.Gates.For(p), mapper: m, follow: follow, voiced: voiced}, nil
}

// dryRun reads the one parameter that there is.
func dryRun(u *url.URL) (bool, error) {
	query, err := parameters(u, "dryRun")
	if err != nil {
		return false, err
	}
	switch query.Get("dryRun") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, &fhir.Error{Code: fhir.Value, Detail: "dryRun is true or false."}
}

func empty() error {
	return &fhir.Error{Code: fhir.Structure, Detail: "Send the record as JSON in the body.", At: []string{"/"}}
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
