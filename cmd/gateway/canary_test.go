package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"rapport/adapters/issuer"
	"rapport/policy"
)

// journalled is a log that can be read while it is written.
type journalled struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *journalled) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

// Words that stand in a client's record, in what is asked and in what is sent wrongly
// reach no log, no metric, no error and no link (promise 9).
func TestNoWordOfAClientLeavesByLogsOrMetrics(t *testing.T) {
	dir := t.TempDir()
	if err := makeDevelopment(dir, &Config{Tenants: []Tenant{{ID: "one"}}}); err != nil {
		t.Fatal(err)
	}
	cfg, err := Development(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	cfg.serveAt(srv.Listener.Addr().String())
	log := &journalled{}
	i, err := build(context.Background(), cfg, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close)
	if err := i.prepare(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = i.handler()
	srv.Start()
	t.Cleanup(srv.Close)
	w := &world{T: t, i: i, base: cfg.URL}
	w.importer = w.as(issuer.Grant{Role: policy.Integration})
	const canary = "Zaunkoenig"
	patient := w.make(fmt.Sprintf(`{"resourceType":"Patient","name":[{"family":%q}],"identifier":[{"system":"urn:x:client","value":"%s-4711"}]}`, canary, canary))
	goal := w.make(fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":%q},"subject":{"reference":%q}}`, canary, patient))
	for n := range 3 {
		w.make(fmt.Sprintf(`{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"%s %d"},"subject":{"reference":%q}}`, canary, n, patient))
	}

	var said strings.Builder // errors and links
	tell := func(method, path, body string, header ...string) {
		for _, c := range []*caller{w.importer, {base: w.base, token: "not." + canary + ".one"}} {
			a, err := c.do(t.Context(), method, path, []byte(body), header...)
			if err != nil {
				t.Fatal(err)
			}
			if a.status >= 400 {
				said.Write(a.body)
			}
		}
	}
	tell(http.MethodGet, "/fhir/Patient?family="+canary, "")
	tell(http.MethodGet, "/fhir/Patient?birthdate="+canary, "")
	tell(http.MethodGet, "/fhir/"+canary+"/1", "")
	tell(http.MethodGet, "/fhir/Patient/"+canary, "")
	tell(http.MethodGet, "/"+canary, "")
	tell(http.MethodGet, "/practice/process-notes/"+canary, "")
	tell(http.MethodPost, "/fhir/Patient", `{"resourceType":"Patient","gender":"`+canary+`"}`)
	tell(http.MethodPost, "/fhir/Patient", `{"resourceType":"Patient","`+canary+`":1}`)
	tell(http.MethodPost, "/fhir/Patient", `{"resourceType":"Patient","birthDate":"`+canary+`","birthDate":"`+canary+`"}`)
	tell(http.MethodPost, "/fhir/Patient", `{"resourceType":"Patient","name":"`+canary)
	tell(http.MethodPost, "/fhir", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient","name":[{"family":"`+canary+`"}],"gender":"x"},"request":{"method":"POST","url":"Patient"}}]}`)
	tell(http.MethodPost, "/fhir/Goal", `{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"`+canary+`"},"subject":{"reference":"Patient/`+canary+`"}}`, "If-None-Exist", "identifier="+canary)
	tell(http.MethodPost, "/practice/sessions", `{"key":"`+canary+`","client":"`+canary+`","status":"`+canary+`"}`)
	tell(http.MethodPost, "/practice/responses", `{"key":"1","client":"`+canary+`","instrument":"`+canary+`","answers":{"1":"`+canary+`"}}`)
	tell(http.MethodDelete, "/fhir/"+goal.String(), "", "If-Match", `W/"77"`)
	page := w.send(w.importer, http.MethodGet, "/Goal?_count=1&patient.family="+canary, "")
	n := strings.Index(string(page.body), `"relation":"next"`)
	if n < 0 {
		t.Fatalf("no next link: %s", page.body)
	}
	next, _, _ := strings.Cut(string(page.body)[n:], "}")
	said.WriteString(next)

	metrics, err := w.importer.do(t.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	for where, text := range map[string]string{"the log": log.String(), "the metrics": string(metrics.body), "an error or a link": said.String()} {
		for _, word := range []string{canary, "4711", patient.ID, goal.ID} {
			if i := strings.Index(text, word); i >= 0 && (where != "the log" || word == canary || word == "4711") {
				t.Errorf("%s holds %q: …%s…", where, word, text[max(0, i-80):min(len(text), i+80)])
			}
		}
	}
}
