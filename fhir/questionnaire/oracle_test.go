package questionnaire

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
)

func read(t testing.TB, file string) fhir.Resource {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fhir.Parse(b)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return r
}

func count(issues []*fhir.Error) (errors, warnings int) {
	for _, e := range issues {
		if e.Warn {
			warnings++
		} else {
			errors++
		}
	}
	return errors, warnings
}

// apart are the cases that this package judges otherwise or not at all, and why.
// All but the last are warned of instead, which the test below holds it to.
var apart = map[string]string{
	"choice-async-qr":                    "the fault is a display; displays are not compared",
	"choice-gender-coding-async-qr":      "the fault is a display; displays are not compared",
	"open-choice-gender-coding-async-qr": "the fault is a display; displays are not compared",
	"choice-invalid-value-set-async-qr":  "a value set that nobody knows makes no answer wrong",
	"string-with-coding-async-qr":        "a string says neither code nor display of a value set",
	"questionnaire-not-resolved-qr":      "there is no Questionnaire; who looks for it says so",
}

// Source: https://github.com/FHIR/fhir-test-cases validator/questionnaire/brianpos
func TestVerdictsAreThoseOfThePublishedCases(t *testing.T) {
	dir := fixture.Path(t, "fixtures/qr-validation")
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, File string
		Supporting []string
		Verdict    struct{ FatalCount, ErrorCount int } `json:"dotnet-brianpos"`
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if reason := apart[c.Name]; reason != "" {
				t.Skip(reason)
			}
			q := read(t, filepath.Join(dir, filepath.Base(c.Supporting[0])))
			qr := read(t, filepath.Join(dir, filepath.Base(c.File)))
			issues := Validate(q, qr)
			got, _ := count(issues)
			if valid := c.Verdict.FatalCount+c.Verdict.ErrorCount == 0; valid != (got == 0) {
				t.Errorf("valid is %v, want %v; issues: %v", got == 0, valid, issues)
			}
		})
	}
	if len(cases) < 40 {
		t.Errorf("only %d cases", len(cases))
	}
}

func TestCasesJudgedOtherwiseAreWarnedOf(t *testing.T) {
	dir := fixture.Path(t, "fixtures/qr-validation")
	for name := range apart {
		base := strings.TrimSuffix(name, "-qr")
		if base == "questionnaire-not-resolved" {
			continue
		}
		t.Run(base, func(t *testing.T) {
			issues := Validate(read(t, filepath.Join(dir, base+"-q.json")), read(t, filepath.Join(dir, base+"-qr.json")))
			if errors, warnings := count(issues); errors > 0 || warnings == 0 {
				t.Errorf("%d errors, %d warnings; want warnings alone", errors, warnings)
			}
		})
	}
}
