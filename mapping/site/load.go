package site

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a clinic's machine may have no zone files

	"rapport/fhir"
)

//go:embed files/*.yaml
var embedded embed.FS

// Mapping is a compiled site file. It is immutable and safe for concurrent use.
type Mapping struct {
	Name    string // of the site file, e.g. pmhc-v4
	Version string // name and version of it and of what it extends, for Provenance
	Title   string
	System  string // where the source's keys are unique; the system of identifiers
	Format  Format
	Zone    *time.Location // nil: not known, times of day are left out
	Times   bool           // some field joins a date and a time of day
	Tables  []*Table       // each behind those that it needs
	Digest  string         // SHA-256 of the site file and of what it extends

	resting map[string][]string // by kind: the kinds whose records refer to one of it
}

// Resting returns the kinds whose records the site file lets refer to a record of kind,
// sorted.
func (m *Mapping) Resting(kind string) []string { return m.resting[kind] }

// Table returns the table of a file or of a workbook's sheet by its name, with or
// without .csv, in any case and with spaces for hyphens; nil if the site file does
// not know it.
func (m *Mapping) Table(file string) *Table {
	name := file
	if n := len(file) - len(".csv"); n > 0 && strings.EqualFold(file[n:], ".csv") {
		name = file[:n]
	}
	for _, t := range m.Tables {
		if strings.EqualFold(t.Name, name) || strings.EqualFold(t.Name, strings.ReplaceAll(name, " ", "-")) || t.Sheet != "" && strings.EqualFold(t.Sheet, name) {
			return t
		}
	}
	return nil
}

// Names lists the embedded site files.
func Names() []string {
	entries, err := fs.ReadDir(embedded, "files")
	if err != nil { // it is part of the program
		panic(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return out
}

// Embedded compiles a site file that is part of the product, e.g. "pmhc-v4".
func Embedded(name string) (*Mapping, error) {
	src, err := embedded.ReadFile("files/" + name + ".yaml")
	if err != nil {
		return nil, &fhir.Error{Code: fhir.NotFound, Detail: fmt.Sprintf("there is no site mapping %q%s; there are: %s", name, didYouMean(name, Names()), strings.Join(Names(), ", "))}
	}
	return Parse(name+".yaml", src)
}

// Load reads and compiles a practice's own site file. Errors: those of [Parse];
// [fhir.NotFound] and [fhir.Invalid] for a file that cannot be read.
func Load(path string) (*Mapping, error) {
	name := filepath.Base(path)
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, &fhir.Error{Code: fhir.NotFound, Detail: name + ": there is no such site file", Err: err}
		}
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: name + ": the site file cannot be read", Err: err}
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: name + ": the site file cannot be read to its end", Err: err}
	}
	return Parse(name, src)
}

// Parse compiles a site file. file names it in faults. A file that is not right in
// every part does not load: the error is [Faults], each with line and column.
func Parse(file string, src []byte) (*Mapping, error) {
	fs := &faults{}
	doc := parseYAML(file, src, fs)
	if err := fs.err(); err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(src)
	own, base := doc, (*node)(nil)
	if x := doc.key("extends"); x != nil {
		raw, err := embedded.ReadFile("files/" + x.text + ".yaml")
		if err != nil || x.shape != text {
			fs.add(x, "extends names a site mapping of the product; there are: %s", strings.Join(Names(), ", "))
			return nil, fs.err()
		}
		h.Write(raw)
		if base = parseYAML(x.text+".yaml", raw, fs); base == nil {
			return nil, fs.err()
		}
		doc = extend(base, own, fs)
	}
	m := compile(doc, own, base, fs)
	if err := fs.err(); err != nil {
		return nil, err
	}
	m.Digest = hex.EncodeToString(h.Sum(nil))
	return m, nil
}

