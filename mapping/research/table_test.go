package research_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"rapport/mapping/deid"
)

var tableNames = []string{"people", "episodes", "sessions", "scores", "items"}

// TestParquetHoldsWhatTheCSVHolds reads both back, value by value.
func TestParquetHoldsWhatTheCSVHolds(t *testing.T) {
	o := practiceRelease(t, deid.Expert)
	for _, name := range tableNames {
		r := csv.NewReader(bytes.NewReader(o.files[name+".csv"]))
		lines, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		b := o.files[name+".parquet"]
		f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		var header []string
		for _, c := range f.Schema().Columns() {
			header = append(header, strings.Join(c, "."))
		}
		if !slices.Equal(header, lines[0]) {
			t.Errorf("%s: the columns are %v, not %v", name, header, lines[0])
		}
		n := 1
		for _, g := range f.RowGroups() {
			rows := g.Rows()
			buf := make([]parquet.Row, 64)
			for {
				got, err := rows.ReadRows(buf)
				for _, row := range buf[:got] {
					if n >= len(lines) {
						t.Fatalf("%s: more rows than in the CSV", name)
					}
					for i, v := range row {
						if !same(v, lines[n][i]) {
							t.Fatalf("%s, row %d, %s: %v, in the CSV %q", name, n, header[i], v, lines[n][i])
						}
					}
					n++
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			rows.Close()
		}
		if n != len(lines) || n < 30 {
			t.Errorf("%s: %d rows, %d in the CSV", name, n-1, len(lines)-1)
		}
	}
}

func same(v parquet.Value, s string) bool {
	if v.IsNull() || s == "" {
		return v.IsNull() && s == ""
	}
	switch v.Kind() {
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10) == s
	case parquet.Double:
		f, err := strconv.ParseFloat(s, 64)
		return err == nil && f == v.Double()
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean()) == s
	}
	return string(v.ByteArray()) == s
}

// TestEachColumnIsInTheDictionary looks from the tables to the dictionary and back.
func TestEachColumnIsInTheDictionary(t *testing.T) {
	o := practiceRelease(t, deid.Expert)
	known := map[string]map[string]string{}
	var cited int
	for _, e := range rows(t, o, "dictionary") {
		known[e["table"]+"."+e["variable"]] = e
		if e["label"] == "" || e["type"] == "" {
			t.Errorf("%s.%s has no label or type", e["table"], e["variable"])
		}
		if e["instrument"] != "" {
			cited++
			if e["citation"] == "" || e["licence"] == "" || e["missing_rule"] == "" || e["version"] == "" {
				t.Errorf("%s of %s lacks a citation, a licence, a version or the rule for missing items", e["variable"], e["instrument"])
			}
		}
	}
	if cited < 20 {
		t.Errorf("%d lines are about instruments", cited)
	}
	for _, name := range tableNames {
		header, _, _ := strings.Cut(string(o.files[name+".csv"]), "\n")
		for _, c := range strings.Split(header, ",") {
			if known[name+"."+c] == nil {
				t.Errorf("%s.%s is not in the dictionary", name, c)
			}
		}
	}
	// Where few people have a code the place is empty, and that says why.
	for _, c := range []string{"episodes.end_reason", "sessions.modality", "sessions.format", "sessions.phase", "scores.phase", "scores.mode"} {
		if missing := known[c]["missing"]; !strings.Contains(missing, "withheld: fewer than 11 people") {
			t.Errorf("an empty %s is said to be %q", c, missing)
		}
	}
	// What has codes holds no other.
	for _, name := range tableNames {
		for _, row := range rows(t, o, name) {
			for c, v := range row {
				codes := known[name+"."+c]["codes"]
				if v == "" || codes == "" {
					continue
				}
				if !slices.ContainsFunc(strings.Split(codes, "; "), func(s string) bool { code, _, _ := strings.Cut(s, " = "); return code == v }) {
					t.Fatalf("%s.%s is %q, of which the dictionary knows nothing", name, c, v)
				}
			}
		}
	}
}

// TestPandasAndDuckDBOpenTheFiles runs where a Python has them; $RESEARCH_PYTHON names
// it.
func TestPandasAndDuckDBOpenTheFiles(t *testing.T) {
	python := os.Getenv("RESEARCH_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import pandas, duckdb, pyarrow").Run(); err != nil {
		t.Skip("no Python with pandas, duckdb and pyarrow")
	}
	dir := t.TempDir()
	for name, b := range practiceRelease(t, deid.Expert).files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(python, "-c", `
import sys, pandas as pd, duckdb
for t in sys.argv[2:]:
    csv, pq = pd.read_csv(f"{sys.argv[1]}/{t}.csv"), pd.read_parquet(f"{sys.argv[1]}/{t}.parquet")
    assert list(csv.columns) == list(pq.columns) and len(csv) == len(pq) > 0, t
    left = duckdb.sql(f"select count(*) from (select * from read_csv('{sys.argv[1]}/{t}.csv', all_varchar=false) except select * from '{sys.argv[1]}/{t}.parquet')").fetchall()
    assert left == [(0,)], (t, left)
items, scores = pd.read_csv(sys.argv[1] + "/items.csv"), pd.read_csv(sys.argv[1] + "/scores.csv")
gad = items[items.instrument == "gad-7"]
sums = gad[gad.link_id.isin([str(i) for i in range(1, 8)])].groupby("administration_id").answer_score.sum()
total = scores[scores.instrument == "gad-7"].set_index("administration_id").total
assert len(total) > 50 and (sums.reindex(total.index) == total).all()
`, dir, "people", "episodes", "sessions", "scores", "items").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
