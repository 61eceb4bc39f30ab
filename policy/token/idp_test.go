package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"context"

	"github.com/go-jose/go-jose/v4"

	"rapport/fhir"
	"rapport/policy"
	"rapport/policy/keyring"
)

// keys of all tests, made once: RSA takes its time.
var testKeys = sync.OnceValue(func() map[string]crypto.Signer {
	out := map[string]crypto.Signer{}
	for _, kid := range []string{"rsa-1", "rsa-2"} {
		out[kid], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	for kid, c := range map[string]elliptic.Curve{"es256": elliptic.P256(), "es256-2": elliptic.P256(), "es384": elliptic.P384()} {
		out[kid], _ = ecdsa.GenerateKey(c, rand.Reader)
	}
	return out
})

func key(kid string) crypto.Signer { return testKeys()[kid] }

// jwk is the public half of a key, as a set publishes it, with members changed.
func jwk(kid string, change ...map[string]any) map[string]any {
	b, _ := json.Marshal(jose.JSONWebKey{Key: key(kid).Public(), KeyID: kid, Use: "sig"})
	var m map[string]any
	_ = json.Unmarshal(b, &m)
	for _, c := range change {
		maps.Copy(m, c)
		for name, v := range c {
			if v == nil {
				delete(m, name)
			}
		}
	}
	return m
}

func set(keys ...map[string]any) string {
	b, _ := json.Marshal(map[string]any{"keys": keys})
	return string(b)
}

// sign makes a compact JWS of any header and payload with any key, right or wrong.
func sign(k crypto.Signer, alg, header, payload string) string {
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload))
	var digest []byte
	hash := crypto.SHA256
	if strings.HasSuffix(alg, "384") {
		d := sha512.Sum384([]byte(text))
		digest, hash = d[:], crypto.SHA384
	} else {
		d := sha256.Sum256([]byte(text))
		digest = d[:]
	}
	var sig []byte
	switch k := k.(type) {
	case *rsa.PrivateKey:
		sig, _ = rsa.SignPKCS1v15(rand.Reader, k, hash, digest)
	case *ecdsa.PrivateKey:
		r, s, _ := ecdsa.Sign(rand.Reader, k, digest)
		n := (k.Curve.Params().BitSize + 7) / 8
		sig = append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
	}
	return text + "." + enc.EncodeToString(sig)
}

// idp is an identity provider with knobs for all that goes wrong with one.
type idp struct {
	*httptest.Server
	mu       sync.Mutex
	jwks     string
	control  string // Cache-Control
	status   int
	redirect string
	hang     chan struct{}
	jwksURI  string
	fetches  int
}

func newIDP(t testing.TB, keys ...map[string]any) *idp {
	p := &idp{jwks: set(keys...), status: 200}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		uri := p.URL + "/jwks"
		if p.jwksURI != "" {
			uri = p.jwksURI
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(p.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.URL, "jwks_uri": uri, "id_token_signing_alg_values_supported": []string{"HS256", "none"}})
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.fetches++
		hang, status, body, control, redirect := p.hang, p.status, p.jwks, p.control, p.redirect
		p.mu.Unlock()
		if hang != nil {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}
		if redirect != "" {
			http.Redirect(w, r, redirect, http.StatusFound)
			return
		}
		if control != "" {
			w.Header().Set("Cache-Control", control)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *idp) set(f func(*idp)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

func (p *idp) fetched() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

// still is a clock that moves when it is told to.
type still struct {
	mu  sync.Mutex
	now time.Time
}

func newStill() *still { return &still{now: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)} }

func (c *still) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *still) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// people is a Resolver of invented people.
type peopleByID struct {
	mu    sync.Mutex
	known map[string]map[Person]fhir.Key // by tenant
	err   error
	asked int
}

func (p *peopleByID) Resolve(_ context.Context, tenant string, who Person) (fhir.Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	if p.err != nil {
		return fhir.Key{}, p.err
	}
	if k, ok := p.known[tenant][who]; ok {
		return k, nil
	}
	return fhir.Key{}, fhir.Missing(fhir.Key{})
}

const (
	aud     = "https://gateway.example/fhir"
	staffID = "https://idp.example/staff"
	patID   = "https://idp.example/patient"
)

