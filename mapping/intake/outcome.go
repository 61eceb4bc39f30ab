package intake

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"rapport/mapping/site"
)

// count returns the counts of a table's file.
func (r *run) count(file string) *Counts {
	c := r.tables[file]
	if c == nil {
		c = &Counts{Name: file}
		r.tables[file] = c
		r.order = append(r.order, file)
	}
	return c
}

func count(m map[string]*Counts, name string) *Counts {
	c := m[name]
	if c == nil {
		c = &Counts{Name: name}
		m[name] = c
	}
	return c
}

// ended records a row that is stored.
func (r *run) ended(p site.Place, o Outcome) {
	r.count(p.File).add(o, 1)
	if o != Created {
		k := Lines{Outcome: o, File: p.File}
		r.lines[k] = append(r.lines[k], int32(p.Line))
	}
}

// fail records a row that was not stored.
func (r *run) fail(p site.Place, o Outcome, why string) {
	r.count(p.File).add(o, 1)
	r.sum.Failed++
	if len(r.sum.Failures) < maxListed {
		r.sum.Failures = append(r.sum.Failures, Failure{Place: p, Outcome: o, Reason: why})
	}
}

// reject records a row that is not taken, and what will be missing for it. Only a
// row of ours can be missed: another tenant's may bear the same keys.
func (r *run) reject(t *site.Table, h *held, row site.Row, fault string) {
	r.tick(row.Place)
	if r.wanted(row.Place) {
		r.fail(row.Place, Rejected, fault)
		for _, kind := range t.Certain() {
			count(r.kinds, kind).add(Rejected, 1)
		}
	}
	if _, ok := t.Key(row.Values); !ok {
		r.ledger.suspect(row.Place, t.Emits)
	}
	r.ledger.lose(row.Place, t.Keys(row))
	if h != nil {
		h.lose(row)
	}
}

// quarantine records a row that cannot be stored, with the records it would have
// given and the rows of other tables that would have gone into them.
func (r *run) quarantine(t *site.Table, row site.Row, kinds []string, reason string) {
	if r.wanted(row.Place) {
		r.fail(row.Place, Quarantined, reason)
		for _, kind := range kinds {
			count(r.kinds, kind).add(Quarantined, 1)
		}
	}
	r.ledger.lose(row.Place, t.Keys(row))
	for _, rel := range t.Relation {
		h := r.held[rel.Table]
		if h == nil || len(h.table.Emits) > 0 {
			continue
		}
		if k, ok := rel.Ours(row.Values); ok {
			for _, n := range h.by[rel.By()].under(markOf("", k)) {
				h.use(int(h.lines[n.row]), Quarantined, fmt.Sprintf("belongs to a row that was not stored (%s)", row.Place))
			}
		}
	}
}

// settle gives the rows of a table without records of its own their outcome: that
// of what was made with them.
func (r *run) settle(h *held) {
	file := r.files[h.table.Name]
	if file == "" {
		return
	}
	for i, line := range h.lines {
		at := site.Place{File: file, Line: int(line)}
		if !r.wanted(at) {
			continue
		}
		switch h.state[i] {
		case Quarantined, Rejected:
			r.fail(at, h.state[i], h.why[i])
		case None:
			r.fail(at, Quarantined, "nothing in this upload belongs to it, so nothing could be made of it; upload them together")
		default:
			r.ended(at, h.state[i])
		}
	}
}

// unknownFiles counts the files that the site file does not know.
func (r *run) unknownFiles() {
	for _, f := range r.Source.Tables() {
		if r.Site.Table(f) != nil || r.Only != nil {
			continue
		}
		names := make([]string, 0, len(r.Site.Tables))
		for _, t := range r.Site.Tables {
			names = append(names, t.Name)
		}
		slices.Sort(names)
		r.fail(site.Place{File: f, Line: 1}, Rejected, fmt.Sprintf("the site mapping %s has no table of this name; it has %s", r.Site.Name, strings.Join(names, ", ")))
	}
}

// skipped returns what was handed over and is no table by its ending. What is one by its
// name, and the only one of it, is rejected: its rows would be missed by nobody else.
func (r *run) skipped() []string {
	return slices.DeleteFunc(slices.Clone(r.Source.Skipped()), func(f string) bool {
		t := r.Site.Table(strings.TrimSuffix(f, path.Ext(f)))
		if t == nil || r.files[t.Name] != "" || r.Only != nil {
			return false
		}
		r.fail(site.Place{File: f, Line: 1}, Rejected, fmt.Sprintf("has the name of the table %s and not the ending of one, so none of its rows was read; call it %s.csv", t.Name, t.Name))
		return true
	})
}
