package intake

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"rapport/mapping/site"
)

// held is a table whose rows others look up, grouped by what they are found under.
// Its rows lie in the run's spill; an index of their places stays in memory. Only
// tables that some relation names are held; everything else streams through.
//
// Rows are added while the table is read and found when that is done. Outcomes are
// told by whoever stores.
type held struct {
	table *site.Table
	file  string
	spill *spill
	rows  []uint64          // places in the spill
	lines []int32           // of the rows, ascending; for a table that gives no records itself
	state []Outcome         // of each row, for such a table
	why   map[int]string    // reasons of the rows that are lost
	by    map[string]*group // per relation's columns
	doubt site.Place        // a row that is lost and whose key cannot be told
	keys  marks             // of the rows, for a table that gives no records itself
}

// group finds rows by one set of columns: good ones, and where a lost one stood.
type group struct {
	rel  *site.Relation
	rows []found        // in the order of keys once the table is read
	lost map[mark]int32 // lines
}

type found struct {
	key mark
	row int32
}

func newHeld(t *site.Table, file string, s *spill) *held {
	return &held{table: t, file: file, spill: s, why: map[int]string{}, by: map[string]*group{}}
}

// need makes the table findable for a relation.
func (h *held) need(r *site.Relation) {
	if name := r.By(); h.by[name] == nil {
		h.by[name] = &group{rel: r, lost: map[mark]int32{}}
	}
}

// add keeps a good row.
func (h *held) add(row site.Row) error {
	var p packed
	p.row(row)
	at, err := h.spill.add(p)
	if err != nil {
		return err
	}
	n := int32(len(h.rows))
	h.rows = append(h.rows, at)
	if len(h.table.Emits) == 0 {
		h.lines, h.state = append(h.lines, int32(row.Line)), append(h.state, None)
		if k, ok := h.table.Key(row.Values); ok {
			h.keys.add(markOf("", k))
		}
	}
	for _, g := range h.by {
		if k, ok := g.rel.Key(row.Values); ok {
			g.rows = append(g.rows, found{markOf("", k), n})
		}
	}
	return nil
}

// lose notes where a row stood that is not there to be found.
func (h *held) lose(row site.Row) {
	for _, g := range h.by {
		k, ok := g.rel.Key(row.Values)
		if !ok {
			h.doubt = row.Place
			continue
		}
		if m := markOf("", k); g.lost[m] == 0 {
			g.lost[m] = int32(row.Line)
		}
	}
}

// find returns the rows of a relation under key.
func (h *held) find(r *site.Relation, key string) ([]site.Row, error) {
	g, m := h.by[r.By()], markOf("", key)
	var out []site.Row
	for _, n := range g.under(m) {
		row, err := h.row(n)
		if err != nil {
			return nil, err
		}
		if k, _ := g.rel.Key(row.Values); k == key {
			out = append(out, row)
		}
	}
	if len(out) > 1 { // whatever their order in the file, they give the same record
		slices.SortFunc(out, func(a, b site.Row) int {
			x, _ := h.table.Key(a.Values)
			y, _ := h.table.Key(b.Values)
			return strings.Compare(x, y)
		})
	}
	if line := g.lost[m]; line > 0 && (r.Many || len(out) == 0) {
		return nil, &site.Refusal{Why: "depends on a row of " + r.Table + " that was not accepted", Because: site.Place{File: h.file, Line: int(line)}}
	}
	if len(out) == 0 && h.doubt != (site.Place{}) {
		return nil, &site.Refusal{Why: "may depend on a row of " + r.Table + " whose key cannot be read", Because: h.doubt}
	}
	if len(out) == 0 && !r.Many {
		return nil, &site.Refusal{Why: "no row of " + r.Table + " in this upload has this key; upload them together"}
	}
	return out, nil
}

func (h *held) row(n found) (site.Row, error) {
	b, err := h.spill.get(h.rows[n.row])
	if err != nil {
		return site.Row{}, err
	}
	u := unpacking(b)
	return u.row(h.file), nil
}

// ready ends the adding.
func (h *held) ready() {
	for _, g := range h.by {
		slices.SortFunc(g.rows, func(a, b found) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.row, b.row)) })
	}
}

// under returns the rows that may have a key.
func (g *group) under(m mark) []found {
	from := sort.Search(len(g.rows), func(i int) bool { return g.rows[i].key >= m })
	to := from
	for to < len(g.rows) && g.rows[to].key == m {
		to++
	}
	return g.rows[from:to]
}

// use raises a row's outcome to what was made with it.
func (h *held) use(line int, o Outcome, why string) {
	i, ok := slices.BinarySearch(h.lines, int32(line))
	if !ok {
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
