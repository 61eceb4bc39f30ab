package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rapport/adapters/sqlstore"
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

// Here two sides stand behind their real guards and routers; only the wire between
// them is made up, and the stores are in memory.

const registry = "urn:example:organisations"

// parts are what both sides of all worlds share; making them is what takes time.
type parts struct {
	rules  *opa.Engine
	engine *search.Engine
	valid  *validate.Validator
	ring   *keyring.Ring
	// Guards remember what the rules say, so they are kept; each world has tenants of
	// its own and is done with before the next begins.
	guards map[string]*policy.Guard
	stores map[string]store.Store // by tenant
	db     *sqlstore.DB           // nil: the smallest store
	worlds int
	world  *world
}

func newParts(t testing.TB) *parts {
	t.Helper()
	p := &parts{rules: &opa.Engine{}, valid: validate.New(spec.R4()), guards: map[string]*policy.Guard{}, stores: map[string]store.Store{}}
	if err := p.rules.Load(t.Context(), opa.Embedded()); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.engine, err = search.New(spec.R4(), spec.Capability()); err != nil {
		t.Fatal(err)
	}
	if p.ring, err = keyring.Create(filepath.Join(t.TempDir(), "keyring")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *parts) guard(t testing.TB, name string) *policy.Guard {
	t.Helper()
	if g := p.guards[name]; g != nil {
		return g
	}
	g, err := policy.NewGuard(policy.Config{
		Store: func(tenant string) (store.Store, error) { return p.stores[tenant], nil }, Engine: p.rules, Recorder: &quietly{}, Index: p.engine.Index, Keys: p.ring,
		Clock: func() time.Time { return p.world.now }, IDs: func() string { return p.world.id() },
		Alarm: func(what string) { p.world.t.Errorf("%s: alarm: %s", name, what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.guards[name] = g
	return g
}

// quietly keeps records in memory.
type quietly struct {
	mu sync.Mutex
	rs []policy.Record
}

func (q *quietly) InTx(_ context.Context, _ store.Tx, rs ...policy.Record) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rs = append(q.rs, rs...)
	return nil
}

func (q *quietly) Before(ctx context.Context, _ string, rs ...policy.Record) error {
	return q.InTx(ctx, nil, rs...)
}

type world struct {
	t   testing.TB
	now time.Time
	ids atomic.Int64

	clinic, hospital *side
}

func (w *world) clock() time.Time { return w.now }

func (w *world) id() string { return fmt.Sprintf("id-%d", w.ids.Add(1)) }

// side is one gateway.
type side struct {
	*world
	name    string
	tenant  string
	base    string
	store   store.Store
	guard   *policy.Guard
	records *quietly
	router  *rest.Router
	courier *exchange.Courier
	staff   fhir.Gate
	partner fhir.Gate // of the other side, here
	wake    chan struct{}
}

// newWorld makes two sides joined by a wire. change alters it before it is used.
func newWorld(t testing.TB, p *parts, wire exchange.Channel) *world {
	t.Helper()
	p.worlds++
	clear(p.stores)
	w := &world{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	p.world = w
	w.clinic, w.hospital = w.side(p, "clinic", "hospital", wire), w.side(p, "hospital", "clinic", wire)
	return w
}

func all(context string) []policy.Scope {
	return []policy.Scope{{Context: context, Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}}
}

func baseOf(name string) string { return "http://" + name + ".example/fhir" }

func (w *world) side(p *parts, name, other string, wire exchange.Channel) *side {
	s := &side{world: w, name: name, tenant: fmt.Sprint(name, p.worlds), base: baseOf(name), store: storetest.NewMemory(w.clock), wake: make(chan struct{}, 1)}
	if p.db != nil {
		var err error
		if s.store, err = p.db.Tenant(s.tenant); err != nil {
			w.t.Fatal(err)
		}
	}
	p.stores[s.tenant] = s.store
	s.guard = p.guard(w.t, name)
	s.records = s.guard.Recorder.(*quietly)
	partners := []exchange.Partner{{Name: other, Base: baseOf(other), System: registry, Value: other}}
	follow := exchange.Referrals{Partners: partners, Wake: s.wake}
	s.router = rest.New(rest.Config{Base: s.base, Served: spec.Capability(), Search: p.engine, Validate: p.valid,
		Follow: []fhir.Follow{follow.Follow}, IDs: w.id, Clock: w.clock, Software: "test"})
	process := func(who string, role policy.Role, grants ...fhir.Key) policy.Principal {
		return policy.Principal{Tenant: s.tenant, Issuer: "test", Subject: who, Client: who, Role: role, Grants: grants, Scopes: all("system"), Purpose: "TREAT"}
	}
	s.staff = s.guard.For(process("staff", policy.Integration))
	s.partner = s.guard.For(process(other, policy.Partner, fhir.Key{Type: "Organization", ID: other + "-here"}))
	for _, org := range []string{name, other} {
		s.put(`{"resourceType":"Organization","id":"` + org + `-here","identifier":[{"system":"` + registry + `","value":"` + org + `"}],"name":"` + org + `"}`)
	}
	courier := process("gateway/courier", policy.Integration)
	s.courier = &exchange.Courier{Gate: s.guard.For(courier), Release: s.guard.Release(courier), Queue: s.store, Memos: s.store, Feed: s.store, Channel: wire,
		Partners: partners, Base: s.base, Clock: w.clock, Wake: s.wake, Parallel: 1}
	return s
}

// serve answers one request.
func (s *side) serve(gate fhir.Gate, method, path string, query url.Values, body []byte, header ...string) rest.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return s.router.Serve(context.Background(), &rest.Request{Method: method, Path: path, Query: query, Header: h, Body: body, Gate: gate})
}

// put writes a resource as the staff and wants it to work.
func (s *side) put(json string) fhir.Resource {
	s.t.Helper()
	r, err := fhir.Parse([]byte(json))
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.serve(s.staff, http.MethodPut, r.Key.String(), nil, r.Body())
	if a.Status/100 != 2 {
		s.t.Fatalf("%s: PUT %s: %d %s", s.name, r.Key, a.Status, a.Body)
	}
	got, err := fhir.Parse(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// get reads a resource as the staff, the zero Resource if there is none.
func (s *side) get(key string) fhir.Resource {
	s.t.Helper()
	a := s.serve(s.staff, http.MethodGet, key, nil, nil)
	if a.Status != http.StatusOK {
		return fhir.Resource{}
	}
	r, err := fhir.Parse(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// find searches as the staff.
func (s *side) find(typ, param, value string) (out []fhir.Resource) {
	s.t.Helper()
	q := url.Values{"_count": {"500"}}
	if param != "" {
		q.Set(param, value)
	}
	a := s.serve(s.staff, http.MethodGet, typ, q, nil)
	rs, err := matches(a)
	if err != nil {
		s.t.Fatalf("%s: %s?%s=%s: %v", s.name, typ, param, value, err)
	}
	return rs
}

func matches(a rest.Response) (out []fhir.Resource, err error) {
	if a.Status != http.StatusOK {
		return nil, refused(a)
	}
	b, err := fhir.Parse(a.Body)
	if err != nil {
		return nil, err
	}
	for e := range b.Root().Get("entry").Elements() {
		r, err := fhir.ResourceOf(e.Get("resource"))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// refused turns an answer into the error that a channel makes of it.
func refused(a rest.Response) error {
	code := fhir.Invalid
	switch a.Status {
	case http.StatusForbidden:
		code = fhir.Forbidden
	case http.StatusNotFound, http.StatusGone:
		code = fhir.NotFound
	case http.StatusConflict:
		code = fhir.Conflict
	case http.StatusPreconditionFailed:
		code = fhir.Stale
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		code = fhir.Transient
	}
	return &fhir.Error{Code: code, Detail: fmt.Sprintf("status %d: %s", a.Status, a.Body)}
}

// step changes a Task's status, and its output where one is given, as the staff.
func (s *side) step(task fhir.Key, status, output string) rest.Response {
	s.t.Helper()
	r := s.get(task.String())
	o := fhir.NewObject()
	for name, v := range r.Root().Members() {
		switch name {
		case "status":
			o.Set("status", status)
		case "statusReason":
		case "output":
			if output == "" {
				o.Set(name, v)
			}
		default:
			o.Set(name, v)
		}
	}
	if status == "rejected" || status == "failed" {
		o.Set("statusReason", fhir.NewObject().Set("text", "No room."))
	}
	if output != "" {
		o.Set("output", []*fhir.Object{fhir.NewObject().Set("type", fhir.NewObject().Set("text", "Report")).
			Set("valueReference", fhir.NewObject().Set("reference", output))})
	}
	return s.serve(s.staff, http.MethodPut, task.String(), nil, o.JSON(), "If-Match", `W/"`+strconv.FormatInt(r.Version, 10)+`"`)
}

// referral puts a client with a referral at the clinic.
func (s *side) referral(n, status string) fhir.Key {
	s.t.Helper()
	for _, r := range []string{
		`{"resourceType":"Practitioner","id":"mira","name":[{"family":"Lind"}]}`,
		`{"resourceType":"Patient","id":"p1","name":[{"family":"Roth"}],"generalPractitioner":[{"reference":"Practitioner/mira"}]}`,
		`{"resourceType":"Goal","id":"g1","lifecycleStatus":"active","description":{"text":"Sleep"},"subject":{"reference":"Patient/p1"}}`,
		`{"resourceType":"ServiceRequest","id":"sr` + n + `","status":"active","intent":"order","subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e9"},"requester":{"reference":"Practitioner/mira"},"reasonCode":[{"text":"Worse"}]}`,
	} {
		s.put(r)
	}
	return s.put(`{"resourceType":"Task","id":"t` + n + `","status":"` + status + `","intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}]},` +
		`"focus":{"reference":"ServiceRequest/sr` + n + `"},"for":{"reference":"Patient/p1"},"requester":{"reference":"Organization/clinic-here"},"owner":{"reference":"Organization/hospital-here"}}`).Key
}

// copyOf returns the hospital's copies of a Task of the clinic's.
func (w *world) copyOf(task fhir.Key) []fhir.Resource {
	w.t.Helper()
	return w.hospital.find("Task", "identifier", w.clinic.base+"/Task|"+task.ID)
}

// settle lets both couriers work until there is nothing left to do.
func (w *world) settle() {
	w.t.Helper()
	for range 60 {
		n := 0
		for _, s := range []*side{w.clinic, w.hospital} {
			did, err := s.courier.Once(context.Background())
			if err != nil {
				w.t.Fatal(err)
			}
			n += did
		}
		w.now = w.now.Add(time.Minute)
		if n > 0 {
			continue
		}
		idle := true
		for _, s := range []*side{w.clinic, w.hospital} {
			idle = idle && len(s.works(false)) == 0
		}
		if idle {
			return
		}
		w.now = w.now.Add(31 * time.Minute)
	}
	w.t.Fatalf("work without end: %v %v", w.clinic.works(false), w.hospital.works(false))
}

func (s *side) works(dead bool) []fhir.Work {
	s.t.Helper()
	ws, err := s.store.Works(context.Background(), dead, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return ws
}

// wire brings requests to the other side without a network. Before and after each
// request it asks what shall go wrong.
type wire struct {
	world *world
	fault func(write bool) fault
	late  []func()
}

type fault uint8

const (
	none fault = iota
	lostOnTheWay
	lostOnTheWayBack
	twice
	delayed // the sender gave up waiting; it arrives later, within longestWay
)

// longestWay is for how long the package reckons with what was sent.
const longestWay = 5 * time.Minute

var lost = &fhir.Error{Code: fhir.Transient, Detail: "the partner cannot be reached"}

func (w *wire) send(to exchange.Partner, write bool, method, path string, query url.Values, body []byte, header ...string) (rest.Response, error) {
	at := w.world.hospital
	if to.Name == "clinic" {
		at = w.world.clinic
	}
	body = bytes.Clone(body)
	do := func() rest.Response { return at.serve(at.partner, method, path, query, body, header...) }
	f := none
	if w.fault != nil {
		f = w.fault(write)
	}
	switch f {
	case lostOnTheWay:
		return rest.Response{}, lost
	case lostOnTheWayBack:
		do()
		return rest.Response{}, lost
	case twice:
		do()
		return do(), nil
	case delayed:
		sent := w.world.now
		w.late = append(w.late, func() {
			if w.world.now.Sub(sent) < longestWay {
				do()
			}
		})
		return rest.Response{}, lost
	}
	return do(), nil
}

func (w *wire) resource(a rest.Response, err error) (fhir.Resource, error) {
	if err == nil && a.Status/100 != 2 {
		err = refused(a)
	}
	if err != nil {
		return fhir.Resource{}, err
	}
	return fhir.Parse(a.Body)
}

func (w *wire) Transact(_ context.Context, to exchange.Partner, b fhir.Resource) (fhir.Resource, error) {
	return w.resource(w.send(to, true, http.MethodPost, "", nil, b.Body()))
}

func (w *wire) Put(_ context.Context, to exchange.Partner, r fhir.Resource, ifMatch int64) (fhir.Resource, error) {
	return w.resource(w.send(to, true, http.MethodPut, r.Key.String(), nil, r.Body(), "If-Match", `W/"`+strconv.FormatInt(ifMatch, 10)+`"`))
}

func (w *wire) Search(_ context.Context, to exchange.Partner, typ string, params url.Values) ([]fhir.Resource, error) {
	a, err := w.send(to, false, http.MethodGet, typ, params, nil)
	if err != nil {
		return nil, err
	}
	return matches(a)
}

// said returns the text of an answer's issues.
func said(a rest.Response) string { return strings.ReplaceAll(string(a.Body), "\n", " ") }
