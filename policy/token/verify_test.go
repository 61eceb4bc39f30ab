package token

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
	"rapport/policy"
)

func verify(t testing.TB, g interface {
	Verify(context.Context, string) (policy.Principal, error)
}, raw string) policy.Principal {
	t.Helper()
	p, err := g.Verify(t.Context(), raw)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return p
}

func TestATokenOfAUserNamesOurPractitioner(t *testing.T) {
	g := newGateway(t, newIDP(t, jwk("rsa-1"), jwk("es256"), jwk("es384")))
	for _, kid := range []string{"rsa-1", "es256", "es384"} {
		got := verify(t, g, token(kid, g.therapist()))
		if len(got.TokenID) != 32 || strings.Contains(got.TokenID, "j-1") {
			t.Errorf("token id %q is no hash of the jti", got.TokenID)
		}
		got.TokenID = ""
		want := policy.Principal{
			Tenant: "linden", Issuer: g.issuer.URL, Subject: "u-1", Client: "app", Role: policy.Therapist, User: fhir.Key{Type: "Practitioner", ID: "p1"},
			Scopes: []policy.Scope{{Context: "user", Type: "*", Read: true, Search: true}}, Purpose: "TREAT", Expires: g.clock.Now().Add(5 * time.Minute),
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", kid, d)
		}
	}
}

