package storetest

import (
	"cmp"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/store"
)

// row is a current version with what was recorded with it.
type row struct {
	store.Head
	store.Record
}

// world is everything a query may look at, as plain values.
type world struct {
	rows     []row
	patients map[fhir.Key]fhir.PatientFacts
}

func (w *world) patient(k fhir.Key) fhir.PatientFacts {
	if p, ok := w.patients[k]; ok {
		return p
	}
	return fhir.PatientFacts{Patient: k}
}

func (w *world) admits(s fhir.Sight, r row) bool { return s.Admits(r.Type, r.Head.Facts, w.patient) }

// visible is what of a type is there and admitted.
func (w *world) visible(s fhir.Sight, typ string) (rs []row) {
	for _, r := range w.rows {
		if r.Type == typ && !r.Deleted && w.admits(s, r) {
			rs = append(rs, r)
		}
	}
	return rs
}

// matches returns what a query's conditions hold for, in its order.
func (w *world) matches(s fhir.Sight, q fhir.Query) (rs []row) {
	for _, r := range w.visible(s, q.Type) {
		if !slices.ContainsFunc(q.Where, func(c fhir.Clause) bool { return !w.holds(s, r, c) }) {
			rs = append(rs, r)
		}
	}
	slices.SortStableFunc(rs, func(a, b row) int { return compareBy(q.Sort, a, b) })
	return rs
}

// included returns what comes with matches, those themselves left out.
func (w *world) included(s fhir.Sight, q fhir.Query, ms []row) map[fhir.Key]bool {
	out := map[fhir.Key]bool{}
	add := func(inc fhir.Include, from, to row) {
		if inc.Target != "" && inc.Target != to.Type {
			return
		}
		for _, i := range from.entries(inc.Param) {
			if i.Kind == fhir.Reference && i.Ref == to.Key {
				out[from.Key], out[to.Key] = true, true
			}
		}
	}
	for _, m := range ms {
		for _, inc := range q.Include {
			for _, to := range w.rows {
				if inc.Source == m.Type && !to.Deleted && w.admits(s, to) {
					add(inc, m, to)
				}
			}
		}
		for _, inc := range q.RevInclude {
			for _, from := range w.visible(s, inc.Source) {
				add(inc, from, m)
			}
		}
	}
	for _, m := range ms {
		delete(out, m.Key)
	}
	return out
}

func (r row) entries(param string) (out []fhir.Index) {
	for _, i := range r.Index {
		if i.Param == param {
			out = append(out, i)
		}
	}
	return out
}

// holds says whether one condition holds for r.
func (w *world) holds(s fhir.Sight, r row, c fhir.Clause) bool {
	switch {
	case c.Has != nil:
		return slices.ContainsFunc(w.visible(s, c.Has.Type), func(other row) bool {
			return refers(other, c.Has.Param, r.Key) && w.holds(s, other, c.Has.Where)
		})
	case c.Chain != nil:
		return slices.ContainsFunc(w.visible(s, c.Chain.Type), func(other row) bool {
			return refers(r, c.Param, other.Key) && w.holds(s, other, c.Chain.Where)
		})
	}
	return slices.ContainsFunc(c.Any, func(o fhir.Operand) bool { return r.meets(c, o) }) != (c.Modifier == fhir.Not)
}

func refers(r row, param string, to fhir.Key) bool {
	return slices.ContainsFunc(r.entries(param), func(i fhir.Index) bool { return i.Kind == fhir.Reference && i.Ref == to })
}

// meets says whether one of r's entries is what o asks for.
func (r row) meets(c fhir.Clause, o fhir.Operand) bool {
	switch {
	case c.Kind == fhir.Special && c.Param == "_id":
		return r.ID == o.Code
	case c.Kind == fhir.Special && c.Param == "_lastUpdated":
		at := fhir.Micros(r.Updated)
		return during(o, at, at)
	case c.Modifier == fhir.IsMissing:
		return (len(r.entries(c.Param)) == 0) == (o.Code == "true")
	}
	return slices.ContainsFunc(r.entries(c.Param), func(i fhir.Index) bool {
		if i.Kind != c.Kind {
			return false
		}
		switch c.Kind {
		case fhir.Token:
			return (!o.HasSystem || i.System == o.System) && (i.Code == o.Code || o.Code == "" && o.System != "")
		case fhir.Reference:
			if o.URL != "" {
				name, _, _ := strings.Cut(i.URL, "|")
				return i.URL == o.URL || name == o.URL // without a version: every version
			}
			return i.Ref.ID == o.Ref.ID && (o.Ref.Type == "" || i.Ref.Type == o.Ref.Type)
		case fhir.String:
			switch c.Modifier {
			case fhir.Exact:
				return i.Text == o.Text
			case fhir.Contains:
				return fhir.Fold(o.Text) != "" && strings.Contains(fhir.Fold(i.Text), fhir.Fold(o.Text))
			}
			return fhir.Fold(o.Text) != "" && strings.HasPrefix(fhir.Fold(i.Text), fhir.Fold(o.Text))
		case fhir.URI:
			return i.Code == o.URL
		case fhir.Date:
			return during(o, i.Low, i.High)
		}
		return false
	})
}

// during compares the period low to high of a resource with that of an operand.
// ge and le take what overlaps the operand, too: see fhir.Operand.Meets.
//
// Source: https://hl7.org/fhir/R4/search.html#prefix
func during(o fhir.Operand, low, high int64) bool {
	within := o.Low <= low && high <= o.High
	switch o.Prefix {
	case fhir.Ne:
		return !within
	case fhir.Gt:
		return high > o.High
	case fhir.Lt:
		return low < o.Low
	case fhir.Ge:
		return high >= o.Low
	case fhir.Le:
		return low <= o.High
	case fhir.Sa:
		return low > o.High
	case fhir.Eb:
		return high < o.Low
	}
	return within
}

// compareBy orders by one parameter after the other; 0 leaves the order open.
func compareBy(orders []fhir.Order, a, b row) int {
	for _, o := range orders {
		x, hasX := a.sortsAs(o)
		y, hasY := b.sortsAs(o)
		c := 0
		switch {
		case hasX && hasY:
			c = cmp.Or(cmp.Compare(x.at, y.at), strings.Compare(x.text, y.text))
		case hasX:
			c = -1
		case hasY:
			c = 1
		}
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

type sortKey struct {
	at   int64
	text string
}

// sortsAs is the least value of a parameter, the greatest where the order descends.
func (r row) sortsAs(o fhir.Order) (sortKey, bool) {
	switch o.Param {
	case "_id":
		return sortKey{text: r.ID}, true
	case "_lastUpdated":
		return sortKey{at: fhir.Micros(r.Updated)}, true
	}
	var ks []sortKey
	for _, i := range r.entries(o.Param) {
		switch i.Kind {
		case fhir.Date:
			ks = append(ks, sortKey{at: i.Low})
		case fhir.String:
			ks = append(ks, sortKey{text: fhir.Fold(i.Text)})
		default:
			ks = append(ks, sortKey{text: i.Code})
		}
	}
	if len(ks) == 0 {
		return sortKey{}, false
	}
	slices.SortFunc(ks, func(x, y sortKey) int { return cmp.Or(cmp.Compare(x.at, y.at), strings.Compare(x.text, y.text)) })
	if o.Desc {
		return ks[len(ks)-1], true
	}
	return ks[0], true
}
