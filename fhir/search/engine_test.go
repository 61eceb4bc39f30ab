package search_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/fhir/search"
	"rapport/fhir/spec"
)

const base = "https://clinic.example/fhir"

func engine(t testing.TB) *search.Engine {
	t.Helper()
	e, err := search.New(spec.R4(), spec.Capability(), base)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func resource(t testing.TB, body string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// examples returns HL7's example resources.
func examples(t testing.TB) (rs []fhir.Resource) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(fixture.Path(t, "fixtures/r4-examples"), "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatal("there are no examples", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(b)
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(name), err)
		}
		rs = append(rs, r)
	}
	return rs
}

func TestReferencesAreFollowedAndCanonicalsAreNot(t *testing.T) {
	e := engine(t)
	var not []string
	for _, typ := range spec.Capability().Types {
		for _, p := range typ.Params {
			if name := typ.Name + ":" + p.Code; p.Kind == fhir.Reference && !e.Follows(name) {
				not = append(not, name)
			}
		}
	}
	want := []string{
		"CarePlan:instantiates-canonical", "Communication:instantiates-canonical", "Procedure:instantiates-canonical",
		"QuestionnaireResponse:questionnaire", "ServiceRequest:instantiates-canonical", "StructureDefinition:base",
	}
	if d := cmp.Diff(want, not); d != "" {
		t.Error(d)
	}
	for _, name := range []string{"Patient:name", "Patient:nonsense", "Nothing:subject", ""} {
		if e.Follows(name) {
			t.Errorf("%q is followed", name)
		}
	}
}
