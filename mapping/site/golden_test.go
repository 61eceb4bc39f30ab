package site

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"rapport/mapping/practice"
)

var update = flag.Bool("update", false, "write what is into the golden files")

// TestSiteFilesGiveWhatTheirGoldenFilesSay reads archives of a site.yaml and either
// the faults that it has, or tables and the records that their rows give.
func TestSiteFilesGiveWhatTheirGoldenFilesSay(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "site", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := &a.Files[len(a.Files)-1]
			got := outcome(t, a)
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(want.Data), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func outcome(t *testing.T, a *txtar.Archive) string {
	var b strings.Builder
	m, err := Parse("site.yaml", a.Files[0].Data)
	if err != nil {
		var fs Faults
		if !errors.As(err, &fs) {
			t.Fatal(err)
		}
		return fs.Error() + "\n"
	}
	all := tables{}
	for _, f := range a.Files[1 : len(a.Files)-1] {
		lines, err := csv.NewReader(strings.NewReader(string(f.Data))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range lines[1:] {
			all[m.Table(f.Name)] = append(all[m.Table(f.Name)], Row{Place{f.Name, i + 2}, l})
		}
	}
	rel := find{m, all}
	for _, table := range m.Tables {
		for _, row := range all[table] {
			if len(table.Emits) == 0 {
				continue
			}
			rs, kinds, err := table.Map(row, rel)
			if err != nil {
				fmt.Fprintf(&b, "%s: %s: %v\n", row.Place, strings.Join(kinds, ", "), err)
			}
			for _, r := range rs {
				fmt.Fprintf(&b, "%s: %s %s\n", row.Place, r.Kind, r.JSON)
				if len(r.Refs)+len(r.Used) > 0 {
					fmt.Fprintf(&b, "  on %v from %v\n", r.Refs, r.Used)
				}
				if _, err := practice.Decode(r.Kind, r.JSON); err != nil {
					fmt.Fprintf(&b, "  and no such record: %v\n", err)
				}
			}
		}
	}
	return b.String()
}

type tables map[*Table][]Row

// find implements Relations over what a golden file holds.
type find struct {
	m   *Mapping
	all tables
}

func (f find) Rows(r *Relation, key string) (out []Row, err error) {
	for _, row := range f.all[f.m.Table(r.Table)] {
		if k, ok := r.Key(row.Values); ok && k == key {
			out = append(out, row)
		}
	}
	if len(out) == 0 && !r.Many {
		return nil, &Refusal{Why: "there is no such row"}
	}
	return out, nil
}
