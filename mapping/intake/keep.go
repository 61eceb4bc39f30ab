package intake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/mapping/practice"
	"rapport/mapping/site"
)

// keeps refuses a record that would lose what rows of other tables put into it by an
// earlier upload, unless rows of this one take it back. gone is what was withdrawn.
func (r *run) keeps(ctx context.Context, tx fhir.Tx, g given, gone []fhir.Resource) error {
	rec, now := g.u.records[g.i], g.out.gave[g.i]
	joins := g.u.table.Joins(rec.Kind)
	if len(joins) == 0 {
		return nil
	}
	var before []fhir.Resource
	for _, w := range g.ws {
		switch w.Effect {
		case fhir.Unchanged:
			before = append(before, w.Resource)
		case fhir.Updated:
			old, err := tx.As(fhir.Act{Interaction: fhir.VRead, Type: w.Type, ID: w.ID}).ReadVersion(ctx, w.Key, w.Version-1)
			if err != nil {
				return err
			}
			before = append(before, old)
		}
	}
	before = append(before, gone...)
	for n := range before {
		var err error
		if before[n], _, _, err = r.untied(before[n]); err != nil {
			return err
		}
	}
	for _, j := range joins {
		var lost bool
		var err error
		switch t := r.Site.Table(j.Table); {
		case t.Delete != nil && t.Delete.Short == 0:
			lost = r.unsaid(t, before, now)
			g.out.came = append(g.out.came, came(t, before, now)...)
		case t.Delete != nil && lists[t.Delete.Field] != nil:
			lost = beyond(lists[t.Delete.Field], before, now)
		default:
			lost, err = r.emptied(j.Field, rec, before)
		}
		if err != nil {
			return err
		}
		if lost {
			return r.less(j)
		}
	}
	return nil
}

// less says that a list would hold less than what is stored, and what can be done.
func (r *run) less(j site.Join) error {
	or := "take them out of what is stored"
	if r.Site.Table(j.Table).Delete != nil {
		or = "delete them"
	}
	return fhir.Errorf(fhir.BusinessRule, "/"+j.Field, "what is stored has rows of %s that this upload does not hold; upload all that belong to this row together, or %s first", r.files[j.Table], or)
}

// emptied reports whether a list that held something is empty now. Where rows cannot
// be deleted, leaving some out is how a source takes them back; it is not told that by
// a list that is empty, as that of a table without rows is.
func (r *run) emptied(field string, rec site.Record, before []fhir.Resource) (bool, error) {
	now, err := fhir.ParseNode(rec.JSON)
	if err != nil || now.Get(field).Len() > 0 {
		return false, err
	}
	native, _ := r.Mapper.FromFHIR(before) // what it can read
	if native == nil {
		return false, nil
	}
	b, err := practice.Encode(native)
	if err != nil {
		return false, fmt.Errorf("intake: what is stored of a %s: %w", rec.Kind, err)
	}
	old, err := fhir.ParseNode(b)
	return old.Get(field).Len() > 0, err
}

// unsaid reports whether what is stored names rows by their keys that this upload does
// not hold.
func (r *run) unsaid(t *site.Table, before, now []fhir.Resource) bool {
	var said []string
	for _, res := range now {
		said = append(said, detailsOf(res)...)
	}
	for _, res := range before {
		for _, at := range detailsOf(res) {
			key, ok := strings.CutPrefix(at, detailKey(t.Delete.System, t.Delete.Code, ""))
			if ok && !slices.Contains(said, at) && !r.held[t.Name].keys.has(markOf("", key)) {
				return true
			}
		}
	}
	return false
}

// came returns the rows of a table that a record holds and did not hold before.
func came(t *site.Table, before, now []fhir.Resource) (rows []joined) {
	var was []string
	for _, res := range before {
		was = append(was, detailsOf(res)...)
	}
	for _, res := range now {
		for _, at := range detailsOf(res) {
			if strings.HasPrefix(at, detailKey(t.Delete.System, t.Delete.Code, "")) && !slices.Contains(was, at) {
				rows = append(rows, joined{t, at})
			}
		}
	}
	return rows
}

// beyond reports whether lists of references held some that they do not hold now.
func beyond(names []string, before, now []fhir.Resource) bool {
	held := map[fhir.Key]bool{}
	each := func(rs []fhir.Resource, f func(fhir.Key)) {
		for _, res := range rs {
			for _, name := range names {
				for e := range res.Root().Get(name).Elements() {
					if k, ok := e.Ref(); ok {
						f(k)
					}
				}
			}
		}
	}
	each(now, func(k fhir.Key) { held[k] = true })
	lost := false
	each(before, func(k fhir.Key) { lost = lost || !held[k] })
	return lost
}
