package site

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// reading is how a text becomes a JSON value: what means nothing, which part of
// it counts, and the one conversion.
type reading struct {
	null   []string
	before string // only what stands before it
	codes  *codes
	date   *moment
	span   *span
	def    []byte
}

// fromText is a column, read.
type fromText struct {
	source
	reading
}

func (c *compiler) fromText(n *node, f *form, s scope) value {
	r, ok := c.reading(f, s)
	if n.shape != text {
		c.fs.add(n, "from is the name of a column, not %s", n.what())
		return nil
	}
	src, found := s.find(n, c.fs)
	if !found || !ok {
		return nil
	}
	return fromText{src, r}
}

func (v fromText) append(to []byte, c *call) ([]byte, error) {
	out, err := v.read(to, c.b[v.slot][v.col], c)
	if err != nil {
		err.Column = v.name
		return to, err
	}
	return out, nil
}

// fromExpr is the text that an expression gives, read; other types stand as they are.
type fromExpr struct {
	*expr
	reading
	text bool
}

func (c *compiler) fromExpr(n *node, f *form, s scope) value {
	r, ok := c.reading(f, s)
	converts := r.codes != nil || r.date != nil || r.span != nil || r.before != ""
	var want *cel.Type
	if converts {
		want = cel.StringType
	}
	e := s.compile(n, want, c.fs)
	if e == nil || !ok {
		return nil
	}
	return fromExpr{e, r, converts}
}

func (v fromExpr) append(to []byte, c *call) ([]byte, error) {
	if !v.text {
		out, err := v.expr.append(to, c.b)
		if err != nil {
			return to, &Refusal{Column: v.columns(), Why: err.Error()}
		}
		if len(out) == len(to) {
			out = append(out, v.def...)
		}
		return out, nil
	}
	x, err := v.eval(c.b)
	if err != nil {
		return to, &Refusal{Column: v.columns(), Why: err.Error()}
	}
	s, _ := x.(types.String)
	out, refusal := v.read(to, string(s), c)
	if refusal != nil {
		refusal.Column = v.columns()
		return to, refusal
	}
	return out, nil
}

