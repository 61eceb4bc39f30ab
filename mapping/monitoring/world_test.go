package monitoring_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
	"rapport/fhir/validate"
	"rapport/mapping/instrument"
	"rapport/mapping/monitoring"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
)

// clinic is a practice behind its guard, on a day that tests choose.
type clinic struct {
	*testing.T
	now   atomic.Pointer[time.Time]
	guard *policy.Guard
	valid *validate.Validator
	rules *monitoring.Rules
}

// silent keeps no records.
type silent struct{}

func (silent) InTx(context.Context, store.Tx, ...policy.Record) error { return nil }
func (silent) Before(context.Context, string, ...policy.Record) error { return nil }

// compiled rules and loaded instruments are shared by all tests.
var compiled = sync.OnceValues(func() (*opa.Engine, error) {
	e := &opa.Engine{}
	return e, e.Load(context.Background(), opa.Embedded())
})

var loaded = sync.OnceValues(instrument.Load)

func newClinic(t *testing.T) *clinic {
	t.Helper()
	engine, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	library, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	index, err := search.New(spec.R4(), spec.Capability())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	c := &clinic{T: t, valid: validate.New(spec.R4()), rules: &monitoring.Rules{Library: library}}
	c.at("2026-03-05T12:00:00Z")
	var ids atomic.Int64
	kept := storetest.NewMemory(c.clock)
	c.guard, err = policy.NewGuard(policy.Config{
		Store: func(string) (store.Store, error) { return kept, nil }, Engine: engine, Recorder: silent{}, Index: index.Index, Keys: ring,
		Clock: c.clock, IDs: func() string { return fmt.Sprintf("id-%d", ids.Add(1)) },
		Alarm: func(what string) { t.Errorf("alarm: %s", what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	c.put(`{"resourceType":"Practitioner","id":"mira","name":[{"family":"Lindqvist"}]}`,
		`{"resourceType":"Practitioner","id":"jon","name":[{"family":"Berg"}]}`)
	c.client("ida", "mira", "active", "")
	return c
}

func (c *clinic) clock() time.Time { return *c.now.Load() }

// at sets the clock.
func (c *clinic) at(s string) {
	c.Helper()
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		c.Fatal(err)
	}
	c.now.Store(&t)
}

// gate is that of a therapist, or of the process for "".
func (c *clinic) gate(therapist string) fhir.Gate {
	p := policy.Principal{Tenant: "one", Issuer: "test", Subject: "x" + therapist, Role: policy.Integration, Purpose: "TREAT",
		Scopes: []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}}}
	if therapist != "" {
		p.Role, p.User, p.Scopes[0].Context = policy.Therapist, fhir.Key{Type: "Practitioner", ID: therapist}, "user"
	}
	return c.guard.For(p)
}

// put stores resources, which must be valid.
func (c *clinic) put(bodies ...string) {
	c.Helper()
	for _, b := range bodies {
		r, err := fhir.Parse([]byte(b))
		if err != nil {
			c.Fatalf("%v: %s", err, b)
		}
		for _, e := range c.valid.Resource(c.Context(), r) {
			if !e.Warn {
				c.Fatalf("%s: %v", r.Key, e)
			}
		}
		if err := c.gate("").Update(c.Context(), fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
			_, err := tx.Put(c.Context(), r, fhir.Condition{})
			return err
		}); err != nil {
			c.Fatalf("%s: %v", r.Key, err)
		}
	}
}

