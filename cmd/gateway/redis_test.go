package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rapport/adapters/issuer"
	"rapport/policy"
)

// redisServer starts a real Redis. stop ends it at once.
func redisServer(t *testing.T) (url, dir string, stop func()) {
	t.Helper()
	needs(t, "redis-server")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().(*net.TCPAddr)
	l.Close()
	dir = t.TempDir()
	cmd := exec.Command("redis-server", "--port", fmt.Sprint(at.Port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	err = eventually(t.Context(), 10*time.Second, func() (bool, error) {
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			return false, nil
		}
		c.Close()
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return "redis://" + at.String(), dir, stop
}

// redisSay sends one inline command and returns what came back.
func redisSay(t *testing.T, url, command string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "redis://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "%s\r\nQUIT\r\n", command)
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var statements = regexp.MustCompile(`store_statements_total\{origin="request"\} (\d+)`)

// statementsFor is how many SQL statements requests have made.
func (w *world) statements() string {
	w.Helper()
	a, err := w.importer.do(w.Context(), http.MethodGet, "/metrics", nil)
	if err != nil {
		w.Fatal(err)
	}
	m := statements.FindSubmatch(a.body)
	if m == nil {
		w.Fatalf("no store_statements_total in\n%s", a.body)
	}
	return string(m[1])
}

func TestASecondReadAsksTheStoreNothingAndRedisHoldsNothingReadable(t *testing.T) {
	url, dir, stop := redisServer(t)
	w := &world{T: t, i: instanceIn(t, t.TempDir(), func(c *Config) { c.Redis = url })}
	w.base = w.i.cfg.URL
	w.importer = w.as(issuer.Grant{Role: policy.Integration})
	w.a, w.b = w.admit("alder"), w.admit("birch")
	c := w.therapistOf(w.a)
	paths := []string{"/" + w.a.about["Observation"].String(), "/" + w.a.patient.String(), "/" + w.a.about["Goal"].String() + "/_history/1"}
	searches := []string{"/Observation?code=44261-6&_total=accurate", "/Goal?patient=" + w.a.patient.ID}
	first := map[string]answer{}
	for _, p := range append(paths, searches...) {
		first[p] = w.send(c, http.MethodGet, p, "")
		if first[p].status != http.StatusOK {
			t.Fatalf("%s: %d %s", p, first[p].status, first[p].body)
		}
	}
	// A cache that a busy machine kept from following the feed for a second asks anew: try again.
	var before, after string
	for range 10 {
		time.Sleep(300 * time.Millisecond)
		before = w.statements()
		for _, p := range paths {
			if a := w.send(c, http.MethodGet, p, ""); !same(a, first[p]) {
				t.Errorf("the second answer to %s differs", p)
			}
		}
		if after = w.statements(); after == before {
			break
		}
	}
	if after != before {
		t.Errorf("second reads made SQL statements: %s before, %s after", before, after)
	}

	if keys := redisSay(t, url, "DBSIZE"); strings.HasPrefix(keys, ":0") {
		t.Error("Redis holds nothing: it does no work")
	}
	redisSay(t, url, "SAVE")
	dump, err := os.ReadFile(filepath.Join(dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, readable := range []string{"Familyalder", "alder", "Observation", "44261-6", "resourceType", w.a.patient.ID, w.a.about["Observation"].ID, "1980-01-01"} {
		if bytes.Contains(dump, []byte(readable)) || strings.Contains(redisSay(t, url, "KEYS *"), readable) {
			t.Errorf("Redis shows %q", readable)
		}
	}

	stop()
	for p, want := range first {
		got := w.send(c, http.MethodGet, p, "")
		if got.status != want.status || stripTime(got.body) != stripTime(want.body) {
			t.Errorf("without Redis %s answers otherwise: %d", p, got.status)
		}
	}
	if a := w.send(w.therapistOf(w.b), http.MethodGet, paths[0], ""); a.status != http.StatusNotFound {
		t.Errorf("without Redis another therapist reads: %d", a.status)
	}
	ready, err := c.do(t.Context(), http.MethodGet, "/readyz", nil)
	if err != nil || ready.status != http.StatusOK || !strings.Contains(string(ready.body), "redis") {
		t.Errorf("/readyz: %v %d %s", err, ready.status, ready.body)
	}
}

var stamp = regexp.MustCompile(`"timestamp":"[^"]*"`)

func stripTime(b []byte) string { return stamp.ReplaceAllString(string(b), "") }
