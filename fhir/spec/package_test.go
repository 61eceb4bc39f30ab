package spec_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir/fixture"
	"rapport/fhir/spec"
)

// corePackage finds HL7's package.
func corePackage(t testing.TB) string {
	t.Helper()
	return fixture.Path(t, "fixtures/fhir-packages/hl7.fhir.r4.core-4.0.1.tgz")
}

// each calls f with every file of the package whose name begins with prefix.
func each(t *testing.T, prefix string, f func(name string, b []byte)) {
	t.Helper()
	file, err := os.Open(corePackage(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(filepath.Base(h.Name), prefix) {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f(filepath.Base(h.Name), b)
	}
}

// flatElement is what both sides must agree upon.
type flatElement struct {
	Path, Max, Content, Binding string
	Min                         int
	Types, Rules                []string
	Modifier, Summary           bool
}

func TestEveryTypeEqualsItsPublishedSnapshot(t *testing.T) {
	const core = "http://hl7.org/fhir/StructureDefinition/"
	d := spec.R4()
	types, elements := 0, 0
	each(t, "StructureDefinition-", func(file string, b []byte) {
		var sd struct {
			Name, Kind, Derivation, BaseDefinition string
			Abstract                               bool
			Snapshot                               struct {
				Element []struct {
					Path, Max, ContentReference string
					Min                         int
					IsModifier, IsSummary       bool
					Type                        []struct {
						Code          string
						Profile       []string
						TargetProfile []string
						Extension     []struct{ URL, ValueUrl string }
					}
					Binding    *struct{ Strength, ValueSet string }
					Constraint []struct{ Key, Expression string }
				}
			}
		}
		if err := json.Unmarshal(b, &sd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if sd.Kind == "logical" || sd.Derivation == "constraint" {
			return
		}
		typ, ok := d.Type(sd.Name)
		if !ok {
			t.Errorf("%s is missing", sd.Name)
			return
		}
		if string(typ.Kind) != sd.Kind || typ.Base != strings.TrimPrefix(sd.BaseDefinition, core) || typ.Abstract != sd.Abstract {
			t.Errorf("%s: kind %s, base %s, abstract %v", sd.Name, typ.Kind, typ.Base, typ.Abstract)
		}
		var want, got []flatElement
		for _, e := range sd.Snapshot.Element {
			if sd.Kind == "primitive-type" && strings.HasSuffix(e.Path, ".value") {
				continue
			}
			f := flatElement{Path: e.Path, Min: e.Min, Max: e.Max, Content: strings.TrimPrefix(e.ContentReference, "#"), Modifier: e.IsModifier, Summary: e.IsSummary}
			for _, r := range e.Type {
				code := r.Code
				if strings.HasPrefix(code, "http://hl7.org/fhirpath/System.") {
					code = "string!"
				}
				for _, x := range r.Extension {
					if strings.HasSuffix(x.URL, "fhir-type") {
						code = x.ValueUrl + "!"
					}
				}
				if strings.HasSuffix(e.Path, ".id") && code == "string!" && sd.Kind == "resource" && strings.Count(e.Path, ".") == 1 {
					code = "id!" // the package types Resource.id as a string, the specification's page as an id
				}
				for _, p := range r.TargetProfile {
					code += ">" + strings.TrimPrefix(p, core)
				}
				for _, p := range r.Profile {
					code += "^" + strings.TrimPrefix(p, core)
				}
				f.Types = append(f.Types, code)
			}
			if e.Binding != nil {
				url, _, _ := strings.Cut(e.Binding.ValueSet, "|")
				f.Binding = e.Binding.Strength + " " + url
			}
			for _, c := range e.Constraint {
				if c.Key == "ele-1" && sd.Name != "Element" || c.Key == "ext-1" && sd.Name != "Extension" ||
					(c.Key == "ele-1" || c.Key == "ext-1") && strings.Contains(e.Path, ".") {
					continue
				}
				f.Rules = append(f.Rules, c.Key+" "+c.Expression)
			}
			slices.Sort(f.Rules)
			want = append(want, f)
		}
		for _, e := range typ.Elements {
			f := flatElement{Path: e.Path, Min: e.Min, Max: "*", Content: e.ContentOf, Modifier: e.Modifier, Summary: e.Summary}
			if e.Max != spec.Unbounded {
				f.Max = strconv.Itoa(e.Max)
			}
			if e.List != (e.Max != 0 && e.Max != 1) {
				t.Errorf("%s: List is %v with max %d", e.Path, e.List, e.Max)
			}
			for _, r := range e.Types {
				code := r.Code
				if r.Bare {
					code += "!"
				}
				for _, p := range r.Targets {
					code += ">" + p
				}
				if r.Profile != "" {
					code += "^" + r.Profile
				}
				f.Types = append(f.Types, code)
			}
			if e.Binding != nil {
				f.Binding = e.Binding.Strength + " " + e.Binding.ValueSet
			}
			for _, c := range e.Constraints() {
				f.Rules = append(f.Rules, c.Key+" "+c.Expression)
			}
			slices.Sort(f.Rules)
			got = append(got, f)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-published +ours):\n%s", sd.Name, diff)
		}
		types++
		elements += len(got)
	})
	if types < 200 || elements < 7000 {
		t.Errorf("only %d types and %d elements were compared", types, elements)
	}
}

func TestEveryPublishedSearchParameterIsThere(t *testing.T) {
	d := spec.R4()
	n := 0
	each(t, "SearchParameter-", func(file string, b []byte) {
		var sp struct {
			ID, URL, Code, Type, Expression string
			Base, Target                    []string
		}
		if err := json.Unmarshal(b, &sp); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if strings.HasPrefix(sp.ID, "example") || strings.Contains(sp.ID, "-extensions-") {
			return
		}
		for _, base := range sp.Base {
			if base == "Resource" || base == "DomainResource" {
				base = "Task"
			}
			p, ok := d.Param(base, sp.Code)
			if !ok || p.URL != sp.URL || p.Type != sp.Type {
				t.Errorf("%s.%s: %+v", base, sp.Code, p)
			}
			for part := range strings.SplitSeq(p.Expression, " | ") {
				if !strings.Contains(sp.Expression, part) {
					t.Errorf("%s.%s: %q is no part of %q", base, sp.Code, part, sp.Expression)
				}
			}
			for _, to := range sp.Target {
				if !p.CanTarget(to) {
					t.Errorf("%s.%s: cannot name a %s", base, sp.Code, to)
				}
			}
			n++
		}
	})
	if n < 1300 {
		t.Errorf("only %d parameters were compared", n)
	}
}

// An expression for several types is kept for each with the alternatives that
// concern it; whatever begins at another type selects nothing there.
func TestAParameterOfManyTypesKeepsWhatConcernsTheType(t *testing.T) {
	for code, want := range map[string]string{
		"Observation code":     "Observation.code",
		"Observation date":     "Observation.effective",
		"Observation patient":  "Observation.subject.where(resolve() is Patient)",
		"Condition onset-date": "Condition.onset.as(dateTime) | Condition.onset.as(Period)",
		"Patient email":        "Patient.telecom.where(system='email')",
		"Goal target-date":     "(Goal.target.due as date)",
		"Task _lastUpdated":    "Resource.meta.lastUpdated",
	} {
		typ, name, _ := strings.Cut(code, " ")
		p, ok := spec.R4().Param(typ, name)
		if !ok || p.Expression != want {
			t.Errorf("%s: %q, want %q", code, p.Expression, want)
		}
	}
}

func TestTheGeneratorMakesTheEmbeddedFilesAgain(t *testing.T) {
	pkg, out := corePackage(t), t.TempDir()
	if msg, err := exec.Command("go", "run", "gen.go", "gen_source.go", "-package", pkg, "-out", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	made, err := filepath.Glob(filepath.Join(out, "*.gz"))
	if err != nil || len(made) != 5 {
		t.Fatalf("%v, %v", made, err)
	}
	for _, file := range made {
		a, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join("r4", filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("r4/%s is not what gen.go makes; run go generate ./fhir/spec", filepath.Base(file))
		}
	}
}
