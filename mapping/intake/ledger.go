package intake

import (
	"rapport/fhir"
	"rapport/mapping/practice"
	"rapport/mapping/site"
)

// ledger remembers what became of the records of a run: which ones are there and
// which ones are not, so that what depends on the latter is named and not written.
type ledger struct {
	good  marks
	bad   map[mark]site.Place   // by failures, which are few
	doubt map[string]site.Place // kinds of which some record is lost and cannot be named
}

func newLedger() *ledger {
	return &ledger{bad: map[mark]site.Place{}, doubt: map[string]site.Place{}}
}

func (l *ledger) has(r site.Ref) bool {
	return l.good.has(markOf(r.Kind, r.Key))
}

// keep notes a record as given.
func (l *ledger) keep(r site.Ref) { l.good.add(markOf(r.Kind, r.Key)) }

// suspect notes that the row at p would have given records of these kinds, and that
// its key cannot be told.
func (l *ledger) suspect(p site.Place, kinds []string) {
	for _, k := range kinds {
		if l.doubt[k] == (site.Place{}) {
			l.doubt[k] = p
		}
	}
}

// lose notes that the row at p gives none of these records.
func (l *ledger) lose(p site.Place, rs []site.Ref) {
	for _, r := range rs {
		if m := markOf(r.Kind, r.Key); l.bad[m] == (site.Place{}) {
			l.bad[m] = p
		}
	}
}

// lost returns the row that should have given a record that rs depends on.
func (l *ledger) lost(rs []site.Ref) (site.Ref, site.Place, bool) {
	for _, r := range rs {
		m := markOf(r.Kind, r.Key)
		if l.good.has(m) {
			continue
		}
		if p, ok := l.bad[m]; ok {
			return r, p, true
		}
		if p, ok := l.doubt[r.Kind]; ok {
			return r, p, true
		}
	}
	return site.Ref{}, site.Place{}, false
}

// links follows the references of what a run writes to what it does not: they may
// lead to what is in the store, or comes later.
type links struct {
	open []Dangling
	refs []mark // of the same
	seen map[mark]struct{}
	more int // beyond those that are listed
}

func newLinks() *links { return &links{seen: map[mark]struct{}{}} }

// maxListed is how many failures and dangling references a summary lists; beyond
// it they are only counted.
const maxListed = 10_000

// follow notes the references of a record that lead to none of the run so far.
func (l *links) follow(r *run, rec site.Record, rs []fhir.Resource, p site.Place) {
	for _, ref := range rec.Refs {
		m := markOf(ref.Kind, ref.Key)
		if r.ledger.good.has(m) {
			continue
		}
		if _, ok := l.seen[m]; ok {
			continue
		}
		l.seen[m] = struct{}{}
		if len(l.open) == maxListed {
			l.more++
			continue
		}
		k := r.Mapper.KeyOf(practice.SourceKey{System: r.Site.System, Kind: ref.Kind, Key: ref.Key})
		to := k.String()
		for _, res := range rs {
			if at := element(res.Root(), res.Type, func(s string) bool { return s == to }, 0); at != "" {
				l.open, l.refs = append(l.open, Dangling{Place: p, Element: at, Target: k}), append(l.refs, m)
				break
			}
		}
	}
}

// element finds where a resource refers to another; "" for nowhere.
func element(n fhir.Node, path string, to func(reference string) bool, depth int) string {
	if depth > fhir.MaxDepth {
		return ""
	}
	switch n.Kind() {
	case fhir.Arr:
		for m := range n.Elements() {
			if at := element(m, path, to, depth+1); at != "" {
				return at
			}
		}
	case fhir.Obj:
		for name, m := range n.Members() {
			if name == "reference" && m.Kind() == fhir.Str && to(m.Text()) {
				return path
			}
			if k := m.Kind(); k == fhir.Arr || k == fhir.Obj {
				if at := element(m, path+"."+name, to, depth+1); at != "" {
					return at
				}
			}
		}
	}
	return ""
}

// rest returns the references that nothing in the run satisfied.
func (l *links) rest(good *marks) (out []Dangling) {
	for i, d := range l.open {
		if !good.has(l.refs[i]) {
			out = append(out, d)
		}
	}
	return out
}