func TestATokenOfABackendHasWhatItsClientIsRegisteredWith(t *testing.T) {
	g := newGateway(t, newIDP(t, jwk("es384")))
	got := verify(t, g, token("es384", g.therapist(map[string]any{"azp": "vendor", "sub": nil, "practice": nil, "roles": "therapist", "fhirUser": nil, "scope": "system/*.cruds user/*.rs"})))
	got.TokenID = ""
	want := policy.Principal{
		Tenant: "linden", Issuer: g.issuer.URL, Subject: "client/vendor", Client: "vendor", Role: policy.EHR, Purpose: "HOPERAT",
		Grants: []fhir.Key{{Type: "Organization", ID: "north"}, {Type: "Organization", ID: "o7"}}, Expires: g.clock.Now().Add(5 * time.Minute),
		Scopes: []policy.Scope{{Context: "system", Type: "Observation", Read: true, Search: true}, {Context: "system", Type: "Patient", Read: true, Search: true}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// refusal is one token that must not be accepted. header and payload replace those of
// a good token; claims change it.
type refusal struct {
	name   string
	claims map[string]any
	header string
	key    string // that signs; default rsa-1
	raw    func(g *gateway, good string) string
	want   Reason
}

const canary = "Zephyrine-Quill"

func refusals() []refusal {
	far := int64(253_402_300_799)
	rs := []refusal{
		// T1: what a verifier of ID tokens lets through, and what it does not.
		{name: "alg none", header: `{"alg":"none","typ":"at+jwt","kid":"rsa-1"}`, want: BadAlgorithm},
		{name: "alg nOnE", header: `{"alg":"nOnE","typ":"at+jwt","kid":"rsa-1"}`, want: BadAlgorithm},
		{name: "HS256, which discovery offers", header: `{"alg":"HS256","typ":"at+jwt","kid":"rsa-1"}`, want: BadAlgorithm},
		{name: "RS512, which the issuer is not pinned to", header: `{"alg":"RS512","typ":"at+jwt","kid":"rsa-1"}`, want: BadAlgorithm},
		{name: "no alg", header: `{"typ":"at+jwt","kid":"rsa-1"}`, want: BadAlgorithm},
		{name: "alg is a number", header: `{"alg":256,"typ":"at+jwt","kid":"rsa-1"}`, want: BadHeader},
		{name: "embedded jwk", header: `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1","jwk":{"kty":"RSA"}}`, want: BadHeader},
		{name: "foreign jku", header: `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1","jku":"https://evil.example/jwks"}`, want: BadHeader},
		{name: "x5u", header: `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1","x5u":"https://evil.example/"}`, want: BadHeader},
		{name: "crit b64", header: `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1","crit":["b64"],"b64":true}`, want: BadHeader},
		{name: "zip", header: `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1","zip":"DEF"}`, want: BadHeader},
		{name: "kid missing", header: `{"alg":"RS256","typ":"at+jwt"}`, want: BadKeyID},
		{name: "kid is a path", header: `{"alg":"RS256","typ":"at+jwt","kid":"../../etc/passwd"}`, want: BadKeyID},
		{name: "kid with a line break", header: `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1\n"}`, want: BadKeyID},
		{name: "kid of 129 bytes", header: `{"alg":"RS256","typ":"at+jwt","kid":"` + strings.Repeat("k", 129) + `"}`, want: BadKeyID},
		{name: "kid doubled", header: `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1","kid":"rsa-1"}`, want: Malformed},
		{name: "unknown kid", header: `{"alg":"RS256","typ":"at+jwt","kid":"rsa-9"}`, want: UnknownKey},
		{name: "key for encryption", header: `{"alg":"RS256","typ":"at+jwt","kid":"enc"}`, want: UnknownKey},
		{name: "key whose operations are encrypt", header: `{"alg":"RS256","typ":"at+jwt","kid":"ops"}`, want: UnknownKey},
		{name: "key of another algorithm", header: `{"alg":"RS256","typ":"at+jwt","kid":"rs512"}`, want: BadAlgorithm},
		{name: "RSA of 1024 bits", header: `{"alg":"RS256","typ":"at+jwt","kid":"weak"}`, want: UnknownKey},
		{name: "published private key", header: `{"alg":"RS256","typ":"at+jwt","kid":"leaked"}`, want: UnknownKey},
		{name: "kid twice in the set", header: `{"alg":"RS256","typ":"at+jwt","kid":"twice"}`, want: UnknownKey},
		{name: "ES256 with a key of P-384", header: `{"alg":"ES256","typ":"at+jwt","kid":"es384"}`, key: "es384", want: BadAlgorithm},
		{name: "ES256 with the kid of an RSA key", header: `{"alg":"ES256","typ":"at+jwt","kid":"rsa-1"}`, key: "es256", want: UnknownKey},
		{name: "typ logout+jwt", header: `{"alg":"RS256","typ":"logout+jwt","kid":"rsa-1"}`, want: WrongType},
		{name: "typ dpop+jwt", header: `{"alg":"RS256","typ":"dpop+jwt","kid":"rsa-1"}`, want: WrongType},
		{name: "typ JWT, as ID tokens have", header: `{"alg":"RS256","typ":"JWT","kid":"rsa-1"}`, want: WrongType},
		{name: "no typ", header: `{"alg":"RS256","kid":"rsa-1"}`, want: WrongType},
		{name: "payload typ Refresh", claims: map[string]any{"typ": "Refresh"}, want: WrongType},
		{name: "nonce of an ID token", claims: map[string]any{"nonce": "n"}, want: WrongType},
		{name: "at_hash of an ID token", claims: map[string]any{"at_hash": "h"}, want: WrongType},
		{name: "null at_hash", raw: payload(func(s string) string { return strings.Replace(s, "{", `{"at_hash":null,`, 1) }), want: WrongType},
		{name: "token_use id", claims: map[string]any{"token_use": "id"}, want: WrongType},
		{name: "delegation", claims: map[string]any{"act": map[string]any{"sub": "x"}}, want: WrongType},
		{name: "bound by DPoP", claims: map[string]any{"cnf": map[string]any{"jkt": "x"}}, want: Bound},
		{name: "bound by a certificate", claims: map[string]any{"cnf": map[string]any{"x5t#S256": "x"}}, want: Bound},
		{name: "null cnf", raw: payload(func(s string) string { return strings.Replace(s, "{", `{"cnf":null,`, 1) }), want: Bound},
		{name: "aud missing", claims: map[string]any{"aud": nil}, want: WrongAudience},
		{name: "aud of another", claims: map[string]any{"aud": []string{"account", "https://gateway.example"}}, want: WrongAudience},
		{name: "aud with a slash more", claims: map[string]any{"aud": aud + "/"}, want: WrongAudience},
		{name: "aud empty", claims: map[string]any{"aud": ""}, want: BadClaim},
		{name: "aud with a number", claims: map[string]any{"aud": []any{aud, 1}}, want: BadClaim},
		{name: "aud an object", claims: map[string]any{"aud": map[string]any{aud: true}}, want: BadClaim},
		{name: "iss missing", claims: map[string]any{"iss": nil}, want: UnknownIssuer},
		{name: "iss with a slash more", raw: payload(func(s string) string { return strings.Replace(s, `"iss":"`, `"iss":"http://127.0.0.1:1/`, 1) }), want: UnknownIssuer},
		{name: "ISS instead of iss", raw: payload(func(s string) string { return strings.Replace(s, `"iss"`, `"ISS"`, 1) }), want: BadClaim},
		{name: "ſub beside sub", claims: map[string]any{"ſub": "admin"}, want: BadClaim},
		{name: "Scope beside scope", claims: map[string]any{"Scope": "user/*.cruds"}, want: BadClaim},
		{name: "scope twice", raw: payload(func(s string) string { return strings.Replace(s, "{", `{"scope":"user/*.cruds",`, 1) }), want: Malformed},
		{name: "sub twice, once escaped", raw: payload(func(s string) string { return strings.Replace(s, "{", `{"\u0073ub":"admin",`, 1) }), want: Malformed},
		{name: "a nested member twice", raw: payload(func(s string) string { return strings.Replace(s, "{", `{"x":{"a":1,"a":2},`, 1) }), want: Malformed},
		{name: "lone surrogate", raw: payload(func(s string) string { return strings.Replace(s, `"u-1"`, `"\ud800"`, 1) }), want: Malformed},
		{name: "invalid UTF-8", raw: payload(func(s string) string { return strings.Replace(s, `"u-1"`, "\"\xff\"", 1) }), want: Malformed},
		{name: "a second document", raw: payload(func(s string) string { return s + "{}" }), want: Malformed},
		{name: "payload is a list", raw: payload(func(s string) string { return "[" + s + "]" }), want: Malformed},
		{name: "nested deeply", raw: payload(func(s string) string {
			return strings.Replace(s, "{", `{"x":`+strings.Repeat("[", 50)+strings.Repeat("]", 50)+",", 1)
		}), want: Malformed},
		{name: "exp missing", claims: map[string]any{"exp": nil}, want: MissingClaim},
		{name: "exp as text", claims: map[string]any{"exp": "2000000000"}, want: BadClaim},
		{name: "exp with a fraction", raw: payload(func(s string) string { return strings.Replace(s, `"exp":`, `"exp":1.5e`, 1) }), want: BadClaim},
		{name: "exp 1e400", raw: payload(func(s string) string { return strings.Replace(s, `"exp":`, `"exp":1e400,"x":`, 1) }), want: BadClaim},
		{name: "exp negative", raw: payload(func(s string) string { return strings.Replace(s, `"exp":`, `"exp":-`, 1) }), want: BadClaim},
		{name: "exp in the year 9999", claims: map[string]any{"exp": far}, want: BadClaim},
		{name: "exp in a week", claims: map[string]any{"exp": int64(1_773_000_000)}, want: LivesTooLong},
		{name: "iat missing", claims: map[string]any{"iat": nil}, want: MissingClaim},
		{name: "jti missing", claims: map[string]any{"jti": nil}, want: MissingClaim},
		{name: "sub missing", claims: map[string]any{"sub": nil}, want: MissingClaim},
		{name: "sub empty", claims: map[string]any{"sub": ""}, want: BadClaim},
		{name: "sub a number", claims: map[string]any{"sub": 1}, want: BadClaim},
		{name: "sub with a line break", claims: map[string]any{"sub": "u\n1"}, want: BadClaim},
		{name: "sub like a backend's", claims: map[string]any{"sub": "client/vendor"}, want: BadClaim},
		{name: "sub of 256 bytes", claims: map[string]any{"sub": strings.Repeat("u", 256)}, want: BadClaim},
		{name: "client not registered", claims: map[string]any{"azp": "other"}, want: UnknownClient},
		{name: "client missing", claims: map[string]any{"azp": nil}, want: UnknownClient},
		{name: "two clients", claims: map[string]any{"client_id": "vendor"}, want: UnknownClient},
		{name: "client is a list", claims: map[string]any{"azp": []string{"app"}}, want: UnknownClient},
		{name: "signed by another key", key: "rsa-2", want: BadSignature},
		{name: "payload altered", raw: func(g *gateway, good string) string {
			p := strings.Split(good, ".")
			return p[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(text(g.therapist(map[string]any{"sub": "u-2"})))) + "." + p[2]
		}, want: BadSignature},
		{name: "signature missing", raw: func(_ *gateway, good string) string { return good[:strings.LastIndex(good, ".")+1] }, want: Malformed},
		{name: "signature of zeros", raw: func(g *gateway, _ string) string {
			good := token("es256", g.therapist())
			return good[:strings.LastIndex(good, ".")+1] + base64.RawURLEncoding.EncodeToString(make([]byte, 64))
		}, want: BadSignature},
		{name: "signature of another length", raw: func(g *gateway, _ string) string {
			good := token("es256", g.therapist())
			return good + "AAAA"
		}, want: BadSignature},
		{name: "JSON serialisation", raw: func(_ *gateway, good string) string {
			p := strings.Split(good, ".")
			return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, p[0], p[1], p[2])
		}, want: Malformed},
		{name: "newline at the end", raw: func(_ *gateway, good string) string { return good + "\n" }, want: Malformed},
		{name: "padding", raw: func(_ *gateway, good string) string { return good + "=" }, want: Malformed},
		{name: "five parts", raw: func(_ *gateway, good string) string { return good + ".a.b" }, want: Malformed},
		{name: "slack bits in the signature", raw: func(_ *gateway, good string) string { return good[:len(good)-1] + "9" }, want: Malformed},
		{name: "NUL", raw: func(_ *gateway, good string) string { return good[:20] + "\x00" + good[20:] }, want: Malformed},
		{name: "not ASCII", raw: func(_ *gateway, good string) string { return good + "é" }, want: Malformed},
		{name: "100 KB", raw: func(_ *gateway, good string) string { return good + strings.Repeat("A", 100_000) }, want: TooLong},
		{name: "empty", raw: func(*gateway, string) string { return "" }, want: Malformed},
		{name: "opaque", raw: func(*gateway, string) string { return "2YotnFZFEjr1zCsicMWpAA" }, want: Malformed},
		// Who it is.
		{name: "tenant missing", claims: map[string]any{"practice": nil}, want: NoTenant},
		{name: "tenant unknown", claims: map[string]any{"practice": "linden"}, want: NoTenant},
		{name: "two tenants", claims: map[string]any{"practice": []string{"lindenhof", "seeblick"}}, want: NoTenant},
		{name: "tenant is an object", claims: map[string]any{"practice": map[string]any{"id": "lindenhof"}}, want: NoTenant},
		{name: "tenant contradicts the client's", claims: map[string]any{"azp": "vendor", "practice": "seeblick"}, want: NoTenant},
		{name: "role missing", claims: map[string]any{"roles": nil}, want: NoRole},
		{name: "role unknown", claims: map[string]any{"roles": []string{"Therapist"}}, want: NoRole},
		{name: "two roles", claims: map[string]any{"roles": []string{"therapist", "auditor"}}, want: NoRole},
		{name: "role is true", claims: map[string]any{"roles": true}, want: NoRole},
		{name: "roles are an object", claims: map[string]any{"roles": map[string]any{"therapist": true}}, want: NoRole},
		{name: "roles hold a list", claims: map[string]any{"roles": []any{"therapist", []any{"auditor"}}}, want: NoRole},
		{name: "therapist without fhirUser", claims: map[string]any{"fhirUser": nil}, want: NoUser},
		{name: "therapist whom nobody knows", claims: map[string]any{"fhirUser": "Practitioner/" + canary}, want: NoUser},
		{name: "our own id instead of the issuer's", claims: map[string]any{"fhirUser": "Practitioner/p1"}, want: NoUser},
		{name: "therapist who is a patient", claims: map[string]any{"fhirUser": "Patient/ada"}, want: NoUser},
		{name: "auditor who is a patient", claims: map[string]any{"roles": "auditor", "fhirUser": "Patient/ada"}, want: NoUser},
		{name: "patient who is a practitioner", claims: map[string]any{"roles": "patient"}, want: NoUser},
		{name: "fhirUser of another base", claims: map[string]any{"fhirUser": "https://evil.example/fhir/Practitioner/mira"}, want: BadClaim},
		{name: "fhirUser of a base with a like beginning", claims: map[string]any{"fhirUser": "https://ehr.example/fhirx/Practitioner/mira"}, want: BadClaim},
		{name: "fhirUser with a version", claims: map[string]any{"fhirUser": "Practitioner/mira/_history/1"}, want: BadClaim},
		{name: "fhirUser that is no person", claims: map[string]any{"fhirUser": "Device/mira"}, want: BadClaim},
		{name: "fhirUser is a list", claims: map[string]any{"fhirUser": []string{"Practitioner/mira"}}, want: BadClaim},
		{name: "patient context that nobody knows", claims: map[string]any{"patient": "nobody"}, want: NoUser},
		{name: "patient context of another type", claims: map[string]any{"patient": "Practitioner/mira"}, want: BadClaim},
		{name: "a patient in another's context", claims: map[string]any{"roles": "patient", "fhirUser": "Patient/ada", "patient": "ben"}, want: NoUser},
		{name: "65 scopes", claims: map[string]any{"scope": strings.Repeat("user/Task.r ", 65)}, want: TooManyScopes},
		{name: "scope is a number", claims: map[string]any{"scope": 1}, want: TooManyScopes},
	}
	return rs
}

// payload signs an edited text of a good payload, so that only the text is wrong.
func payload(edit func(string) string) func(*gateway, string) string {
	return func(g *gateway, _ string) string {
		return sign(key("rsa-1"), "RS256", `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1"}`, edit(text(g.therapist())))
	}
}

func TestEveryTokenThatMustBeRefusedIsRefusedAlike(t *testing.T) {
	weak := map[string]any{"kid": "weak", "n": base64.RawURLEncoding.EncodeToString(append([]byte{0x80}, make([]byte, 127)...))}
	p := newIDP(t, jwk("rsa-1"), jwk("es256"), jwk("es384"),
		jwk("rsa-1", map[string]any{"kid": "enc", "use": "enc"}), jwk("rsa-1", map[string]any{"kid": "ops", "use": nil, "key_ops": []string{"encrypt"}}),
		jwk("rsa-1", map[string]any{"kid": "rs512", "alg": "RS512"}), jwk("rsa-1", weak), jwk("rsa-1", map[string]any{"kid": "leaked", "d": "AQAB"}),
		jwk("rsa-1", map[string]any{"kid": "twice"}), jwk("rsa-2", map[string]any{"kid": "twice"}))
	var answer string
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, p)
			header, kid, alg := c.header, c.key, "RS256"
			if header == "" {
				header = `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1"}`
			}
			if kid == "" {
				kid = "rsa-1"
			}
			raw := sign(key(kid), alg, header, text(g.therapist(c.claims)))
			if c.raw != nil {
				raw = c.raw(g, raw)
			}
			who, err := g.Verify(t.Context(), raw)
			if err == nil {
				t.Fatalf("accepted as %+v", who)
			}
			if ReasonOf(err) != c.want {
				t.Errorf("reason %q, want %q", ReasonOf(err), c.want)
			}
			if !cmp.Equal(who, policy.Principal{}) {
				t.Errorf("a principal came with the refusal: %+v", who)
			}
			if !fhir.Is(err, fhir.Login) {
				t.Errorf("code %v, want Login", fhir.CodeOf(err))
			}
			detail := fhir.IssuesOf(err)[0].Detail
			if answer == "" {
				answer = detail
			}
			if detail != answer {
				t.Errorf("the answer tells what was wrong: %q", detail)
			}
			for _, s := range append(strings.Split(raw, "."), "u-1", "mira", canary, "lindenhof", g.issuer.URL) {
				if len(s) > 2 && strings.Contains(err.Error(), s) {
					t.Errorf("the error holds %q of the token: %v", s, err)
				}
			}
			if n := g.Refusals()[c.want]; n != 1 {
				t.Errorf("counted %d times", n)
			}
			// What was wrong was the only thing wrong.
			if _, err := g.Verify(t.Context(), token("rsa-1", g.therapist())); err != nil {
				t.Errorf("a good token is refused too: %v", err)
			}
		})
	}
}

