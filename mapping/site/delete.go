package site

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
)

// Deletion says which rows of a table take something back, and what: the records
// that rows of the table give, or, for a table whose rows go into the records of
// others, what stands in those.
//
//	delete: {column: delete, word: delete}
//	delete: {column: …, word: …, known: {system: urn:x, code: row_key}, in: session, field: practitioners}
//	delete: {column: …, word: …, key: [organisation, episode], in: episode, field: referrals, element: {ref: referral, by: [organisation, intake]}}
//
// A row takes back if its column says the word, and is told if it says nothing; what
// says anything else is refused, since nobody knows which of the two was meant. Where
// the column has other words too, when: "row.state == 'gone'" stands in place of both.
//
// The rows that went into a record are found again by a detail of it that is known
// by system and code, and says the row's key; or, with key, the record is named by
// the row itself, and element says which of the list's references is meant; all that
// no row of the same upload tells, where the row does not say. Without field the record rests on the row as a
// whole.
type Deletion struct {
	Kind         string // of the record that the rows went into; "" where they give records
	Field        string // its list in which a row has one element; "" for the record as a whole
	System, Code string // of the detail that says the row's key; "" where the row names the record
	Short        int    // columns of the table's key that name the record; 0 with a detail

	when    *expr
	column  source // in place of when
	word    string
	key     []source
	element value
}

// Deletes reports whether a row takes back what one with its key gave.
func (t *Table) Deletes(row Row) bool {
	if t.Delete == nil {
		return false
	}
	if t.Delete.when == nil {
		return t.Delete.said(row) == t.Delete.word
	}
	yes, err := t.Delete.when.true(bound{row.Values})
	return err == nil && yes
}

func (d *Deletion) said(row Row) string {
	if d.column.col >= len(row.Values) {
		return ""
	}
	return strings.TrimSpace(row.Values[d.column.col])
}

// check is what each row must meet by the section; "" for nothing.
func (d *Deletion) check() string {
	if d == nil || d.when != nil {
		return ""
	}
	return fmt.Sprintf("is neither empty nor the word %s", d.word)
}

// unclear refuses a row of which it is not clear whether it takes something back.
func (d *Deletion) unclear(row Row) *Refusal {
	if d == nil || d.when != nil {
		return nil
	}
	if s := d.said(row); s == "" || s == d.word {
		return nil
	}
	return &Refusal{Column: d.column.name, Why: d.check()}
}

// Target returns the key of the record that a row of a table with
// [Deletion.Short] takes something out of.
func (t *Table) Target(values []string) (string, bool) {
	return keyOf(t.Delete.key, t.null, values)
}

// Element returns the reference that a row takes out of the list of a record; false
// for all of them.
func (t *Table) Element(row Row) (Ref, bool) {
	c := &call{b: bound{row.Values}}
	if t.Delete.element == nil {
		return Ref{}, false
	}
	if _, err := t.Delete.element.append(nil, c); err != nil || len(c.refs) == 0 {
		return Ref{}, false
	}
	return c.refs[0], true
}

// deletion compiles the delete section of a table.
func (c *compiler) deletion(n *node, emits bool, s scope) *Deletion {
	if n == nil {
		return nil
	}
	f := formOf(n, c.fs, "delete")
	if n.shape != dict {
		return nil
	}
	d := &Deletion{Kind: f.text("in"), Field: f.text("field")}
	when, column, known, key, element := f.get("when"), f.get("column"), f.get("known"), f.get("key"), f.get("element")
	d.word = strings.TrimSpace(f.text("word"))
	f.done()
	switch by := column != nil || d.word != ""; {
	case when != nil && by:
		c.fs.add(n, "delete has either column and word, or when")
		return nil
	case when != nil:
		d.when = s.compile(when, cel.BoolType, c.fs)
	case column == nil || column.shape != text || d.word == "":
		c.fs.add(n, "delete needs column and word: which rows take back what was told before")
		return nil
	default:
		d.column, _ = s.find(column, c.fs)
	}
	if known != nil {
		kf := formOf(known, c.fs, "known")
		d.System, d.Code = kf.text("system"), kf.text("code")
		kf.done()
		if d.System == "" || d.Code == "" {
			c.fs.add(known, "known is {system, code}: of the detail that says the key of the row")
		}
	}
	if key != nil {
		d.key = c.sources(key, "key", s)
		d.Short = len(d.key)
	}
	if element != nil {
		if element.key("ref") == nil || key == nil {
			c.fs.add(element, "element is a ref, for a record that key names")
		}
		d.element = c.value(element, s)
	}
	switch in := n.key("in"); {
	case emits && (in != nil || known != nil || key != nil):
		c.fs.add(n, "rows of this table give records, so delete needs no more than column and word")
	case emits:
	case in == nil:
		c.fs.add(n, "delete needs in: the kind of record that the rows go into")
	case !c.known(d.Kind):
		c.fs.add(in, "there is no kind of record called %s%s", d.Kind, didYouMean(d.Kind, c.knownKinds()))
	case (known == nil) == (key == nil):
		c.fs.add(n, "delete needs either known or key: how the record is found again")
	}
	if s, ok := c.schema(d.Kind); ok && d.Field != "" && !s.At("properties", d.Field).Exists() {
		var fields []string
		for name := range s.Get("properties").Members() {
			fields = append(fields, name)
		}
		slices.Sort(fields)
		c.fs.add(n.key("field"), "%s has no field %s%s", d.Kind, d.Field, didYouMean(d.Field, fields))
	}
	return d
}
