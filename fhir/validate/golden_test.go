package validate_test

import (
	"bytes"
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
)

var update = flag.Bool("update", false, "write what is found into testdata/validate")

// Each archive holds documents NAME.json and, behind each, NAME.issues with what
// must be said of it, a line an issue; no line for a good one.
func TestWhatIsSaidOfAFaultyResource(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "validate", "*.txtar"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%v, %v", files, err)
	}
	v := validate.New(spec.R4())
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, f := range a.Files {
			if name, ok := strings.CutSuffix(f.Name, ".issues"); ok {
				want[name] = string(f.Data)
			}
		}
		fresh := txtar.Archive{Comment: a.Comment}
		for _, f := range a.Files {
			name, ok := strings.CutSuffix(f.Name, ".json")
			if !ok {
				continue
			}
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+name, func(t *testing.T) {
				got := issues(t, v, f.Data)
				fresh.Files = append(fresh.Files, f, txtar.File{Name: name + ".issues", Data: []byte(got)})
				if diff := cmp.Diff(want[name], got); diff != "" && !*update {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(&fresh), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func issues(t *testing.T, v *validate.Validator, body []byte) string {
	r, err := fhir.Parse(bytes.TrimSpace(body))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range v.Resource(t.Context(), r) {
		severity := "error"
		if e.Warn {
			severity = "warning"
		}
		fmt.Fprintf(&b, "%s %s at %s: %s\n", severity, e.Code.Issue(), strings.Join(e.At, ", "), e.Detail)
	}
	return b.String()
}
