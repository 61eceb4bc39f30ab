package intake

import (
	"slices"
	"sort"
	"strings"

	"rapport/mapping/site"
)

// held is a table kept in memory for a run, because rows of others find rows in
// it: grouped by what they are found under. Only tables that some relation names
// are held; everything else streams through.
type held struct {
	table *site.Table
	rows  []site.Row
	state []Outcome         // of each row, for a table that gives no records itself
	why   map[int]string    // reasons of the rows that are lost
	by    map[string]groups // per relation's columns
	rels  map[string]*site.Relation
	doubt site.Place // a row that is lost and whose key cannot be told
}

// groups are the rows under each key: good ones, and where a lost one stood.
type groups struct {
	rows map[string][]int32
	lost map[string]site.Place
}

func newHeld(t *site.Table) *held {
	return &held{table: t, why: map[int]string{}, by: map[string]groups{}, rels: map[string]*site.Relation{}}
}

// need makes the table findable for a relation.
func (h *held) need(r *site.Relation) {
	name := r.By()
	if _, ok := h.by[name]; !ok {
		h.by[name] = groups{rows: map[string][]int32{}, lost: map[string]site.Place{}}
		h.rels[name] = r
	}
}

// add keeps a good row.
func (h *held) add(row site.Row) {
	at := int32(len(h.rows))
	h.rows = append(h.rows, row)
	h.state = append(h.state, 0)
	for name, rel := range h.rels {
		if k, ok := rel.Key(row.Values); ok {
			h.by[name].rows[k] = append(h.by[name].rows[k], at)
		}
	}
}

// lose notes where a row stood that is not there to be found.
func (h *held) lose(row site.Row) {
	for name, rel := range h.rels {
		k, ok := rel.Key(row.Values)
		if !ok {
			h.doubt = row.Place
			continue
		}
		if _, twice := h.by[name].lost[k]; !twice {
			h.by[name].lost[k] = row.Place
		}
	}
}

// find returns the rows of a relation under key.
func (h *held) find(r *site.Relation, key string) ([]site.Row, error) {
	g := h.by[r.By()]
	var out []site.Row
	for _, i := range g.rows[key] {
		out = append(out, h.rows[i])
	}
	if len(out) > 1 { // whatever their order in the file, they give the same record
		slices.SortFunc(out, func(a, b site.Row) int {
			x, _ := h.table.Key(a.Values)
			y, _ := h.table.Key(b.Values)
			return strings.Compare(x, y)
		})
	}
	if p, ok := g.lost[key]; ok && (r.Many || len(out) == 0) {
		return nil, &site.Refusal{Why: "depends on a row of " + r.Table + " that was not accepted", Because: p}
	}
	if len(out) == 0 && h.doubt != (site.Place{}) {
		return nil, &site.Refusal{Why: "may depend on a row of " + r.Table + " whose key cannot be read", Because: h.doubt}
	}
	if len(out) == 0 && !r.Many {
		return nil, &site.Refusal{Why: "no row of " + r.Table + " in this upload has this key; upload them together"}
	}
	return out, nil
}

// use raises a row's outcome to what was made with it.
func (h *held) use(p site.Place, o Outcome, why string) {
	i := sort.Search(len(h.rows), func(i int) bool { return h.rows[i].Line >= p.Line })
	if i == len(h.rows) || h.rows[i].Line != p.Line {
		return
	}
	if rank(o) > rank(h.state[i]) {
		h.state[i] = o
		if why != "" {
			h.why[i] = why
		}
	}
}

// rank orders outcomes by how much came of a row.
func rank(o Outcome) int {
	switch o {
	case Created, Removed:
		return 5
	case Updated:
		return 4
	case Unchanged:
		return 3
	case Quarantined:
		return 2
	case Rejected:
		return 1
	}
	return 0
}
