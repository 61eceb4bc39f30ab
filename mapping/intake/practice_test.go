package intake_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"rapport/testdata"
)

//go:generate go run ../../testdata/generate.go ../../testdata/generate_cast.go ../../testdata/generate_course.go ../../testdata/generate_more.go ../../testdata/practice

func TestTheInventedPracticeImportsWholeAndTheSecondTimeNothing(t *testing.T) {
	m := newMemory()
	first := imported(t, m, "practice-csv", practiceWith(t), "")
	if !first.Complete() || first.Loose > 0 {
		t.Fatalf("not all of it was stored:\n%s", first)
	}
	for typ, n := range map[string]int{
		"Patient": 12, "EpisodeOfCare": 12, "Organization": 4, "Practitioner": 5, "Encounter": 150, "Appointment": 10, "Goal": 24,
		"QuestionnaireResponse": 80, "Consent": 32, "Questionnaire": 2, "CarePlan": 48,
	} {
		if got := first.Resource(typ).Created; got != n || len(m.of(typ)) != n {
			t.Errorf("%d %s are told as created, %d are stored, want %d", got, typ, len(m.of(typ)), n)
		}
	}
	scores := 0
	for _, o := range m.of("Observation") {
		if o.Root().Get("derivedFrom").Exists() {
			scores++
		}
	}
	if scores != 80 || first.Resource("Observation").Created != 80 {
		t.Errorf("%d scores follow from 80 responses, told are %+v", scores, first.Resource("Observation"))
	}
	if n := len(m.of("Flag")) + len(m.of("Task")); n != 0 {
		t.Errorf("%d flags and tasks: an answer to item 9 is above 0", n)
	}
	valid(t, m)

	m.writes = 0
	second := imported(t, m, "practice-csv", practiceWith(t), "")
	if m.writes != 0 || second.Changed() || len(second.Provenance) > 0 {
		t.Errorf("the second import wrote %d versions:\n%s", m.writes, second)
	}
	for _, c := range second.Tables {
		if c.Unchanged != c.Total() {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
}

func TestEachResourceOfTheRunIsInOneProvenance(t *testing.T) {
	m := newMemory()
	first := imported(t, m, "practice-csv", practiceWith(t), "")
	named := map[string]int{}
	for _, p := range m.of("Provenance") {
		for target := range p.Root().Get("target").Elements() {
			named[target.Get("reference").Text()]++
		}
		if what := p.Root().Get("entity").Index(0).Get("what").Get("identifier").Get("value").Text(); what != "nih:sha-256;"+first.Digest {
			t.Errorf("the source is told as %s", what)
		}
	}
	for k, r := range m.now {
		imported := r.Type != "Provenance" && r.Type != "Questionnaire" && r.Type != "Observation"
		if n := named[k.String()]; imported && n != 1 || !imported && n != 0 {
			t.Errorf("%s is named %d times", k, n)
		}
	}
	if len(first.Provenance) != len(m.of("Provenance")) {
		t.Errorf("the summary names %d of them, there are %d", len(first.Provenance), len(m.of("Provenance")))
	}
}

func TestTheTablesAreWhatTheirGeneratorWrites(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "generate.go", "generate_cast.go", "generate_course.go", "generate_more.go", dir)
	cmd.Dir = filepath.Join("..", "..", "testdata")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fresh, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := fs.ReadFile(testdata.Practice(), e.Name())
		if err != nil || !bytes.Equal(fresh, kept) {
			t.Errorf("%s is another one now; run go generate ./mapping/intake (%v)", e.Name(), err)
		}
	}
	if kept, err := fs.Glob(testdata.Practice(), "*.csv"); err != nil || len(kept) != len(entries) {
		t.Errorf("%d tables are kept, %d are written (%v)", len(kept), len(entries), err)
	}
}