// extend puts a practice's own settings over a mapping of the product. It may
// say how its files are written, where it is, and what its codes mean; which
// column becomes what stays the product's.
func extend(base, own *node, fs *faults) *node {
	f := formOf(own, fs, "a site file")
	f.get("extends")
	out := *base
	out.keys, out.items = slices.Clone(base.keys), slices.Clone(base.items)
	set := func(k string, v *node) {
		for i, have := range out.keys {
			if have.text == k {
				out.items[i] = v
				return
			}
		}
		out.keys, out.items = append(out.keys, &node{file: own.file, line: v.line, col: v.col, shape: text, text: k}), append(out.items, v)
	}
	for _, k := range []string{"site", "version", "title", "timezone", "source"} {
		if v := f.get(k); v != nil {
			set(k, v)
		}
	}
	if v := own.key("site"); v == nil {
		fs.add(own, "a site file needs site: its name")
	}
	if own.key("timezone") == nil && base.key("timezone") != nil {
		fs.add(own, "timezone is required: the zone of the times of day, e.g. Australia/Melbourne, or unknown, and only dates are written")
	}
	if codes := f.get("codes"); codes != nil {
		set("codes", merged(base.key("codes"), codes, fs))
	}
	f.done()
	return &out
}

// merged lays code tables over those of the product, code by code.
func merged(base, own *node, fs *faults) *node {
	out := &node{file: own.file, line: own.line, col: own.col, shape: dict}
	if base != nil {
		out.keys, out.items = slices.Clone(base.keys), slices.Clone(base.items)
	}
	if own.shape != dict {
		fs.add(own, "codes is a map of code tables")
		return out
	}
	for i, k := range own.keys {
		at := slices.IndexFunc(out.keys, func(h *node) bool { return h.text == k.text })
		if at < 0 {
			fs.add(k, "%s is none of the code tables of the mapping that is extended%s", k.text, didYouMean(k.text, values(out.keys)))
			continue
		}
		t, with := *out.items[at], own.items[i]
		t.keys, t.items = slices.Clone(t.keys), slices.Clone(t.items)
		for j, f := range with.keys {
			v := with.items[j]
			old := t.key(f.text)
			if f.text == "map" && old != nil && v.shape == dict && old.shape == dict {
				m := *old
				m.keys, m.items = slices.Clone(old.keys), slices.Clone(old.items)
				for x, code := range v.keys {
					if y := slices.IndexFunc(m.keys, func(h *node) bool { return h.text == code.text }); y >= 0 {
						m.items[y] = v.items[x]
					} else {
						m.keys, m.items = append(m.keys, code), append(m.items, v.items[x])
					}
				}
				v = &m
			}
			if y := slices.IndexFunc(t.keys, func(h *node) bool { return h.text == f.text }); y >= 0 {
				t.items[y] = v
			} else {
				t.keys, t.items = append(t.keys, f), append(t.items, v)
			}
		}
		out.items[at] = &t
	}
	return out
}

func compile(doc, own, base *node, fs *faults) *Mapping {
	m := &Mapping{}
	f := formOf(doc, fs, "a site file")
	if doc.shape != dict {
		return m
	}
	need := func(key, what string) string {
		s := f.text(key)
		if s == "" && doc.key(key) == nil {
			fs.add(doc, "a site file needs %s: %s", key, what)
		}
		return s
	}
	m.Name = need("site", "its name")
	version := need("version", "a number that grows with each change")
	if n, err := strconv.Atoi(version); version != "" && (err != nil || n < 1) {
		fs.add(doc.key("version"), "version is a whole number from 1")
	}
	m.Version = m.Name + " " + version
	if base != nil {
		m.Version += " on " + base.key("site").text + " " + base.key("version").text
	}
	m.Title = f.text("title")
	m.System = need("system", "the URI under which the source's keys are unique")
	if s := m.System; s != "" && !strings.Contains(s, ":") {
		fs.add(doc.key("system"), "system is a URI, e.g. urn:example:practice")
	}
	c := &compiler{fs: fs, kinds: map[string]bool{}, zone: &zone{}, nulls: []string{""}, refs: new([]refUse)}
	m.Format = c.format(f.get("source"))
	c.readZone(f.get("timezone"))
	c.codes = readCodes(f.get("codes"), fs)
	tables := f.get("tables")
	f.get("extends")
	f.done()
	if tables == nil || tables.shape != dict || len(tables.keys) == 0 {
		fs.add(doc, "a site file needs tables: a map of the files that it reads")
		return m
	}
	c.tables = map[string]*Table{}
	var order []*Table
	for i, k := range tables.keys {
		t := c.header(k, tables.items[i])
		if c.tables[t.Name] != nil {
			fs.add(k, "table %s occurs twice", t.Name)
		}
		c.tables[t.Name] = t
		order = append(order, t)
	}
	env, err := newEnv()
	if err != nil {
		fs.add(doc, "expressions cannot be set up: %v", err)
		return m
	}
	nulls := c.nulls
	needs := map[*Table][]refUse{}
	m.resting = map[string][]string{}
	for _, t := range order {
		c.nulls = nulls
		*c.refs = nil
		c.body(t, env)
		needs[t] = slices.Clone(*c.refs)
		for _, use := range needs[t] {
			m.resting[use.kind] = append(m.resting[use.kind], t.Emits...)
		}
	}
	for kind, on := range m.resting {
		slices.Sort(on)
		m.resting[kind] = slices.Compact(on)
	}
	found := map[string]bool{}
	for _, t := range order {
		c.coverage(t)
		for _, r := range t.Relation {
			found[r.Table] = true
		}
	}
	for i, t := range order {
		if len(t.Emits) == 0 && !t.About && !found[t.Name] && len(t.Columns) > 0 && t.node.key("emit") == nil {
			fs.add(tables.keys[i], "table %s gives no record, and no other table finds rows in it; say emit, or leave it out", t.Name)
		}
	}
	if c.zone.used && c.zone.name == "" {
		fs.add(doc, "timezone is required, since dates and times of day are joined: a zone, e.g. Australia/Melbourne, or unknown, and only dates are written")
	}
	m.Zone, m.Times = c.zone.loc, c.zone.used
	m.Tables = c.sorted(order, needs)
	return m
}

