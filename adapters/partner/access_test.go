package partner

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"rapport/fhir"
)

func TestATokenIsFetchedOnceAndUsedUntilItIsOld(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	send := func() {
		t.Helper()
		if _, err := ch.Transact(t.Context(), to, resource(t, pack)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(send)
	}
	wg.Wait()
	if n := f.count("POST /token"); n != 1 {
		t.Errorf("%d tokens for 8 requests at once", n)
	}
	want := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.cruds"}, "client_assertion": {"key.jwk signs us for " + f.URL + "/token"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
	if got := f.forms[0].Encode(); got != want.Encode() {
		t.Errorf("asked with %s", got)
	}
	f.now.Add(269) // half a minute before its end it is not used any more
	send()
	if n := f.count("POST /token"); n != 1 {
		t.Errorf("%d tokens", n)
	}
	f.now.Add(2)
	send()
	if n, d := f.count("POST /token"), f.count("GET /fhir/.well-known/smart-configuration"); n != 2 || d != 1 {
		t.Errorf("%d tokens, %d discoveries", n, d)
	}
}

func TestATokenThatIsRefusedIsRenewedOnce(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel()
	f.good = "token-2"
	if _, err := ch.Transact(t.Context(), to, resource(t, pack)); err != nil {
		t.Fatal(err)
	}
	f.good = "another"
	_, err := ch.Transact(t.Context(), to, resource(t, pack))
	if !fhir.Is(err, fhir.Login) || f.count("POST /token") != 3 {
		t.Errorf("%v, %d tokens", err, f.count("POST /token"))
	}
}

func TestAnIssuerThatDoesNotAcceptUsIsNamedWithItsCode(t *testing.T) {
	f := newFar(t)
	f.issue = func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"invalid_client","error_description":"%s"}`, r.PostForm.Get("client_assertion"))
	}
	ch, to := f.channel()
	_, err := ch.Transact(t.Context(), to, resource(t, pack))
	if !fhir.Is(err, fhir.Login) || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error(), "signs") {
		t.Error(err)
	}
	f.issue = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":"x","token_type":"mac"}`) }
	if _, err := ch.Transact(t.Context(), to, resource(t, pack)); !fhir.Is(err, fhir.Login) {
		t.Error(err)
	}
	if n := f.count("GET /fhir/.well-known/smart-configuration"); n != 2 {
		t.Errorf("after a refusal the endpoint was looked up %d times", n)
	}
}

func TestNoRedirectIsFollowedAndNoTokenLeavesTheBase(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a stranger was asked %s with %q", r.URL.Path, r.Header.Get("Authorization"))
	}))
	t.Cleanup(stranger.Close)
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger.URL, http.StatusTemporaryRedirect)
	}
	for name, change := range map[string]func(*far){
		"the base":          func(f *far) { f.fhir = redirect },
		"the token":         func(f *far) { f.issue = redirect },
		"the configuration": func(f *far) { f.smart = redirect },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFar(t)
			change(f)
			ch, to := f.channel()
			if _, err := ch.Transact(t.Context(), to, resource(t, pack)); err == nil || fhir.Is(err, fhir.Transient) {
				t.Error(err)
			}
		})
	}
}

func TestATokenEndpointOfWeakerTransportIsNotUsed(t *testing.T) {
	for endpoint, base := range map[string]string{
		"http://issuer.example/token":        "https://far.example/fhir",
		"http://127.0.0.1/token":             "https://far.example/fhir",
		"http://other.example/token":         "http://127.0.0.1/fhir",
		"https://u:p@issuer.example/token":   "https://far.example/fhir",
		"https://issuer.example/token?x=1":   "https://far.example/fhir",
		"/token":                             "https://far.example/fhir",
		"ftp://issuer.example/token":         "https://far.example/fhir",
		"":                                   "https://far.example/fhir",
		"https://issuer.example/token#x":     "https://far.example/fhir",
		"gopher://127.0.0.1/token":           "http://127.0.0.1/fhir",
		"http://127.0.0.1.nip.example/token": "http://127.0.0.1/fhir",
	} {
		if err := trusted(base, endpoint); !fhir.Is(err, fhir.Login) {
			t.Errorf("%s of %s: %v", endpoint, base, err)
		}
	}
	for endpoint, base := range map[string]string{
		"https://login.example/token": "https://far.example/fhir", "http://127.0.0.1:81/token": "http://localhost/fhir", "https://login.example/t": "http://127.0.0.1/fhir",
	} {
		if err := trusted(base, endpoint); err != nil {
			t.Errorf("%s of %s: %v", endpoint, base, err)
		}
	}
}

func TestAConfiguredTokenEndpointNeedsNoDiscovery(t *testing.T) {
	f := newFar(t)
	ch, to := f.channel(func(c *Config) { c.Token = f.URL + "/token" })
	if _, err := ch.Transact(t.Context(), to, resource(t, pack)); err != nil {
		t.Fatal(err)
	}
	if n := f.count("GET /fhir/.well-known/smart-configuration"); n != 0 {
		t.Errorf("%d discoveries", n)
	}
}
