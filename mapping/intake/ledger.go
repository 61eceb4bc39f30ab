package intake

import (
	"crypto/sha256"

	"rapport/fhir"
	"rapport/mapping/site"
)

// mark is a key shortened to 16 bytes: a run keeps one for each record, and no
// business key in memory longer than its row.
type mark [16]byte

func markOf(kind, key string) (m mark) {
	h := sha256.New()
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(key))
	var sum [sha256.Size]byte
	copy(m[:], h.Sum(sum[:0]))
	return m
}

// ledger remembers what became of the records of a run: which ones are there and
// which ones are not, so that what depends on the latter is named and not written.
type ledger struct {
	good  map[mark]struct{}
	bad   map[mark]site.Place
	doubt map[string]site.Place // kinds of which some record is lost and cannot be named
}

func newLedger() *ledger {
	return &ledger{good: map[mark]struct{}{}, bad: map[mark]site.Place{}, doubt: map[string]site.Place{}}
}

func (l *ledger) has(r site.Ref) bool {
	_, ok := l.good[markOf(r.Kind, r.Key)]
	return ok
}

func (l *ledger) keep(r site.Ref) { l.good[markOf(r.Kind, r.Key)] = struct{}{} }

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
		if _, ok := l.good[m]; ok {
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

// links follows the references of what a run writes, to tell in the end which of
// them lead nowhere.
type links struct {
	written map[mark]struct{}
	open    map[fhir.Key]Dangling
}

func newLinks() *links {
	return &links{written: map[mark]struct{}{}, open: map[fhir.Key]Dangling{}}
}

// maxListed is how many failures and dangling references a summary lists; beyond
// it they are only counted.
const maxListed = 10_000

// follow notes r as written and its references as open unless they are written.
func (l *links) follow(r fhir.Resource, p site.Place) {
	l.written[markOf(r.Type, r.ID)] = struct{}{}
	l.walk(r.Root(), r.Type, p, 0)
}

func (l *links) walk(n fhir.Node, path string, p site.Place, depth int) {
	if depth > fhir.MaxDepth {
		return
	}
	switch n.Kind() {
	case fhir.Arr:
		for m := range n.Elements() {
			l.walk(m, path, p, depth+1)
		}
	case fhir.Obj:
		for name, m := range n.Members() {
			if name == "reference" && m.Kind() == fhir.Str {
				l.refer(m.Text(), path, p)
				continue
			}
			if k := m.Kind(); k == fhir.Arr || k == fhir.Obj {
				l.walk(m, path+"."+name, p, depth+1)
			}
		}
	}
}

func (l *links) refer(to, path string, p site.Place) {
	k, ok := fhir.ParseKey(to)
	if !ok {
		return
	}
	if _, ok := l.written[markOf(k.Type, k.ID)]; ok {
		return
	}
	if _, ok := l.open[k]; !ok {
		l.open[k] = Dangling{Place: p, Element: path, Target: k}
	}
}

// rest returns the references that nothing in the run satisfied.
func (l *links) rest() []Dangling {
	var out []Dangling
	for k, d := range l.open {
		if _, ok := l.written[markOf(k.Type, k.ID)]; !ok {
			out = append(out, d)
		}
	}
	return out
}
