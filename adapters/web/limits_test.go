package web

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/policy"
)

// held is a verifier that lets nobody on before it is told to.
type held struct {
	Verifier
	arrived chan struct{}
	go_     chan struct{}
}

func (h held) Verify(ctx context.Context, raw string) (policy.Principal, error) {
	h.arrived <- struct{}{}
	select {
	case <-h.go_:
		return h.Verifier.Verify(ctx, raw)
	case <-ctx.Done():
		return policy.Principal{}, ctx.Err()
	}
}

func TestOneRequestTooManyIsToldToComeBackAndHealthIsAnsweredNevertheless(t *testing.T) {
	h := held{tokens{"mira": {Tenant: "one", Role: policy.Therapist}}, make(chan struct{}, 8), make(chan struct{})}
	f := serve(t, Config{Limits: Limits{Requests: 2, Wait: 20 * time.Millisecond}, Verify: h})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { f.send(http.MethodGet, "/fhir/Patient/1", "") })
	}
	<-h.arrived
	<-h.arrived
	r := f.send(http.MethodGet, "/fhir/Patient/1", "")
	if f.outcome(r, http.StatusServiceUnavailable); r.Header.Get("Retry-After") == "" {
		t.Error("it is not said when to come back")
	}
	if r := f.send(http.MethodGet, "/livez", ""); r.StatusCode != http.StatusOK {
		t.Errorf("health: %d", r.StatusCode)
	}
	close(h.go_)
	wg.Wait()
	f.outcome(f.send(http.MethodGet, "/fhir/Patient/1", ""), http.StatusNotFound)
}

func TestARequestThatTakesTooLongIsGivenUpAndSaidSo(t *testing.T) {
	h := held{tokens{"mira": {Tenant: "one", Role: policy.Therapist}}, make(chan struct{}, 8), make(chan struct{})}
	f := serve(t, Config{Limits: Limits{Time: 20 * time.Millisecond}, Verify: h})
	if got := f.code(f.send(http.MethodGet, "/fhir/Patient/1", ""), http.StatusServiceUnavailable); got != "timeout" {
		t.Errorf("code %q", got)
	}
}

func TestOnlyScriptsOfNamedSitesMayAsk(t *testing.T) {
	f := serve(t, Config{Origins: []string{"https://app.example"}})
	ask := func(origin string) http.Header {
		r := f.send(http.MethodOptions, "/fhir/Patient/1", "", "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization,if-match")
		return r.Header
	}
	if h := ask("https://app.example"); h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "if-match") {
		t.Errorf("a named site: %v", h)
	}
	for _, origin := range []string{"https://other.example", "null", "https://app.example.evil.example"} {
		if h := ask(origin); h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", origin, h)
		}
	}
	r := f.send(http.MethodGet, "/fhir/Patient/1", "", "Origin", "https://app.example")
	if r.Header.Get("Access-Control-Allow-Origin") != "https://app.example" || !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "Etag") || !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "Idempotent-Replayed") {
		t.Errorf("the answer itself: %v", r.Header)
	}
	closed := serve(t, Config{})
	if r := closed.send(http.MethodGet, "/fhir/Patient/1", "", "Origin", "https://app.example"); r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("without a list a site is let in")
	}
}

func TestARequestLeavesALineThatNamesNobody(t *testing.T) {
	f := serve(t, Config{IDs: func() string { return "request-1" }})
	r := f.send(http.MethodGet, "/fhir/Patient/secret?name=secret", "")
	f.outcome(r, http.StatusBadRequest)
	line := f.log.String()
	if strings.Contains(line, "secret") || !strings.Contains(line, "route=/fhir/Patient ") || !strings.Contains(line, "status=400") || !strings.Contains(line, "id=request-1") {
		t.Error(line)
	}
	if r.Header.Get("X-Request-Id") != "request-1" {
		t.Error("the caller cannot name its request")
	}
}

func TestAPostedSearchIsAFormAndAPatchIsAJSONPatch(t *testing.T) {
	f := serve(t, Config{})
	form, patch := "application/x-www-form-urlencoded", "application/json-patch+json"
	for _, c := range []struct {
		method, path, body, media string
		want                      int
	}{
		{http.MethodPost, "/fhir/Patient/_search", "name=x", form, http.StatusNotFound},
		{http.MethodPost, "/fhir/Patient/_search", "name=x", "application/json", http.StatusUnsupportedMediaType},
		{http.MethodPost, "/fhir/Patient", "name=x", form, http.StatusUnsupportedMediaType},
		{http.MethodPatch, "/fhir/Patient/1", `{}`, patch, http.StatusBadRequest},
		{http.MethodPatch, "/fhir/Patient/1", `[{"op":"remove","path":"/active"}]`, "application/json", http.StatusUnsupportedMediaType},
	} {
		if r := f.send(c.method, c.path, c.body, "Content-Type", c.media); r.StatusCode != c.want {
			t.Errorf("%s %s as %s: %d, want %d", c.method, c.path, c.media, r.StatusCode, c.want)
		}
	}
}
