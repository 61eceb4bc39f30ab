package site

import (
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
)

// Table is what a site file says about one file of rows. It is immutable once
// loaded and safe for concurrent use.
type Table struct {
	Name     string   // the file's name without .csv
	Columns  []string // the header that is declared
	Relation []*Relation
	Emits    []string // the kinds of records that its rows give
	About    bool     // its rows describe the upload, not a person's care
	Sheet    string   // of a workbook, where it is called otherwise than the table
	Delete   *Deletion
	Digits   map[int]int // column → how many digits its numbers have, zeros in front included

	keyColumns []string
	key        []source
	null       []string
	tenant     value
	checks     []check
	emits      []*emit
	read       map[string]bool
	ignored    map[string]bool
	optional   map[string]bool
	node       *node
}

// check is a condition that each row must meet.
type check struct {
	ok     *expr
	reason string
}

// emit is one record that a row gives.
type emit struct {
	kind   string
	when   *expr
	key    keyText
	suffix string
	fields object
	joins  []Join
}

// Key returns a row's business key. ok is false where a part is missing.
func (t *Table) Key(values []string) (string, bool) { return keyOf(t.key, t.null, values) }

func keyOf(key []source, null, values []string) (string, bool) {
	parts := make([]string, len(key))
	for i, p := range key {
		if p.col >= len(values) {
			return "", false
		}
		if parts[i] = strings.TrimSpace(values[p.col]); parts[i] == "" || slices.Contains(null, parts[i]) {
			return "", false
		}
	}
	return JoinKey(parts...), len(parts) > 0
}

// KeyColumns names the columns of the key, for messages.
func (t *Table) KeyColumns() string { return strings.Join(t.keyColumns, ", ") }

// Optional reports whether a file may leave a column out.
func (t *Table) Optional(column string) bool { return t.optional[column] }

// Whole puts back the zeros in front of a number of a column that a workbook dropped.
func (t *Table) Whole(column int, number string) string {
	n := t.Digits[column] - len(number)
	if n <= 0 || strings.Trim(number, "0123456789") != "" {
		return number
	}
	return strings.Repeat("0", n) + number
}

// Tenant returns the tenant that a row belongs to, "" where the site file does
// not say how to tell.
func (t *Table) Tenant(row Row) string {
	if t.tenant == nil {
		return ""
	}
	out, err := t.tenant.append(nil, &call{b: bound{row.Values}})
	if err != nil || len(out) < 2 {
		return ""
	}
	return strings.Trim(string(out), `"`)
}

// HasTenant reports whether rows say whose they are.
func (t *Table) HasTenant() bool { return t.tenant != nil }

// Check tests the conditions of the table's delete and check sections.
func (t *Table) Check(row Row) *Refusal {
	if r := t.Delete.unclear(row); r != nil {
		return r
	}
	for _, c := range t.checks {
		if ok, err := c.ok.true(bound{row.Values}); err != nil || !ok {
			return &Refusal{Column: c.ok.columns(), Why: c.reason}
		}
	}
	return nil
}

// Keys returns the records that a row would give if all conditions held: what is
// missing when the row gives none.
func (t *Table) Keys(row Row) []Ref {
	var out []Ref
	c := &call{b: bound{row.Values}}
	for _, e := range t.emits {
		if !e.key.within(len(row.Values)) {
			continue
		}
		if k, err := e.key.key(c); err == nil {
			out = append(out, Ref{e.kind, k + e.suffix})
		}
	}
	return out
}

func (v keyText) within(columns int) bool {
	for _, p := range v.parts {
		if p.slot != 0 || p.col >= columns {
			return false
		}
	}
	return true
}

// Certain returns the kinds of records that every row gives, or the first kind
// where each depends on the row.
func (t *Table) Certain() (out []string) {
	for _, e := range t.emits {
		if e.when == nil {
			out = append(out, e.kind)
		}
	}
	if len(out) == 0 && len(t.Emits) > 0 {
		out = t.Emits[:1]
	}
	return out
}

