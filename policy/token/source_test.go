package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rapport/fhir"
)

func TestKeysAreTrustedNoLongerThanTheyArePublished(t *testing.T) { // T4
	short := func(i *Issuer) { i.KeyTTL = 2 * time.Second; i.TokenTTL = 5 * time.Minute }
	t.Run("old and new overlap, then the old one goes", func(t *testing.T) {
		p := newIDP(t, jwk("rsa-1"))
		g := newGateway(t, p, short)
		old := token("rsa-1", g.therapist())
		verify(t, g, old)
		p.set(func(p *idp) { p.jwks = set(jwk("rsa-1"), jwk("es256")) })
		verify(t, g, token("es256", g.therapist())) // at once
		verify(t, g, old)
		p.set(func(p *idp) { p.jwks = set(jwk("es256")) })
		verify(t, g, old) // remembered, within the TTL
		g.clock.pass(2 * time.Second)
		if _, err := g.Verify(t.Context(), old); ReasonOf(err) != UnknownKey {
			t.Errorf("withdrawn a TTL ago: %v", err)
		}
	})
	t.Run("swapped abruptly", func(t *testing.T) {
		p := newIDP(t, jwk("rsa-1"))
		g := newGateway(t, p)
		verify(t, g, token("rsa-1", g.therapist()))
		p.set(func(p *idp) { p.jwks = set(jwk("rsa-2")) })
		verify(t, g, token("rsa-2", g.therapist()))
		if _, err := g.Verify(t.Context(), token("rsa-1", g.therapist(map[string]any{"jti": "j-2"}))); ReasonOf(err) != UnknownKey {
			t.Errorf("the old key: %v", err)
		}
	})
	t.Run("another key under the same kid", func(t *testing.T) {
		p := newIDP(t, jwk("rsa-1"))
		g := newGateway(t, p, short)
		verify(t, g, token("rsa-1", g.therapist()))
		p.set(func(p *idp) { p.jwks = set(jwk("rsa-2", map[string]any{"kid": "rsa-1"})) })
		g.clock.pass(2 * time.Second)
		if _, err := g.Verify(t.Context(), token("rsa-1", g.therapist())); ReasonOf(err) != BadSignature {
			t.Errorf("the old key under its old kid: %v", err)
		}
	})
	t.Run("the key under a new kid", func(t *testing.T) {
		p := newIDP(t, jwk("rsa-1"))
		g := newGateway(t, p)
		verify(t, g, token("rsa-1", g.therapist()))
		p.set(func(p *idp) { p.jwks = set(jwk("rsa-1", map[string]any{"kid": "again"})) })
		verify(t, g, sign(key("rsa-1"), "RS256", `{"alg":"RS256","typ":"at+jwt","kid":"again"}`, text(g.therapist())))
	})
	t.Run("no keys at all", func(t *testing.T) {
		p := newIDP(t, jwk("rsa-1"))
		g := newGateway(t, p, short)
		raw := token("rsa-1", g.therapist())
		verify(t, g, raw)
		p.set(func(p *idp) { p.jwks = `{"keys":[]}` })
		g.clock.pass(2 * time.Second)
		if _, err := g.Verify(t.Context(), raw); !fhir.Is(err, fhir.Transient) {
			t.Errorf("all keys withdrawn: %v", err)
		}
	})
}

func TestAnAnswerThatIsNoKeySetLeavesTheLastOne(t *testing.T) { // T4
	for name, spoil := range map[string]func(*idp){
		"HTML":                   func(p *idp) { p.jwks = "<html>login</html>" },
		"5 MB":                   func(p *idp) { p.jwks = `{"keys":[],"x":"` + strings.Repeat("x", 5<<20) + `"}` },
		"101 keys":               func(p *idp) { p.jwks = `{"keys":[` + strings.Repeat("{},", 100) + "{}]}" },
		"no list":                func(p *idp) { p.jwks = `{"keys":{}}` },
		"keys twice":             func(p *idp) { p.jwks = `{"keys":[],"keys":[]}` },
		"500":                    func(p *idp) { p.status = 500 },
		"redirect to link-local": func(p *idp) { p.redirect = "http://169.254.169.254/latest/meta-data" },
		"redirect to itself":     func(p *idp) { p.redirect = "/jwks?" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newIDP(t, jwk("rsa-1"))
			g := newGateway(t, p)
			verify(t, g, token("rsa-1", g.therapist()))
			p.set(spoil)
			g.clock.pass(10 * time.Minute)
			raw := token("rsa-1", g.therapist())
			verify(t, g, raw)
			if s := g.Status()[0]; !s.Ready || s.Err == nil || s.Failed != 1 {
				t.Errorf("status %+v", s)
			} else if strings.Contains(s.Err.Error(), "login") || strings.Contains(s.Err.Error(), "xxx") {
				t.Errorf("the error holds the body: %v", s.Err)
			}
			if _, err := g.Verify(t.Context(), sign(key("rsa-2"), "RS256", `{"alg":"RS256","typ":"at+jwt","kid":"rsa-2"}`, text(g.therapist()))); !fhir.Is(err, fhir.Transient) {
				t.Errorf("a kid that may be new while its set cannot be had: %v", err)
			}
		})
	}
}

