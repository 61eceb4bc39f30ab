package intake

import (
	"context"

	"rapport/mapping/site"
)

// Source is what a practice's system handed over: named tables of rows. It is
// not safe for concurrent use.
type Source interface {
	Name() string      // of the file or folder, without its path
	Tables() []string  // file names, sorted
	Skipped() []string // what was there and is no table
	Digest() string    // SHA-256 of what was handed over, in hexadecimal
	// Open begins to read a table. An error concerns the table as a whole: it
	// cannot be read, or has no header.
	Open(ctx context.Context, table string, f site.Format) (Rows, error)
	Close() error
}

// Rows yields the rows of one table in their order.
type Rows interface {
	Header() Row
	// Next returns the next row, io.EOF behind the last. A row that cannot be
	// read has a Fault and, as far as they could be told, its first values; any
	// other error ends the table.
	Next() (Row, error)
	Close() error
}

// Row is one record of a table.
type Row struct {
	Line   int      // where it begins, from 1
	Values []string // in the order of the header
	Number []bool   // which of them are numbers by the source, without zeros in front; nil: none
	Fault  string   // why it cannot be read; quotes nothing of it. "" for a good row
}
