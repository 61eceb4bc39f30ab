package source

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/mapping/intake"
	"rapport/mapping/site"
)

// all reads a CSV text to its end.
func all(t testing.TB, text string, form site.Format) (intake.Row, []intake.Row) {
	t.Helper()
	rows, err := newRows("t.csv", strings.NewReader(text), io.NopCloser(nil), form)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []intake.Row
	for {
		r, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return rows.Header(), out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
}

func TestCSVAsPracticesWriteIt(t *testing.T) {
	good := []intake.Row{{Line: 2, Values: []string{"1", "Köln, Dom", "x"}}, {Line: 3, Values: []string{"2", "", ""}}}
	for name, text := range map[string]string{
		"as RFC 4180 has it":                   "id,town,note\n1,\"Köln, Dom\",x\n2,,\n",
		"with CRLF":                            "id,town,note\r\n1,\"Köln, Dom\",x\r\n2,,\r\n",
		"with a byte order mark":               "\xEF\xBB\xBFid,town,note\n1,\"Köln, Dom\",x\n2,,\n",
		"without an end of the last line":      "id,town,note\n1,\"Köln, Dom\",x\n2,,",
		"with semicolons":                      "id;town;note\n1;Köln, Dom;x\n2;;\n",
		"with tabs":                            "id\ttown\tnote\n1\tKöln, Dom\tx\n2\t\t\n",
		"with bars":                            "id|town|note\n1|Köln, Dom|x\n2||\n",
		"with an empty line behind the last":   "id,town,note\n1,\"Köln, Dom\",x\n2,,\n\n\n",
		"in UTF-16, as Excel's Unicode text":   utf16le("id\ttown\tnote\r\n1\tKöln, Dom\tx\r\n2\t\t\r\n"),
		"with quotes around everything":        "\"id\",\"town\",\"note\"\n\"1\",\"Köln, Dom\",\"x\"\n\"2\",\"\",\"\"\n",
		"with a header that quotes delimiters": "id,\"town\",\"note\"\n1,\"Köln, Dom\",x\n2,,\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, rows := all(t, text, site.Format{})
			if d := cmp.Diff(good, rows); d != "" {
				t.Error(d)
			}
		})
	}
}

func utf16le(s string) string {
	out := []byte{0xFF, 0xFE}
	for _, r := range s {
		out = append(out, byte(r), byte(r>>8))
	}
	return string(out)
}

func TestLatin1IsReadWhenDeclaredAndNamedWhenNot(t *testing.T) {
	text := "id,town\n1,K\xf6ln\n2,Bonn\n"
	_, rows := all(t, text, site.Format{Encoding: "iso-8859-1"})
	if rows[0].Values[1] != "Köln" {
		t.Errorf("declared: got %q", rows[0].Values[1])
	}
	_, rows = all(t, text, site.Format{})
	if rows[0].Fault != notUTF8 || rows[1].Fault != "" {
		t.Errorf("not declared: %q, then %q", rows[0].Fault, rows[1].Fault)
	}
}

func TestExcelsSepLineNamesTheDelimiter(t *testing.T) {
	h, rows := all(t, "sep=;\nid;town\n1;a,b\n", site.Format{})
	if len(h.Values) != 2 || h.Line != 2 || rows[0].Values[1] != "a,b" || rows[0].Line != 3 {
		t.Errorf("%v %v", h, rows)
	}
}