// format compiles the source section.
func (c *compiler) format(n *node) (out Format) {
	if n == nil {
		return out
	}
	f := formOf(n, c.fs, "source")
	if d := f.get("delimiter"); d != nil {
		named := map[string]byte{"comma": ',', "semicolon": ';', "tab": '\t', "bar": '|', ",": ',', ";": ';', "\t": '\t', "|": '|'}
		if out.Delimiter = named[d.text]; out.Delimiter == 0 {
			c.fs.add(d, "delimiter is comma, semicolon, tab or bar")
		}
	}
	if e := f.get("encoding"); e != nil {
		known := []string{"utf-8", "windows-1252", "iso-8859-1", "iso-8859-15", "utf-16"}
		if out.Encoding = strings.ToLower(e.text); out.Encoding == "latin-1" {
			out.Encoding = "iso-8859-1"
		}
		if !slices.Contains(known, out.Encoding) {
			c.fs.add(e, "encoding is one of %s", strings.Join(known, ", "))
		}
	}
	if x := f.get("null"); x != nil {
		c.nulls = values(textsOf(x, "null", c.fs))
	}
	f.done()
	return out
}

// readZone compiles timezone. There is no default: a session at half past nine
// is a different moment in each zone, and none of them was stated.
func (c *compiler) readZone(n *node) {
	if n == nil {
		return
	}
	if c.zone.name = n.text; n.text == "unknown" {
		return
	}
	loc, err := time.LoadLocation(n.text)
	if err != nil || n.shape != text || n.text == "" || n.text == "Local" {
		c.fs.add(n, "timezone is a zone of the IANA database, e.g. Australia/Melbourne, or unknown")
		return
	}
	c.zone.loc = loc
}

// sorted puts each table behind those that it needs: what it looks up, gathers or
// refers to is then known to be good, or not, before it is read.
func (c *compiler) sorted(order []*Table, refs map[*Table][]refUse) []*Table {
	emitters := map[string][]*Table{}
	for _, t := range order {
		for _, k := range t.Emits {
			emitters[k] = append(emitters[k], t)
		}
	}
	var out []*Table
	state := map[*Table]int{} // 1: on the way, 2: done
	var visit func(t *Table) bool
	visit = func(t *Table) bool {
		if state[t] != 0 {
			return state[t] == 2
		}
		state[t] = 1
		after := func(n *node, dep *Table) {
			if dep != nil && dep != t && !visit(dep) && state[dep] == 1 {
				c.fs.add(n, "tables %s and %s each need the other first", t.Name, dep.Name)
				state[dep] = 2
			}
		}
		for _, r := range t.Relation {
			after(t.node, c.tables[r.Table])
		}
		for _, use := range refs[t] {
			if !c.known(use.kind) {
				c.fs.add(use.n, "there is no kind of record called %s%s", use.kind, didYouMean(use.kind, c.knownKinds()))
			}
			for _, dep := range emitters[use.kind] {
				after(use.n, dep)
			}
		}
		state[t] = 2
		out = append(out, t)
		return true
	}
	for _, t := range order {
		visit(t)
	}
	return out
}
