package partner_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rapport/adapters/issuer"
	"rapport/adapters/partner"
	"rapport/adapters/sqlstore"
	"rapport/adapters/web"
	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/fhir/rest"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/validate"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
	"rapport/policy/token"
)

// Here two gateways meet over HTTP: each with its issuer, its guard and its courier.

const registry = "urn:example:organisations"

type gateway struct {
	t       *testing.T
	name    string
	server  *httptest.Server
	handler atomic.Pointer[http.Handler] // nil: down
	store   store.Store
	guard   *policy.Guard
	issuer  *issuer.Issuer
	records *records
	key     *token.SigningKey // that it signs with at the other's issuer
	keyFile string
	staff   string // token
	way     exchange.Way
}

type records struct {
	mu sync.Mutex
	rs []policy.Record
}

func (r *records) InTx(_ context.Context, _ store.Tx, rs ...policy.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rs = append(r.rs, rs...)
	return nil
}

func (r *records) Before(ctx context.Context, _ string, rs ...policy.Record) error {
	return r.InTx(ctx, nil, rs...)
}

// meet starts both gateways; their couriers run until the test ends.
func meet(t *testing.T, way exchange.Way) (clinic, hospital *gateway) {
	t.Helper()
	clinic, hospital = listen(t, "clinic"), listen(t, "hospital")
	clinic.way = way
	rules := &opa.Engine{}
	if err := rules.Load(t.Context(), opa.Embedded()); err != nil {
		t.Fatal(err)
	}
	engine, err := search.New(spec.R4(), spec.Capability())
	if err != nil {
		t.Fatal(err)
	}
	valid := validate.New(spec.R4())
	clinic.start(hospital, rules, engine, valid)
	hospital.start(clinic, rules, engine, valid)
	return clinic, hospital
}

func listen(t *testing.T, name string) *gateway {
	t.Helper()
	g := &gateway{t: t, name: name, records: &records{}, keyFile: filepath.Join(t.TempDir(), name+".jwk")}
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := g.handler.Load()
		if h == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		(*h).ServeHTTP(w, r)
	}))
	t.Cleanup(g.server.Close)
	var err error
	if g.key, err = token.GenerateSigningKey(name); err != nil {
		t.Fatal(err)
	}
	if err := g.key.WriteFile(g.keyFile); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gateway) base() string { return g.server.URL + "/fhir" }

func (g *gateway) start(other *gateway, rules *opa.Engine, engine *search.Engine, valid *validate.Validator) {
	t := g.t
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keyring"))
	must(err)
	var n atomic.Int64
	ids := func() string { return fmt.Sprintf("%s-%d", g.name, n.Add(1)) }
	db, err := sqlstore.OpenSQLite(t.Context(), ":memory:", sqlstore.Options{})
	must(err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	g.store, err = db.Tenant("main")
	must(err)
	g.guard, err = policy.NewGuard(policy.Config{
		Store: func(string) (store.Store, error) { return g.store, nil }, Engine: rules, Recorder: g.records, Index: engine.Index, Keys: ring,
		Clock: time.Now, IDs: ids, Alarm: func(what string) { t.Errorf("alarm: %s", what) },
	})
	must(err)

	known := func(typ, param string) bool {
		ty, ok := spec.Capability().Type(typ)
		if !ok || param == "" {
			return ok
		}
		_, ok = ty.Param(param)
		return ok
	}
	jwks, err := other.key.JWKS()
	must(err)
	g.issuer, err = issuer.New(issuer.Config{URL: g.server.URL + "/auth", Audience: g.base(), Clients: map[string]issuer.Client{
		other.name: {Tenant: "main", Role: policy.Partner, Grants: []string{"Organization?identifier=" + registry + "|" + other.name}, Scope: "system/*.cruds", Purpose: "TREAT", JWKS: string(jwks)},
	}}, issuer.Options{Ring: ring, Clock: time.Now, IDs: ids, Known: known, Memos: func(string) (fhir.Memos, error) { return g.store, nil }, Development: true})
	must(err)
	verify, err := token.New(token.Config{Issuers: []token.Issuer{g.issuer.Trust()}}, token.Options{
		Clock: time.Now, Ring: ring, Known: known, Tenant: func(id string) bool { return id == "main" }, Resolver: g})
	must(err)

	partners := []exchange.Partner{{Name: other.name, Base: other.base(), System: registry, Value: other.name, Delivery: g.way}}
	wake := make(chan struct{}, 1)
	var router *rest.Router
	inbox := exchange.Inbox{Base: g.base(), Served: spec.Capability(), Clock: time.Now,
		Run: func(ctx context.Context, r *rest.Request) rest.Response { return router.Serve(ctx, r) }}
	router = rest.New(rest.Config{Operations: []rest.Operation{inbox.Operation()},
		Base: g.base(), Served: spec.Capability(), Search: engine, Validate: valid,
		Follow: []fhir.Follow{exchange.Referrals{Partners: partners, Wake: wake}.Follow}, IDs: ids, Clock: time.Now, Software: "test"})
	h := web.New(web.Config{Router: func(string) (*rest.Router, error) { return router, nil }, Gates: g.guard, Verify: verify, Metrics: web.NewMetrics(),
		Metadata: router.Serve(t.Context(), &rest.Request{Method: http.MethodGet, Path: "metadata"}).Body,
		SMART: func() []byte {
			b, err := g.issuer.SMART()
			if err != nil {
				t.Error(err)
			}
			return b
		}, Mounts: map[string]http.Handler{"/auth/": g.issuer.Handler()}})
	g.handler.Store(&h)
	g.staff, err = g.issuer.Mint(t.Context(), issuer.Grant{Tenant: "main", Role: policy.Integration})
	must(err)
	for _, org := range []string{g.name, other.name} {
		g.send(g.staff, http.MethodPut, "Organization/"+org+"-at-"+g.name, `{"resourceType":"Organization","id":"`+org+"-at-"+g.name+`","identifier":[{"system":"`+registry+`","value":"`+org+`"}]}`, http.StatusCreated)
	}

	channel, err := partner.New([]partner.Config{{Name: other.name, Base: other.base(), Organization: partner.Identifier{System: registry, Value: other.name}, Client: g.name, Key: g.keyFile}},
		func(c partner.Config) (partner.Assert, error) {
			key, err := token.ReadSigningKey(c.Key)
			return func(client, audience string) (string, error) {
				return token.Assertion(key, client, audience, ids(), time.Now())
			}, err
		}, time.Now)
	must(err)
	me := policy.Principal{Tenant: "main", Issuer: "gateway", Subject: "gateway/courier", Client: "gateway/courier", Role: policy.Integration, Purpose: "TREAT",
		Scopes: []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}}}
	courier := &exchange.Courier{Gate: g.guard.For(me), Release: g.guard.Release(me), Queue: g.store, Memos: g.store, Channel: channel,
		Partners: partners, Base: g.base(), Clock: time.Now, Wake: wake}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { _ = courier.Run(ctx) }) // ends with ctx
	t.Cleanup(func() { stop(); work.Wait() })
}

