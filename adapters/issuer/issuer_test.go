package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/token"
)

func TestABackendGetsATokenThatTheGatewayAccepts(t *testing.T) {
	w := newWorld(t)
	r := w.post(w.form("j1"))
	if r.status != 200 || r.body["token_type"] != "bearer" || r.body["expires_in"] != 300.0 || r.body["scope"] != "system/Observation.rs" {
		t.Fatalf("%d %v", r.status, r.body)
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Pragma") != "no-cache" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", r.header)
	}
	raw := r.body["access_token"].(string)
	p, err := w.verifier().Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if p.Tenant != "linden" || p.Role != policy.EHR || p.Client != "vendor" || p.Subject != "vendor" || p.Purpose != "TREAT" || len(p.Grants) != 1 || p.Grants[0].ID != "north" ||
		len(p.Scopes) != 1 || token.FormatScope(p.Scopes[0]) != "system/Observation.rs" || !p.Expires.Equal(w.clock().Add(TokenLife)) {
		t.Errorf("%+v", p)
	}
	// Over discovery, as another process sees it.
	foreign := w.Trust()
	foreign.Source = nil
	if q, err := w.verifier(foreign).Verify(t.Context(), raw); err != nil || q.Subject != p.Subject {
		t.Errorf("over discovery: %v", err)
	}
	// By a reader that we did not write.
	w.pass(-time.Until(time.Now()))
	provider, err := oidc.NewProvider(t.Context(), w.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: base, SkipExpiryCheck: true, SupportedSigningAlgs: []string{"ES256"}}).Verify(t.Context(), raw); err != nil {
		t.Error(err)
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || jws.Signatures[0].Protected.ExtraHeaders["typ"] != "at+jwt" {
		t.Errorf("header %v, %v", jws, err)
	}
}

func TestATokenOfOneInstanceIsNoneOfAnother(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	r := a.post(a.form("j"))
	if _, err := b.verifier().Verify(t.Context(), r.body["access_token"].(string)); token.ReasonOf(err) != token.UnknownIssuer {
		t.Error(err)
	}
	forged := a.Trust()
	forged.Source = func(context.Context) ([]byte, error) { return b.JWKS() }
	if _, err := a.verifier(forged).Verify(t.Context(), r.body["access_token"].(string)); token.ReasonOf(err) != token.UnknownKey {
		t.Error(err)
	}
}

func TestARestartKeepsTheKeyAndARotationKeepsTheTokens(t *testing.T) {
	w := newWorld(t)
	old := w.post(w.form("j1")).body["access_token"].(string)
	reopen := func(ring *keyring.Ring) {
		o := w.opts
		o.Ring = ring
		var err error
		if w.Issuer, err = New(w.Config, o); err != nil {
			t.Fatal(err)
		}
	}
	ring, err := keyring.Open(w.path)
	if err != nil {
		t.Fatal(err)
	}
	reopen(ring)
	if _, err := w.verifier().Verify(t.Context(), old); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if ring, err = keyring.Rotate(w.path); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Since(w.clock())) // root keys are dated by the system's clock
	old = w.post(w.form("j2")).body["access_token"].(string)
	reopen(ring)
	fresh := w.post(w.form("j3")).body["access_token"].(string)
	v := w.verifier()
	for name, raw := range map[string]string{"old": old, "new": fresh} {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Errorf("the %s key's token after the rotation: %v", name, err)
		}
	}
	if strings.Split(old, ".")[0] == strings.Split(fresh, ".")[0] {
		t.Error("the old key still signs")
	}
	w.pass(time.Hour + 2*TokenLife)
	b, err := w.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	if ks, err := token.ParseKeys(b); err != nil || ks.Len() != 1 {
		t.Errorf("an hour later %d keys are published, %v", ks.Len(), err)
	}
	if strings.Contains(string(b), `"d"`) {
		t.Error("a private key is published")
	}
}

func TestADeveloperMintsTokensOnADevelopmentInstanceAlone(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Mint(t.Context(), Grant{Tenant: "linden", Role: policy.Auditor}); err == nil {
		t.Fatal("minted on an instance that is not for development")
	}
	w = newWorld(t, func(_ *Config, o *Options) { o.Development = true })
	v := w.verifier()
	for _, c := range []struct {
		grant Grant
		want  string // role user patient scopes, or the error
	}{
		{Grant{Tenant: "linden", Role: policy.Therapist, Practitioner: "p1"}, "therapist Practitioner/p1  user/*.cruds"},
		{Grant{Tenant: "linden", Role: policy.Patient, Patient: "c1"}, "patient Patient/c1 Patient/c1 patient/*.cruds"},
		{Grant{Tenant: "linden", Role: policy.Auditor}, "auditor   user/*.cruds"},
		{Grant{Tenant: "linden", Role: policy.Integration, TTL: 24 * time.Hour}, "integration   system/*.cruds"},
		{Grant{Tenant: "linden", Role: policy.Intake, Practitioner: "p2", Scope: "user/Patient.read"}, "intake Practitioner/p2  user/Patient.rs"},
		{Grant{Client: "vendor"}, "ehr   system/Observation.rs system/Patient.r"},
		{Grant{Client: "nobody"}, "no client"}, {Grant{Tenant: "linden", Role: "root"}, "no role"}, {Grant{Role: policy.Auditor}, "tenant"},
		{Grant{Tenant: "linden", Role: policy.Therapist}, "practitioner"}, {Grant{Tenant: "linden", Role: policy.Patient}, "patient"},
		{Grant{Tenant: "linden", Role: policy.Auditor, TTL: 25 * time.Hour}, "lives"}, {Grant{Tenant: "linden", Role: policy.Auditor, Scope: "user/Nothing.rs"}, "scope"},
		{Grant{Tenant: "linden", Role: policy.Therapist, Practitioner: "Practitioner/p1"}, "without a type"},
	} {
		raw, err := w.Mint(t.Context(), c.grant)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %q", c.grant, err, c.want)
			}
			continue
		}
		p, err := v.Verify(t.Context(), raw)
		if err != nil {
			t.Errorf("%+v: %v", c.grant, err)
			continue
		}
		var ss []string
		for _, s := range p.Scopes {
			ss = append(ss, token.FormatScope(s))
		}
		if got := fmt.Sprintf("%s %v %v %s", p.Role, p.User, p.Patient, strings.Join(ss, " ")); got != c.want || p.Tenant != "linden" {
			t.Errorf("%+v: %q, want %q", c.grant, got, c.want)
		}
	}
	// What a developer minted is worth nothing to an instance that is none for development.
	raw, err := w.Mint(t.Context(), Grant{Tenant: "linden", Role: policy.Integration})
	if err != nil {
		t.Fatal(err)
	}
	strict := w.trust(false)
	strict.Source = w.Trust().Source
	if _, err := w.verifier(strict).Verify(t.Context(), raw); err == nil {
		t.Error("accepted by a verifier that is not for development")
	}
}

