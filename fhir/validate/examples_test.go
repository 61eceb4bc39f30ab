package validate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
)

// fixtures finds the folder of test data by others, walking up from here.
func fixtures(t testing.TB, folder string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		p := filepath.Join(dir, "shared", "fixtures", folder)
		if _, err := os.Stat(p); err == nil {
			return p
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	if os.Getenv("REQUIRE_FIXTURES") == "1" {
		t.Fatalf("shared/fixtures/%s is not there, and REQUIRE_FIXTURES=1", folder)
	}
	t.Skipf("shared/fixtures/%s is not there: the test data by others is not part of the project", folder)
	return ""
}

// defective are the examples that R4 published with an error in them.
var defective = map[string]string{
	"Observation-clinical-gender.json":                  "value at Observation.performer[0]",   // performer names an Encounter
	"Questionnaire-qs1.json":                            "required at Questionnaire.item[0]",   // items without a linkId
	"Questionnaire-zika-virus-exposure-assessment.json": "invariant at Questionnaire.text.div", // an empty narrative
}

func TestTheOfficialExamplesAreValid(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures(t, "r4-examples"), "*.json"))
	if err != nil || len(files) < 370 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	v := validate.New(spec.R4())
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(b)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		name, found := filepath.Base(file), false
		for _, e := range v.Resource(t.Context(), r) {
			switch why := defective[name]; {
			case e.Warn:
			case why != "" && strings.HasPrefix(e.Error(), why):
				found = true
			default:
				t.Errorf("%s: %v", name, e)
			}
		}
		if defective[name] != "" && !found {
			t.Errorf("%s: its error was not found", name)
		}
	}
}
