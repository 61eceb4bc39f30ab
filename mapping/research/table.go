package research

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// kind is what the values of a column are.
type kind uint8

const (
	text kind = iota
	whole
	decimal
	yes
)

// word names a kind in the dictionary.
func (k kind) word() string { return [...]string{"string", "integer", "decimal", "boolean"}[k] }

// column is one variable of a table.
type column struct {
	name  string
	kind  kind
	label string
	unit  string
	codes string // "0 = not at all; 1 = several days"
	empty string // what an empty value means
}

// table is one file of rows, to be written in several formats. rows yields the same
// rows each time; a value is text, "" where there is none.
type table struct {
	name    string
	about   string
	columns []column
	rows    iter.Seq[[]string]
}

// writeCSV writes a table as RFC 4180 has it but for the line's end, which is LF:
// UTF-8, comma, header line, a missing value is empty.
func (t *table) writeCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	header := make([]string, len(t.columns))
	for i, col := range t.columns {
		header[i] = col.name
	}
	if err := c.Write(header); err != nil {
		return err
	}
	for row := range t.rows {
		if err := c.Write(row); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// inOrder is a group whose fields keep their order; parquet's own sorts them.
type inOrder struct {
	parquet.Group
	names []string
}

func (g inOrder) Fields() []parquet.Field {
	byName := map[string]parquet.Field{}
	for _, f := range g.Group.Fields() {
		byName[f.Name()] = f
	}
	out := make([]parquet.Field, len(g.names))
	for i, n := range g.names {
		out[i] = byName[n]
	}
	return out
}

func (t *table) schema() *parquet.Schema {
	g := inOrder{Group: parquet.Group{}}
	for _, c := range t.columns {
		var n parquet.Node
		switch c.kind {
		case whole:
			n = parquet.Int(64)
		case decimal:
			n = parquet.Leaf(parquet.DoubleType)
		case yes:
			n = parquet.Leaf(parquet.BooleanType)
		default:
			n = parquet.String()
		}
		g.Group[c.name] = parquet.Optional(n)
		g.names = append(g.names, c.name)
	}
	return parquet.NewSchema(t.name, g)
}

// groupRows is how many rows are held before they are written.
const groupRows = 1 << 16

// writeParquet writes the same content as Parquet: every column may be null, text is
// UTF-8, pages are compressed with Snappy, which every reader knows.
func (t *table) writeParquet(w io.Writer) error {
	out := parquet.NewWriter(w, t.schema(), parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(groupRows))
	row := make(parquet.Row, len(t.columns))
	for cells := range t.rows {
		for i, c := range t.columns {
			v, err := c.value(cells[i])
			if err != nil {
				return fmt.Errorf("research: %s.%s: %w", t.name, c.name, err)
			}
			if v.IsNull() {
				row[i] = v.Level(0, 0, i)
			} else {
				row[i] = v.Level(0, 1, i)
			}
		}
		if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
			return fmt.Errorf("research: %s: %w", t.name, err)
		}
	}
	return out.Close()
}

func (c column) value(s string) (parquet.Value, error) {
	if s == "" {
		return parquet.NullValue(), nil
	}
	switch c.kind {
	case whole:
		n, err := strconv.ParseInt(s, 10, 64)
		return parquet.Int64Value(n), err
	case decimal:
		f, err := strconv.ParseFloat(s, 64)
		return parquet.DoubleValue(f), err
	case yes:
		b, err := strconv.ParseBool(s)
		return parquet.BooleanValue(b), err
	}
	return parquet.ByteArrayValue([]byte(s)), nil
}
