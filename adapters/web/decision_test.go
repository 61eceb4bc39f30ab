package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
	"rapport/fhir/validate"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
)

// Here the real guard decides, by the embedded rules.

// clinic is a practice behind its guard, with people who have tokens.
type clinic struct {
	*front
	store   store.Store
	notes   *noteShelf
	record  *journal
	mapper  *mapping.Mapper
	library *instrument.Library
	guard   *policy.Guard
	people  tokens
}

// journal keeps audit records.
type journal struct {
	mu sync.Mutex
	rs []policy.Record
}

func (j *journal) InTx(_ context.Context, _ store.Tx, rs ...policy.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rs = append(j.rs, rs...)
	return nil
}

func (j *journal) Before(ctx context.Context, _ string, rs ...policy.Record) error {
	return j.InTx(ctx, nil, rs...)
}

// noteShelf is a policy.NoteStore.
type noteShelf struct {
	mu     sync.Mutex
	sealed map[string][]byte
}

func (n *noteShelf) PutNote(_ context.Context, id string, b []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sealed[id] = b
	return nil
}

func (n *noteShelf) ReplaceNote(_ context.Context, id string, _, b []byte) error {
	return n.PutNote(context.Background(), id, b)
}

func (n *noteShelf) Note(_ context.Context, id string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sealed[id], nil
}

const ofPractice = "urn:practice:test"

