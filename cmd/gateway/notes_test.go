package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rapport/adapters/issuer"
	"rapport/fhir/spec"
	"rapport/policy"
)

// A process note is read by its author and found by nobody, on no route, in no file
// (promise 5).
func TestAProcessNoteIsReadByItsAuthorAndFoundByNobody(t *testing.T) {
	w := newWorld(t)
	const canary = "Kolibri-Saphir-7431"
	author := w.therapistOf(w.a)
	a, err := author.do(t.Context(), http.MethodPost, "/practice/process-notes", []byte(`{"key":"n1","client":{"reference":"`+w.a.patient.String()+`"},"text":"`+canary+`"}`))
	if err != nil || a.status != http.StatusCreated {
		t.Fatalf("%v %d %s", err, a.status, a.body)
	}
	var made struct{ ID string }
	if err := json.Unmarshal(a.body, &made); err != nil || made.ID == "" {
		t.Fatalf("no id in %s", a.body)
	}
	note := "/practice/process-notes/" + made.ID
	for _, way := range []string{"", "?dryRun=true"} {
		a, err := author.do(t.Context(), http.MethodPost, "/practice/process-notes"+way, []byte(`[{"key":"n1","client":{"reference":"`+w.a.patient.String()+`"},"text":"`+canary+`"}]`))
		if err != nil || a.status != http.StatusOK || !strings.Contains(string(a.body), `"unchanged":1`) || !strings.Contains(string(a.body), made.ID) {
			t.Errorf("the same again %s: %v %d %s", way, err, a.status, a.body)
		}
	}
	if a, err := author.do(t.Context(), http.MethodGet, note, nil); err != nil || a.status != http.StatusOK || !strings.Contains(string(a.body), canary) {
		t.Errorf("its author: %v %d %s", err, a.status, a.body)
	}
	everyone := map[string]*caller{
		"author": author, "client": w.self(w.a), "another therapist": w.therapistOf(w.b), "the desk": w.as(issuer.Grant{Role: policy.Intake}),
		"administration": w.as(issuer.Grant{Role: policy.Admin}), "auditor": w.as(issuer.Grant{Role: policy.Auditor}),
		"importer": w.importer, "vendor": w.as(issuer.Grant{Client: "vendor"}),
		"the author's client of another kind": w.as(issuer.Grant{Role: policy.Integration, Practitioner: w.a.doctor.ID}),
	}
	for who, c := range everyone {
		if who != "author" {
			got, err := c.do(t.Context(), http.MethodGet, note, nil)
			if err != nil {
				t.Fatal(err)
			}
			none, err := c.do(t.Context(), http.MethodGet, "/practice/process-notes/"+ids(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.status != http.StatusNotFound || !same(got, none) {
				t.Errorf("%s: %d %s, of a random id %d %s", who, got.status, got.body, none.status, none.body)
			}
		}
		paths := []string{"/practice/process-notes", "/readyz", "/metrics", "/fhir/metadata", "/fhir/" + made.ID}
		for _, typ := range spec.Capability().Types {
			paths = append(paths, "/fhir/"+typ.Name+"?_count=1000", "/fhir/"+typ.Name+"/"+made.ID, "/fhir/"+typ.Name+"?_id="+made.ID+"&_total=accurate",
				"/fhir/"+typ.Name+"/"+made.ID+"/_history")
		}
		paths = append(paths, "/fhir/Patient?_id="+w.a.patient.ID+"&_revinclude=DocumentReference:patient&_revinclude=Communication:patient&_revinclude=Provenance:target")
		for _, p := range paths {
			got, err := c.do(t.Context(), http.MethodGet, p, nil)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(got.body), canary) || strings.Contains(string(got.body), made.ID) && !strings.Contains(p, "_id=") {
				t.Errorf("%s finds it by %s", who, p)
			}
		}
	}
	var dumped bytes.Buffer
	for _, tn := range w.i.cfg.Tenants {
		if err := w.i.dump(t.Context(), tn.ID, &dumped); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(dumped.String(), canary) || strings.Contains(dumped.String(), made.ID) {
		t.Error("the dump holds it")
	}
	// Nor does any file hold its words: it is sealed where it lies.
	err = filepath.WalkDir(filepath.Dir(w.i.cfg.path), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err == nil && bytes.Contains(b, []byte(canary)) {
			t.Errorf("%s holds its words", filepath.Base(p))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