// Resolve implements token.Resolver.
func (g *gateway) Resolve(ctx context.Context, _ string, p token.Person) (k fhir.Key, err error) {
	q := fhir.Query{Type: p.Type, Count: 2, Where: []fhir.Clause{{Param: "identifier", Kind: fhir.Token, Any: []fhir.Operand{{System: p.System, HasSystem: true, Code: p.Value}}}}}
	err = g.store.View(ctx, func(r store.Reader) error {
		page, err := r.Find(ctx, fhir.Omniscient(), q)
		if err != nil || len(page.Found) != 1 {
			return fhir.Missing(fhir.Key{})
		}
		k = page.Found[0].Key
		return nil
	})
	return k, err
}

// send makes a request with a token and wants a status; 0: any.
func (g *gateway) send(bearer, method, path, body string, want int, header ...string) fhir.Resource {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.base()+"/"+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if want != 0 && resp.StatusCode != want {
		g.t.Fatalf("%s: %s %s: %d, want %d: %s", g.name, method, path, resp.StatusCode, want, b)
	}
	r, err := fhir.Parse(b)
	if err != nil {
		g.t.Fatalf("%s: %s %s: %v: %s", g.name, method, path, err, b)
	}
	return r
}

// become waits until a Task of the given search has a status, and returns it.
func (g *gateway) become(query, status string) (task fhir.Resource) {
	g.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		b := g.send(g.staff, http.MethodGet, "Task?"+query, "", http.StatusOK)
		if n := b.Root().Get("entry"); n.Len() == 1 && n.Index(0).At("resource", "status").Text() == status {
			task, err := fhir.ResourceOf(n.Index(0).Get("resource"))
			if err != nil {
				g.t.Fatal(err)
			}
			return task
		}
	}
	dead, err := g.store.Works(context.Background(), true, 10)
	g.t.Fatalf("%s: no Task became %s; given up here: %+v, %v", g.name, status, dead, err)
	return task
}

// step puts a Task with another status and output at the version that was read.
func (g *gateway) step(task fhir.Resource, status, output string) {
	g.t.Helper()
	o := fhir.NewObject()
	for name, v := range task.Root().Members() {
		if name == "status" {
			o.Set(name, status)
		} else if name != "output" {
			o.Set(name, v)
		}
	}
	if output != "" {
		o.Set("output", []*fhir.Object{fhir.NewObject().Set("type", fhir.NewObject().Set("text", "Report")).Set("valueReference", fhir.NewObject().Set("reference", output))})
	}
	g.send(g.staff, http.MethodPut, task.Key.String(), string(o.JSON()), http.StatusOK, "If-Match", fmt.Sprintf(`W/"%d"`, task.Version))
}

