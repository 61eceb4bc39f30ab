package source

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"rapport/mapping/intake"
	"rapport/mapping/site"
)

// workbookOf makes a workbook of one sheet with these cells below the header.
func workbookOf(t *testing.T, cells ...string) string {
	t.Helper()
	var rows strings.Builder
	for i, c := range append([]string{`<c t="inlineStr"><is><t>said</t></is></c>`}, cells...) {
		fmt.Fprintf(&rows, `<row r="%d">%s</row>`, i+1, c)
	}
	p := pack(t,
		"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="numbers" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml", `<worksheet><sheetData>`+rows.String()+`</sheetData></worksheet>`)
	book := strings.TrimSuffix(p, ".zip") + ".xlsx"
	if err := os.Rename(p, book); err != nil {
		t.Fatal(err)
	}
	return book
}

// read returns the first row behind the header.
func read(t *testing.T, path string) intake.Row {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := s.Open(context.Background(), s.Tables()[0], site.Format{})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	row, err := rows.Next()
	if err != nil || row.Fault != "" {
		t.Fatalf("%v %q", err, row.Fault)
	}
	return row
}

// What a person sees in a cell is what the same sheet says as CSV.
func TestANumberIsReadAsTheSheetShowsIt(t *testing.T) {
	for name, c := range map[string]struct{ cell, want string }{
		"a fraction in 17 digits":        {`<c><v>1.1000000000000001</v></c>`, "1.1"},
		"a sum of fractions":             {`<c><v>0.30000000000000004</v></c>`, "0.3"},
		"a fraction below zero":          {`<c><v>-2.2999999999999998</v></c>`, "-2.3"},
		"nearly a whole number":          {`<c><v>2.9999999999999996</v></c>`, "3"},
		"a small one with its power":     {`<c><v>1.1000000000000001E-3</v></c>`, "0.0011"},
		"a fraction that is short":       {`<c><v>12.5</v></c>`, "12.5"},
		"a fraction of 15 digits":        {`<c><v>0.123456789012345</v></c>`, "0.123456789012345"},
		"a whole number":                 {`<c><v>17052021</v></c>`, "17052021"},
		"a whole number with its power":  {`<c><v>1.7052021E7</v></c>`, "17052021"},
		"one of 18 digits":               {`<c><v>123456789012345678</v></c>`, "123456789012345678"},
		"one of 16 digits and its power": {`<c><v>1.234567890123456E15</v></c>`, "1234567890123456"},
		"nothing":                        {`<c><v>0</v></c>`, "0"},
		"what is no number":              {`<c><v>inf</v></c>`, "inf"},
		"a text of digits":               {`<c t="inlineStr"><is><t>1.1000000000000001</t></is></c>`, "1.1000000000000001"},
		"the text of a formula":          {`<c t="str"><v>0.30000000000000004</v></c>`, "0.30000000000000004"},
	} {
		t.Run(name, func(t *testing.T) {
			if row := read(t, workbookOf(t, c.cell)); row.Values[0] != c.want {
				t.Errorf("%s is read as %q, want %q", c.cell, row.Values[0], c.want)
			}
		})
	}
}