func TestATokenOfOneIssuerIsNotOneOfAnother(t *testing.T) { // T2, T3
	one, two := newIDP(t, jwk("rsa-1", map[string]any{"kid": "k"})), newIDP(t, jwk("rsa-2", map[string]any{"kid": "k"}))
	g := newGateway(t, one)
	g.Verifier = verifier(t, g.clock, g.people, issuerOf(one), issuerOf(two))
	signed := func(kid, iss string) string {
		return sign(key(kid), "RS256", `{"alg":"RS256","typ":"at+jwt","kid":"k"}`, text(g.therapist(map[string]any{"iss": iss})))
	}
	a, b := verify(t, g, signed("rsa-1", one.URL)), verify(t, g, signed("rsa-2", two.URL))
	if a.Subject != b.Subject || a.Issuer == b.Issuer || a.TokenID == b.TokenID {
		t.Errorf("the same sub at two issuers: %v/%v and %v/%v", a.Issuer, a.Subject, b.Issuer, b.Subject)
	}
	for _, raw := range []string{signed("rsa-2", one.URL), signed("rsa-1", two.URL)} {
		if _, err := g.Verify(t.Context(), raw); ReasonOf(err) != BadSignature {
			t.Errorf("mixed up: %v", err)
		}
	}
}

func TestClocksMayDifferBySkewAndNoMore(t *testing.T) { // T6
	for _, c := range []struct {
		name string
		by   time.Duration // our clock against the issuer's
		nbf  int64
		want Reason
	}{
		{"we are 29 s behind", -29 * time.Second, 0, ""}, {"we are 31 s behind", -31 * time.Second, 0, NotYet},
		{"29 s after the end", 329 * time.Second, 0, ""}, {"30 s after the end", 330 * time.Second, 0, Expired},
		{"10 min behind", -10 * time.Minute, 0, NotYet}, {"10 min ahead", 10 * time.Minute, 0, Expired},
		{"nbf in 29 s", 0, 29, ""}, {"nbf in 31 s", 0, 31, NotYet},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, newIDP(t, jwk("es256")))
			m := g.therapist()
			if c.nbf != 0 {
				m["nbf"] = g.clock.Now().Unix() + c.nbf
			}
			g.clock.pass(c.by)
			if _, err := g.Verify(t.Context(), token("es256", m)); ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestARememberedTokenEndsWhenItExpires(t *testing.T) {
	g := newGateway(t, newIDP(t, jwk("es256")))
	raw := token("es256", g.therapist())
	verify(t, g, raw)
	asked := g.people.asked
	verify(t, g, raw)
	if g.people.asked != asked {
		t.Error("the second time it was looked up again")
	}
	g.clock.pass(61 * time.Second)
	verify(t, g, raw)
	if g.people.asked == asked {
		t.Error("remembered for longer than TokenTTL")
	}
	g.clock.pass(269 * time.Second)
	if _, err := g.Verify(t.Context(), raw); ReasonOf(err) != Expired {
		t.Errorf("after its end: %v", err)
	}
}

func TestOneTokenAtOnceByManyIsVerifiedOnce(t *testing.T) {
	g := newGateway(t, newIDP(t, jwk("es384")))
	raw := token("es384", g.therapist())
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if p, err := g.Verify(context.Background(), raw); err != nil || p.User.ID != "p1" {
				t.Errorf("%v %v", p.User, err)
			}
		})
	}
	wg.Wait()
	if g.idp.fetched() != 1 {
		t.Errorf("%d fetches of the keys", g.idp.fetched())
	}
}

func TestACallerWhoGoesAwayDoesNotSpoilItForOthers(t *testing.T) {
	p := newIDP(t, jwk("es256"))
	g := newGateway(t, p)
	hang := make(chan struct{})
	p.set(func(p *idp) { p.hang = hang })
	raw := token("es256", g.therapist())
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { _, err := g.Verify(ctx, raw); first <- err }()
	for p.fetched() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-first; !fhir.Is(err, fhir.Transient) || !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(hang)
	verify(t, g, raw)
}

func TestALookUpThatFailsIsNoRefusal(t *testing.T) {
	g := newGateway(t, newIDP(t, jwk("es256")))
	g.people.err = errors.New("database is down")
	raw := token("es256", g.therapist())
	if _, err := g.Verify(t.Context(), raw); !fhir.Is(err, fhir.Transient) {
		t.Errorf("while the store is down: %v", err)
	}
	g.people.err = nil
	verify(t, g, raw)
}
