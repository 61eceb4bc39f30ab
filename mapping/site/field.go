package site

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
)

// value computes a field of a record: it appends JSON, or nothing when there is
// nothing to say.
type value interface {
	append(to []byte, c *call) ([]byte, error)
}

// call is one row on its way to one record.
type call struct {
	b    bound
	rel  Relations
	refs []Ref
	used []Place
}

// verbs say where a field's value comes from; each field has one of them.
var verbs = []string{"from", "const", "expr", "key", "ref", "split", "columns", "join", "list", "fields"}

// compiler turns YAML into values.
type compiler struct {
	fs     *faults
	codes  map[string]*codes
	nulls  []string // what means nothing, where a field says nothing else
	zone   *zone
	table  *Table
	tables map[string]*Table
	joins  map[string]*Relation
	joined map[string]bool // which of them are used
	kinds  map[string]bool // every kind that some table emits
	refs   *[]refUse       // where kinds are referred to, to be checked when all tables are read
}

type refUse struct {
	n    *node
	kind string
}

// value compiles one field. A single value is short for {from: it}.
func (c *compiler) value(n *node, s scope) value {
	if n.shape == text {
		return c.fromText(n, formOf(&node{file: n.file, line: n.line, col: n.col, shape: dict}, c.fs, ""), s)
	}
	f := formOf(n, c.fs, "a field")
	if n.shape != dict {
		return nil
	}
	var v value
	var verb string
	for _, name := range verbs {
		if n.key(name) == nil {
			continue
		}
		if verb != "" {
			c.fs.add(n, "a field has one source; this one has %s and %s", verb, name)
		}
		verb = name
	}
	at := f.get(verb)
	switch verb {
	case "":
		c.fs.add(n, "a field needs a source: one of %s", strings.Join(verbs, ", "))
		return nil
	case "from":
		v = c.fromText(at, f, s)
	case "const":
		if b := constant(at, c.fs); b == nil {
			c.fs.add(at, "const needs a value")
		} else {
			v = fixed(b)
		}
	case "expr":
		v = c.fromExpr(at, f, s)
	case "key":
		v = keyText{parts: c.sources(at, "key", s), null: c.nulls}
	case "ref":
		v = c.ref(at, f, s)
	case "split":
		v = c.split(at, f, s)
	case "columns":
		v = c.columns(at, f, s)
	case "join":
		v = c.join(at, f, s)
	case "list":
		v = c.list(at, s)
	case "fields":
		v = c.object(at, s)
	}
	if w := f.get("when"); w != nil && v != nil {
		if e := s.compile(w, cel.BoolType, c.fs); e != nil {
			v = conditional{when: e, then: v}
		}
	}
	if f.flag("required") && v != nil {
		v = required{v: v, name: c.nameOf(verb, at)}
	}
	for _, name := range verbs {
		f.seen[name] = true // named above already
	}
	f.have = append(f.have, verbs...)
	f.done()
	return v
}

func (c *compiler) nameOf(verb string, at *node) string {
	if at != nil && at.shape == text && verb != "expr" {
		return at.text
	}
	return ""
}

// sources resolves a list of columns.
func (c *compiler) sources(n *node, what string, s scope) []source {
	var out []source
	for _, i := range textsOf(n, what, c.fs) {
		if src, ok := s.find(i, c.fs); ok {
			out = append(out, src)
		}
	}
	if len(out) == 0 {
		c.fs.add(n, "%s needs at least one column", what)
	}
	return out
}

// nullsOf is what means nothing here: the field's own list or what holds around it.
func (c *compiler) nullsOf(f *form) []string {
	if n := f.get("null"); n != nil {
		return values(textsOf(n, "null", c.fs))
	}
	return c.nulls
}

// fixed is a constant.
type fixed []byte

func (v fixed) append(to []byte, _ *call) ([]byte, error) { return append(to, v...), nil }

// conditional is there only when its condition holds.
type conditional struct {
	when *expr
	then value
}

func (v conditional) append(to []byte, c *call) ([]byte, error) {
	ok, err := v.when.true(c.b)
	if err != nil {
		return to, &Refusal{Why: "the condition cannot be computed for this row"}
	}
	if !ok {
		return to, nil
	}
	return v.then.append(to, c)
}

// required turns nothing into a refusal.
type required struct {
	v    value
	name string
}

func (v required) append(to []byte, c *call) ([]byte, error) {
	before := len(to)
	to, err := v.v.append(to, c)
	if err == nil && len(to) == before {
		return to, &Refusal{Column: v.name, Why: "is required and says nothing"}
	}
	return to, err
}

// keyText is a business key as text.
type keyText struct {
	parts []source
	null  []string
}

func (v keyText) append(to []byte, c *call) ([]byte, error) {
	k, err := v.key(c)
	if err != nil {
		return to, err
	}
	return appendText(to, k), nil
}

// key joins the parts; each must say something.
func (v keyText) key(c *call) (string, error) {
	parts := make([]string, len(v.parts))
	for i, p := range v.parts {
		parts[i] = strings.TrimSpace(c.b[p.slot][p.col])
		if parts[i] == "" || slices.Contains(v.null, parts[i]) {
			return "", &Refusal{Column: p.name, Why: "is part of a key and says nothing"}
		}
	}
	return JoinKey(parts...), nil
}

