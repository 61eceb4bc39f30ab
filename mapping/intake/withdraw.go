package intake

import (
	"context"
	"maps"
	"slices"

	"rapport/fhir"
)

// given is a record of a unit, as it was just written.
type given struct {
	u   *unit
	i   int
	ws  []fhir.Written // by resource, the record itself first
	out *effects       // of the unit
}

// same reports whether nothing that the record gives was written.
func (g given) same() bool {
	return !slices.ContainsFunc(g.ws, func(w fhir.Written) bool { return w.Effect == fhir.Created || w.Effect == fhir.Updated })
}

// first reports whether what stands for the record was never there before.
func (g given) first() bool { return g.ws[0].Effect == fhir.Created && g.ws[0].Version == 1 }

// shifts are the kinds whose records can come to stand as another type: a session as
// Encounter or Appointment, a response as QuestionnaireResponse or Observation.
var shifts = map[string]bool{"session": true, "response": true}

// settled withdraws what a record that was written has ceased to give, at its place in
// the order of time. Of one that never was there only that can be which stood for it as
// another type; is that not there, nothing is.
func (r *run) settled(ctx context.Context, tx fhir.Tx, g given, from *origin) error {
	native := g.u.native[g.i]
	if g.first() {
		if !shifts[native.Kind()] {
			return nil
		}
		other := r.Mapper.Superseded(native, g.out.gave[g.i])[:1]
		if was, err := stored(ctx, tx, other); err != nil || len(was) == 0 {
			return err
		}
	}
	return r.withdraw(ctx, tx, []given{g}, from)
}

// withdraw deletes what earlier versions of records gave and these do not: the Encounter
// of a session that turns out to have been cancelled, the Procedure of a technique that
// is not told any more. It is asked for all records together, since most have nothing.
func (r *run) withdraw(ctx context.Context, tx fhir.Tx, gs []given, from *origin) error {
	each := make([][]fhir.Key, len(gs))
	for n, g := range gs {
		each[n] = r.Mapper.Superseded(g.u.native[g.i], g.out.gave[g.i])
	}
	there, err := stored(ctx, tx, slices.Concat(each...))
	if err != nil {
		return err
	}
	for n, g := range gs {
		var gone []fhir.Resource
		for _, k := range each[n] {
			res, ok := there[k]
			if !ok {
				continue
			}
			if err := r.bury(ctx, tx, k, g.out); err != nil {
				return err
			}
			gone, g.out.gone[g.i] = append(gone, res), append(g.out.gone[g.i], k)
			from.target(k)
		}
		if len(gone) == 0 && g.same() {
			continue
		}
		if err := r.keeps(ctx, tx, g, gone); err != nil {
			return err
		}
	}
	return nil
}

// stored reads those of some resources that are there, by one search a type: a look at
// each would be a record of the audit for each.
func stored(ctx context.Context, tx fhir.Tx, ks []fhir.Key) (map[fhir.Key]fhir.Resource, error) {
	ids := map[string]*fhir.Clause{}
	for _, k := range ks {
		if ids[k.Type] == nil {
			ids[k.Type] = &fhir.Clause{Param: "_id", Kind: fhir.Special}
		}
		ids[k.Type].Any = append(ids[k.Type].Any, fhir.Operand{Code: k.ID})
	}
	out := map[fhir.Key]fhir.Resource{}
	for _, typ := range slices.Sorted(maps.Keys(ids)) {
		q := fhir.Query{Type: typ, Where: []fhir.Clause{*ids[typ]}, Count: len(ids[typ].Any)}
		for res, err := range fhir.Matches(ctx, tx.As(fhir.Act{Interaction: fhir.SearchType, Type: typ}), q) {
			if err != nil {
				return nil, err
			}
			out[res.Key] = res
		}
	}
	return out, nil
}
