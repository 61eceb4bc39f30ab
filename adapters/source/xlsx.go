package source

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"rapport/fhir"
	"rapport/mapping/intake"
	"rapport/mapping/site"
)

// maxShared is how many bytes the texts of a workbook may take, which are kept in
// memory while it is open.
const maxShared = 64 << 20

// workbook is an .xlsx: its sheets are the tables.
//
// Source: ECMA-376 part 1, 18 (SpreadsheetML).
type workbook struct {
	name   string
	file   *os.File
	parts  map[string]*zip.File
	tables []string
	sheets map[string]string // name → part
	texts  []string          // shared strings
	dates  []bool            // per cell format: whether it shows a date or a time
	digest string
}

func openWorkbook(p string) (intake.Source, error) {
	file, err := os.Open(p)
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: filepath.Base(p) + ": cannot be read", Err: err}
	}
	w := &workbook{name: filepath.Base(p), file: file, parts: map[string]*zip.File{}, sheets: map[string]string{}}
	if err := w.index(); err != nil {
		file.Close()
		return nil, err
	}
	return w, nil
}

func (w *workbook) index() error {
	h := sha256.New()
	size, err := io.Copy(h, w.file)
	if err != nil {
		return &fhir.Error{Code: fhir.Invalid, Detail: w.name + ": cannot be read to its end", Err: err}
	}
	w.digest = hex.EncodeToString(h.Sum(nil))
	zr, err := zip.NewReader(w.file, size)
	if err != nil {
		return &fhir.Error{Code: fhir.Structure, Detail: w.name + ": is no whole workbook; a protected one must be saved without its password", Err: err}
	}
	if len(zr.File) > maxEntries {
		return &fhir.Error{Code: fhir.TooLong, Detail: fmt.Sprintf("%s: more than %d parts", w.name, maxEntries)}
	}
	for _, e := range zr.File {
		if e.UncompressedSize64 > room(e) {
			return &fhir.Error{Code: fhir.TooLong, Detail: w.name + ": unpacks to more than is allowed; split the upload. Nothing was read"}
		}
		w.parts[strings.TrimPrefix(e.Name, "/")] = e
	}
	var book struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
			Rel  string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	var rels struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := errors.Join(w.decode("xl/workbook.xml", &book), w.decode("xl/_rels/workbook.xml.rels", &rels)); err != nil {
		return err
	}
	targets := map[string]string{}
	for _, r := range rels.List {
		if t, ok := strings.CutPrefix(r.Target, "/"); ok {
			targets[r.ID] = t
		} else {
			targets[r.ID] = path.Join("xl", r.Target)
		}
	}
	for _, s := range book.Sheets {
		part := targets[s.Rel]
		if w.parts[part] == nil {
			return &fhir.Error{Code: fhir.Structure, Detail: w.name + ": a sheet is named and not there"}
		}
		w.sheets[s.Name], w.tables = part, append(w.tables, s.Name)
	}
	if len(w.tables) == 0 {
		return &fhir.Error{Code: fhir.Invalid, Detail: w.name + ": there is no sheet in it"}
	}
	if err := w.readTexts(); err != nil {
		return err
	}
	return w.readStyles()
}

// decode reads a small part whole.
func (w *workbook) decode(part string, v any) error {
	rc, err := w.open(part)
	if err != nil {
		return err
	}
	defer rc.Close()
	if err := xml.NewDecoder(&bounded{r: rc, left: 8 << 20, name: w.name}).Decode(v); err != nil {
		return &fhir.Error{Code: fhir.Structure, Detail: w.name + ": is no workbook that can be read", Err: err}
	}
	return nil
}

func (w *workbook) open(part string) (io.ReadCloser, error) {
	e := w.parts[part]
	if e == nil {
		return nil, &fhir.Error{Code: fhir.Structure, Detail: w.name + ": is no workbook: parts of it are missing"}
	}
	rc, err := e.Open()
	if err != nil {
		return nil, unreadable(w.name, err)
	}
	return rc, nil
}