func knownTypes(typ, param string) bool {
	types := map[string][]string{"Patient": {"_id"}, "Observation": {"category", "code", "subject", "_id", "_tag"}, "Condition": {"category"},
		"Task": {"owner"}, "AuditEvent": {}, "QuestionnaireResponse": {}, "ServiceRequest": {}, "Practitioner": {}}
	ps, ok := types[typ]
	if param == "" {
		return ok
	}
	for _, p := range ps {
		if p == param {
			return true
		}
	}
	return false
}

// gateway is a Verifier with all that it needs, in front of one idp.
type gateway struct {
	*Verifier
	clock  *still
	idp    *idp
	people *peopleByID
	issuer Issuer
}

func issuerOf(p *idp) Issuer {
	return Issuer{
		URL: p.URL, Audiences: []string{aud}, Purpose: "TREAT",
		Tenant: Tenant{Claim: "practice", Map: map[string]string{"lindenhof": "linden", "seeblick": "see"}},
		Role:   RoleRule{Claim: "roles", Map: map[string]policy.Role{"therapist": policy.Therapist, "intake": policy.Intake, "patient": policy.Patient, "auditor": policy.Auditor}},
		User:   User{Claim: "fhirUser", Base: "https://ehr.example/fhir", Systems: map[string]string{"Practitioner": staffID, "Patient": patID}},
		Patient: User{
			Claim: "patient", Systems: map[string]string{"Patient": patID}},
		Clients: map[string]Client{
			"app": {Scope: "user/*.cruds patient/*.cruds"},
			"vendor": {Role: policy.EHR, Tenant: "linden", Scope: "system/Observation.rs system/Patient.rs", Purpose: "HOPERAT",
				Grants: []string{"Organization/north", "Organization?identifier=https://org.example|7", "Organization?identifier=https://org.example|none"}, NoSub: true},
		},
	}
}

func newGateway(t testing.TB, p *idp, change ...func(*Issuer)) *gateway {
	t.Helper()
	g := &gateway{clock: newStill(), idp: p, issuer: issuerOf(p)}
	for _, c := range change {
		c(&g.issuer)
	}
	g.people = &peopleByID{known: map[string]map[Person]fhir.Key{
		"linden": {
			{"Practitioner", staffID, "mira"}:             {Type: "Practitioner", ID: "p1"},
			{"Patient", patID, "ada"}:                     {Type: "Patient", ID: "c1"},
			{"Patient", patID, "ben"}:                     {Type: "Patient", ID: "c2"},
			{"Organization", "https://org.example", "7"}:  {Type: "Organization", ID: "o7"},
			{"Practitioner", "https://elsewhere", "mira"}: {Type: "Practitioner", ID: "wrong"},
		},
		"see": {{"Practitioner", staffID, "mira"}: {Type: "Practitioner", ID: "p9"}},
	}}
	g.Verifier = verifier(t, g.clock, g.people, g.issuer)
	return g
}

func verifier(t testing.TB, clock *still, who Resolver, issuers ...Issuer) *Verifier {
	t.Helper()
	v, err := New(Config{Issuers: issuers}, Options{Clock: clock.Now, Ring: keyring.Random(), Known: knownTypes,
		Tenant: func(id string) bool { return id == "linden" || id == "see" }, Resolver: who})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// therapist is the payload of a good token.
func (g *gateway) therapist(change ...map[string]any) map[string]any {
	now := g.clock.Now().Unix()
	m := map[string]any{"iss": g.issuer.URL, "sub": "u-1", "aud": aud, "iat": now, "exp": now + 300, "jti": "j-1", "azp": "app",
		"practice": "lindenhof", "roles": []string{"therapist", "offline_access"}, "fhirUser": "Practitioner/mira", "scope": "openid user/*.rs"}
	for _, c := range change {
		maps.Copy(m, c)
		for name, v := range c {
			if v == nil {
				delete(m, name)
			}
		}
	}
	return m
}

func text(m map[string]any) string {
	b, _ := json.Marshal(m)
	return string(b)
}

// token signs a payload properly with the key kid.
func token(kid string, m map[string]any) string {
	alg := map[string]string{"rsa": "RS256", "es2": "ES256", "es3": "ES384"}[kid[:3]]
	return sign(key(kid), alg, `{"alg":"`+alg+`","typ":"at+jwt","kid":"`+kid+`"}`, text(m))
}
