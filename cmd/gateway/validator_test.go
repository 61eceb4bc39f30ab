package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
)

// Everything that the product makes passes HL7's own validator, with the
// Questionnaires that are stored beside the responses (promise 7).
func TestTheOfficialValidatorFindsNothingWrongWithWhatIsMade(t *testing.T) {
	validator := fixture.Path(t, "tools/fhir-validate/fhir-validate")
	if os.Getenv("REQUIRE_SERVICES") == "" {
		t.Skip("the HL7 validator takes a minute; REQUIRE_SERVICES=1 runs it")
	}
	needs(t, "java", "mvn", "curl", "bash")
	s := raise(t)
	dir := t.TempDir()
	var files []string
	questionnaires := filepath.Join(dir, "questionnaires")
	if err := os.Mkdir(questionnaires, 0o700); err != nil {
		t.Fatal(err)
	}
	dump := func(name string, args ...string) {
		t.Helper()
		out, err := exec.Command(s.gateway, append([]string{"dump"}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		rs := sample(resources(t, out))
		t.Logf("%s: %d resources", name, len(rs))
		if err := os.WriteFile(file, ndjson(rs), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		for _, r := range rs {
			if defines(r.Type) {
				if err := os.WriteFile(filepath.Join(questionnaires, r.Type+"-"+r.ID+".json"), r.Body(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	dump("clinic.ndjson", "--data", filepath.Join(s.dir, "clinic"))
	dump("hospital.ndjson", "--data", filepath.Join(s.dir, "hospital"))
	uploaded := t.TempDir()
	upload := fixture.Path(t, "fixtures/pmhc-v4/example-files/PMHC-4-0-treatment.zip")
	if out, err := exec.Command(s.gateway, "import", "--data", uploaded, "--tenant", "PHN999", "--site", "pmhc-v4", upload).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dump("pmhc.ndjson", "--data", uploaded)
	out, err := exec.Command(validator, append([]string{"--ig", questionnaires}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, last(out, 6000))
	}
}

// most is how many resources of one kind are judged: the validator needs a tenth of a
// second for each, and what one instrument's responses are like so are the others.
const most = 12

// sample keeps so many of each kind: of a type, and of a response or a score, of an
// instrument. What defines something all stays.
func sample(rs []fhir.Resource) (out []fhir.Resource) {
	seen := map[string]int{}
	for _, r := range rs {
		root := r.Root()
		kind := r.Type + " " + root.Get("questionnaire").Text() + root.Get("code").Get("coding").Index(0).Get("code").Text() + " " + root.Get("status").Text()
		if r.Type == "Procedure" || r.Type == "Condition" {
			kind = r.Type
		}
		if seen[kind]++; seen[kind] <= most || defines(r.Type) {
			out = append(out, r)
		}
	}
	return out
}

// defines says of which types the validator must know all, to judge the others.
func defines(typ string) bool {
	return slices.Contains([]string{"Questionnaire", "CodeSystem", "ValueSet", "StructureDefinition", "ConceptMap"}, typ)
}

func ndjson(rs []fhir.Resource) (b []byte) {
	for _, r := range rs {
		b = append(append(b, r.Body()...), '\n')
	}
	return b
}

func last(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
