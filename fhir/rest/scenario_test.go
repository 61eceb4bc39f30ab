package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"rapport/adapters/sqlstore"
	"rapport/fhir"
	"rapport/fhir/path"
	"rapport/fhir/rest"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/validate"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
)

const base = "https://clinic.example/fhir"

// place is a router over a gate and a store, with clocks and ids that count.
type place struct {
	*rest.Router
	gate  fhir.Gate
	guard *policy.Guard
	who   policy.Principal // whose gate it is
}

// unrecorded keeps no audit records: policy's own tests look at those.
type unrecorded struct{}

func (unrecorded) InTx(context.Context, store.Tx, ...policy.Record) error { return nil }
func (unrecorded) Before(context.Context, string, ...policy.Record) error { return nil }

func newPlace(t testing.TB, rules *opa.Engine) *place {
	t.Helper()
	var seconds atomic.Int64
	clock := func() time.Time { return time.Date(2026, 3, 1, 8, 0, int(seconds.Add(1)), 0, time.UTC) }
	counter := func(prefix string) fhir.NewIDs {
		var n atomic.Int64
		return func() string { return prefix + strconv.FormatInt(n.Add(1), 10) }
	}
	db, err := sqlstore.OpenSQLite(t.Context(), ":memory:", sqlstore.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	engine, err := search.New(spec.R4(), spec.Capability(), base)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := policy.NewGuard(policy.Config{
		Store: func(tenant string) (store.Store, error) { return db.Tenant(tenant) }, Engine: rules, Recorder: unrecorded{}, Index: engine.Index,
		Keys: keyring.Random(), Clock: clock, IDs: counter("record"),
		Alarm: func(what string) { t.Errorf("alarm: %s", what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	every := policy.Scope{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}
	who := policy.Principal{Tenant: "t", Issuer: "test", Subject: "import", Role: policy.Integration, Purpose: "TREAT", Scopes: []policy.Scope{every}}
	return &place{
		Router: rest.New(rest.Config{Base: base, Served: spec.Capability(), Search: engine, Validate: validate.New(spec.R4()),
			IDs: counter("n"), Clock: clock, Software: "test"}),
		gate: guard.For(who), guard: guard, who: who,
	}
}

// ask sends one request: "GET Patient/1?…"; "POST" alone goes to the base.
func (p *place) ask(t testing.TB, line string, header http.Header, body string) rest.Response {
	t.Helper()
	method, target, _ := strings.Cut(line, " ")
	target, query, _ := strings.Cut(strings.TrimPrefix(target, "/"), "?")
	vs, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return p.Serve(t.Context(), &rest.Request{Method: method, Path: target, Query: vs, Header: header, Body: []byte(body), Gate: p.gate})
}

// Each file of testdata is a story: requests, each followed by its answer. A
// request has a line, headers and a body; an answer has a status, headers, and
// FHIRPath that holds for its body («none»: it has none). {next} in a request
// stands for the next link of the answer before.
func TestEveryStoryIsAnsweredAsWritten(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no stories", err)
	}
	rules, err := opa.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Files) == 0 || len(a.Files)%2 != 0 {
				t.Fatal("requests and answers do not pair")
			}
			p := newPlace(t, rules)
			next := ""
			for i := 0; i < len(a.Files); i += 2 {
				name := strings.ReplaceAll(a.Files[i].Name, "{next}", next)
				header, body := headed(t, a.Files[i].Data)
				got := p.ask(t, name, header, body)
				judge(t, fmt.Sprintf("%d: %s", i/2+1, a.Files[i].Name), a.Files[i+1], got)
				next = nextLink(got.Body)
			}
		})
	}
}

// headed cuts headers, an empty line and the rest apart.
func headed(t testing.TB, data []byte) (http.Header, string) {
	t.Helper()
	h := http.Header{}
	head, body, ok := strings.Cut(string(data), "\n\n")
	if !ok {
		if strings.HasPrefix(strings.TrimSpace(head), "{") {
			return h, head
		}
		head = strings.TrimSuffix(head, "\n")
	} else if strings.HasPrefix(head, "{") {
		t.Fatal("a body stands before an empty line")
	}
	for line := range strings.Lines(head) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			t.Fatalf("%q is no header", line)
		}
		h.Set(name, value)
	}
	return h, body
}

func judge(t *testing.T, step string, want txtar.File, got rest.Response) {
	t.Helper()
	if strconv.Itoa(got.Status) != want.Name {
		t.Fatalf("%s: status %d, want %s\n%s", step, got.Status, want.Name, got.Body)
	}
	var body fhir.Resource
	if got.Body != nil {
		var err error
		if body, err = fhir.Parse(got.Body); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, got.Body)
		}
	}
	for s := bufio.NewScanner(strings.NewReader(string(want.Data))); s.Scan(); {
		line := s.Text()
		if name, value, ok := strings.Cut(line, ": "); ok && !strings.ContainsAny(name, " .(") {
			if got.Header.Get(name) != value {
				t.Errorf("%s: %s is %q, want %q", step, name, got.Header.Get(name), value)
			}
			continue
		}
		if line == "none" {
			if got.Body != nil {
				t.Errorf("%s: there is a body: %s", step, got.Body)
			}
			continue
		}
		x, err := path.Compile(line)
		if err != nil {
			t.Fatalf("%s: %q: %v", step, line, err)
		}
		root, ok := path.R4().Resource(body.Root())
		if !ok {
			t.Fatalf("%s: no resource to ask %q of", step, line)
		}
		if holds, err := x.Holds(nil, root); err != nil || !holds {
			t.Errorf("%s: does not hold: %s (%v)\n%s", step, line, err, got.Body)
		}
	}
}

func nextLink(body []byte) string {
	n, err := fhir.ParseNode(body)
	if err != nil {
		return ""
	}
	for l := range n.Get("link").Elements() {
		if l.Get("relation").Text() == "next" {
			return strings.TrimPrefix(l.Get("url").Text(), base+"/")
		}
	}
	return ""
}