// readTexts reads the texts that cells share.
func (w *workbook) readTexts() error {
	if w.parts["xl/sharedStrings.xml"] == nil {
		return nil // every cell has its own
	}
	rc, err := w.open("xl/sharedStrings.xml")
	if err != nil {
		return err
	}
	defer rc.Close()
	d := xml.NewDecoder(&bounded{r: rc, left: maxShared, name: w.name})
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unreadable(w.name, err)
		}
		if s, ok := t.(xml.StartElement); ok && s.Name.Local == "si" {
			text, err := textOf(d, s)
			if err != nil {
				return unreadable(w.name, err)
			}
			w.texts = append(w.texts, text)
		}
	}
}

// readStyles finds the formats that show a number as a date or a time.
func (w *workbook) readStyles() error {
	if w.parts["xl/styles.xml"] == nil {
		return nil
	}
	var st struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := w.decode("xl/styles.xml", &st); err != nil {
		return err
	}
	own := map[int]bool{}
	for _, f := range st.Formats {
		own[f.ID] = strings.ContainsAny(strings.ToLower(f.Code), "ydh")
	}
	for _, c := range st.Cells {
		w.dates = append(w.dates, c.Format >= 14 && c.Format <= 22 || c.Format >= 45 && c.Format <= 47 || own[c.Format])
	}
	return nil
}

func (w *workbook) Name() string      { return w.name }
func (w *workbook) Tables() []string  { return w.tables }
func (w *workbook) Skipped() []string { return nil }
func (w *workbook) Digest() string    { return w.digest }
func (w *workbook) Close() error      { return w.file.Close() }

func (w *workbook) Open(_ context.Context, table string, _ site.Format) (intake.Rows, error) {
	rc, err := w.open(w.sheets[table])
	if err != nil {
		return nil, err
	}
	e := w.parts[w.sheets[table]]
	s := &sheet{w: w, table: table, closer: rc, d: xml.NewDecoder(&bounded{r: rc, left: int64(e.UncompressedSize64) + 1, name: table})}
	if s.header, err = s.Next(); err != nil {
		rc.Close()
		if errors.Is(err, io.EOF) {
			return nil, fhir.Errorf(fhir.Invalid, "", "%s:1: %s", table, emptyHeader)
		}
		return nil, err
	}
	for n := len(s.header.Values); n > 0 && s.header.Values[n-1] == ""; n-- {
		s.header.Values = s.header.Values[:n-1]
	}
	s.width = len(s.header.Values)
	return s, nil
}

// sheet reads the rows of one sheet, one at a time.
type sheet struct {
	w      *workbook
	table  string
	d      *xml.Decoder
	closer io.Closer
	header intake.Row
	width  int // of the header; 0 while it is read
	line   int
}

func (s *sheet) Header() intake.Row { return s.header }
func (s *sheet) Close() error       { return s.closer.Close() }

// Next implements intake.Rows. Rows without any value are no rows.
func (s *sheet) Next() (intake.Row, error) {
	for {
		t, err := s.d.Token()
		if errors.Is(err, io.EOF) {
			return intake.Row{}, io.EOF
		}
		if err != nil {
			return intake.Row{}, unreadable(s.table, err)
		}
		at, ok := t.(xml.StartElement)
		if !ok || at.Name.Local != "row" {
			continue
		}
		s.line++
		if n, err := strconv.Atoi(attr(at, "r")); err == nil && n >= s.line {
			s.line = n
		}
		row, said, err := s.row()
		if err != nil {
			return intake.Row{}, err
		}
		if said {
			return row, nil
		}
	}
}

