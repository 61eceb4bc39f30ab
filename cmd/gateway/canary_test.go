package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
// reach no log, no metric, no error, no link, not Redis and no temporary file (promise 9).
func TestNoWordOfAClientLeavesByLogsOrMetrics(t *testing.T) {
	dir, temporary := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	redis, _, _ := redisServer(t)
	if err := makeDevelopment(dir, &Config{Tenants: []Tenant{{ID: "one"}}, Redis: redis}); err != nil {
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
	i.requests = true
	srv.Config.Handler = i.handler()
	srv.Start()
	t.Cleanup(srv.Close)
	w := &world{T: t, i: i, base: cfg.URL}
	w.importer = w.as(issuer.Grant{Role: policy.Integration})
	// Each has letters that no id has: digits alone turn up in ids by chance.
	const canary, number = "Zaunkoenig", "Kundin4711"
	patient := w.make(fmt.Sprintf(`{"resourceType":"Patient","name":[{"family":%q}],"identifier":[{"system":"urn:x:client","value":%q}]}`, canary, number))
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
	// And the ways in that came later.
	form, patch := "application/x-www-form-urlencoded", "application/json-patch+json"
	tell(http.MethodPost, "/fhir/Patient/_search", "family="+canary+"&birthdate="+canary, "Content-Type", form)
	tell(http.MethodPut, "/fhir/Patient?identifier="+number, `{"resourceType":"Patient","gender":"`+canary+`"}`)
	tell(http.MethodDelete, "/fhir/Goal?identifier="+canary, "")
	tell(http.MethodPatch, "/fhir/"+goal.String(), `[{"op":"test","path":"/description/text","value":"x`+canary+`"}]`, "Content-Type", patch)
	tell(http.MethodPatch, "/fhir/"+goal.String(), `[{"op":"add","path":"/`+canary+`/x","value":"`+canary+`"}]`, "Content-Type", patch)
	tell(http.MethodPost, "/fhir/Goal/$validate?mode="+canary, `{"resourceType":"Goal","`+canary+`":"`+canary+`"}`)
	tell(http.MethodPost, "/fhir/Goal", `{"resourceType":"Goal"}`, "Idempotency-Key", canary, "Prefer", "return="+canary)
	tell(http.MethodGet, "/fhir/Patient/"+canary+"/$everything?_type="+canary, "")
	tell(http.MethodGet, "/fhir/Patient?_elements="+canary+"&family="+canary, "")
	tell(http.MethodPost, "/fhir/$process-message", `{"resourceType":"Bundle","type":"message","id":"`+canary+`","entry":[{"resource":{"resourceType":"MessageHeader","id":"`+canary+`"}}]}`)
	tell(http.MethodGet, "/fhir/$export?_type="+canary, "", "Prefer", "respond-async")
	tell(http.MethodGet, "/fhir/$export-status/"+canary, "")
	tell(http.MethodGet, "/practice/due?instrument="+canary, "")
	tell(http.MethodGet, "/practice/clients/"+canary+"/trajectory?instrument="+canary, "")
	tell(http.MethodPost, "/practice/notebook-entries?dryRun=true", `[{"key":"`+canary+`","client":"`+canary+`","text":"`+canary+`"}]`)
	began, err := w.importer.do(t.Context(), http.MethodGet, "/fhir/$export?_type=Patient,Goal", nil, "Prefer", "respond-async")
	if err != nil || began.status != http.StatusAccepted {
		t.Fatalf("%d %s %v", began.status, began.body, err)
	}
	tn, err := i.tenant("one")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := tn.exports.Once(t.Context()); err != nil || n == 0 {
		t.Fatal(n, err)
	}

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
	kept := redisSay(t, redis, "KEYS *")
	if strings.Count(kept, "\n") < 5 {
		t.Errorf("Redis holds next to nothing: %q", kept)
	}
	for _, key := range strings.Fields(kept) {
		if !strings.HasPrefix(key, "$") && !strings.HasPrefix(key, "*") && !strings.HasPrefix(key, "+") {
			kept += redisSay(t, redis, "GET "+key)
		}
	}
	for where, text := range map[string]string{
		"the log": log.String(), "the metrics": string(metrics.body), "an error or a link": said.String(), "Redis": kept,
		"a temporary file": under(t, temporary), "a file of an export": under(t, cfg.Exports.Folder),
	} {
		for _, word := range []string{canary, number, patient.ID, goal.ID} {
			if i := strings.Index(text, word); i >= 0 && (where != "the log" || word == canary || word == number) {
				t.Errorf("%s holds %q: …%s…", where, word, text[max(0, i-80):min(len(text), i+80)])
			}
		}
	}
}

// under is all that stands in the files below a folder, names included.
func under(t *testing.T, folder string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s\n%s\n", filepath.Base(path), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