const secret = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]}`

// client is somebody in a course of therapy.
func (c *clinic) client(id, therapist, status, end string) {
	c.Helper()
	if end != "" {
		end = `,"end":"` + end + `"`
	}
	c.put(fmt.Sprintf(`{"resourceType":"Patient","id":%q}`, id),
		fmt.Sprintf(`{"resourceType":"EpisodeOfCare","id":"course-%s","status":%q,"patient":{"reference":"Patient/%s"},"careManager":{"reference":"Practitioner/%s"},"period":{"start":"2026-01-05"%s}}`, id, status, id, therapist, end))
}

// phase is a stretch of a client's plan.
type phase struct {
	id       string
	status   string // "": active
	phase    string // "": acute
	from, to string
	asks     []string // "phq-9 1 wk", and how often at most: "phq-9 1 wk 4"
}

// plan stores a plan, and its phases as parts of it.
func (c *clinic) plan(id, client, status, more string, phases ...phase) {
	c.Helper()
	episode := fmt.Sprintf(`"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare","valueReference":{"reference":"EpisodeOfCare/course-%s"}}]`, client)
	c.put(fmt.Sprintf(`{"resourceType":"CarePlan","id":%q,%s,%s,"status":%q,"intent":"plan","subject":{"reference":"Patient/%s"}%s}`, id, secret, episode, status, client, more))
	for _, p := range phases {
		var activities []string
		for _, a := range p.asks {
			w := strings.Fields(a)
			in := c.rules.Library.BySlug(w[0])
			count := ""
			if len(w) > 3 {
				count = `,"count":` + w[3]
			}
			activities = append(activities, fmt.Sprintf(
				`{"detail":{"instantiatesCanonical":[%q],"status":"in-progress","scheduledTiming":{"repeat":{"frequency":1,"period":%s,"periodUnit":%q%s}}}}`, in.Canonical(), w[1], w[2], count))
		}
		if p.status == "" {
			p.status = "active"
		}
		if p.phase == "" {
			p.phase = "acute"
		}
		period := ""
		if p.from != "" {
			period = fmt.Sprintf(`,"period":{"start":%q}`, p.from)
		}
		if p.to != "" {
			period = fmt.Sprintf(`,"period":{"start":%q,"end":%q}`, p.from, p.to)
		}
		c.put(fmt.Sprintf(`{"resourceType":"CarePlan","id":%q,%s,%s,"partOf":[{"reference":"CarePlan/%s"}],"status":%q,"intent":"plan","category":[{"coding":[{"system":"https://rapport.example/fhir/CodeSystem/therapy-phase","code":%q}]}],"subject":{"reference":"Patient/%s"}%s,"activity":[%s]}`,
			p.id, secret, episode, id, p.status, p.phase, client, period, strings.Join(activities, ",")))
	}
}

// answered stores a response.
func (c *clinic) answered(id, client, slug, authored, status string) {
	c.Helper()
	c.put(fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":%q,%s,"questionnaire":%q,"status":%q,"subject":{"reference":"Patient/%s"},"authored":%q}`,
		id, secret, c.rules.Library.BySlug(slug).Canonical(), status, client, authored))
}

// list is what is due, an item a line: "ida phq-9 2026-03-02 overdue 3".
func (c *clinic) list(therapist string, a monitoring.Ask) string {
	c.Helper()
	var out []string
	for _, it := range c.page(therapist, a).Items {
		out = append(out, fmt.Sprintf("%s %s %s %s %d", strings.TrimPrefix(it.Client, "Patient/"), it.Instrument, it.Due, it.State, it.Days))
	}
	return strings.Join(out, "\n")
}

func (c *clinic) page(therapist string, a monitoring.Ask) (page monitoring.Page) {
	c.Helper()
	err := c.gate(therapist).View(c.Context(), fhir.Act{Interaction: fhir.SearchType, Type: "CarePlan"}, func(r fhir.Reader) (err error) {
		page, err = c.rules.Due(c.Context(), r, c.clock(), a)
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
	return page
}

// pass runs the monitor once.
func (c *clinic) pass() monitoring.Tally {
	c.Helper()
	m := &monitoring.Monitor{Rules: c.rules, Gate: c.gate(""), Clock: c.clock}
	sum, err := m.Once(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	return sum
}

// tasks lists the Tasks of the tenant as a therapist sees them.
func (c *clinic) tasks(therapist string) (out []fhir.Resource) {
	c.Helper()
	err := c.gate(therapist).View(c.Context(), fhir.Act{Interaction: fhir.SearchType, Type: "Task"}, func(r fhir.Reader) error {
		out = nil
		set, err := r.Search(c.Context(), fhir.Query{Type: "Task", Count: 100, Sort: []fhir.Order{{Param: "authored-on", Kind: fhir.Date}}})
		for _, e := range set.Entries {
			out = append(out, e.Resource)
		}
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
	return out
}

// statuses of the Tasks, with the due day of each.
func (c *clinic) statuses() string {
	c.Helper()
	var out []string
	for _, t := range c.tasks("") {
		out = append(out, t.Root().At("restriction", "period", "start").Text()+" "+t.Root().Get("status").Text())
	}
	return strings.Join(out, ", ")
}