func TestOneBrokenRowKeepsTheOthersAndTheirLines(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		lines map[int]string // faults by line; "" good
	}{
		"a quote that is never closed":            {"id,a\n1,x\n2,\"y\n3,z\n4,w\n", map[int]string{2: "", 3: openQuote, 4: "", 5: ""}},
		"a quote closed by the next row's":        {"id,a\n1,\"x\n2,\"y\"\n3,z\n", map[int]string{2: openQuote, 3: "", 4: ""}},
		"a quote in the middle":                   {"id,a\n1,x\"y\n2,z\n", map[int]string{2: strayQuote, 3: ""}},
		"text behind a closing quote":             {"id,a\n1,\"x\"y\n2,z\n", map[int]string{2: strayQuote, 3: ""}},
		"a zero byte":                             {"id,a\n1,x\x00\n2,z\n", map[int]string{2: zeroByte, 3: ""}},
		"a field that spans lines":                {"id,a\n1,\"x\ny\n\"\"z\"\"\"\n2,z\n", map[int]string{2: "", 5: ""}},
		"a row longer than the limit":             {"id,a\n1," + strings.Repeat("x", maxRow) + "\n2,z\n", map[int]string{2: tooLong, 3: ""}},
		"a row with too many columns":             {"id,a\n1" + strings.Repeat(",", maxColumns+1) + "\n2,z\n", map[int]string{2: tooMany, 3: ""}},
		"an open quote before a row that is long": {"id,a\n1,\"x\n2," + strings.Repeat("x", maxRow) + "\n3,z\n", map[int]string{2: openQuote, 3: tooLong, 4: ""}},
		"an open quote a thousand lines long":     {"id,a\n1,\"x\n" + strings.Repeat("2,z\n", maxLines+5), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, rows := all(t, c.text, site.Format{})
			if c.lines == nil {
				if len(rows) != maxLines+6 || rows[0].Fault != openQuote || rows[maxLines+5].Line != maxLines+7 {
					t.Fatalf("%d rows, the first %q, the last in line %d", len(rows), rows[0].Fault, rows[len(rows)-1].Line)
				}
				return
			}
			got := map[int]string{}
			for _, r := range rows {
				got[r.Line] = r.Fault
			}
			if d := cmp.Diff(c.lines, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestABrokenRowShowsWhatStoodBeforeTheFault(t *testing.T) {
	_, rows := all(t, "org,id,note\nO1,C7,\"never closed\n", site.Format{})
	if d := cmp.Diff([]string{"O1", "C7"}, rows[0].Values); d != "" {
		t.Error(d)
	}
}

func TestAFileWithoutAHeaderIsRefused(t *testing.T) {
	for _, text := range []string{"", "\n\n", "\xEF\xBB\xBF", "\"a,b\n"} {
		if _, err := newRows("t.csv", strings.NewReader(text), io.NopCloser(nil), site.Format{}); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

// The standard library's reader is the oracle: whatever it reads without an error
// ours reads alike.
func FuzzCSVReadsAsTheStandardLibraryDoes(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\"x\ny\"\n", "a,b\n\"\"\"\",\n", "a,b\r\n1,\"2\r\n3\"\r\n", "a\n\n\nb\n", "a\n\"", "sep=;\na;b\n", "a\n\"x\n\"\"y\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(strings.ToLower(text), "sep=") {
			t.Skip("a line of its own")
		}
		rows, err := newRows("t.csv", strings.NewReader(text), io.NopCloser(nil), site.Format{Delimiter: ','})
		if err != nil {
			return
		}
		var ours [][]string
		last := 0
		faulty := false
		for {
			r, err := rows.Next()
			if err != nil {
				break
			}
			if r.Line <= last {
				t.Fatalf("line %d follows line %d", r.Line, last)
			}
			last = r.Line
			faulty = faulty || r.Fault != ""
			ours = append(ours, r.Values)
		}
		std := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\xEF\xBB\xBF")))
		std.FieldsPerRecord = -1
		theirs, err := std.ReadAll()
		if err != nil || faulty || len(theirs) == 0 || strings.ContainsAny(text, "\r") {
			return
		}
		if d := cmp.Diff(theirs[1:], append([][]string{}, ours...)); d != "" && len(theirs)-1+len(ours) > 0 {
			t.Fatal(d)
		}
	})
}

func BenchmarkRows(b *testing.B) {
	var text strings.Builder
	text.WriteString("organisation_path,service_contact_key,episode_key,service_contact_date,note\n")
	for range 1000 {
		text.WriteString("PHN999:Treatment01,S400,E400,17052021,\"quoted, with a comma\"\n")
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		_, rows := all(b, text.String(), site.Format{})
		if len(rows) != 1000 {
			b.Fatal(len(rows))
		}
	}
}
