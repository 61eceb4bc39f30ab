package partner_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"rapport/adapters/partner"
	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/fhir/rest"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
	"rapport/fhir/validate"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
)

// Here a clinic meets servers of others over HTTP. Its clock stands still but for what
// a test says.

type clinic struct {
	t       testing.TB
	now     time.Time
	ids     int
	store   store.Store
	router  *rest.Router
	staff   fhir.Gate
	courier *exchange.Courier
}

// parts are what takes time to make. The guard remembers what the rules say, so it is
// kept: each clinic is a tenant of its own, and done with before the next begins.
type parts struct {
	engine *search.Engine
	valid  *validate.Validator
	guard  *policy.Guard
	tenant int
	clinic *clinic
}

func newParts(t *testing.T) *parts {
	t.Helper()
	p := &parts{valid: validate.New(spec.R4())}
	rules := &opa.Engine{}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(rules.Load(t.Context(), opa.Embedded()))
	var err error
	p.engine, err = search.New(spec.R4(), spec.Capability())
	must(err)
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keyring"))
	must(err)
	p.guard, err = policy.NewGuard(policy.Config{
		Store:  func(string) (store.Store, error) { return p.clinic.store, nil },
		Engine: rules, Recorder: &records{}, Index: p.engine.Index, Keys: ring,
		Clock: func() time.Time { return p.clinic.now }, IDs: func() string { return p.clinic.id() },
		Alarm: func(what string) { t.Errorf("alarm: %s", what) },
	})
	must(err)
	return p
}

const clinicBase = "https://clinic.example/fhir"

func newClinic(t testing.TB, p *parts, to *peer, way exchange.Way) *clinic {
	t.Helper()
	c := &clinic{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	p.tenant++
	p.clinic = c
	clock := func() time.Time { return c.now }
	c.store = storetest.NewMemory(clock)
	cfg := partner.Config{Name: "peer", Base: to.base(), Organization: partner.Identifier{System: registry, Value: "peer"}, Client: "us", Key: "key", Delivery: way}
	channel, err := partner.New([]partner.Config{cfg}, func(partner.Config) (partner.Assert, error) {
		return func(string, string) (string, error) { return "signed", nil }, nil
	}, clock)
	if err != nil {
		t.Fatal(err)
	}
	partners := []exchange.Partner{cfg.Partner()}
	c.router = rest.New(rest.Config{Base: clinicBase, Served: spec.Capability(), Search: p.engine, Validate: p.valid,
		Follow: []fhir.Follow{exchange.Referrals{Partners: partners}.Follow}, IDs: c.id, Clock: clock, Software: "test"})
	me := policy.Principal{Tenant: fmt.Sprint("tenant-", p.tenant), Issuer: "gateway", Subject: "gateway/courier", Client: "gateway/courier", Role: policy.Integration, Purpose: "TREAT",
		Scopes: []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}}}
	c.staff = p.guard.For(me)
	c.courier = &exchange.Courier{Gate: c.staff, Release: p.guard.Release(me), Queue: c.store, Memos: c.store, Channel: channel,
		Partners: partners, Base: clinicBase, Clock: clock, Parallel: 1}
	for _, r := range []string{
		`{"resourceType":"Organization","id":"clinic","identifier":[{"system":"` + registry + `","value":"clinic"}],"name":"Clinic"}`,
		`{"resourceType":"Organization","id":"peer","identifier":[{"system":"` + registry + `","value":"peer"}],"name":"Peer"}`,
	} {
		c.put(r)
	}
	return c
}

func (c *clinic) id() string { c.ids++; return fmt.Sprintf("id-%d", c.ids) }

func (c *clinic) put(body string) {
	c.t.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		c.t.Fatal(err)
	}
	a := c.router.Serve(context.Background(), &rest.Request{Method: http.MethodPut, Path: r.Key.String(), Header: http.Header{}, Body: r.Body(), Gate: c.staff})
	if a.Status/100 != 2 {
		c.t.Fatalf("PUT %s: %d %s", r.Key, a.Status, a.Body)
	}
}

// client is whom the referrals are about, record what goes along.
var client = `{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:example:insurance","value":"X-1"}],"name":[{"family":"Roth","given":["Eva"]}],"gender":"female","birthDate":"1990-01-01"}`

func score(id, day string, value int) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],`+
		`"code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":%q,"valueQuantity":{"value":%d}}`, id, day, value)
}

var file = []string{
	client,
	`{"resourceType":"Practitioner","id":"mira","name":[{"family":"Lind"}]}`,
	`{"resourceType":"Condition","id":"c1","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F32.1"}]},"subject":{"reference":"Patient/p1"}}`,
	score("o1", "2026-02-26", 17), score("o2", "2026-02-26", 17), score("o3", "2026-01-12", 12), // two of one day and one value
	`{"resourceType":"Goal","id":"g1","lifecycleStatus":"active","description":{"text":"Sleep"},"subject":{"reference":"Patient/p1"}}`,
	`{"resourceType":"Flag","id":"f1","status":"active","code":{"text":"Look"},"subject":{"reference":"Patient/p1"}}`,
	`{"resourceType":"QuestionnaireResponse","id":"q1","questionnaire":"https://example.org/phq-9","status":"completed","subject":{"reference":"Patient/p1"},"authored":"2026-02-26"}`,
	`{"resourceType":"ServiceRequest","id":"s1","status":"active","intent":"order","code":{"text":"Assessment"},"subject":{"reference":"Patient/p1"},"authoredOn":"2026-03-02","requester":{"reference":"Practitioner/mira"},"reasonCode":[{"text":"Worse"}],"supportingInfo":[{"reference":"QuestionnaireResponse/q1"}]}`,
}

// refer sends the client.
func (c *clinic) refer(more ...string) {
	c.t.Helper()
	for _, r := range append(slices.Clone(file), more...) {
		c.put(r)
	}
	c.task("t1", "requested")
}

// task writes the referral's Task.
func (c *clinic) task(id, status string) {
	c.t.Helper()
	c.put(`{"resourceType":"Task","id":"` + id + `","status":"` + status + `","intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}]},"focus":{"reference":"ServiceRequest/s1"},` +
		`"for":{"reference":"Patient/p1"},"requester":{"reference":"Organization/clinic"},"owner":{"reference":"Organization/peer"}}`)
}

// settle works until nothing is left to do, and returns why works were given up.
func (c *clinic) settle() (dead []string) {
	c.t.Helper()
	for range 200 {
		n, err := c.courier.Once(context.Background())
		if err != nil {
			c.t.Fatal(err)
		}
		if n > 0 {
			c.now = c.now.Add(time.Second)
			continue
		}
		waiting, err := c.store.Works(context.Background(), false, 10)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(waiting) == 0 {
			break
		}
		c.now = c.now.Add(time.Minute)
	}
	ws, err := c.store.Works(context.Background(), true, 10)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, w := range ws {
		dead = append(dead, w.Note)
	}
	return dead
}

// revive has the work tried again, as an operator does.
func (c *clinic) revive() {
	c.t.Helper()
	ws, err := c.store.Works(context.Background(), true, 10)
	if err != nil || len(ws) != 1 {
		c.t.Fatal(ws, err)
	}
	if err := c.store.Revive(context.Background(), ws[0].ID); err != nil {
		c.t.Fatal(err)
	}
}