func TestAnOutageEndsInUnavailableNotInRefusal(t *testing.T) { // T5
	p := newIDP(t, jwk("rsa-1"))
	g := newGateway(t, p, func(i *Issuer) { i.MaxStale = 10 * time.Minute })
	verify(t, g, token("rsa-1", g.therapist()))
	p.set(func(p *idp) { p.status = 503 })
	for range 39 {
		g.clock.pass(30 * time.Second)
		verify(t, g, token("rsa-1", g.therapist()))
	}
	before := p.fetched()
	if before > 40+1 {
		t.Errorf("%d fetches", before)
	}
	g.clock.pass(31 * time.Second)
	raw := token("rsa-1", g.therapist())
	if _, err := g.Verify(t.Context(), raw); !fhir.Is(err, fhir.Transient) || ReasonOf(err) != KeysUnavailable {
		t.Errorf("after MaxStale: %v", err)
	}
	if s := g.Status()[0]; s.Ready {
		t.Error("ready without keys")
	}
	before = p.fetched()
	for range 100 {
		_, _ = g.Verify(t.Context(), raw)
	}
	if n := p.fetched() - before; n > 1 {
		t.Errorf("%d fetches by 100 requests of one moment while the issuer is down", n)
	}
	p.set(func(p *idp) { p.status = 200 })
	g.clock.pass(11 * time.Second)
	verify(t, g, raw)
}

func TestAnIssuerThatIsDownAtTheStartIsAskedAgain(t *testing.T) {
	p := newIDP(t, jwk("rsa-1"))
	p.set(func(p *idp) { p.status = 503 })
	g := newGateway(t, p)
	if _, err := g.Verify(t.Context(), token("rsa-1", g.therapist())); !fhir.Is(err, fhir.Transient) {
		t.Errorf("down: %v", err)
	}
	if s := g.Status()[0]; s.Ready || s.Err == nil {
		t.Errorf("status %+v", s)
	}
	p.set(func(p *idp) { p.status = 200 })
	g.clock.pass(time.Second)
	verify(t, g, token("rsa-1", g.therapist()))
}