func newClinic(t *testing.T, seen ...*witnessed) *clinic {
	t.Helper()
	library, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.New(mapping.Config{IDKey: [32]byte{1}, System: ofPractice, Instruments: library})
	if err != nil {
		t.Fatal(err)
	}
	rules := &opa.Engine{}
	if err := rules.Load(t.Context(), opa.Embedded()); err != nil {
		t.Fatal(err)
	}
	engine, err := search.New(spec.R4(), spec.Capability())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	c := &clinic{store: storetest.NewMemory(noon), notes: &noteShelf{sealed: map[string][]byte{}}, record: &journal{}, mapper: m, library: library}
	var ids atomic.Int64
	guard, err := policy.NewGuard(policy.Config{
		Store: func(string) (store.Store, error) { return c.store, nil }, Engine: rules, Recorder: c.record, Index: engine.Index, Keys: ring,
		Clock: noon, IDs: func() string { return fmt.Sprintf("id-%d", ids.Add(1)) },
		Notes: func(string) (policy.NoteStore, error) { return c.notes, nil },
		Alarm: func(what string) { t.Errorf("alarm: %s", what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	all := func(context string) []policy.Scope {
		return []policy.Scope{{Context: context, Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}}
	}
	person := func(role policy.Role, user fhir.Key) policy.Principal {
		return policy.Principal{Tenant: "one", Issuer: "test", Subject: user.String() + string(role), Role: role, User: user, Scopes: all("user"), Purpose: "TREAT"}
	}
	client := m.ID("Patient", ofPractice, "c1")
	c.guard = guard
	c.people = tokens{
		"mira":   person(policy.Therapist, m.ID("Practitioner", ofPractice, "t1")),
		"jon":    person(policy.Therapist, m.ID("Practitioner", ofPractice, "t2")),
		"ida":    person(policy.Patient, client),
		"admin":  person(policy.Admin, fhir.Key{}),
		"desk":   person(policy.Intake, fhir.Key{}),
		"import": {Tenant: "one", Issuer: "test", Subject: "import", Role: policy.Integration, Scopes: all("system"), Purpose: "TREAT"},
		"reader": {Tenant: "one", Issuer: "test", Subject: "reader", Role: policy.Therapist, User: m.ID("Practitioner", ofPractice, "t1"), Purpose: "TREAT",
			Scopes: []policy.Scope{{Context: "user", Type: "*", Read: true, Search: true}}},
	}
	c.front = serve(t, Config{Gates: guard, Verify: c.people,
		Practice: &Practice{Clock: noon,
			Mapper: func(string) (*mapping.Mapper, error) { return m, nil }, Validate: validate.New(spec.R4()), Library: library, About: guard.About, Notes: guard.Notes,
			Follow: func(string) ([]fhir.Follow, error) {
				return []fhir.Follow{fhir.Deriving(instrument.NewDeriver(library)), exchange.Referrals{Partners: []exchange.Partner{
					{Name: "seespital", Base: "http://127.0.0.1/away", System: mapping.IdentifierSystem(ofPractice, "organisation"), Value: "hospital"}}}.Follow}, nil
			},
		}}, seen...)
	for _, r := range ground {
		c.as("import", http.MethodPost, "/practice/"+r.kinds, r.body, http.StatusCreated)
	}
	c.as("import", http.MethodPost, "/practice/practitioners", `{"key":"t2","name":{"family":"Berg"}}`, http.StatusCreated)
	c.as("import", http.MethodPost, "/practice/clients", `{"key":"c2","name":{"family":"Roth"}}`, http.StatusCreated)
	c.as("import", http.MethodPost, "/practice/episodes", `{"key":"e2","client":"c2","organisation":"home","therapist":"t2","status":"active","start":"2026-01-05"}`, http.StatusCreated)
	return c
}

// as sends a request with somebody's token and wants a status.
func (c *clinic) as(who, method, path, body string, status int) reply {
	c.Helper()
	r := c.send(method, path, body, "Authorization", "Bearer "+who)
	if r.StatusCode != status {
		c.Errorf("%s: %s %s: %d, want %d: %s", who, method, path, r.StatusCode, status, r.body)
	}
	return r
}

func decode[T any](t *testing.T, r reply) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return v
}

// versions counts all versions that are stored.
func (c *clinic) versions() int {
	c.Helper()
	cs, _, err := c.store.Feed(c.Context(), fhir.Seq{}, 10_000)
	if err != nil {
		c.Fatal(err)
	}
	return len(cs)
}

func TestATherapistRecordsTheOwnCaseload(t *testing.T) {
	c := newClinic(t)
	first := phq9("r1", "2026-01-12T10:40:00+01:00", "2222222202")
	c.as("mira", http.MethodPost, "/practice/responses", first, http.StatusCreated)
	r := c.as("mira", http.MethodPost, "/practice/responses", phq9("r2", "2026-02-02T10:40:00+01:00", "1111111111"), http.StatusCreated)
	got := decode[told](t, r)
	if got.Feedback == nil || got.Feedback.SinceFirst == nil || len(got.Feedback.Risks) != 1 || got.Feedback.Risks[0].Flag == "" || got.Feedback.Risks[0].Task == "" {
		t.Fatalf("%+v", got)
	}
	// The FHIR view is there at once.
	for _, ref := range []string{got.Resources[0].Reference, got.Feedback.Observation, got.Feedback.Risks[0].Flag, got.Feedback.Risks[0].Task} {
		c.as("mira", http.MethodGet, "/fhir/"+ref, "", http.StatusOK)
	}
	c.as("mira", http.MethodPost, "/practice/sessions", session, http.StatusCreated)
	c.as("mira", http.MethodPost, "/practice/sessions", session, http.StatusOK)
	// A change, and what it takes back.
	gone := decode[told](t, c.as("mira", http.MethodPost, "/practice/sessions", strings.Replace(session, `"cognitive",`, "", 1), http.StatusOK))
	if gone.Outcome != "updated" || !slices.Contains(gone.types(), "Procedure removed") {
		t.Errorf("%v", gone.types())
	}
	for _, res := range gone.Resources {
		if res.Outcome == "removed" {
			c.as("mira", http.MethodGet, "/fhir/"+res.Reference, "", http.StatusGone)
		}
	}
	before := c.versions()
	if again := decode[told](t, c.as("mira", http.MethodPost, "/practice/responses", first, http.StatusOK)); again.Outcome != "unchanged" || c.versions() != before {
		t.Errorf("the same again: %s, %d versions more", again.Outcome, c.versions()-before)
	}
}

// What followed from a response stands in the record of whom it was about.
func TestAResponseDoesNotBecomeAnotherClients(t *testing.T) {
	c := newClinic(t)
	first := phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130")
	c.as("import", http.MethodPost, "/practice/responses", first, http.StatusCreated)
	stated := func(key, client, date string) string {
		return fmt.Sprintf(`{"key":%q,"instrument":"phq-9","client":%q,"authored":%q,"scores":{"total":20}}`, key, client, date)
	}
	c.as("import", http.MethodPost, "/practice/responses", stated("r0", "c1", "2026-01-12"), http.StatusCreated)
	before := c.versions()
	moved := strings.Replace(first, `"client":"c1","episode":"e1","session":"s1"`, `"client":"c2","status":"amended"`, 1)
	for what, body := range map[string]string{"by its answers": moved, "a score that later ones rest on": stated("r0", "c2", "2026-01-12")} {
		is := c.outcome(c.as("import", http.MethodPost, "/practice/responses", body, http.StatusUnprocessableEntity), http.StatusUnprocessableEntity)
		if at := is[0].Get("expression").Index(0).Text(); what == "by its answers" && at != "/client" {
			t.Errorf("%s: told at %s", what, at)
		}
	}
	var outcome struct{ Records []result }
	if err := json.Unmarshal(c.as("import", http.MethodPost, "/practice/responses", "["+moved+"]", http.StatusOK).body, &outcome); err != nil || outcome.Records[0].Status != http.StatusUnprocessableEntity {
		t.Errorf("among several: %+v %v", outcome, err)
	}
	if n := c.versions(); n != before {
		t.Errorf("%d versions more", n-before)
	}
}

func TestWhoIsNotTheirsIsToATherapistAsWhoIsNotThere(t *testing.T) {
	c := newClinic(t)
	before := c.versions()
	theirs := c.as("jon", http.MethodPost, "/practice/sessions", session, http.StatusUnprocessableEntity)
	nobodys := c.as("jon", http.MethodPost, "/practice/sessions", strings.NewReplacer(`"c1"`, `"c9"`, `"e1"`, `"e9"`).Replace(session), http.StatusUnprocessableEntity)
	if string(theirs.body) != string(nobodys.body) {
		t.Errorf("another's client: %s\nnobody: %s", theirs.body, nobodys.body)
	}
	// Nor does a key that is in use tell by whom.
	c.as("mira", http.MethodPost, "/practice/sessions", session, http.StatusCreated)
	mine := `{"key":%q,"client":"c2","episode":"e2","practitioners":[{"practitioner":"t2"}],"status":"finished","start":"2026-02-02"}`
	used := c.as("jon", http.MethodPost, "/practice/sessions", fmt.Sprintf(mine, "s2"), http.StatusUnprocessableEntity)
	if seen := c.as("import", http.MethodPost, "/practice/sessions", fmt.Sprintf(mine, "s2"), http.StatusUnprocessableEntity); string(seen.body) != string(used.body) {
		t.Errorf("who sees it is told %s, who does not %s", seen.body, used.body)
	}
	if got := c.versions() - before; got != 3 {
		t.Errorf("%d versions were written, not those of one session", got)
	}
}

func TestEachRoleRecordsWhatIsItsToRecord(t *testing.T) {
	c := newClinic(t)
	own := strings.Replace(phq9("own", "2026-02-02T10:40:00+01:00", "1111111100"), `,"therapist":"t1"`, "", 1)
	goal := `{"key":"g","client":"c1","description":"Sleep","status":"active"}`
	for _, try := range []struct {
		who, kinds, body string
		status           int
	}{
		{"ida", "responses", own, 201},
		{"ida", "responses", own, 200},
		{"ida", "responses", strings.Replace(own, `"client":"c1"`, `"client":"c2"`, 1), 422},
		{"ida", "goals", goal, 403},
		{"admin", "goals", goal, 403},
		{"admin", "clients", `{"key":"c3","name":{"family":"Neu"}}`, 201},
		{"admin", "organisations", `{"key":"new","name":"Neu"}`, 201},
		{"desk", "clients", `{"key":"c4","name":{"family":"Neu"}}`, 201},
		{"desk", "referrals", `{"key":"f","client":"c4","direction":"in","status":"requested","service":{"text":"Therapy"}}`, 201},
		{"desk", "referrals", `{"key":"f2","client":"c4","direction":"in","status":"requested","reason":"Sorrow"}`, 403},
		{"desk", "sessions", session, 403},
		{"reader", "goals", goal, 403},
		{"mira", "organisations", `{"key":"mine","name":"Mine"}`, 403},
		{"mira", "goals", goal, 201},
	} {
		t.Run(try.who+" "+try.kinds, func(t *testing.T) {
			c.T = t
			c.as(try.who, http.MethodPost, "/practice/"+try.kinds, try.body, try.status)
		})
	}
}

func TestAReferralGoesIntoTheOutboxWithItsTransaction(t *testing.T) {
	c := newClinic(t)
	referral := `{"key":"f1","client":"c1","episode":"e1","direction":"out","from":"home","to":"hospital","requester":"t1","status":"requested","reason":"Worse"}`
	works := func(kind string, want int) {
		t.Helper()
		ws, err := c.store.Works(t.Context(), false, 100)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, w := range ws {
			if strings.HasPrefix(w.ID, kind+"/") {
				n++
			}
		}
		if n != want {
			t.Errorf("%d works of the kind %s, want %d: %+v", n, kind, want, ws)
		}
	}
	c.as("jon", http.MethodPost, "/practice/referrals", referral, http.StatusUnprocessableEntity)
	works(exchange.Deliver, 0)
	c.as("mira", http.MethodPost, "/practice/referrals", referral, http.StatusCreated)
	works(exchange.Deliver, 1)
	c.as("mira", http.MethodPost, "/practice/referrals", referral, http.StatusOK)
	works(exchange.Deliver, 1)
	got := decode[told](t, c.as("mira", http.MethodPost, "/practice/referrals", strings.Replace(referral, "requested", "cancelled", 1), http.StatusOK))
	if !slices.Contains(got.types(), "Provenance created") {
		t.Errorf("the step is not noted: %v", got.types())
	}
	works(exchange.Withdraw, 1)
	// A step that no one may make leaves nothing behind.
	before := c.versions()
	c.as("mira", http.MethodPost, "/practice/referrals", strings.Replace(referral, `"f1"`, `"f2"`, 1), http.StatusCreated)
	c.as("mira", http.MethodPost, "/practice/referrals", strings.NewReplacer(`"f1"`, `"f3"`, `"requested"`, `"rejected"`).Replace(referral), http.StatusUnprocessableEntity)
	if got := c.versions() - before; got != 2 {
		t.Errorf("%d versions, not those of f2", got)
	}
	works(exchange.Deliver, 2)
}

func TestEveryWriteIsInTheRecord(t *testing.T) {
	c := newClinic(t)
	c.record.rs = nil
	got := decode[told](t, c.as("mira", http.MethodPost, "/practice/responses", phq9("r2", "2026-02-02T10:40:00+01:00", "1111111111"), http.StatusCreated))
	named := map[string]bool{}
	for _, r := range c.record.rs {
		for _, touched := range r.Touched {
			if touched.How == policy.WasCreated {
				named[touched.Key.String()] = true
			}
		}
	}
	for _, res := range got.Resources {
		if !named[res.Reference] {
			t.Errorf("no record says that %s was created", res.Reference)
		}
	}
	if len(got.Resources) != 4 {
		t.Errorf("%v", got.types())
	}
}

func TestOneRecordPostedBySeveralAtOnceIsStoredOnce(t *testing.T) {
	c := newClinic(t)
	before := c.versions()
	var wg sync.WaitGroup
	outcomes := make([]string, 20)
	for i := range outcomes {
		wg.Go(func() {
			var got told
			if err := json.Unmarshal(c.send(http.MethodPost, "/practice/sessions", session).body, &got); err == nil {
				outcomes[i] = got.Outcome
			}
		})
	}
	wg.Wait()
	slices.Sort(outcomes)
	if outcomes[0] != "created" || outcomes[1] != "unchanged" || outcomes[19] != "unchanged" {
		t.Errorf("%v", outcomes)
	}
	if got := c.versions() - before; got != 3 {
		t.Errorf("%d versions were written", got)
	}
}
