package web

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/policy"
)

// tokens is a Verifier of words.
type tokens map[string]policy.Principal

func (t tokens) Verify(_ context.Context, raw string) (policy.Principal, error) {
	switch p, ok := t[raw]; {
	case ok:
		return p, nil
	case raw == "keys-are-away":
		return p, &fhir.Error{Code: fhir.Transient, Detail: "The issuer's keys cannot be had at the moment."}
	}
	return policy.Principal{}, &fhir.Error{Code: fhir.Login, Detail: "The token does not hold."}
}

// closed is a Gates whose gates are never to be reached.
type closed struct{ t *testing.T }

func (c closed) For(policy.Principal) fhir.Gate { return c }

func (c closed) View(_ context.Context, a fhir.Act, _ func(fhir.Reader) error) error {
	if a.Type == "Flag" {
		panic("Family-Secret")
	}
	return fhir.Missing(fhir.Key{Type: a.Type, ID: a.ID})
}

func (c closed) Update(_ context.Context, a fhir.Act, _ func(fhir.Tx) error) error {
	c.t.Errorf("a gate was asked for %+v", a)
	return fhir.Missing(fhir.Key{})
}

func noon() time.Time { return time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC) }

// refusals counts calls of Config.Refused by source.
type refusals struct {
	mu sync.Mutex
	by map[string]int
}

func (r *refusals) note(_ context.Context, source string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]int{}
	}
	r.by[source]++
}

func (r *refusals) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.by["127.0.0.1"]
}

// front is a gateway in front of a gate, as it is served.
type front struct {
	*testing.T
	url, addr string
	log       *bytes.Buffer
	refused   *refusals
}

// serve starts the handler of a configuration; what it leaves out is filled in.
func serve(t *testing.T, c Config, seen ...*witnessed) *front {
	t.Helper()
	f := &front{T: t, log: &bytes.Buffer{}, refused: &refusals{}}
	c.Log = slog.New(slog.NewTextHandler(f.log, nil))
	c.Refused = f.refused.note
	if c.Gates == nil {
		c.Gates = closed{t}
	}
	if c.Verify == nil {
		c.Verify = tokens{"mira": {Tenant: "one", Role: policy.Therapist}}
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	router := router(t)
	c.Router = func(string) (*rest.Router, error) { return router, nil }
	c.Metadata = router.Serve(t.Context(), &rest.Request{Method: http.MethodGet, Path: "metadata"}).Body
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = Server("", recording(t, New(c), seen...))
	srv.Start()
	t.Cleanup(srv.Close)
	f.url, f.addr = srv.URL, srv.Listener.Addr().String()
	return f
}

func router(t *testing.T) *rest.Router {
	t.Helper()
	engine, err := search.New(spec.R4(), spec.Capability())
	if err != nil {
		t.Fatal(err)
	}
	return rest.New(rest.Config{
		Base: "http://127.0.0.1/fhir", Served: spec.Capability(), Search: engine, Validate: validate.New(spec.R4()),
		IDs: func() string { return "1" }, Clock: noon, Software: "test",
	})
}

// reply is what came back, with its body read.
type reply struct {
	*http.Response
	body []byte
}

// send sends a request as mira, unless header says otherwise: pairs of name and
// value; a name alone takes the header away.
func (f *front) send(method, path, body string, header ...string) reply {
	f.Helper()
	var b io.Reader
	if body != "" {
		b = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(f.Context(), method, f.url+path, b)
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer mira")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if i+1 < len(header) && header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return f.do(req)
}

func (f *front) do(req *http.Request) reply {
	f.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return reply{resp, b}
}

// outcome returns the issues of an answer, which must be an OperationOutcome with
// the given status.
func (f *front) outcome(r reply, status int) []fhir.Node {
	f.Helper()
	if r.StatusCode != status {
		f.Errorf("status %d, want %d: %s", r.StatusCode, status, r.body)
	}
	if got := r.Header.Get("Content-Type"); got != "application/fhir+json; charset=utf-8" {
		f.Errorf("Content-Type %q", got)
	}
	res, err := fhir.Parse(r.body)
	if err != nil || res.Type != "OperationOutcome" {
		f.Fatalf("no OperationOutcome: %s", r.body)
	}
	var out []fhir.Node
	for n := range res.Root().Get("issue").Elements() {
		out = append(out, n)
	}
	return out
}

// code is the one issue's code.
func (f *front) code(r reply, status int) string {
	f.Helper()
	is := f.outcome(r, status)
	if len(is) != 1 {
		f.Errorf("%d issues, want one: %s", len(is), r.body)
	}
	return is[0].Get("code").Text()
}
