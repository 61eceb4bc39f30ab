package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/token"
)

// memos is a store's memos in memory.
type memos struct {
	mu   sync.Mutex
	now  fhir.Clock
	kept map[string]fhir.Memo
	err  error
}

func (m *memos) Memo(_ context.Context, space, key string) (fhir.Memo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v := m.kept[space+" "+key]; m.err != nil || m.now().Before(v.Expires) {
		return v, m.err
	}
	return fhir.Memo{Space: space, Key: key}, nil
}

func (m *memos) SetMemo(_ context.Context, v fhir.Memo) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.kept[v.Space+" "+v.Key]
	if !m.now().Before(old.Expires) {
		old = fhir.Memo{}
	}
	if old.Version != v.Version {
		return &fhir.Error{Code: fhir.Conflict, Detail: "taken"}
	}
	v.Version++
	m.kept[v.Space+" "+v.Key] = v
	return m.err
}

type world struct {
	*Issuer
	t      testing.TB
	mu     sync.Mutex
	now    time.Time
	memos  *memos
	vendor *token.SigningKey
	server *httptest.Server
	path   string // of the keyring
	ids    int
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) id() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("id-%d", w.ids)
}

const base = "https://gateway.example/fhir"

func known(typ, param string) bool {
	return (typ == "Observation" || typ == "Patient") && (param == "" || param == "category")
}

func newWorld(t testing.TB, change ...func(*Config, *Options)) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), path: filepath.Join(t.TempDir(), "keyring")}
	w.memos = &memos{now: w.clock, kept: map[string]fhir.Memo{}}
	ring, err := keyring.Create(w.path)
	if err != nil {
		t.Fatal(err)
	}
	if w.vendor, err = token.GenerateSigningKey("vendor-1"); err != nil {
		t.Fatal(err)
	}
	jwks, err := w.vendor.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.Handler().ServeHTTP(rw, r) }))
	t.Cleanup(w.server.Close)
	c := Config{URL: w.server.URL + "/issuer", Audience: base, Clients: map[string]Client{
		"vendor": {Tenant: "linden", Role: policy.EHR, Grants: []string{"Organization/north"}, Scope: "system/Observation.rs system/Patient.r", Purpose: "TREAT", JWKS: string(jwks)},
		"other":  {Tenant: "linden", Role: policy.EHR, Scope: "system/Observation.rs", JWKS: string(jwks)},
	}}
	o := Options{Ring: ring, Clock: w.clock, IDs: w.id, Known: known, Memos: func(tenant string) (fhir.Memos, error) {
		if tenant != "linden" {
			return nil, errors.New("another tenant's memos")
		}
		return w.memos, nil
	}}
	for _, f := range change {
		f(&c, &o)
	}
	if w.Issuer, err = New(c, o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) verifier(is ...token.Issuer) *token.Verifier {
	w.t.Helper()
	if len(is) == 0 {
		is = []token.Issuer{w.Trust()}
	}
	v, err := token.New(token.Config{Issuers: is}, token.Options{Clock: w.clock, Ring: w.opts.Ring, Known: known, Tenant: func(id string) bool { return id == "linden" }})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) assertion(jti string) string {
	w.t.Helper()
	raw, err := token.Assertion(w.vendor, "vendor", w.TokenURL(), jti, w.clock())
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func (w *world) form(jti string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {w.assertion(jti)}, "scope": {"system/Observation.rs"}}
}

type reply struct {
	status int
	header http.Header
	body   map[string]any
}

func (w *world) post(form url.Values, change ...func(*http.Request)) reply {
	r, err := http.NewRequest(http.MethodPost, w.TokenURL(), strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Error(err)
		return reply{}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range change {
		c(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Error(err)
		return reply{}
	}
	defer resp.Body.Close()
	out := reply{status: resp.StatusCode, header: resp.Header}
	if err := json.NewDecoder(resp.Body).Decode(&out.body); err != nil {
		w.t.Errorf("the answer is no JSON: %v", err)
	}
	return out
}
