package token

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const tokenURL = "https://gateway.example/token"

func TestAnAssertionOfOursIsAcceptedByAnother(t *testing.T) {
	clock := newStill()
	for _, kid := range []string{"rsa-1", "es384"} {
		k, err := NewSigningKey(kid, key(kid))
		if err != nil {
			t.Fatal(err)
		}
		jwks, err := k.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(jwks), `"d"`) {
			t.Fatal("the private key is published")
		}
		keys, err := NewKeySource("", jwks, clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := Assertion(k, "vendor", tokenURL, "jti-1", clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		a := Assertions{Audiences: []string{tokenURL}, Clock: clock.Now}
		if who, err := a.Client(raw); who != "vendor" || err != nil {
			t.Errorf("of %q, %v", who, err)
		}
		jti, end, err := a.Check(t.Context(), raw, "vendor", "", keys)
		if err != nil || jti != "jti-1" || !end.Equal(clock.Now().Add(time.Minute)) {
			t.Errorf("%s: %q %v %v", kid, jti, end, err)
		}
		if jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS384, jose.ES384}); err != nil || jws.Signatures[0].Protected.KeyID != kid {
			t.Errorf("header: %v", err)
		}
	}
}

func TestAssertionsThatProveNothingAreRefused(t *testing.T) { // T11
	clock := newStill()
	now := clock.Now().Unix()
	source := func(keys ...map[string]any) *KeySource {
		s, err := NewKeySource("", []byte(set(keys...)), clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	good := map[string]any{"iss": "vendor", "sub": "vendor", "aud": tokenURL, "jti": "j", "exp": now + 60}
	for _, c := range []struct {
		name   string
		claims map[string]any
		header string
		key    string
		want   Reason
	}{
		{name: "good", want: ""},
		{name: "good for five minutes", claims: map[string]any{"exp": now + 300}, want: ""},
		{name: "for six minutes", claims: map[string]any{"exp": now + 360}, want: LivesTooLong},
		{name: "for six minutes, begun earlier", claims: map[string]any{"exp": now + 120, "iat": now - 240}, want: LivesTooLong},
		{name: "expired", claims: map[string]any{"exp": now}, want: Expired},
		{name: "from the future", claims: map[string]any{"iat": now + 60, "exp": now + 120}, want: NotYet},
		{name: "iss other than sub", claims: map[string]any{"iss": "other"}, want: UnknownClient},
		{name: "sub other than iss", claims: map[string]any{"sub": "other"}, want: UnknownClient},
		{name: "both another client", claims: map[string]any{"iss": "other", "sub": "other"}, want: UnknownClient},
		{name: "for another endpoint", claims: map[string]any{"aud": tokenURL + "/"}, want: WrongAudience},
		{name: "for another endpoint too", claims: map[string]any{"aud": []string{tokenURL, "https://other.example/token"}}, want: WrongAudience},
		{name: "for nobody", claims: map[string]any{"aud": nil}, want: MissingClaim},
		{name: "without jti", claims: map[string]any{"jti": nil}, want: MissingClaim},
		{name: "without exp", claims: map[string]any{"exp": nil}, want: MissingClaim},
		{name: "without iss", claims: map[string]any{"iss": nil}, want: MissingClaim},
		{name: "RS256", header: `{"alg":"RS256","kid":"rsa-1","typ":"JWT"}`, key: "rsa-1", want: BadAlgorithm},
		{name: "ES256", header: `{"alg":"ES256","kid":"es256","typ":"JWT"}`, key: "es256", want: BadAlgorithm},
		{name: "an access token", header: `{"alg":"ES384","kid":"es384","typ":"at+jwt"}`, want: WrongType},
		{name: "jku that is not registered", header: `{"alg":"ES384","kid":"es384","typ":"JWT","jku":"https://vendor.example/jwks"}`, want: BadHeader},
		{name: "no kid", header: `{"alg":"ES384","typ":"JWT"}`, want: BadKeyID},
		{name: "unknown kid", header: `{"alg":"ES384","kid":"es385","typ":"JWT"}`, want: UnknownKey},
		{name: "kid of a key of another kind", header: `{"alg":"ES384","kid":"rsa-1","typ":"JWT"}`, want: UnknownKey},
		{name: "kid twice", header: `{"alg":"ES384","kid":"twice","typ":"JWT"}`, want: UnknownKey},
		{name: "signed by another key", header: `{"alg":"RS384","kid":"rsa-1","typ":"JWT"}`, key: "rsa-2", want: BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := maps.Clone(good)
			maps.Copy(m, c.claims)
			for k, v := range c.claims {
				if v == nil {
					delete(m, k)
				}
			}
			if c.header == "" {
				c.header = `{"alg":"ES384","kid":"es384","typ":"JWT"}`
			}
			if c.key == "" {
				c.key = "es384"
			}
			alg := "RS384"
			if strings.Contains(c.header, "256") {
				alg = "RS256"
			}
			raw := sign(key(c.key), alg, c.header, text(m))
			_, _, err := Assertions{Audiences: []string{tokenURL}, Clock: clock.Now}.Check(t.Context(), raw, "vendor", "",
				source(jwk("es384"), jwk("rsa-1"), jwk("es256"), jwk("es384", map[string]any{"kid": "twice"}), jwk("es384", map[string]any{"kid": "twice"})))
			if ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestARegisteredAddressOfKeysMayBeNamedAndNoOther(t *testing.T) {
	clock, p := newStill(), newIDP(t, jwk("es384"))
	address := p.URL + "/jwks"
	keys, err := NewKeySource(address, nil, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	now := clock.Now().Unix()
	raw := sign(key("es384"), "ES384", fmt.Sprintf(`{"alg":"ES384","kid":"es384","typ":"JWT","jku":%q}`, address),
		text(map[string]any{"iss": "vendor", "sub": "vendor", "aud": tokenURL, "jti": "j", "exp": now + 60}))
	a := Assertions{Audiences: []string{tokenURL}, Clock: clock.Now}
	if _, _, err := a.Check(t.Context(), raw, "vendor", address, keys); err != nil {
		t.Error(err)
	}
	if _, _, err := a.Check(t.Context(), raw, "vendor", "", keys); ReasonOf(err) != BadHeader {
		t.Errorf("jku of a client that has none: %v", err)
	}
	for _, bad := range []string{"http://vendor.example/jwks", "ftp://vendor.example/", "/jwks", "https://vendor.example/jwks?x"} {
		if _, err := NewKeySource(bad, nil, clock.Now); err == nil {
			t.Errorf("%s is an address of keys", bad)
		}
	}
}

func TestASigningKeyIsKeptInAPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.jwk.json")
	k, err := GenerateSigningKey("vendor-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	if err := k.WriteFile(path); err == nil {
		t.Error("a key file is written over")
	}
	again, err := ReadSigningKey(path)
	if err != nil || again.id != "vendor-1" || again.alg != "ES384" {
		t.Fatalf("%v %v", again, err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", again, again, again, again); strings.ContainsAny(s, "{&") {
		t.Errorf("prints %s", s)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSigningKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("open to others: %v", err)
	}
	public, err := json.Marshal(jwk("es384"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"public": string(public), "broken": "{", "symmetric": `{"kty":"oct","kid":"x","k":"c2VjcmV0"}`} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSigningKey(path); err == nil || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseCompact(f *testing.F) {
	clock := newStill()
	now := clock.Now().Unix()
	for _, h := range []string{`{"alg":"RS256","typ":"at+jwt","kid":"rsa-1"}`, `{"alg":"none"}`, `[]`, `{"alg":"ES256","kid":"a","kid":"b"}`} {
		f.Add(sign(key("es256"), "ES256", h, text(map[string]any{"iss": "i", "exp": now, "aud": []string{"a"}})))
	}
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := parseCompact(raw)
		if err != nil {
			if ReasonOf(err) == "" {
				t.Errorf("an error that is no Reason: %v", err)
			}
			return
		}
		if !validKid(c.kid) || algorithms[c.alg].kty == "" || c.exp < 0 || strings.Count(raw, ".") != 2 || len(raw) > MaxToken {
			t.Errorf("%+v", c)
		}
		// go-jose must see the same header.
		jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.alg)})
		if err != nil {
			return
		}
		if h := jws.Signatures[0].Header; h.Algorithm != c.alg || h.KeyID != c.kid {
			t.Errorf("two readers differ: %+v %+v", h, c)
		}
	})
}

func BenchmarkVerifyRemembered(b *testing.B) {
	g := newGateway(b, newIDP(b, jwk("rsa-1")))
	raw := token("rsa-1", g.therapist())
	verify(b, g, raw)
	b.ReportMetric(float64(len(raw)), "token-bytes")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Verify(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyCold(b *testing.B) {
	for _, kid := range []string{"rsa-1", "es256", "es384"} {
		b.Run(kid, func(b *testing.B) {
			g := newGateway(b, newIDP(b, jwk(kid)))
			raw := token(kid, g.therapist())
			b.ReportAllocs()
			for b.Loop() {
				g.verified.InvalidateAll()
				if _, err := g.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRefuseMalformed(b *testing.B) {
	g := newGateway(b, newIDP(b))
	raw := strings.Repeat("A", 4000) + ".AAAA.AAAA"
	b.ReportAllocs()
	for b.Loop() {
		_, _ = g.Verify(b.Context(), raw)
	}
}
