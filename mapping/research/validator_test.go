package research_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"rapport/fhir"
	"rapport/fhir/bulk"
	"rapport/fhir/fixture"
	"rapport/mapping/deid"
	"rapport/mapping/research"
)

// A Release shapes bulk exports.
var _ bulk.Treatment = (*research.Release)(nil)

// TestTheOfficialValidatorFindsNoErrorInARelease lets HL7's validator judge several hundred
// resources that leave, of every type and by both profiles.
func TestTheOfficialValidatorFindsNoErrorInARelease(t *testing.T) {
	if os.Getenv("REQUIRE_SERVICES") != "1" {
		t.Skip("starts the official validator (Java, some minutes); set REQUIRE_SERVICES=1")
	}
	tool := fixture.Path(t, "tools/fhir-validate/fhir-validate")
	defs, out := t.TempDir(), t.TempDir()
	write := func(dir, prefix string, r fhir.Resource) {
		if err := os.WriteFile(filepath.Join(dir, prefix+r.Type+"-"+r.ID+".json"), r.Body(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	own, err := definitions()
	if err != nil {
		t.Fatal(err)
	}
	forms, err := l.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	extensions, err := deid.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	for _, ds := range [][]fhir.Resource{own, forms, extensions} {
		for _, d := range ds {
			write(defs, "", d)
		}
	}
	n := 0
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		of := map[string]int{}
		for _, r := range practiceRelease(t, profile).resources {
			if of[r.Type]++; of[r.Type] <= 12 {
				write(out, profile+"-", r)
				n++
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d resources are judged", n)
	}
	log, err := exec.Command("nice", tool, "--ig", defs, defs, out).CombinedOutput()
	if err != nil {
		t.Errorf("the validator finds errors: %v\n%s", err, log)
	}
	t.Logf("%d resources were judged", n)
}
