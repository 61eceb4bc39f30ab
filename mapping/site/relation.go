package site

import (
	"slices"
	"strings"
)

// Relation says how rows of one table find rows of another: a lookup finds the
// one row whose key this row names; a join gathers the rows that name this one.
type Relation struct {
	Name   string   // as expressions know it
	Table  string   // where rows are found
	Theirs []string // columns there
	Many   bool     // a join

	ours []source
	at   []int // Theirs, as positions in that table's columns
	slot int   // lookups: where the found row's columns are bound
}

// Key returns what a row of the relation's own table is found under.
func (r *Relation) Key(values []string) (string, bool) {
	parts := make([]string, len(r.at))
	for i, p := range r.at {
		if p >= len(values) {
			return "", false
		}
		if parts[i] = strings.TrimSpace(values[p]); parts[i] == "" {
			return "", false
		}
	}
	return JoinKey(parts...), true
}

// By names the columns that rows are found by; relations of one table with the
// same columns share an index.
func (r *Relation) By() string { return strings.Join(r.Theirs, "\x00") }

// Ours returns what a row of the relation's own table looks for. ok is false where
// a part says nothing, or stands in a row that must itself be looked up first.
func (r *Relation) Ours(values []string) (string, bool) {
	parts := make([]string, len(r.ours))
	for i, o := range r.ours {
		if o.slot != 0 || o.col >= len(values) {
			return "", false
		}
		if parts[i] = strings.TrimSpace(values[o.col]); parts[i] == "" {
			return "", false
		}
	}
	return JoinKey(parts...), true
}

// Join is a list of a record that the rows of a relation fill.
type Join struct {
	*Relation
	Field string // of the record
}

// Joins returns the lists of a kind of record that rows of other tables fill.
func (t *Table) Joins(kind string) (out []Join) {
	for _, e := range t.emits {
		if e.kind == kind {
			out = append(out, e.joins...)
		}
	}
	return out
}

// Relations finds rows for the relations of a table while its rows are mapped.
type Relations interface {
	// Rows returns the rows of r.Table under key. For a lookup that finds nothing
	// good, and a join whose table is not there at all, it returns a [*Refusal]: no
	// such row or table, or a row that was itself refused.
	Rows(r *Relation, key string) ([]Row, error)
}

// relations compiles the lookup or join section of a table.
func (c *compiler) relations(n *node, many bool, tables map[string]*Table, s scope) (out []*Relation, _ scope) {
	if n == nil {
		return nil, s
	}
	if n.shape != dict {
		c.fs.add(n, "a map of names is needed here, not %s", n.what())
		return nil, s
	}
	for i, k := range n.keys {
		f := formOf(n.items[i], c.fs, "a relation")
		r := &Relation{Name: k.text, Many: many}
		in, on := f.get("in"), f.get("on")
		f.done()
		switch {
		case !identifier(k.text) || k.text == "row" || k.text == "each":
			c.fs.add(k, "a relation's name is letters, digits and _, and neither row nor each")
			continue
		case s.cols[k.text] != nil || c.joins[k.text] != nil:
			c.fs.add(k, "%s is used already", k.text)
			continue
		case in == nil || in.shape != text:
			c.fs.add(k, "needs in: the table where rows are found")
			continue
		case on == nil || on.shape != dict || len(on.keys) == 0:
			c.fs.add(k, "needs on: {their column: ours}")
			continue
		}
		t := tables[in.text]
		if t == nil {
			c.fs.add(in, "no table %s%s", in.text, didYouMean(in.text, keysOf(tables)))
			continue
		}
		if t == c.table {
			c.fs.add(in, "a table cannot be related to itself")
			continue
		}
		good := true
		for j, theirs := range on.keys {
			at := slices.Index(t.Columns, theirs.text)
			if at < 0 {
				c.fs.add(theirs, "no column %s in %s%s", theirs.text, t.Name, didYouMean(theirs.text, t.Columns))
				good = false
			}
			if on.items[j].shape != text {
				c.fs.add(on.items[j], "needs the name of one of our columns")
				good = false
				continue
			}
			ours, found := s.find(on.items[j], c.fs)
			good = good && found
			r.Theirs, r.at, r.ours = append(r.Theirs, theirs.text), append(r.at, at), append(r.ours, ours)
		}
		if !good {
			continue
		}
		for _, theirs := range r.Theirs {
			t.read[theirs] = true
		}
		r.Table = t.Name
		if many {
			c.joins[k.text] = r
			out = append(out, r)
			continue
		}
		if !sameSet(r.Theirs, t.keyColumns) {
			c.fs.add(on, "a lookup finds by the whole key of %s: %s", t.Name, strings.Join(t.keyColumns, ", "))
			continue
		}
		r.slot = len(s.names)
		inner, err := s.with(k.text, t.Columns)
		if err != nil {
			c.fs.add(k, "%v", err)
			continue
		}
		outer := s.mark
		inner.mark = func(name, col string) {
			if name == r.Name {
				t.read[col] = true
				return
			}
			outer(name, col)
		}
		s, out = inner, append(out, r)
	}
	return out, s
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// find gets the rows of a relation for the row at hand; none if a part of its
// key says nothing.
func (r *Relation) find(c *call) ([]Row, error) {
	parts := make([]string, len(r.ours))
	for i, o := range r.ours {
		if parts[i] = strings.TrimSpace(c.b[o.slot][o.col]); parts[i] == "" {
			if r.Many {
				return nil, nil
			}
			return nil, &Refusal{Column: o.name, Why: "names no row of " + r.Table}
		}
	}
	rows, err := c.rel.Rows(r, JoinKey(parts...))
	if refusal, ok := err.(*Refusal); ok && refusal.Column == "" {
		refusal.Column = r.ours[len(r.ours)-1].name
	}
	return rows, err
}

// joined is one value for each row that a join gathers.
type joined struct {
	rel   *Relation
	value value
}

func (c *compiler) join(n *node, f *form, s scope) value {
	item := f.get("each")
	r := c.joins[n.text]
	switch {
	case r == nil:
		c.fs.add(n, "no join is called %s%s", n.text, didYouMean(n.text, keysOf(c.joins)))
		return nil
	case item == nil:
		c.fs.add(n, "join needs each: what is written for each row of %s", r.Table)
		return nil
	case s.cols["each"] != nil:
		c.fs.add(n, "an each cannot stand inside another")
		return nil
	}
	t := c.tables[r.Table]
	inner, err := s.with("each", t.Columns)
	if err != nil {
		c.fs.add(n, "%v", err)
		return nil
	}
	outer := s.mark
	inner.mark = func(name, col string) {
		if name == "each" {
			t.read[col] = true
			return
		}
		outer(name, col)
	}
	c.joined[n.text] = true
	v := c.value(item, inner)
	if v == nil {
		return nil
	}
	return &joined{r, v}
}

func (v *joined) append(to []byte, c *call) ([]byte, error) {
	b := builder{to: to, start: len(to)}
	if err := v.each(&b, c); err != nil {
		return to, err
	}
	return b.done(), nil
}

// each adds one element for each row that is gathered.
func (v *joined) each(b *builder, c *call) error {
	rows, err := v.rel.find(c)
	if err != nil {
		return err
	}
	outer := c.b
	defer func() { c.b = outer }()
	for _, row := range rows {
		c.b = append(outer[:len(outer):len(outer)], row.Values)
		c.used = append(c.used, row.Place)
		if err := b.add(v.value, c); err != nil {
			if r, ok := err.(*Refusal); ok && r.Because == (Place{}) {
				r.Because = row.Place
			}
			return err
		}
	}
	return nil
}
