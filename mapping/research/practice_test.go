package research_test

import (
	"os"
	"path/filepath"
	"testing"

	"rapport/mapping/deid"
	"rapport/mapping/research"
)

func profiled(name string) func(*research.Config) {
	return func(c *research.Config) { c.Profile = name }
}

// TestThePracticeIsReleased writes what a researcher gets into a folder when one is named.
func TestThePracticeIsReleased(t *testing.T) {
	rs, people := consenting(t, practice(t))
	if people < 36 {
		t.Fatalf("%d clients of the practice consent to research", people)
	}
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		o, err := run(t, newDesk().release(t, profiled(profile)), rs)
		if err != nil {
			t.Fatal(err)
		}
		kept := 0
		for _, r := range o.resources {
			if r.Type == "Patient" {
				kept++
			}
		}
		if kept < 30 {
			t.Errorf("%s: %d of %d people remain", profile, kept, people)
		}
		if dir := os.Getenv("RESEARCH_DIR"); dir != "" {
			for name, b := range o.files {
				p := filepath.Join(dir, profile, name)
				if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
