package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/fhir/spec"
	"rapport/policy"
)

// What came in goes out byte for byte but for the meta that the server owns
// (promise 2): HL7's own examples, written and read over HTTP.
func TestExamplesOfOthersComeBackAsTheyWere(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixture.Path(t, "fixtures/r4-examples"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	w := &world{T: t, i: instanceIn(t, t.TempDir(), nil)}
	w.base = w.i.cfg.URL
	w.importer = w.as(issuer.Grant{Role: policy.Integration})
	kept := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		came, err := fhir.Parse(b)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		if typ, served := spec.Capability().Type(came.Type); !served || came.ID == "" || !typ.Allows(fhir.Update) {
			continue
		}
		put := w.send(w.importer, http.MethodPut, "/"+came.Key.String(), string(b))
		if put.status != http.StatusCreated && put.status != http.StatusOK {
			continue // refused, and told why; nothing of it is kept
		}
		kept++
		got := w.send(w.importer, http.MethodGet, "/"+came.Key.String(), "")
		back, err := fhir.Parse(got.body)
		if err != nil {
			t.Fatal(err)
		}
		if d := differs(came.Root(), back.Root(), "meta"); d != "" {
			t.Errorf("%s: %s", came.Key, d)
		}
		if d := differs(came.Root().Get("meta"), back.Root().Get("meta"), "versionId", "lastUpdated", "security"); d != "" {
			t.Errorf("%s: meta: %s", came.Key, d)
		}
	}
	if kept < 60 {
		t.Errorf("only %d examples were kept", kept)
	}
	t.Logf("%d of %d examples are of types served and came back as they were", kept, len(files))
}

// differs names the first member whose bytes are not the same; some are the server's.
func differs(a, b fhir.Node, but ...string) string {
	own := map[string]bool{}
	for _, name := range but {
		own[name] = true
	}
	for name, v := range a.Members() {
		if !own[name] && !bytes.Equal(v.Raw(), b.Get(name).Raw()) {
			return fmt.Sprintf("%s was %.80s and is %.80s", name, v.Raw(), b.Get(name).Raw())
		}
	}
	for name := range b.Members() {
		if !own[name] && !a.Get(name).Exists() {
			return name + " was not there"
		}
	}
	return ""
}
