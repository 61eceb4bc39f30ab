package issuer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/policy/token"
)

func TestRequestsForTokensThatFailSayHow(t *testing.T) {
	w := newWorld(t)
	sign := func(client, aud string) func(*testing.T, url.Values) {
		return func(t *testing.T, f url.Values) {
			raw, err := token.Assertion(w.vendor, client, aud, w.id(), w.clock())
			if err != nil {
				t.Fatal(err)
			}
			f.Set("client_assertion", raw)
		}
	}
	var denied string
	for _, c := range []struct {
		name   string
		form   func(*testing.T, url.Values)
		req    func(*http.Request)
		status int
		code   string
	}{
		{name: "no grant type", form: func(_ *testing.T, f url.Values) { f.Del("grant_type") }, status: 400, code: "unsupported_grant_type"},
		{name: "password grant", form: func(_ *testing.T, f url.Values) { f.Set("grant_type", "password") }, status: 400, code: "unsupported_grant_type"},
		{name: "no assertion", form: func(_ *testing.T, f url.Values) { f.Del("client_assertion") }, status: 400, code: "invalid_request"},
		{name: "other assertion type", form: func(_ *testing.T, f url.Values) { f.Set("client_assertion_type", "saml") }, status: 400, code: "invalid_request"},
		{name: "assertion twice", form: func(_ *testing.T, f url.Values) { f.Add("client_assertion", f.Get("client_assertion")) }, status: 400, code: "invalid_request"},
		{name: "scope twice", form: func(_ *testing.T, f url.Values) { f.Add("scope", "system/Patient.r") }, status: 400, code: "invalid_request"},
		{name: "a secret too", form: func(_ *testing.T, f url.Values) { f.Set("client_secret", "x") }, status: 400, code: "invalid_request"},
		{name: "basic authentication too", req: func(r *http.Request) { r.SetBasicAuth("vendor", "x") }, status: 400, code: "invalid_request"},
		{name: "parameters in the URL", req: func(r *http.Request) { r.URL.RawQuery = "scope=system/*.rs" }, status: 400, code: "invalid_request"},
		{name: "JSON body", req: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, status: 400, code: "invalid_request"},
		{name: "endless body", req: func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(io.LimitReader(endless{}, 1<<20)), -1
		}, status: 400, code: "invalid_request"},
		{name: "no scope", form: func(_ *testing.T, f url.Values) { f.Del("scope") }, status: 400, code: "invalid_scope"},
		{name: "unknown type", form: func(_ *testing.T, f url.Values) { f.Set("scope", "system/Observation.rs system/Observaton.rs") }, status: 400, code: "invalid_scope"},
		{name: "scope not registered", form: func(_ *testing.T, f url.Values) { f.Set("scope", "system/Patient.u") }, status: 400, code: "invalid_scope"},
		{name: "scope of users", form: func(_ *testing.T, f url.Values) { f.Set("scope", "user/Observation.rs openid") }, status: 400, code: "invalid_scope"},
		{name: "65 scopes", form: func(_ *testing.T, f url.Values) { f.Set("scope", strings.Repeat("openid ", 65)) }, status: 400, code: "invalid_scope"},
		{name: "scopes longer than a token", form: func(_ *testing.T, f url.Values) {
			f.Set("scope", strings.Repeat("system/Observation.rs?category="+strings.Repeat("x", 400)+" ", 20))
		}, status: 400, code: "invalid_scope"},
		{name: "no JWT", form: func(_ *testing.T, f url.Values) { f.Set("client_assertion", "x") }, status: 401, code: "invalid_client"},
		{name: "unknown client", form: sign("nobody", w.TokenURL()), status: 401, code: "invalid_client"},
		{name: "the issuer as audience", form: sign("vendor", w.URL), status: 401, code: "invalid_client"},
		{name: "the FHIR base as audience", form: sign("vendor", base), status: 401, code: "invalid_client"},
		{name: "client_id of another", form: func(_ *testing.T, f url.Values) { f.Set("client_id", "other") }, status: 401, code: "invalid_client"},
		{name: "an access token of ours as assertion", form: func(t *testing.T, f url.Values) {
			f.Set("client_assertion", w.post(w.form(w.id())).body["access_token"].(string))
		}, status: 401, code: "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := w.form(w.id())
			if c.form != nil {
				c.form(t, f)
			}
			var req []func(*http.Request)
			if c.req != nil {
				req = append(req, c.req)
			}
			r := w.post(f, req...)
			if r.status != c.status || r.body["error"] != c.code || r.body["access_token"] != nil {
				t.Errorf("%d %v", r.status, r.body)
			}
			if r.header.Get("Cache-Control") != "no-store" {
				t.Error("the answer may be stored")
			}
			if c.code == "invalid_client" {
				if text := r.body["error_description"].(string); denied == "" {
					denied = text
				} else if denied != text {
					t.Errorf("tells what was wrong: %s", text)
				}
			}
		})
	}
	if r := w.post(w.form("good")); r.status != 200 {
		t.Errorf("a good request fails too: %v", r.body)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestScopesAreGrantedAsAskedOrNarrowed(t *testing.T) {
	w := newWorld(t)
	for asked, want := range map[string]string{
		"system/Observation.rs":                   "system/Observation.rs",
		"system/Observation.read":                 "system/Observation.read", // version 1 asked, version 1 given
		"system/*.cruds":                          "system/Observation.rs system/Patient.r",
		"openid system/Patient.rs":                "system/Patient.r",
		"system/Observation.rs?category=survey":   "system/Observation.rs?category=survey",
		"system/Observation.rs system/Patient.u":  "system/Observation.rs",
		"system/Patient.r  system/Observation.s ": "system/Patient.r system/Observation.s",
	} {
		f := w.form(w.id())
		f.Set("scope", asked)
		if r := w.post(f); r.body["scope"] != want {
			t.Errorf("%q: %v, want %q", asked, r.body, want)
		}
	}
}

func TestAnAssertionWorksOnceWhoeverIsFirst(t *testing.T) { // T11
	w := newWorld(t)
	f := w.form("once")
	var ok, denied int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			r := w.post(f)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case r.status == 200:
				ok++
			case r.status == 401 && r.body["error"] == "invalid_client":
				denied++
			default:
				t.Errorf("%d %v", r.status, r.body)
			}
		})
	}
	wg.Wait()
	if ok != 1 || denied != 49 {
		t.Errorf("%d tokens and %d refusals for one assertion", ok, denied)
	}
	w.pass(time.Minute + clockSkew - time.Second)
	if r := w.post(f); r.status != 401 {
		t.Errorf("replayed at the end of its life: %d", r.status)
	}
	w.pass(10 * time.Minute)
	if r := w.post(f); r.status != 401 {
		t.Errorf("replayed after its life: %d", r.status)
	}
	for key, m := range w.memos.kept {
		if strings.Contains(key, "once") || strings.Contains(key, "vendor") {
			t.Errorf("memo %s names the client", key)
		}
		if w.clock().Before(m.Expires) {
			t.Errorf("kept until %v", m.Expires)
		}
	}
	// The same jti of another client is another one.
	w = newWorld(t)
	if r := w.post(w.form("same")); r.status != 200 {
		t.Error(r.body)
	}
	raw, err := token.Assertion(w.vendor, "other", w.TokenURL(), "same", w.clock())
	if err != nil {
		t.Fatal(err)
	}
	f = w.form("x")
	f.Set("client_assertion", raw)
	if r := w.post(f); r.status != 200 {
		t.Errorf("another client's jti: %v", r.body)
	}
}

func TestAForgedAssertionUsesNothingUp(t *testing.T) {
	w := newWorld(t)
	thief, err := token.GenerateSigningKey("vendor-1")
	if err != nil {
		t.Fatal(err)
	}
	forged, err := token.Assertion(thief, "vendor", w.TokenURL(), "j", w.clock())
	if err != nil {
		t.Fatal(err)
	}
	f := w.form("j")
	good := f.Get("client_assertion")
	f.Set("client_assertion", forged)
	if r := w.post(f); r.status != 401 {
		t.Fatalf("%d", r.status)
	}
	f.Set("client_assertion", good)
	if r := w.post(f); r.status != 200 {
		t.Errorf("the jti was used up by a forgery: %v", r.body)
	}
}

func TestWithoutAStoreNoAssertionIsAccepted(t *testing.T) {
	w := newWorld(t)
	w.memos.err = errors.New("disk full at /var/lib/x")
	r := w.post(w.form("j"))
	if r.status != 503 || r.body["access_token"] != nil || strings.Contains(fmt.Sprint(r.body), "disk") {
		t.Errorf("%d %v", r.status, r.body)
	}
}