// row reads the cells of a row.
func (s *sheet) row() (row intake.Row, said bool, _ error) {
	row = intake.Row{Line: s.line, Values: make([]string, s.width), Number: make([]bool, s.width)}
	size, next := 0, 0
	for {
		t, err := s.d.Token()
		if err != nil {
			return row, false, unreadable(s.table, err)
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name.Local == "row" {
				return row, said, nil
			}
		case xml.StartElement:
			if t.Name.Local != "c" {
				continue
			}
			col := next
			if c, ok := column(attr(t, "r")); ok {
				col = c
			}
			next = col + 1
			text, number, fault, err := s.cell(t)
			if err != nil {
				return row, false, unreadable(s.table, err)
			}
			if size += len(text); size > maxRow {
				fault = tooLong
			}
			if col >= maxColumns {
				fault = tooMany
			}
			if fault != "" {
				row.Fault, said = fault, true
				continue
			}
			if text == "" {
				continue
			}
			for col >= len(row.Values) {
				row.Values, row.Number = append(row.Values, ""), append(row.Number, false)
			}
			row.Values[col], row.Number[col], said = text, number, true
		}
	}
}

const (
	dateCell  = "a cell holds a date or time as the workbook formats it; give the column the format Text and write what the specification asks for"
	errorCell = "a cell holds the error of a formula"
)

// cell reads one cell: its text, whether it is a number, and what is wrong with it.
func (s *sheet) cell(at xml.StartElement) (text string, number bool, fault string, _ error) {
	var value string
	for {
		t, err := s.d.Token()
		if err != nil {
			return "", false, "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "v", "is":
				if value, err = textOf(s.d, t); err != nil {
					return "", false, "", err
				}
			default:
				if err := s.d.Skip(); err != nil {
					return "", false, "", err
				}
			}
		case xml.EndElement:
			text, number, fault = s.meaning(at, value)
			return text, number, fault, nil
		}
	}
}

func (s *sheet) meaning(at xml.StartElement, value string) (text string, number bool, fault string) {
	switch attr(at, "t") {
	case "s":
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 0 || n >= len(s.w.texts) {
			return "", false, "a cell names a text that the workbook does not hold"
		}
		return s.w.texts[n], false, ""
	case "inlineStr", "str":
		return value, false, ""
	case "e":
		return "", false, errorCell
	case "b":
		return map[string]string{"1": "true", "0": "false"}[value], false, ""
	case "d":
		return "", false, dateCell
	}
	if value == "" {
		return "", false, ""
	}
	if n, err := strconv.Atoi(attr(at, "s")); err == nil && n >= 0 && n < len(s.w.dates) && s.w.dates[n] {
		return "", false, dateCell
	}
	return shown(value), true, ""
}

// shown writes a number as a person sees it in the sheet, and in a CSV file of it. The
// workbook holds what the machine has, 1.1000000000000001 or 1.7052021E7. Whole numbers
// keep all their digits: long ones are keys.
//
// Source: ECMA-376 part 1, 18.3.1.96 (v); Excel's own limit of 15 significant digits.
func shown(value string) string {
	if strings.Trim(value, "0123456789.eE+-") != "" || !strings.ContainsAny(value, ".eE") {
		return value
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return value
	}
	if f != math.Trunc(f) {
		if f, err = strconv.ParseFloat(strconv.FormatFloat(f, 'e', 14, 64), 64); err != nil {
			return value
		}
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// textOf reads the text of an element, that of its runs included; not how it is
// pronounced.
func textOf(d *xml.Decoder, at xml.StartElement) (string, error) {
	var b strings.Builder
	for depth := 1; depth > 0; {
		t, err := d.Token()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local == "rPh" {
				if err := d.Skip(); err != nil {
					return "", err
				}
				continue
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			b.Write(t)
		}
	}
	return b.String(), nil
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// column reads the column of a cell's place: AC12 is 28.
func column(place string) (int, bool) {
	n := 0
	for i := 0; i < len(place) && i < 4; i++ {
		c := place[i]
		if c < 'A' || c > 'Z' {
			return n - 1, n > 0
		}
		n = n*26 + int(c-'A') + 1
	}
	return n - 1, n > 0
}