// Map turns a row into its records, all or none, and says which kinds they are or
// would have been. Any error is a [*Refusal].
func (t *Table) Map(row Row, rel Relations) ([]Record, []string, error) {
	b := make(bound, 1, 1+len(t.Relation)+1)
	b[0] = row.Values
	c := &call{b: b, rel: rel}
	var looked []Place
	for _, r := range t.Relation {
		if r.Many {
			continue
		}
		rows, err := r.find(c)
		if err != nil {
			return nil, t.Certain(), err
		}
		c.b = append(c.b, rows[0].Values)
		looked = append(looked, rows[0].Place)
	}
	if r := t.Check(row); r != nil {
		return nil, t.Certain(), r
	}
	emits, kinds := make([]*emit, 0, len(t.emits)), make([]string, 0, len(t.emits))
	for _, e := range t.emits {
		if e.when != nil {
			ok, err := e.when.true(c.b)
			if err != nil {
				return nil, t.Certain(), &Refusal{Column: e.when.columns(), Why: "the condition cannot be computed for this row"}
			}
			if !ok {
				continue
			}
		}
		emits, kinds = append(emits, e), append(kinds, e.kind)
	}
	out := make([]Record, 0, len(emits))
	for _, e := range emits {
		c.refs, c.used = nil, slices.Clone(looked)
		r, err := e.record(c)
		if err != nil {
			return nil, kinds, err
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, t.Certain(), &Refusal{Why: "none of the conditions under which a row of this table means something holds"}
	}
	return out, kinds, nil
}

func (e *emit) record(c *call) (Record, error) {
	key, err := e.key.key(c)
	if err != nil {
		return Record{}, err
	}
	key += e.suffix
	to := make([]byte, 0, 512)
	to = appendText(append(to, `{"key":`...), key)
	to, _, err = e.fields.members(to, 1, c)
	if err != nil {
		return Record{}, err
	}
	return Record{Ref: Ref{e.kind, key}, JSON: append(to, '}'), Refs: c.refs, Used: c.used}, nil
}

// header reads what must be known of every table before any is compiled: its
// columns and its key.
func (c *compiler) header(name *node, n *node) *Table {
	t := &Table{Name: strings.TrimSuffix(name.text, ".csv"), node: n, read: map[string]bool{}, ignored: map[string]bool{}, optional: map[string]bool{}}
	f := formOf(n, c.fs, "a table")
	for _, col := range f.texts("columns") {
		switch {
		case col.text == "":
			c.fs.add(col, "a column needs a name")
		case slices.Contains(t.Columns, col.text):
			c.fs.add(col, "column %s is declared twice", col.text)
		default:
			t.Columns = append(t.Columns, col.text)
		}
	}
	if len(t.Columns) == 0 {
		c.fs.add(name, "table %s needs columns: the header of its file", name.text)
	}
	for _, k := range f.texts("key") {
		i := slices.Index(t.Columns, k.text)
		if i < 0 {
			c.fs.add(k, "no column %s in the header%s", k.text, didYouMean(k.text, t.Columns))
			continue
		}
		t.keyColumns, t.key = append(t.keyColumns, k.text), append(t.key, source{col: i, name: k.text})
		t.read[k.text] = true
	}
	if len(t.key) == 0 {
		c.fs.add(name, "table %s needs a key: the columns that name one row", name.text)
	}
	for what, set := range map[string]map[string]bool{"ignore": t.ignored, "optional": t.optional} {
		for _, i := range f.texts(what) {
			if !slices.Contains(t.Columns, i.text) {
				c.fs.add(i, "no column %s in the header%s", i.text, didYouMean(i.text, t.Columns))
			}
			set[i.text] = true
		}
	}
	t.Digits = c.digits(f.get("digits"), t)
	t.About = f.flag("about")
	t.Sheet = f.text("sheet")
	t.null = c.nulls
	if x := f.get("null"); x != nil {
		t.null = values(textsOf(x, "null", c.fs))
	}
	for _, later := range []string{"tenant", "check", "delete", "lookup", "join", "emit"} {
		f.get(later)
	}
	f.done()
	return t
}

// digits reads how many digits the numbers of columns have: a workbook that takes
// them for numbers drops the zeros in front.
func (c *compiler) digits(n *node, t *Table) map[int]int {
	if n == nil {
		return nil
	}
	if n.shape != dict {
		c.fs.add(n, "digits is a map of columns to their number of digits, not %s", n.what())
		return nil
	}
	out := map[int]int{}
	for i, k := range n.keys {
		col := slices.Index(t.Columns, k.text)
		d, err := strconv.Atoi(n.items[i].text)
		switch {
		case col < 0:
			c.fs.add(k, "no column %s in the header%s", k.text, didYouMean(k.text, t.Columns))
		case err != nil || d < 2 || d > 20:
			c.fs.add(n.items[i], "digits of a column are 2 to 20")
		default:
			out[col] = d
		}
	}
	return out
}

// body compiles the rest of a table.
func (c *compiler) body(t *Table, env *cel.Env) {
	n := t.node
	if n.shape != dict || len(t.Columns) == 0 {
		return
	}
	c.table, c.joins, c.joined, c.nulls = t, map[string]*Relation{}, map[string]bool{}, t.null
	s, err := scope{env: env}.with("row", t.Columns)
	if err != nil {
		c.fs.add(n, "%v", err)
		return
	}
	s.mark = func(_, col string) { t.read[col] = true }
	if x := n.key("tenant"); x != nil {
		t.tenant = c.value(x, s)
	}
	c.checks(n.key("check"), s)
	t.Delete = c.deletion(n.key("delete"), n.key("emit") != nil, s)
	var rs []*Relation
	rs, s = c.relations(n.key("lookup"), false, c.tables, s)
	t.Relation = append(t.Relation, rs...)
	rs, s = c.relations(n.key("join"), true, c.tables, s)
	t.Relation = append(t.Relation, rs...)
	if e := n.key("emit"); e != nil {
		if e.shape != list {
			c.fs.add(e, "emit is a list of records, not %s", e.what())
		}
		for _, i := range e.items {
			c.emit(i, s)
		}
	}
	for name, r := range c.joins {
		if !c.joined[name] {
			c.fs.add(n.key("join").key(name), "nothing uses the join %s", r.Name)
		}
	}
}

func (c *compiler) checks(n *node, s scope) {
	if n == nil {
		return
	}
	if n.shape != list {
		c.fs.add(n, "check is a list of {expr, else}")
		return
	}
	for _, i := range n.items {
		f := formOf(i, c.fs, "a check")
		x, reason := f.get("expr"), f.text("else")
		f.done()
		if x == nil || reason == "" {
			c.fs.add(i, "a check needs expr and else: what is wrong when it does not hold")
			continue
		}
		if e := s.compile(x, cel.BoolType, c.fs); e != nil {
			c.table.checks = append(c.table.checks, check{e, reason})
		}
	}
}

func (c *compiler) emit(n *node, s scope) {
	f := formOf(n, c.fs, "a record")
	if n.shape != dict {
		return
	}
	e := &emit{suffix: f.text("suffix")}
	kind := f.get("kind")
	if kind == nil || kind.shape != text {
		c.fs.add(n, "a record needs its kind")
	} else {
		e.kind = kind.text
		c.kinds[kind.text] = true
		c.table.Emits = append(c.table.Emits, kind.text)
	}
	if e.suffix != "" {
		e.suffix = "|" + e.suffix
	}
	e.key = keyText{parts: c.table.key, null: c.table.null}
	if k := f.get("key"); k != nil {
		e.key.parts = c.sources(k, "key", s)
	}
	if w := f.get("when"); w != nil {
		e.when = s.compile(w, cel.BoolType, c.fs)
	}
	fields := f.get("fields")
	f.done()
	if fields == nil {
		c.fs.add(n, "a record needs fields")
		return
	}
	if o, ok := c.object(fields, s).(object); ok {
		e.fields = o
	}
	for i, k := range fields.keys {
		if j := fields.items[i].key("join"); j != nil && c.joins[j.text] != nil {
			e.joins = append(e.joins, Join{c.joins[j.text], k.text})
		}
	}
	if kind != nil {
		c.shape(kind, fields)
	}
	c.table.emits = append(c.table.emits, e)
}

// coverage names the columns that nothing reads: a column is used, or is named
// under ignore, so that nothing is left out by oversight.
func (c *compiler) coverage(t *Table) {
	if t.node.shape != dict {
		return
	}
	for _, col := range t.node.key("columns").list() {
		switch {
		case t.read[col.text] && t.ignored[col.text]:
			c.fs.add(col, "column %s is used, and named under ignore", col.text)
		case !t.read[col.text] && !t.ignored[col.text]:
			c.fs.add(col, "nothing uses column %s; map it or name it under ignore", col.text)
		}
	}
}

func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// Ignored lists the columns that are declared and never read.
func (t *Table) Ignored() (out []string) {
	for _, c := range t.Columns {
		if t.ignored[c] {
			out = append(out, c)
		}
	}
	return out
}

// Checks says what each row must meet, in the words of the site file.
func (t *Table) Checks() (out []string) {
	if s := t.Delete.check(); s != "" {
		out = append(out, t.Delete.column.name+" "+s)
	}
	for _, c := range t.checks {
		out = append(out, c.reason)
	}
	return out
}
