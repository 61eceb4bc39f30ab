package search_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
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

// examples returns HL7's example resources, found by walking up from here.
func examples(t testing.TB) []fhir.Resource {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		names, err := filepath.Glob(filepath.Join(dir, "shared", "fixtures", "r4-examples", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(names) > 0 {
			var rs []fhir.Resource
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
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	if os.Getenv("REQUIRE_FIXTURES") == "1" {
		t.Fatal("shared/fixtures/r4-examples is not there, and REQUIRE_FIXTURES=1")
	}
	t.Skip("shared/fixtures/r4-examples is not there: the examples of others are not part of the project")
	return nil
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
