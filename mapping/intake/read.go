package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"rapport/mapping/site"
)

// tableError concerns a whole table: its header is not the declared one.
type tableError struct {
	line int
	msg  string
}

func (e *tableError) Error() string { return e.msg }

// read yields the rows of a table in the order of its declared columns, with what
// is wrong with those that cannot be read.
func (r *run) read(ctx context.Context, t *site.Table, each func(row site.Row, fault string) error) error {
	file := r.files[t.Name]
	rows, err := r.Source.Open(ctx, file, r.Site.Format)
	if err != nil {
		return &tableError{line: 1, msg: why(err)}
	}
	defer rows.Close()
	at, width, terr := columns(t, rows.Header())
	if terr != nil {
		return terr
	}
	for {
		in, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		row := site.Row{Place: site.Place{File: file, Line: in.Line}, Values: make([]string, len(at))}
		for i, p := range at {
			if p >= 0 && p < len(in.Values) {
				row.Values[i] = in.Values[p]
				if p < len(in.Number) && in.Number[p] {
					row.Values[i] = t.Whole(i, row.Values[i])
				}
			}
		}
		if in.Fault == "" && len(in.Values) != width {
			in.Fault = fmt.Sprintf("the row has %d columns and the header %d", len(in.Values), width)
		}
		if err := each(row, in.Fault); err != nil {
			return err
		}
	}
	return nil
}

// measure counts the rows that there are, to tell how far the run is.
func (r *run) measure(ctx context.Context) error {
	for _, t := range r.Site.Tables {
		if t.About || r.files[t.Name] == "" {
			continue
		}
		rows, err := r.Source.Open(ctx, r.files[t.Name], r.Site.Format)
		if err != nil {
			continue // told when it is read
		}
		for err == nil {
			if _, err = rows.Next(); err == nil {
				r.now.Total++
			}
			if ctx.Err() != nil {
				break
			}
		}
		rows.Close()
	}
	return ctx.Err()
}

// tick counts a row that is done with, or on its way into the store.
func (r *run) tick(at site.Place) {
	if r.Progress == nil {
		return
	}
	if r.now.Table != at.File {
		r.now.Table, r.now.Rows = at.File, 0
	}
	r.now.Rows++
	if r.now.Done++; r.now.Rows%every == 0 {
		r.Progress(r.now)
	}
}

// columns finds the declared columns in a header.
func columns(t *site.Table, h Row) (at []int, width int, _ error) {
	place := map[string]int{}
	for i, c := range h.Values {
		c = strings.TrimSpace(c)
		if _, twice := place[c]; twice {
			return nil, 0, &tableError{h.Line, fmt.Sprintf("the header has the column %s twice", header(c))}
		}
		place[c] = i
	}
	var missing, extra []string
	for _, c := range t.Columns {
		p, ok := place[c]
		if !ok {
			p = -1
			if !t.Optional(c) {
				missing = append(missing, c)
			}
		}
		at = append(at, p)
		delete(place, c)
	}
	for c := range place {
		extra = append(extra, header(c))
	}
	slices.Sort(extra)
	if len(missing)+len(extra) == 0 {
		return at, len(h.Values), nil
	}
	msg := "the header is not the one that the site file declares"
	if len(missing) > 0 {
		msg += "; missing: " + strings.Join(missing, ", ")
	}
	if len(extra) > 0 {
		msg += "; not declared: " + strings.Join(extra, ", ")
	}
	return nil, 0, &tableError{h.Line, msg + "; none of its rows was read"}
}

// header shows a column's name if it looks like one. A file without a header has a
// person's record in its first line.
func header(c string) string {
	if c == "" {
		return "(no name)"
	}
	letters := 0
	for _, x := range c {
		switch {
		case x >= 'a' && x <= 'z', x == '_':
			letters++
		case x >= 'A' && x <= 'Z', x >= '0' && x <= '9', x == ' ', x == '-', x == '.':
		default:
			return "(not shown)"
		}
	}
	if letters*2 < len(c) || len(c) > 60 {
		return "(not shown)"
	}
	return c
}