func TestWhatIsPublishedNamesWhatIsServed(t *testing.T) {
	w := newWorld(t)
	b, err := w.SMART()
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for _, required := range []string{"grant_types_supported", "token_endpoint", "capabilities", "code_challenge_methods_supported"} {
		if doc[required] == nil {
			t.Errorf("%s is missing", required)
		}
	}
	if doc["issuer"] != nil || doc["jwks_uri"] != nil || fmt.Sprint(doc["code_challenge_methods_supported"]) != "[S256]" {
		t.Errorf("%s", b)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks"} {
		resp, err := http.Get(w.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
	resp, err := http.Get(w.TokenURL())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET of the token endpoint: %d", resp.StatusCode)
	}
}

func TestAMistakeInAClientNamesItsField(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "jwks.json")
	jwks := w.Clients["vendor"].JWKS
	if err := os.WriteFile(file, []byte(jwks), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Config, *Client)
		field  string // "": none
	}{
		{"good", func(*Config, *Client) {}, ""},
		{"a key file", func(_ *Config, c *Client) { c.JWKS, c.JWKSFile = "", file }, ""},
		{"a key address", func(_ *Config, c *Client) { c.JWKS, c.JWKSURL = "", "https://vendor.example/jwks" }, ""},
		{"URL with a slash", func(c *Config, _ *Client) { c.URL += "/" }, "url"},
		{"URL over http", func(c *Config, _ *Client) { c.URL = "http://gateway.example" }, "url"},
		{"no audience", func(c *Config, _ *Client) { c.Audience = "" }, "audience"},
		{"no role", func(_ *Config, c *Client) { c.Role = "" }, "clients.vendor.role"},
		{"a person's role", func(_ *Config, c *Client) { c.Role = policy.Therapist }, "clients.vendor.role"},
		{"no tenant", func(_ *Config, c *Client) { c.Tenant = "" }, "clients.vendor.tenant"},
		{"no scope", func(_ *Config, c *Client) { c.Scope = "" }, "clients.vendor.scope"},
		{"unknown type", func(_ *Config, c *Client) { c.Scope = "system/Observaton.rs" }, "clients.vendor.scope"},
		{"no keys", func(_ *Config, c *Client) { c.JWKS = "" }, "clients.vendor.jwks"},
		{"two places of keys", func(_ *Config, c *Client) { c.JWKSFile = file }, "clients.vendor.jwks"},
		{"keys that are none", func(_ *Config, c *Client) { c.JWKS = "{}" }, "clients.vendor.jwks"},
		{"no usable key", func(_ *Config, c *Client) { c.JWKS = `{"keys":[]}` }, "clients.vendor.jwks"},
		{"a file that is not there", func(_ *Config, c *Client) { c.JWKS, c.JWKSFile = "", file+"x" }, "clients.vendor.jwksFile"},
		{"an address over http", func(_ *Config, c *Client) { c.JWKS, c.JWKSURL = "", "http://vendor.example/jwks" }, "clients.vendor.jwks"},
		{"a grant of a patient", func(_ *Config, c *Client) { c.Grants = []string{"Patient/1"} }, "clients.vendor.grants[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf, cl := w.Config, w.Clients["vendor"]
			c.change(&conf, &cl)
			conf.Clients = map[string]Client{"vendor": cl}
			_, err := New(conf, w.opts)
			if (err == nil) != (c.field == "") || err != nil && !strings.Contains(err.Error(), c.field+":") {
				t.Errorf("%v, want %q", err, c.field)
			}
		})
	}
	conf := w.Config
	conf.Clients = nil
	if _, err := New(conf, w.opts); err != nil {
		t.Errorf("an issuer without clients: %v", err)
	}
}

func BenchmarkToken(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		f := w.form(w.id())
		r := httptest.NewRequest(http.MethodPost, w.TokenURL(), strings.NewReader(f.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		b.StartTimer()
		if _, err := w.token(r); err != nil {
			b.Fatal(err)
		}
	}
}
