package site

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// Whatever a site file says, it compiles or is told what is wrong; and what compiles
// maps any row to records or to a refusal.
func FuzzASiteFileCompilesOrIsToldWhatIsWrong(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "site", "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(a.Files[0].Data), "1,2,3")
	}
	for _, s := range []string{"", "-", "a", "[]", "{}", "site:", "tables: []", "tables: {a: }", "tables: {a: {columns: }}", "codes: []", "codes: {a: }", "extends: pmhc-v4", "? [a]: b"} {
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, src, row string) {
		m, err := Parse("site.yaml", []byte(src))
		if err != nil {
			return
		}
		for _, table := range m.Tables {
			values := strings.Split(row, ",")
			for len(values) < len(table.Columns) {
				values = append(values, "")
			}
			_, _, _ = table.Map(Row{Place{"a.csv", 2}, values[:len(table.Columns)]}, find{m, tables{}})
		}
	})
}
