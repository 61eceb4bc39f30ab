package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/gin-gonic/gin"
	"github.com/goccy/go-yaml"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/mapping/practice"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/token"
)

const openapi = "../../openapi.yaml"

// longest is how much of a body is looked at.
const longest = 4 << 20

// description is openapi.yaml, read once.
var description = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(openapi)
	if err != nil {
		return nil, err
	}
	openapi3filter.RegisterBodyDecoder("application/fhir+json", openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("image/svg+xml", openapi3filter.PlainBodyDecoder)
	return doc, nil
})

func described(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := description()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTheDescriptionIsValidOpenAPI(t *testing.T) {
	doc := described(t)
	if err := doc.Validate(t.Context(), openapi3.AllowExtraSiblingFields("description")); err != nil {
		t.Error(err)
	}
	if !doc.IsOpenAPI31OrLater() {
		t.Errorf("it is OpenAPI %s", doc.OpenAPI)
	}
}

// witnessed gathers which operations a test's exchanges were of.
type witnessed struct {
	mu  sync.Mutex
	ops map[string]int // operationId → exchanges that succeeded
}

func (w *witnessed) note(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ops[id]++
}

// recording holds every exchange of a test to openapi.yaml: what is described is
// answered as described, and what is sent in an exchange that succeeds may be sent.
// seen are told what succeeded.
func recording(t *testing.T, h http.Handler, seen ...*witnessed) http.Handler {
	t.Helper()
	paths, err := legacy.NewRouter(described(t))
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent bounded
		req := r.Clone(context.WithoutCancel(r.Context()))
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &sent), r.Body}
		keep := &keeper{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(keep, r)
		route, params, err := paths.FindRoute(req)
		if err != nil || sent.Len() >= longest || keep.body.Len() >= longest || keep.status == http.StatusMethodNotAllowed || strings.HasSuffix(req.URL.Path, "/") {
			return // not described, or too long to look at
		}
		req.Body = io.NopCloser(&sent.Buffer)
		if err := conforms(req, route, params, keep); err != nil {
			t.Errorf("%s %s (%d) is not as openapi.yaml has it: %v", req.Method, route.Path, keep.status, err)
		} else if keep.status < 400 {
			for _, w := range seen {
				w.note(route.Operation.OperationID)
			}
		}
	})
}

func conforms(r *http.Request, route *routers.Route, params map[string]string, got *keeper) error {
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		IncludeResponseStatus: true, AuthenticationFunc: func(_ context.Context, a *openapi3filter.AuthenticationInput) error {
			if !strings.HasPrefix(a.RequestValidationInput.Request.Header.Get("Authorization"), "Bearer ") {
				return errors.New("no bearer token")
			}
			return nil
		}}}
	if got.status < 400 {
		if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
			return fmt.Errorf("request: %w", err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: got.status, Header: got.Header(), Options: in.Options}
	return openapi3filter.ValidateResponse(r.Context(), out.SetBodyBytes(got.body.Bytes()))
}

// bounded keeps no more than longest bytes.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), longest-b.Len())])
	return len(p), nil
}

// keeper keeps an answer while it goes out.
type keeper struct {
	http.ResponseWriter
	status int
	body   bounded
}

func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

func (k *keeper) Write(p []byte) (int, error) {
	_, _ = k.body.Write(p)
	return k.ResponseWriter.Write(p)
}