// columns names what the expression read, for a message.
func (e *expr) columns() string {
	var names []string
	for _, s := range e.used {
		if n := strings.TrimPrefix(s.name, "row."); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// reading compiles the modifiers of a text.
func (c *compiler) reading(f *form, s scope) (r reading, ok bool) {
	had := len(c.fs.list)
	r.null = c.nullsOf(f)
	r.before = f.text("before")
	conversions := 0
	if n := f.get("code"); n != nil {
		conversions++
		if r.codes = c.codes[n.text]; r.codes == nil {
			c.fs.add(n, "no code table %s%s", n.text, didYouMean(n.text, keysOf(c.codes)))
		}
	}
	if n := f.get("date"); n != nil {
		conversions++
		r.date = c.moment(n, f, s)
	} else if t := f.get("time"); t != nil {
		c.fs.add(t, "time stands beside date")
	} else if u := f.get("unknown"); u != nil {
		c.fs.add(u, "unknown stands beside date: the dates that mean none")
	}
	if n := f.get("number"); n != nil {
		conversions++
		r.span = c.span(n)
	}
	if conversions > 1 {
		c.fs.add(f.n, "a field is converted once: by code, date or number")
	}
	if n := f.get("default"); n != nil {
		r.def = constant(n, c.fs)
	}
	return r, len(c.fs.list) == had
}

func keysOf[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// read converts one text.
func (r *reading) read(to []byte, s string, c *call) ([]byte, *Refusal) {
	s = strings.TrimSpace(s)
	if r.before != "" {
		s, _, _ = strings.Cut(s, r.before)
	}
	start := len(to)
	var refusal *Refusal
	switch {
	case slices.Contains(r.null, s):
	case r.codes != nil:
		to, refusal = r.codes.append(to, s)
	case s == "":
	case r.date != nil:
		to, refusal = r.date.append(to, s, c)
	case r.span != nil:
		to, refusal = r.span.append(to, s)
	default:
		to = appendText(to, s)
	}
	if refusal == nil && len(to) == start {
		to = append(to, r.def...)
	}
	return to, refusal
}

// span compiles number: whole | decimal | {min, max, whole}.
func (c *compiler) span(n *node) *span {
	v := &span{min: math.Inf(-1), max: math.Inf(1)}
	if n.shape == text {
		switch n.text {
		case "whole":
			v.whole = true
		case "decimal":
		default:
			c.fs.add(n, "number is whole, decimal or {min, max, whole}")
		}
		return v
	}
	f := formOf(n, c.fs, "number")
	for name, to := range map[string]*float64{"min": &v.min, "max": &v.max} {
		if b := f.get(name); b != nil {
			x, err := strconv.ParseFloat(b.text, 64)
			if err != nil || math.IsNaN(x) {
				c.fs.add(b, "%s is a number", name)
			}
			*to = x
		}
	}
	v.whole = f.flag("whole")
	f.done()
	return v
}

// moment is a date, or with a time of day a point in time in the site's zone.
type moment struct {
	pattern
	unknown []string
	tod     *source
	todPat  pattern
	todNone []string
	zone    *zone
}

// zone is the site's time zone. loc is nil where the site said that it is not
// known: then a time of day means no point in time, and only dates are written.
type zone struct {
	name string
	loc  *time.Location
	used bool // some field joins a date and a time of day
}

func (c *compiler) moment(n *node, f *form, s scope) *moment {
	m := &moment{zone: c.zone}
	var ok bool
	if n.shape != text {
		c.fs.add(n, "date is a format such as DD/MM/YYYY")
		return nil
	}
	if m.pattern, ok = readPattern(n, c.fs); !ok {
		return nil
	}
	m.unknown = values(f.texts("unknown"))
	t := f.get("time")
	if t == nil {
		return m
	}
	if !m.day || m.clock {
		c.fs.add(t, "time needs a date with a day and without a time of its own")
	}
	tf := formOf(t, c.fs, "time")
	if from := tf.get("from"); from == nil {
		c.fs.add(t, "time needs from: the column that holds the time of day")
	} else if src, found := s.find(from, c.fs); found {
		m.tod = &src
	}
	if p := tf.get("format"); p == nil {
		c.fs.add(t, "time needs a format such as hh:mm")
	} else if m.todPat, ok = readPattern(p, c.fs); ok && (m.todPat.date || !m.todPat.clock) {
		c.fs.add(p, "the format of a time of day has hours and no date")
	}
	m.todNone = values(tf.texts("unknown"))
	tf.done()
	c.zone.used = true
	return m
}

func (m *moment) append(to []byte, s string, c *call) ([]byte, *Refusal) {
	if slices.Contains(m.unknown, s) {
		return to, nil
	}
	t, ok := m.parse(s)
	if !ok {
		return to, &Refusal{Why: "is not a date of the form " + m.written}
	}
	if m.tod == nil {
		if m.clock {
			return m.instant(to, t), nil
		}
		return appendText(to, m.iso(t)), nil
	}
	at := strings.TrimSpace(c.b[m.tod.slot][m.tod.col])
	if at == "" || slices.Contains(m.todNone, at) {
		return appendText(to, m.iso(t)), nil
	}
	tod, ok := m.todPat.parse(at)
	if !ok {
		return to, &Refusal{Why: "its time (" + m.tod.name + ") is not of the form " + m.todPat.written}
	}
	return m.join(to, t, tod), nil
}

// instant writes a date with its own time of day.
func (m *moment) instant(to []byte, t time.Time) []byte { return m.join(to, t, t) }

func (m *moment) join(to []byte, date, tod time.Time) []byte {
	if m.zone.loc != nil {
		if at, ok := clock(date, tod, m.zone.loc); ok {
			return appendText(to, at.Format("2006-01-02T15:04:05Z07:00"))
		}
	}
	return appendText(to, date.Format("2006-01-02"))
}

// parts is a column that holds several values.
type parts struct {
	source
	sep string
	reading
}

func (c *compiler) split(n *node, f *form, s scope) value {
	if n.shape != text {
		c.fs.add(n, "split is the name of a column that holds several values")
		return nil
	}
	sep := f.get("at")
	if sep == nil || sep.shape != text || sep.text == "" {
		c.fs.add(n, `split needs at: what stands between the values, e.g. at: " "`)
		return nil
	}
	r, ok := c.reading(f, s)
	src, found := s.find(n, c.fs)
	if !ok || !found {
		return nil
	}
	return parts{src, sep.text, r}
}

func (v parts) append(to []byte, c *call) ([]byte, error) {
	start := len(to)
	all := strings.TrimSpace(c.b[v.slot][v.col])
	if all == "" || slices.Contains(v.null, all) {
		return to, nil
	}
	n := 0
	to = append(to, '[')
	for p := range strings.SplitSeq(all, v.sep) {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		mark := len(to)
		if n > 0 {
			to = append(to, ',')
		}
		before := len(to)
		out, err := v.read(to, p, c)
		if err != nil {
			err.Column = v.name
			return to[:start], err
		}
		if len(out) == before {
			to = to[:mark]
			continue
		}
		to = out
		n++
	}
	if n == 0 {
		return to[:start], nil
	}
	return append(to, ']'), nil
}

// across is one value for each column whose name fits a pattern, but those that
// say nothing.
type across struct {
	each  [][]string // column, match, value: what each.x gives
	cols  []source
	value value
	null  []string
}

func (c *compiler) columns(n *node, f *form, s scope) value {
	item := f.get("each")
	pre, post, ok := strings.Cut(n.text, "*")
	if n.shape != text || !ok || strings.Contains(post, "*") {
		c.fs.add(n, "columns is a name with one *, e.g. item*")
		return nil
	}
	if item == nil {
		c.fs.add(n, "columns needs each: what is written for each column")
		return nil
	}
	if s.cols["each"] != nil {
		c.fs.add(n, "an each cannot stand inside another")
		return nil
	}
	inner, err := s.with("each", []string{"column", "match", "value"})
	if err != nil {
		c.fs.add(n, "%v", err)
		return nil
	}
	outer := s.mark
	inner.mark = func(name, col string) {
		if name != "each" {
			outer(name, col)
		}
	}
	v := &across{null: c.nullsOf(f)}
	only := values(f.texts("only"))
	for i, col := range s.cols["row"] {
		rest, ok := strings.CutPrefix(col, pre)
		match, fits := strings.CutSuffix(rest, post)
		if !ok || !fits || match == "" || len(only) > 0 && !slices.Contains(only, match) || len(only) == 0 && strings.Trim(match, "0123456789") != "" {
			continue
		}
		s.mark("row", col)
		v.cols = append(v.cols, source{slot: 0, col: i, name: col})
		v.each = append(v.each, []string{col, match, ""})
	}
	if len(v.cols) == 0 {
		c.fs.add(n, "no column fits %s", n.text)
	}
	v.value = c.value(item, inner)
	if v.value == nil {
		return nil
	}
	return v
}

func (v *across) append(to []byte, c *call) ([]byte, error) {
	outer := c.b
	defer func() { c.b = outer }()
	each := make([]string, 3)
	c.b = append(outer[:len(outer):len(outer)], each)
	b := builder{to: to, start: len(to)}
	for i, src := range v.cols {
		copy(each, v.each[i])
		if each[2] = strings.TrimSpace(outer[src.slot][src.col]); slices.Contains(v.null, each[2]) {
			continue
		}
		if err := b.add(v.value, c); err != nil {
			return to, naming(err, src.name)
		}
	}
	return b.done(), nil
}

// naming puts a column's name in the place of each.value in a refusal.
func naming(err error, column string) error {
	if r, ok := err.(*Refusal); ok && (r.Column == "" || strings.HasPrefix(r.Column, "each.")) {
		r.Column = column
	}
	return err
}