// JoinKey makes one business key of its parts, so that no two different lists of
// parts give the same key.
func JoinKey(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('|')
		}
		if strings.ContainsAny(p, `|\`) {
			p = strings.NewReplacer(`\`, `\\`, `|`, `\|`).Replace(p)
		}
		b.WriteString(p)
	}
	return b.String()
}

// object is a nested record; nothing when no field says anything. A constant says
// nothing by itself: a coding whose code is missing is no coding, whatever its
// system. Only where there are but constants do they stand alone.
type object struct {
	names  [][]byte // quoted, with the colon
	values []value
	read   bool // some field is more than a constant
}

func (c *compiler) object(n *node, s scope) value {
	if n.shape != dict {
		c.fs.add(n, "fields is a map of fields, not %s", n.what())
		return nil
	}
	var o object
	for i, k := range n.keys {
		v := c.value(n.items[i], s)
		if v == nil {
			continue
		}
		o.names = append(o.names, append(appendText(nil, k.text), ':'))
		o.values = append(o.values, v)
		if _, constant := v.(fixed); !constant {
			o.read = true
		}
	}
	return o
}

func (v object) append(to []byte, c *call) ([]byte, error) {
	start := len(to)
	to = append(to, '{')
	to, said, err := v.members(to, 0, c)
	if err != nil || !said && (v.read || len(v.values) == 0) {
		return to[:start], err
	}
	return append(to, '}'), nil
}

// members writes the fields without the braces; n is how many stand before them.
// said reports whether one that is no constant is among them.
func (v object) members(to []byte, n int, c *call) (out []byte, said bool, err error) {
	for i, f := range v.values {
		mark := len(to)
		if n > 0 {
			to = append(to, ',')
		}
		to = append(to, v.names[i]...)
		before := len(to)
		if to, err = f.append(to, c); err != nil {
			return to[:mark], said, err
		}
		if len(to) == before {
			to = to[:mark]
			continue
		}
		if _, constant := f.(fixed); !constant {
			said = true
		}
		n++
	}
	return to, said, nil
}

// items is a list of values; nothing when none says anything.
type items []value

func (c *compiler) list(n *node, s scope) value {
	if n.shape != list {
		c.fs.add(n, "list is a list of fields, not %s", n.what())
		return nil
	}
	var out items
	for _, i := range n.items {
		if v := c.value(i, s); v != nil {
			out = append(out, v)
		}
	}
	return out
}

func (v items) append(to []byte, c *call) ([]byte, error) {
	b := builder{to: to, start: len(to)}
	for _, i := range v {
		if err := b.add(i, c); err != nil {
			return to, err
		}
	}
	return b.done(), nil
}

// builder writes a JSON list that leaves out what says nothing.
type builder struct {
	to    []byte
	start int
	n     int
}

func (b *builder) add(v value, c *call) error {
	if j, ok := v.(*joined); ok { // its rows are elements of this list
		return j.each(b, c)
	}
	mark := len(b.to)
	if b.n == 0 {
		b.to = append(b.to, '[')
	} else {
		b.to = append(b.to, ',')
	}
	before := len(b.to)
	to, err := v.append(b.to, c)
	if err != nil {
		return err
	}
	if len(to) == before {
		b.to = to[:mark]
		return nil
	}
	b.to, b.n = to, b.n+1
	return nil
}

func (b *builder) done() []byte {
	if b.n == 0 {
		return b.to[:b.start]
	}
	return append(b.to, ']')
}

// reference names another record by its key, and makes this one depend on it.
type reference struct {
	kind string
	key  keyText
	null []string // a first part that says so: no reference
}

func (c *compiler) ref(n *node, f *form, s scope) value {
	if n.shape != text {
		c.fs.add(n, "ref is the kind of record that is referred to")
		return nil
	}
	*c.refs = append(*c.refs, refUse{n, n.text})
	k := f.get("by")
	if k == nil {
		c.fs.add(n, "ref needs by: the columns that hold the key of the %s", n.text)
		return nil
	}
	return reference{kind: n.text, key: keyText{parts: c.sources(k, "by", s)}, null: c.nullsOf(f)}
}

func (v reference) append(to []byte, c *call) ([]byte, error) {
	// A reference whose last part is empty names nobody; one whose other parts are
	// is a broken key.
	last := v.key.parts[len(v.key.parts)-1]
	if s := strings.TrimSpace(c.b[last.slot][last.col]); s == "" || slices.Contains(v.null, s) {
		return to, nil
	}
	k, err := v.key.key(c)
	if err != nil {
		return to, err
	}
	c.refs = append(c.refs, Ref{v.kind, k})
	return appendText(to, k), nil
}

// number bounds.
type span struct {
	min, max float64
	whole    bool
}

func (v span) append(to []byte, s string) ([]byte, *Refusal) {
	bad := func(why string) ([]byte, *Refusal) { return to, &Refusal{Why: why} }
	x, err := strconv.ParseFloat(s, 64)
	trimmed := strings.TrimLeft(strings.TrimPrefix(s, "-"), "0")
	if err != nil || len(s) > 20 || strings.Trim(s, "0123456789.-") != "" {
		return bad("is not a number")
	}
	if v.whole && strings.ContainsRune(s, '.') {
		return bad("is not a whole number")
	}
	if x < v.min || x > v.max {
		return bad("is not between " + strconv.FormatFloat(v.min, 'f', -1, 64) + " and " + strconv.FormatFloat(v.max, 'f', -1, 64))
	}
	if trimmed == "" || trimmed[0] == '.' {
		trimmed = "0" + trimmed
	}
	if strings.HasSuffix(trimmed, ".") {
		return bad("is not a number")
	}
	if s[0] == '-' {
		to = append(to, '-')
	}
	return append(to, trimmed...), nil
}
