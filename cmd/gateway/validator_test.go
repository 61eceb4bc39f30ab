package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Everything that the product makes passes HL7's own validator, with the
// Questionnaires that are stored beside the responses (promise 7).
func TestTheOfficialValidatorFindsNothingWrongWithWhatIsMade(t *testing.T) {
	validator := fixture(t, "tools/fhir-validate/fhir-validate")
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
		if err := os.WriteFile(file, out, 0o600); err != nil {
			t.Fatal(err)
		}
		rs := resources(t, out)
		t.Logf("%s: %d resources", name, len(rs))
		files = append(files, file)
		for _, r := range rs {
			switch r.Type {
			case "Questionnaire", "CodeSystem", "ValueSet", "StructureDefinition", "ConceptMap":
				if err := os.WriteFile(filepath.Join(questionnaires, r.Type+"-"+r.ID+".json"), r.Body(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	dump("clinic.ndjson", "--data", filepath.Join(s.dir, "clinic"))
	dump("hospital.ndjson", "--data", filepath.Join(s.dir, "hospital"))
	uploaded := t.TempDir()
	upload := fixture(t, "fixtures/pmhc-v4/example-files/PMHC-4-0-treatment.zip")
	if out, err := exec.Command(s.gateway, "import", "--data", uploaded, "--tenant", "PHN999", "--site", "pmhc-v4", upload).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dump("pmhc.ndjson", "--data", uploaded)
	out, err := exec.Command(validator, append([]string{"--ig", questionnaires}, files...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, last(out, 6000))
	}
}

func last(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// fixture is a file beside the repository that others made.
func fixture(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.Abs(filepath.Join("../../../shared", path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("REQUIRE_FIXTURES") != "" {
			t.Fatalf("%s is missing and REQUIRE_FIXTURES is set", path)
		}
		t.Skipf("%s is not beside the repository", path)
	}
	return p
}
