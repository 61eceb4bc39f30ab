package site

import "fmt"

// Format is how a source writes its tables, apart from what is in them.
type Format struct {
	Delimiter byte   // 0: found in the header
	Encoding  string // "" or utf-8, windows-1252, iso-8859-1, iso-8859-15, utf-16
}

// Place is a line of a source's file.
type Place struct {
	File string
	Line int
}

// String returns "file:line".
func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Row is a row of a table, its values in the order of [Table.Columns].
type Row struct {
	Place
	Values []string
}

// Ref names a record by its kind and business key.
type Ref struct{ Kind, Key string }

// Record is a native record that a row gave: JSON of a kind of mapping/practice.
type Record struct {
	Ref
	JSON []byte
	Refs []Ref   // the records it depends on
	Used []Place // the rows of other tables that went into it
}

// Refusal is why a row gives no record. It holds no value of the row but short
// codes, so it may be shown and logged.
type Refusal struct {
	Column  string // as the site file names it; "" where none is at fault
	Why     string
	Because Place // the row that this one depends on, when that is the reason
}

func (r *Refusal) Error() string {
	s := r.Why
	if r.Column != "" {
		s = r.Column + ": " + s
	}
	if r.Because != (Place{}) {
		s += " (" + r.Because.String() + ")"
	}
	return s
}