func TestAFloodOfInventedKeyIdsCostsFewFetches(t *testing.T) { // T1, D6
	p := newIDP(t, jwk("rsa-1"))
	g := newGateway(t, p)
	good := token("rsa-1", g.therapist())
	verify(t, g, good)
	flood := func() {
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				raw := sign(key("es256"), "ES256", fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":"made-up-%d"}`, i), text(g.therapist()))
				if _, err := g.Verify(context.Background(), raw); ReasonOf(err) != UnknownKey {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
	}
	flood()
	if n := p.fetched() - 1; n > 2 {
		t.Errorf("%d fetches for 200 kids at once", n)
	}
	before := p.fetched()
	for range 6 { // a minute of it
		g.clock.pass(10 * time.Second)
		flood()
	}
	if n := p.fetched() - before; n > 6 {
		t.Errorf("%d fetches in a minute", n)
	}
	verify(t, g, good)
	// The same unknown kid again and again leaves the ration to others.
	g.clock.pass(time.Minute)
	before = p.fetched()
	raw := sign(key("es256"), "ES256", `{"alg":"ES256","typ":"at+jwt","kid":"old"}`, text(g.therapist()))
	for range 20 {
		_, _ = g.Verify(t.Context(), raw)
	}
	p.set(func(p *idp) { p.jwks = set(jwk("rsa-1"), jwk("es256")) })
	verify(t, g, token("es256", g.therapist()))
	if n := p.fetched() - before; n != 2 {
		t.Errorf("%d fetches, want one for the old kid and one for the new", n)
	}
	// 50 bad signatures with a known kid fetch nothing.
	before = p.fetched()
	for i := range 50 {
		_, _ = g.Verify(t.Context(), sign(key("rsa-2"), "RS256", `{"alg":"RS256","typ":"at+jwt","kid":"rsa-1"}`, text(g.therapist(map[string]any{"jti": fmt.Sprint(i)}))))
	}
	if p.fetched() != before {
		t.Errorf("%d fetches for bad signatures", p.fetched()-before)
	}
}

func TestCacheControlShortensAndNeverLengthens(t *testing.T) {
	for control, life := range map[string]time.Duration{
		"": 10 * time.Minute, "max-age=86400": 10 * time.Minute, "public, max-age=120": 2 * time.Minute,
		"no-cache": time.Minute, "max-age=5": time.Minute, "no-store": time.Minute, "max-age=x": time.Minute,
	} {
		p := newIDP(t, jwk("es256"))
		p.set(func(p *idp) { p.control = control })
		g := newGateway(t, p)
		verify(t, g, token("es256", g.therapist()))
		g.clock.pass(life - time.Second)
		verify(t, g, token("es256", g.therapist(map[string]any{"jti": "a"})))
		if p.fetched() != 1 {
			t.Errorf("%q: fetched again within %v", control, life)
		}
		g.clock.pass(time.Second)
		verify(t, g, token("es256", g.therapist(map[string]any{"jti": "b"})))
		if p.fetched() != 2 {
			t.Errorf("%q: not fetched after %v", control, life)
		}
	}
	h := http.Header{"Cache-Control": {"max-age=100"}, "Age": {"40"}}
	if got := keep(h); got != time.Minute {
		t.Errorf("max-age 100, age 40: %v", got)
	}
}

func TestKeysOnAnotherHostNeedToBeConfigured(t *testing.T) {
	p, elsewhere := newIDP(t, jwk("es256")), newIDP(t, jwk("es256"))
	p.set(func(p *idp) { p.jwksURI = elsewhere.URL + "/jwks" })
	g := newGateway(t, p)
	if _, err := g.Verify(t.Context(), token("es256", g.therapist())); !fhir.Is(err, fhir.Transient) {
		t.Errorf("taken from where the discovery document said: %v", err)
	}
	g = newGateway(t, p, func(i *Issuer) { i.JWKS = elsewhere.URL + "/jwks" })
	verify(t, g, token("es256", g.therapist()))
}

func TestNoNameLeadsToAnAddressOfThisMachineOrItsCloud(t *testing.T) {
	for _, a := range []string{"169.254.169.254", "127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::", "fe80::1", "224.0.0.1", "ff02::1", "::ffff:169.254.169.254"} {
		if mayDial(netip.MustParseAddr(a).Unmap(), false) == nil {
			t.Errorf("%s is dialled", a)
		}
	}
	if mayDial(netip.MustParseAddr("169.254.169.254"), true) == nil {
		t.Error("an issuer on loopback may lead to the cloud's metadata")
	}
	for _, a := range []string{"10.0.0.5", "192.0.2.1", "2001:db8::1"} {
		if err := mayDial(netip.MustParseAddr(a), false); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	p := newIDP(t, jwk("es256")) // on loopback, asked as by an issuer that is not
	if _, err := client(false).Get(p.URL + "/jwks"); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("dialled loopback: %v", err)
	}
}

func TestAKeyFileServesWithoutAnyNetwork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, []byte(set(jwk("es256"))), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newIDP(t)
	p.Close()
	g := newGateway(t, p, func(i *Issuer) { i.JWKSFile = path })
	if s := g.Status()[0]; !s.Ready || s.Keys != 1 {
		t.Errorf("status %+v", s)
	}
	raw := token("es256", g.therapist())
	verify(t, g, raw)
	if err := os.WriteFile(path, []byte(set(jwk("es256-2"))), 0o600); err != nil {
		t.Fatal(err)
	}
	g.clock.pass(10 * time.Minute)
	verify(t, g, token("es256-2", g.therapist()))
	if _, err := g.Verify(t.Context(), token("es256", g.therapist())); ReasonOf(err) != UnknownKey {
		t.Errorf("a key that left the file: %v", err)
	}

	i := issuerOf(p)
	i.JWKSFile = filepath.Join(t.TempDir(), "none")
	if _, err := New(Config{Issuers: []Issuer{i}}, Options{Clock: g.clock.Now, Known: knownTypes}); err == nil || !strings.Contains(err.Error(), "issuers[0].jwksFile") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestRunKeepsKeysFreshWithoutRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Duration
		start, fail := time.Now(), true
		s := newSource(func(context.Context) ([]byte, time.Duration, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(start))
			if fail && len(at) < 4 {
				return nil, 0, errors.New("down")
			}
			return []byte(set(jwk("es256"))), -1, nil
		}, time.Now, 10*time.Minute, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.run(ctx); close(done) }()
		time.Sleep(20 * time.Minute)
		cancel()
		<-done
		// Backing off while it fails, then each time at four fifths of the life.
		want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 8*time.Minute + 7*time.Second, 16*time.Minute + 7*time.Second}
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("fetched at %v, want %v", at, want)
		}
	})
}
