package validate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
)

// fixtures finds the folder of test data by others.
func fixtures(t testing.TB, folder string) string {
	t.Helper()
	return fixture.Path(t, "fixtures/"+folder)
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