const referral = `{"resourceType":"Bundle","type":"transaction","entry":[
{"request":{"method":"PUT","url":"Patient/p1"},"resource":{"resourceType":"Patient","id":"p1","name":[{"family":"Roth"}]}},
{"request":{"method":"PUT","url":"Observation/o1"},"resource":{"resourceType":"Observation","id":"o1","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-03-01","valueQuantity":{"value":17.0},"derivedFrom":[{"reference":"QuestionnaireResponse/q1"}]}},
{"request":{"method":"PUT","url":"ServiceRequest/s1"},"resource":{"resourceType":"ServiceRequest","id":"s1","status":"active","intent":"order","subject":{"reference":"Patient/p1"},"reasonCode":[{"text":"Worse"}]}},
{"request":{"method":"PUT","url":"Task/t1"},"resource":{"resourceType":"Task","id":"t1","status":"requested","intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}]},"focus":{"reference":"ServiceRequest/s1"},"for":{"reference":"Patient/p1"},"requester":{"reference":"Organization/clinic-at-clinic"},"owner":{"reference":"Organization/hospital-at-clinic"}}}]}`

func TestAReferralTravelsBetweenTwoGatewaysOverHTTP(t *testing.T) {
	for _, way := range []exchange.Way{exchange.Auto, exchange.Message} {
		t.Run(string(way), func(t *testing.T) { travel(t, way) })
	}
}

func travel(t *testing.T, way exchange.Way) {
	clinic, hospital := meet(t, way)
	hospital.send(hospital.staff, http.MethodPut, "Patient/own", `{"resourceType":"Patient","id":"own"}`, http.StatusCreated)
	clinic.send(clinic.staff, http.MethodPost, "", referral, http.StatusOK)
	there := "identifier=" + clinic.base() + "/Task|t1"
	copied := hospital.become(there, "requested")
	if got := copied.Root().At("owner", "reference").Text(); got != "Organization/hospital-at-hospital" {
		t.Errorf("the owner of the copy is %s", got)
	}
	b := hospital.send(hospital.staff, http.MethodGet, "Observation", "", http.StatusOK)
	if o := b.Root().Get("entry").Index(0).Get("resource"); o.At("valueQuantity", "value").Decimal() != "17.0" || o.At("subject", "reference").Text() != copied.Root().At("for", "reference").Text() {
		t.Errorf("the score at the hospital: %s", o.Raw())
	}

	hospital.step(copied, "accepted", "")
	clinic.become("_id=t1", "accepted")
	hospital.step(hospital.become(there, "accepted"), "in-progress", "")
	report := hospital.send(hospital.staff, http.MethodPost, "DocumentReference", `{"resourceType":"DocumentReference","status":"current","subject":`+string(copied.Root().Get("for").Raw())+
		`,"content":[{"attachment":{"contentType":"text/plain","data":"U2Vlbg=="}}]}`, http.StatusCreated)
	hospital.step(hospital.become(there, "in-progress"), "completed", report.Key.String())
	back := clinic.become("_id=t1", "completed")
	doc := clinic.send(clinic.staff, http.MethodGet, back.Root().Get("output").Index(0).At("valueReference", "reference").Text(), "", http.StatusOK)
	if doc.Root().At("subject", "reference").Text() != "Patient/p1" || doc.Root().Get("content").Index(0).At("attachment", "data").Text() != "U2Vlbg==" {
		t.Errorf("%s", doc.Body())
	}

	// What the clinic's client sees at the hospital is what it brought.
	bearer := signIn(t, clinic, hospital)
	found := hospital.send(bearer, http.MethodGet, "Patient?_total=accurate", "", http.StatusOK)
	if n := found.Root().Get("entry").Len(); n != 1 || found.Root().Get("total").Decimal() != "1" {
		t.Errorf("the clinic sees %d patients at the hospital", n)
	}
	hospital.send(bearer, http.MethodGet, "Patient/own", "", http.StatusNotFound)
	clinic.send(bearer, http.MethodGet, "Task/t1", "", http.StatusUnauthorized) // a token of one issuer is none of the other
}

func signIn(t *testing.T, who, at *gateway) string {
	t.Helper()
	raw, err := token.Assertion(who.key, who.name, at.issuer.TokenURL(), "a-jti-of-its-own", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.PostForm(at.issuer.TokenURL(), map[string][]string{"grant_type": {"client_credentials"}, "scope": {"system/*.cruds"}, "client_assertion": {raw},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Token == "" {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
	return a.Token
}

func TestAReferralOutlastsAHospitalThatIsDown(t *testing.T) {
	clinic, hospital := meet(t, "")
	up := hospital.handler.Swap(nil)
	clinic.send(clinic.staff, http.MethodPost, "", referral, http.StatusOK)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ws, err := clinic.store.Works(t.Context(), false, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(ws) == 1 && ws[0].Attempt > 0 && strings.Contains(ws[0].Note, "503") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the failure is not noted: %+v", ws)
		}
	}
	hospital.handler.Store(up)
	hospital.become("identifier="+clinic.base()+"/Task|t1", "requested")
	if b := hospital.send(hospital.staff, http.MethodGet, "Patient", "", http.StatusOK); b.Root().Get("entry").Len() != 1 {
		t.Errorf("%s", b.Body())
	}
}
