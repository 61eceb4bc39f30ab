package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/mapping/monitoring"
	"rapport/policy"
)

// dueList is a page of what is due.
type dueList struct {
	AsOf  string            `json:"asOf"`  // day, in the practice's time zone
	Items []monitoring.Item `json:"items"` // the longest due first
	Next  string            `json:"next,omitempty"`
}

// getDue lists what is due and overdue of what the caller may see.
func (c *Config) getDue(g *gin.Context) {
	p, ok := c.principal(g)
	if !ok || !accepts(g, "application/json") {
		return
	}
	query, err := parameters(g.Request.URL, "therapist", "client", "instrument", "state", "count", "after")
	var ask monitoring.Ask
	if err == nil {
		ask, err = c.askOf(query, p)
	}
	if err != nil {
		c.fail(g, err)
		return
	}
	rules, now := c.Practice.rules(p.Tenant), c.Practice.now()
	var page monitoring.Page
	ctx := g.Request.Context()
	err = c.Gates.For(p).View(ctx, fhir.Act{Interaction: fhir.SearchType, Type: "CarePlan", Query: []byte(query.Encode())}, func(r fhir.Reader) (err error) {
		page, err = rules.Due(ctx, r, now, ask)
		return err
	})
	if err != nil {
		c.fail(g, err)
		return
	}
	out := dueList{AsOf: rules.Day(now), Items: page.Items}
	if page.Next != "" {
		query.Set("after", page.Next)
		out.Next = "/practice/due?" + query.Encode()
	}
	c.say(g, http.StatusOK, out)
}

func (c *Config) askOf(query url.Values, p policy.Principal) (a monitoring.Ask, err error) {
	a = monitoring.Ask{Instrument: query.Get("instrument"), State: monitoring.State(query.Get("state")), After: query.Get("after")}
	if a.Instrument != "" && c.Practice.Library.BySlug(a.Instrument) == nil {
		return a, &fhir.Error{Code: fhir.NotSupported, Detail: "instrument is none of those that are known here; it is named as in a record, \"phq-9\"."}
	}
	if !slices.Contains([]monitoring.State{"", monitoring.Due, monitoring.Overdue}, a.State) {
		return a, &fhir.Error{Code: fhir.Value, Detail: "state is due or overdue; without it both are listed."}
	}
	if n := query.Get("count"); n != "" {
		if a.Count, err = strconv.Atoi(n); err != nil || a.Count < 1 {
			return a, &fhir.Error{Code: fhir.Value, Detail: "count is a positive number: of plans to look at for one page."}
		}
	}
	if a.Client, err = keyIn(query.Get("client"), "Patient"); err != nil {
		return a, err
	}
	if who := query.Get("therapist"); who != "me" {
		a.Therapist, err = keyIn(who, "Practitioner")
		return a, err
	}
	if a.Therapist = p.User; !strings.HasPrefix(p.User.Type, "Practitioner") {
		return a, &fhir.Error{Code: fhir.Value, Detail: "therapist=me is for a caller who is a practitioner; leave it out to list all that you may see."}
	}
	return a, nil
}

// keyIn reads a parameter that names a resource of a type, with the type or without.
func keyIn(s, typ string) (fhir.Key, error) {
	if s == "" {
		return fhir.Key{}, nil
	}
	if fhir.ValidID(s) {
		return fhir.Key{Type: typ, ID: s}, nil
	}
	if k, ok := fhir.ParseKey(s); ok && k.Type == typ {
		return k, nil
	}
	return fhir.Key{}, &fhir.Error{Code: fhir.Value, Detail: "A parameter that names a " + typ + " takes its id, or " + typ + "/id."}
}

// parameters reads a query that may hold each of some names once.
func parameters(u *url.URL, names ...string) (url.Values, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: "The query cannot be read: separate parameters by & and escape what is special."}
	}
	for name, vs := range query {
		if !slices.Contains(names, name) {
			return nil, &fhir.Error{Code: fhir.NotSupported, Detail: "This address takes " + strings.Join(names, ", ") + " as parameters, and no others."}
		}
		if len(vs) != 1 || vs[0] == "" {
			return nil, &fhir.Error{Code: fhir.Value, Detail: "The parameter " + name + " is said once, with a value."}
		}
	}
	return query, nil
}

func (p *Practice) now() time.Time {
	if p.Clock == nil {
		return time.Now()
	}
	return p.Clock()
}

func (p *Practice) rules(tenant string) *monitoring.Rules {
	if p.Rules == nil {
		return &monitoring.Rules{Library: p.Library}
	}
	return cmp.Or(p.Rules(tenant), &monitoring.Rules{Library: p.Library})
}
