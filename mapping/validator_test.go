package mapping

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/mapping/instrument"
)

// TestTheOfficialValidatorFindsNoError lets HL7's validator judge what every golden
// record becomes, and the definitions that belong to it.
func TestTheOfficialValidatorFindsNoError(t *testing.T) {
	if os.Getenv("REQUIRE_SERVICES") != "1" {
		t.Skip("starts the official validator (Java, about a minute); set REQUIRE_SERVICES=1")
	}
	tool := fixture.Path(t, "tools/fhir-validate/fhir-validate")
	defs, out := t.TempDir(), t.TempDir()
	write := func(dir, prefix string, rs ...fhir.Resource) {
		for _, r := range rs {
			if err := os.WriteFile(filepath.Join(dir, prefix+r.Type+"-"+r.ID+".json"), r.Body(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	l, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, definitions := range []func() ([]fhir.Resource, error){l.Definitions, Definitions} {
		ds, err := definitions()
		if err != nil {
			t.Fatal(err)
		}
		write(defs, "", ds...)
	}
	m := newMapper(t)
	for i, g := range goldens(t) {
		if rs, err := m.ToFHIR(decode(t, g)); err == nil {
			write(out, g.kind+"-"+strconv.Itoa(i)+"-", rs...)
		}
	}
	log, err := exec.Command("nice", tool, "--ig", defs, defs, out).CombinedOutput()
	if err != nil {
		t.Errorf("the validator finds errors: %v\n%s", err, log)
	}
}
