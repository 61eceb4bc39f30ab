package intake_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/adapters/source"
	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/mapping/intake"
	"rapport/mapping/site"
	"rapport/testdata"
)

func library(t testing.TB) *instrument.Library {
	t.Helper()
	l, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// config is a run of a source by a site mapping through a gate.
func config(t testing.TB, g fhir.Gate, m *site.Mapping, path, tenant string) intake.Config {
	t.Helper()
	src, err := source.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	l := library(t)
	mapper, err := mapping.New(mapping.Config{IDKey: [32]byte{1}, System: m.System, Instruments: l})
	if err != nil {
		t.Fatal(err)
	}
	return intake.Config{
		Gate: g, Mapper: mapper, Site: m, Source: src, Clock: still, NewID: ids(), Tenant: tenant,
		Instruments: l, Follow: append(mapper.Follow(), fhir.Deriving(instrument.NewDeriver(l))),
	}
}

// valid fails for each resource that breaks R4's own rules.
func valid(t testing.TB, m *memory) {
	t.Helper()
	v := validate.New(spec.R4())
	for k, r := range m.now {
		for _, e := range v.Resource(context.Background(), r) {
			if !e.Warn {
				t.Errorf("%s: %v", k, e)
			}
		}
	}
}

// wholePractice copies the invented practice.
func wholePractice(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, testdata.Practice()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// practiceWith is the invented practice with the twelve clients of the story alone,
// and with some of its files edited: triples of file, what stands there, what stands
// there instead.
func practiceWith(t testing.TB, edits ...string) string {
	t.Helper()
	dir := wholePractice(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := slices.DeleteFunc(strings.SplitAfter(string(b), "\n"), func(l string) bool { return strings.HasPrefix(l, "quellenhof,") })
		if err := os.WriteFile(f, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(edits); i += 3 {
		p := filepath.Join(dir, edits[i])
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), edits[i+1]) {
			t.Fatalf("%s does not say %q", edits[i], edits[i+1])
		}
		if err := os.WriteFile(p, []byte(strings.Replace(string(b), edits[i+1], edits[i+2], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// failures is what a summary says of rows that were not stored.
func failures(s intake.Summary) string {
	var b strings.Builder
	for _, f := range s.Failures {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// same compares text by lines.
func same(t testing.TB, got, want string) {
	t.Helper()
	if d := cmp.Diff(strings.Split(strings.TrimSpace(want), "\n"), strings.Split(strings.TrimSpace(got), "\n")); d != "" {
		t.Error(d)
	}
}

func imported(t testing.TB, g fhir.Gate, name, path, tenant string) intake.Summary {
	t.Helper()
	sum, err := intake.Run(context.Background(), config(t, g, embedded(t, name), path, tenant))
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func embedded(t testing.TB, name string) *site.Mapping {
	t.Helper()
	m, err := site.Embedded(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
