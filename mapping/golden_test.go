package mapping

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
)

var update = flag.Bool("update", false, "write what is made into testdata/mapping; look at the difference before you keep it")

const goldenDir = "../testdata/mapping"

func newMapper(t testing.TB) *Mapper {
	t.Helper()
	l, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Config{IDKey: [32]byte{1}, System: "urn:test:practice", Instruments: l})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// golden is one record and what it becomes.
type golden struct {
	kind, name string
	record     []byte
	want       []txtar.File // resources, or errors.txt
}

// goldens reads every archive: <kind>.txtar with <case>/record.json and behind it
// the case's other files.
func goldens(t testing.TB) (out []golden) {
	t.Helper()
	files, err := filepath.Glob(goldenDir + "/*.txtar")
	if err != nil || len(files) < len(practice.Kinds()) {
		t.Fatalf("each kind of record has its archive: %d are there, %v", len(files), err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		kind := strings.TrimSuffix(filepath.Base(file), ".txtar")
		for _, f := range a.Files {
			name, part, _ := strings.Cut(f.Name, "/")
			if part == "record.json" {
				out = append(out, golden{kind: kind, name: name, record: f.Data})
				continue
			}
			g := &out[len(out)-1]
			if g.name != name {
				t.Fatalf("%s: %s stands behind another case", file, f.Name)
			}
			g.want = append(g.want, f)
		}
	}
	return out
}

func decode(t testing.TB, g golden) practice.Record {
	t.Helper()
	r, err := practice.Decode(g.kind, g.record)
	if err != nil {
		for _, e := range fhir.IssuesOf(err) {
			t.Errorf("%s/%s: %v %s", g.kind, g.name, e.At, e.Detail)
		}
		t.FailNow()
	}
	return r
}

func TestRecordsBecomeTheseResources(t *testing.T) {
	m := newMapper(t)
	written := map[string]*txtar.Archive{}
	for _, g := range goldens(t) {
		rs, err := m.ToFHIR(decode(t, g))
		var got []txtar.File
		for i, r := range rs {
			var b bytes.Buffer
			if err := json.Indent(&b, r.Body(), "", "  "); err != nil {
				t.Fatal(err)
			}
			got = append(got, txtar.File{Name: fmt.Sprintf("%s/%d-%s.json", g.name, i+1, r.Type), Data: append(b.Bytes(), '\n')})
		}
		if err != nil {
			var b bytes.Buffer
			for _, e := range fhir.IssuesOf(err) {
				fmt.Fprintf(&b, "%s %s: %s\n", e.Code.Issue(), strings.Join(e.At, " "), e.Detail)
			}
			got = append(got, txtar.File{Name: g.name + "/errors.txt", Data: b.Bytes()})
		}
		if *update {
			a := written[g.kind]
			if a == nil {
				old, err := txtar.ParseFile(filepath.Join(goldenDir, g.kind+".txtar"))
				if err != nil {
					t.Fatal(err)
				}
				a = &txtar.Archive{Comment: old.Comment}
				written[g.kind] = a
			}
			a.Files = append(append(a.Files, txtar.File{Name: g.name + "/record.json", Data: g.record}), got...)
			continue
		}
		t.Run(g.kind+"/"+g.name, func(t *testing.T) {
			if len(g.want) == 0 {
				t.Fatal("the archive does not say what the record becomes; run with -update and look")
			}
			if diff := cmp.Diff(texts(g.want), texts(got)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	for kind, a := range written {
		if err := os.WriteFile(filepath.Join(goldenDir, kind+".txtar"), txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func texts(fs []txtar.File) (out []string) {
	for _, f := range fs {
		out = append(out, f.Name+"\n"+string(f.Data))
	}
	return out
}

func TestEveryResourceMadeIsValid(t *testing.T) {
	m, v := newMapper(t), validate.New(spec.R4())
	n := 0
	judge := func(name string, rs []fhir.Resource) {
		for _, r := range rs {
			n++
			for _, e := range v.Resource(context.Background(), r) {
				t.Errorf("%s: %s: %v %s", name, r, e.At, e.Detail)
			}
		}
	}
	for _, g := range goldens(t) {
		if rs, err := m.ToFHIR(decode(t, g)); err == nil {
			judge(g.kind+"/"+g.name, rs)
		}
	}
	defs, err := Definitions()
	if err != nil {
		t.Fatal(err)
	}
	judge("definitions", defs)
	if n < 40 {
		t.Errorf("only %d resources were judged", n)
	}
}
