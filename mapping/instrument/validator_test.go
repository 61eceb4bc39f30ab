package instrument

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
)

// TestTheOfficialValidatorFindsNoError lets HL7's validator judge every
// definition, and of every worked example the response against its Questionnaire
// and all that is derived from it.
func TestTheOfficialValidatorFindsNoError(t *testing.T) {
	if os.Getenv("REQUIRE_SERVICES") != "1" {
		t.Skip("starts the official validator (Java, about a minute); set REQUIRE_SERVICES=1")
	}
	tool := fixture.Path(t, "tools/fhir-validate/fhir-validate")
	defs, out := t.TempDir(), t.TempDir()
	write := func(dir string, rs ...fhir.Resource) {
		for _, r := range rs {
			if err := os.WriteFile(filepath.Join(dir, r.Type+"-"+r.ID+".json"), r.Body(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	ds, err := library(t).Definitions()
	if err != nil {
		t.Fatal(err)
	}
	write(defs, ds...)
	forms := t.TempDir()
	for _, in := range library(t).All() {
		q, err := in.Form()
		if err != nil {
			t.Fatal(err)
		}
		write(forms, q)
	}
	n := 0
	eachExample(t, func(t *testing.T, in *Instrument, w worked) {
		n++
		s := newShelf()
		// Who else answers is told by an extension whose definition is package mapping's.
		source := map[string]fhir.Key{"self": patient, "parent": {Type: "RelatedPerson", ID: "mother"}, "practitioner": therapist1}[in.Subject]
		for i, profiles := range [][]string{nil, {usCoreResponse}} {
			qr, err := in.Response(w.Answers, Occasion{
				ID: fmt.Sprintf("r%d-%d", n, i), Subject: patient, Author: therapist1, Source: source, Encounter: fhir.Key{Type: "Encounter", ID: "e1"},
				Authored: fmt.Sprintf("2026-03-%02dT10:00:00+01:00", 2+i), Profiles: profiles, Security: []*fhir.Object{fhir.Coding(confidentiality, "R", "")},
			})
			if err != nil {
				t.Fatal(err)
			}
			if profiles == nil { // US Core binds the form to SDC's profile, which is not at hand
				write(out, qr)
			}
			write(out, derive(t, s, qr)...)
		}
	})
	// What changes call for: a deterioration, a relapse, a drop below the own mean.
	d, s := NewDeriver(library(t)), newShelf()
	var series []placed
	for _, f := range []form{phq("p1", "2026-01-05", "000000000"), phq("p2", "2026-01-12", "222222220"), phq("p3", "2026-01-19", "000000000"), phq("p4", "2026-01-26", "222222220")} {
		series = append(series, placed{form: f, episode: "one", by: "RelatedPerson/mother"})
	}
	for i, digits := range []string{"9999", "9999", "9999", "2222"} {
		series = append(series, placed{form: check(fmt.Sprintf("a%d", i), fmt.Sprintf("2026-01-%02d", i+1), digits)})
	}
	for _, f := range series {
		qr := f.resource(t, d)
		write(out, qr)
		write(out, hand(t, d, s, qr)...)
	}
	judge := func(args ...string) {
		t.Helper()
		cmd := exec.Command("nice", append([]string{tool}, args...)...)
		log, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("the validator finds errors: %v\n%s", err, log)
		}
	}
	judge("--ig", defs, defs, out)
	judge("--ig", sdc(t), forms)
}

// sdc returns a folder with SDC's definition of the calculated expression.
func sdc(t *testing.T) string {
	t.Helper()
	archives, err := filepath.Glob(filepath.Join(fixture.Path(t, "fixtures/fhir-packages"), "hl7.fhir.uv.sdc-*.tgz"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("SDC's package: %v %v", archives, err)
	}
	dir := t.TempDir()
	const name = "package/StructureDefinition-sdc-questionnaire-calculatedExpression.json"
	if msg, err := exec.Command("tar", "xzf", archives[0], "-C", dir, name).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", msg, err)
	}
	return filepath.Join(dir, "package")
}
