package deid_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"rapport/fhir"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// TestWhatLeaves shows for each file what either profile makes of a resource.
func TestWhatLeaves(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	v := validator()
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(src)
			in := parse(t, string(a.Files[0].Data))
			for i, profile := range []string{"expert", "safe-harbor"} {
				got := "nothing\n"
				if out := transformed(t, project(t, profile, "a project"), in); !out.IsZero() {
					valid(t, v, out)
					var b bytes.Buffer
					if err := json.Indent(&b, out.Body(), "", " "); err != nil {
						t.Fatal(err)
					}
					got = b.String() + "\n"
				}
				switch {
				case *update:
					a.Files = append(a.Files[:i+1], txtar.File{Name: profile + ".json", Data: []byte(got)})
				case len(a.Files) < 3 || a.Files[i+1].Name != profile+".json":
					t.Fatalf("%s has no %s.json", file, profile)
				case got != string(a.Files[i+1].Data):
					t.Errorf("%s gives\n%s\nnot\n%s", profile, got, a.Files[i+1].Data)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// golden is the resource that a file of testdata begins with.
func golden(t testing.TB, name string) fhir.Resource {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(a.Files[0].Data))
}