func TestEveryAddressBesideFHIRIsDescribed(t *testing.T) {
	doc := described(t)
	e := New(Config{Metrics: NewMetrics(), Practice: &Practice{}}).(*gin.Engine)
	n := 0
	for _, r := range e.Routes() {
		paths := []string{strings.ReplaceAll(r.Path, ":id", "{id}")}
		if strings.HasPrefix(r.Path, "/fhir") {
			continue // the CapabilityStatement's
		}
		if r.Path == "/practice/:records" {
			paths = nil
			for _, k := range practice.Kinds() {
				paths = append(paths, "/practice/"+practice.Plural(k))
			}
		}
		for _, p := range paths {
			n++
			if item := doc.Paths.Value(p); item == nil || item.GetOperation(r.Method) == nil {
				t.Errorf("%s %s is served and not described", r.Method, p)
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d addresses were found", n)
	}
}

func TestTheDescribedRecordsAreThoseOfTheirSchemas(t *testing.T) {
	text, err := os.ReadFile(openapi)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct{ Schemas map[string]any }
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	compare := func(name string, schema any) {
		got, want := canonical(t, doc.Components.Schemas[name]), strings.ReplaceAll(canonical(t, schema), "#/$defs/", "#/components/schemas/")
		if got != want {
			t.Errorf("%s is described as\n%s\nand its schema is\n%s", name, got, want)
		}
	}
	for _, kind := range practice.Kinds() {
		var schema map[string]any
		if err := json.Unmarshal(practice.Schema(kind), &schema); err != nil {
			t.Fatal(err)
		}
		for name, def := range schema["$defs"].(map[string]any) {
			compare(name, def)
		}
		for _, name := range []string{"$defs", "$id", "$schema", "title"} {
			delete(schema, name)
		}
		compare(kind, schema)
	}
}

// canonical is JSON with sorted members and numbers as one writes them.
func canonical(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		t.Fatal(err)
	}
	return string(must(json.Marshal(plain)))
}

func TestEveryDescribedOperationRunsAsDescribed(t *testing.T) {
	seen := &witnessed{ops: map[string]int{}}
	o := newOffice(t, seen)
	ask := func(method, path, body string, header ...string) {
		if r := o.send(method, path, body, header...); r.StatusCode >= 400 {
			t.Errorf("%s %s: %d %s", method, path, r.StatusCode, r.body)
		}
	}
	o.settle()
	for _, r := range []struct{ kinds, body string }{
		{"goals", `{"key":"g1","client":"c1","episode":"e1","description":"Sleep through the night","status":"active"}`},
		{"plans", `{"key":"p1","client":"c1","author":"t1","status":"active","summary":"First sleep.","goals":["g1"]}`},
		{"consents", `{"key":"k1","client":"c1","status":"active","about":"treatment","decision":"permit","date":"2026-01-05"}`},
		{"responses", phq9("r1", "2026-01-12T10:40:00+01:00", "2222222202")},
		{"responses", phq9("r2", "2026-02-02T10:40:00+01:00", "1111111111")},
		{"referrals", `{"key":"f1","client":"c1","direction":"out","from":"home","to":"hospital","status":"requested"}`},
		{"workshops", `{"key":"w1","topic":"Sleeping better","start":"2026-02-10T18:00:00+01:00","practitioners":[{"practitioner":"t1"}],"clients":[{"client":"c1","status":"finished"}]}`},
		{"exercises", `{"key":"x1","client":"c1","therapist":"t1","status":"requested","exercise":"breathing"}`},
		{"notebook-entries", `{"key":"n1","client":"c1","exercise":"x1","written":"2026-02-03","words":"Slept well."}`},
		{"goal-ratings", `{"key":"gr1","client":"c1","goal":"g1","date":"2026-02-03","rating":6,"by":"client"}`},
		{"supervisions", `{"key":"v1","supervisees":["t1"],"status":"fulfilled","start":"2026-02-03T18:00:00+01:00"}`},
	} {
		o.post(r.kinds, r.body)
	}
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/fhir/metadata", "/fhir/.well-known/smart-configuration"} {
		ask(http.MethodGet, path, "", "Authorization")
		ask(http.MethodHead, path, "", "Authorization")
	}
	for _, path := range []string{"/auth/jwks", "/auth/.well-known/openid-configuration"} {
		ask(http.MethodGet, path, "", "Authorization")
	}
	ask(http.MethodPost, "/auth/token", o.assertion(), "Authorization", "", "Content-Type", "application/x-www-form-urlencoded")
	c := newClinic(t, seen)
	made := decode[noteAnswer](t, c.as("mira", http.MethodPost, "/practice/process-notes", note, http.StatusCreated))
	c.as("mira", http.MethodGet, "/practice/process-notes/"+made.ID, "", http.StatusOK)
	c.as("mira", http.MethodHead, "/practice/process-notes/"+made.ID, "", http.StatusOK)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		c.as("mira", method, "/practice/due", "", http.StatusOK)
		c.as("mira", method, c.trajectory("c1"), "", http.StatusOK)
		c.as("mira", method, c.trajectory("c1")+".svg", "", http.StatusOK)
	}
	var left []string
	for _, item := range described(t).Paths.Map() {
		for _, op := range item.Operations() {
			if seen.ops[op.OperationID] == 0 {
				left = append(left, op.OperationID)
			}
		}
	}
	slices.Sort(left)
	if len(left) > 0 {
		t.Errorf("described and never seen to succeed: %v", left)
	}
}

// desk is an issuer with one registered client.
type desk struct {
	*issuer.Issuer
	key *token.SigningKey
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.GenerateSigningKey("vendor")
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := key.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	i, err := issuer.New(issuer.Config{URL: "http://127.0.0.1/auth", Audience: "http://127.0.0.1/fhir", Clients: map[string]issuer.Client{
		"vendor": {Tenant: "one", Role: policy.EHR, Scope: "system/Observation.rs", JWKS: string(jwks)},
	}}, issuer.Options{
		Ring: ring, Clock: time.Now, IDs: func() string { return "1" }, Known: func(typ, _ string) bool { return typ == "Observation" },
		Memos: func(string) (fhir.Memos, error) { return noMemos{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return &desk{i, key}
}

// assertion is the form by which the client asks for a token.
func (d *desk) assertion() string {
	a, err := token.Assertion(d.key, "vendor", d.TokenURL(), "jti", time.Now())
	if err != nil {
		panic(err)
	}
	return url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Observation.rs"}, "client_assertion": {a},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}.Encode()
}

// noMemos has none and keeps none.
type noMemos struct{}

func (noMemos) Memo(context.Context, string, string) (fhir.Memo, error) { return fhir.Memo{}, nil }
func (noMemos) SetMemo(context.Context, fhir.Memo) error                { return nil }

func TestTheDescriptionWouldNoticeWhatIsNotInIt(t *testing.T) {
	doc := described(t)
	paths, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, path, sent string
		status             int
		answered           string
	}{
		"a status":          {http.MethodGet, "/livez", "", http.StatusTeapot, "ok\n"},
		"a word":            {http.MethodGet, "/livez", "", http.StatusOK, "fine"},
		"a field":           {http.MethodGet, "/readyz", "", http.StatusOK, `{"ready":true,"load":1}`},
		"a field of a note": {http.MethodPost, "/practice/goals", `{"key":"g1","client":"c1","description":"Sleep","status":"active","mood":"low"}`, http.StatusOK, `{"outcome":"created","resources":[{"reference":"Goal/1","versionId":"1","outcome":"created"}],"issues":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.sent))
			r.Header.Set("Authorization", "Bearer x")
			r.Header.Set("Content-Type", "application/json")
			route, params, err := paths.FindRoute(r)
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			w.Header().Set("Content-Type", "application/json")
			if c.path == "/livez" {
				w.Header().Set("Content-Type", "text/plain")
			}
			k := &keeper{ResponseWriter: w, status: c.status}
			_, _ = k.body.Write([]byte(c.answered))
			if conforms(r, route, params, k) == nil {
				t.Error("it was not noticed")
			}
		})
	}
}
