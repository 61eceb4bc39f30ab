package partner_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// A HAPI plain server is a partner that we did not write: its statement is the one
// that HAPI makes of what it serves, and it parses what we send.

// built compiles the server once a machine; it skips where that cannot be done.
func built(t *testing.T) (classpath string) {
	t.Helper()
	give := func(why string, out []byte) {
		t.Helper()
		if os.Getenv("REQUIRE_SERVICES") != "" {
			t.Fatalf("%s and REQUIRE_SERVICES is set\n%s", why, out)
		}
		t.Skipf("%s\n%s", why, out)
	}
	for _, tool := range []string{"mvn", "javac", "java"} {
		if _, err := exec.LookPath(tool); err != nil {
			give(tool+" is not installed", nil)
		}
	}
	src, err := filepath.Abs("testdata/hapi")
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, f := range []string{"pom.xml", "Plain.java"} {
		b, err := os.ReadFile(filepath.Join(src, f))
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "rapport-tools", "hapi-plain-"+hex.EncodeToString(h.Sum(nil)[:6]))
	classes, lib := filepath.Join(dir, "classes"), filepath.Join(dir, "lib")
	if _, err := os.Stat(filepath.Join(classes, "Plain.class")); err == nil {
		return classes + ":" + lib + "/*"
	}
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	for _, c := range [][]string{
		{"mvn", "-q", "-f", src, "dependency:copy-dependencies", "-DoutputDirectory=" + lib, "-DincludeScope=runtime"},
		{"javac", "-nowarn", "-cp", lib + "/*", "-d", classes, filepath.Join(src, "Plain.java")},
	} {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			if c[0] == "mvn" { // somebody else's repository is away: that is no fault of ours
				t.Skipf("the HAPI server cannot be fetched: %v\n%s", err, out)
			}
			give("the HAPI server cannot be built: "+c[0]+": "+err.Error(), out)
		}
	}
	return classes + ":" + lib + "/*"
}

// hapi starts a server and puts in front of it what issues tokens and loses answers.
func hapi(t *testing.T, mode ...string) (front *httptest.Server, faults *line) {
	t.Helper()
	classpath := built(t)
	cmd := exec.Command("java", append([]string{"-Xmx512m", "-cp", classpath, "Plain", "0"}, mode...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port := make(chan string, 1)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			if p, ok := strings.CutPrefix(s.Text(), "listening on "); ok {
				port <- p
			}
		}
	}()
	var at string
	select {
	case at = <-port:
	case <-time.After(90 * time.Second):
		t.Fatal("HAPI does not start")
	}
	target, err := url.Parse("http://127.0.0.1:" + at)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // lines are cut on purpose
	l := &line{to: proxy}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l.Server, l
}

// line is the way to the server.
type line struct {
	*httptest.Server
	to     http.Handler
	mu     sync.Mutex
	faults []fault
}

func (l *line) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/fhir/.well-known/smart-configuration":
		fmt.Fprintf(w, `{"token_endpoint":%q}`, l.URL+"/token")
		return
	case "/token":
		fmt.Fprint(w, `{"access_token":"t","token_type":"Bearer","expires_in":3600}`)
		return
	}
	l.mu.Lock()
	f := fine
	if r.Method == http.MethodPost && !strings.HasSuffix(r.URL.Path, "_search") && len(l.faults) > 0 {
		f, l.faults = l.faults[0], l.faults[1:]
	}
	l.mu.Unlock()
	switch f {
	case lostBefore:
		panic(http.ErrAbortHandler)
	case lostAfter:
		l.to.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	l.to.ServeHTTP(w, r)
}

// count asks the server itself.
func (l *line) count(t *testing.T, typ string) int {
	t.Helper()
	return l.all(t, typ).Root().Get("entry").Len()
}

// only returns the one resource of a type that the server has.
func (l *line) only(t *testing.T, typ string) fhir.Resource {
	t.Helper()
	all := l.all(t, typ).Root().Get("entry")
	r, err := fhir.Parse(all.Index(0).Get("resource").Raw())
	if err != nil || all.Len() != 1 {
		t.Fatalf("it has %d of %s: %v", all.Len(), typ, err)
	}
	return r
}

func (l *line) all(t *testing.T, typ string) fhir.Resource {
	t.Helper()
	resp, err := http.Get(l.URL + "/fhir/" + typ + "?_count=100")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fhir.Parse(b)
	if err != nil || r.Type != "Bundle" {
		t.Fatalf("%s: %v %s", typ, err, b)
	}
	return r
}

func TestAHAPIServerGetsEachThingOnceInEitherWay(t *testing.T) {
	p := newParts(t)
	for mode, want := range map[string]map[string]int{
		// By itself HAPI's plain server takes no transaction: it creates patients, and
		// everything but who takes part.
		"creates":      {"Patient": 1, "Condition": 1, "Observation": 3, "QuestionnaireResponse": 1, "ServiceRequest": 1, "Task": 1, "Goal": 1, "Flag": 1, "DocumentReference": 1, "Organization": 0, "Practitioner": 0},
		"transactions": {"Patient": 1, "Condition": 1, "Observation": 3, "QuestionnaireResponse": 1, "ServiceRequest": 1, "Task": 1, "Goal": 1, "Flag": 1, "DocumentReference": 1, "Organization": 2, "Practitioner": 1},
	} {
		t.Run(mode, func(t *testing.T) {
			var flags []string
			if mode == "transactions" {
				flags = []string{"transactions"}
			}
			front, l := hapi(t, flags...)
			l.faults = []fault{fine, lostAfter, lostBefore, fine, lostAfter}
			if mode == "transactions" {
				l.faults = []fault{lostBefore, lostAfter} // found there, it is not sent again
			}
			c := newClinic(t, p, &peer{Server: front}, exchange.Auto)
			c.refer()
			if dead := c.settle(); len(dead) > 0 {
				t.Fatalf("given up: %q", dead)
			}
			for typ, n := range want {
				if got := l.count(t, typ); got != n {
					t.Errorf("it has %d of %s, want %d", got, typ, n)
				}
			}
			if len(l.faults) > 0 {
				t.Errorf("%d faults never came", len(l.faults))
			}
			// A correction changes what it has, and makes nothing a second time.
			c.courier.Feed = c.store
			c.again("g1", "Sleep", "Rest well")
			if dead := c.settle(); len(dead) > 0 {
				t.Fatalf("given up: %q", dead)
			}
			if goal := l.only(t, "Goal"); goal.Version != 2 || goal.Root().At("description", "text").Text() != "Rest well" {
				t.Errorf("its goal: %s", goal.Body())
			}
			if note := l.only(t, "DocumentReference"); note.Version != 2 || !strings.Contains(page(t, note), "Rest well") || strings.Contains(page(t, note), "Sleep") {
				t.Errorf("its note, version %d: %s", note.Version, page(t, note))
			}
		})
	}
}
