package policy

import (
	"context"
	"slices"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Search implements fhir.Reader. The question goes to the store with what the
// caller sees of every type that it touches, so that matches, chains, _has, sorts,
// includes and totals are those of a store that holds nothing else.
func (rd *reader) Search(ctx context.Context, q fhir.Query) (fhir.Set, error) {
	if q.After != "" {
		opened, err := rd.openSearch(q.After, q.Type)
		if err != nil {
			return fhir.Set{}, err
		}
		q = opened
		rd.entry.act.Query = q.Canonical()
	}
	asked := q
	if err := rd.pass(ctx, ToRead, maySearch, q.Type); err != nil {
		return fhir.Set{}, err
	}
	alternatives, err := rd.narrowing(q.Type, rd.ceiling(q.Type, maySearch))
	if err != nil {
		return fhir.Set{}, err
	}
	types, err := rd.touches(ctx, q, len(alternatives) > 0)
	if err != nil {
		return fhir.Set{}, err
	}
	sight, by, err := rd.sees(ctx, maySearch, q.Type, types...)
	if err != nil {
		return fhir.Set{}, err
	}
	if q, err = narrowed(q, alternatives); err != nil {
		return fhir.Set{}, err
	}
	page, err := rd.in.Find(ctx, sight, q)
	if err != nil {
		return fhir.Set{}, err
	}
	return rd.answer(ctx, asked, sight, page, alternatives, by)
}

// touches lists the types besides its own that a query touches. A chain or _has
// through a type that the caller can never search is refused before any look-up;
// an include of one shows nothing.
func (rd *reader) touches(ctx context.Context, q fhir.Query, narrow bool) ([]string, error) {
	var out []string
	var refused error
	var walk func(c fhir.Clause)
	step := func(typ string, next fhir.Clause) {
		if refused == nil {
			refused = rd.pass(ctx, ToRead, maySearch, typ)
		}
		if typ == q.Type && narrow && refused == nil {
			refused = forbidden() // it would be seen without the narrowing
		}
		out = append(out, typ)
		walk(next)
	}
	walk = func(c fhir.Clause) {
		if c.Chain != nil {
			step(c.Chain.Type, c.Chain.Where)
		}
		if c.Has != nil {
			step(c.Has.Type, c.Has.Where)
		}
	}
	for _, c := range q.Where {
		walk(c)
	}
	if refused != nil {
		return nil, refused
	}
	for _, i := range q.Include {
		if i.Target == "" { // whatever the parameter may name
			for _, t := range rd.Served.Types {
				out = append(out, t.Name)
			}
			continue
		}
		out = append(out, i.Target)
	}
	for _, i := range q.RevInclude {
		out = append(out, i.Source)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// answer looks at each head again, reads the bodies and notes all of it.
func (rd *reader) answer(ctx context.Context, asked fhir.Query, sight fhir.Sight, page store.Page, alternatives [][]fhir.Clause, by []string) (fhir.Set, error) {
	hs := make([]store.Head, len(page.Found))
	for i, f := range page.Found {
		hs[i] = f.Head
	}
	ok, err := rd.admits(ctx, sight, hs)
	if err != nil {
		return fhir.Set{}, err
	}
	set := fhir.Set{Total: page.Total}
	found := page.Found[:0:0]
	var refs []store.Ref
	for _, f := range page.Found {
		if !ok(f.Head) || f.Deleted {
			set.Total = nil // counted by the same store: not to be trusted either
			continue
		}
		found = append(found, f)
		refs = append(refs, store.Ref{Key: f.Key, Version: f.Version})
	}
	rs, err := rd.bodies(ctx, refs)
	if err != nil {
		return fhir.Set{}, err
	}
	for i, r := range rs {
		f := found[i]
		in := !r.IsZero()
		// An include of the type itself must be within its narrowing as well.
		if in && f.Type == asked.Type {
			if in, err = rd.within(r, alternatives); err != nil {
				return fhir.Set{}, err
			}
			if !in && f.Mode == fhir.Match {
				rd.Alarm("answered-beyond-scope")
				set.Total = nil
			}
		}
		if !in {
			continue
		}
		rd.entry.touch(f.Key, f.Version, WasRead, f.Patients, nil)
		set.Entries = append(set.Entries, fhir.Entry{Head: f.Head.Head, Mode: f.Mode, Resource: r})
	}
	rd.entry.reasons = append(rd.entry.reasons, by...)
	if page.Next != "" {
		asked.After = ""
		set.Next = rd.sealSearch(asked, page.Next)
	}
	return set, nil
}

// History implements fhir.Reader, for one resource, a type or all that the caller may
// search.
func (rd *reader) History(ctx context.Context, scope fhir.Scope, span fhir.Span) (fhir.Set, error) {
	if span.After != "" {
		opened, err := rd.openHistory(span.After, scope)
		if err != nil {
			return fhir.Set{}, err
		}
		span = opened
	}
	var sight fhir.Sight
	var alternatives [][]fhir.Clause
	var by []string
	var err error
	switch {
	case scope.Type == "":
		sight, by, err = rd.seesAll(ctx)
	case scope.ID == "":
		sight, alternatives, by, err = rd.seesPast(ctx, maySearch, scope.Type)
		if err == nil && len(alternatives) > 0 {
			err = forbidden()
		}
	default:
		sight, alternatives, by, err = rd.seesPast(ctx, mayRead, scope.Type)
		if err == nil {
			err = rd.present(ctx, sight, fhir.Key(scope), alternatives)
		}
	}
	if err != nil {
		return fhir.Set{}, err
	}
	cs, err := rd.in.Changes(ctx, sight, scope, span)
	if err != nil {
		return fhir.Set{}, err
	}
	return rd.past(ctx, scope, span, sight, cs, alternatives, by)
}

// seesPast returns what the caller sees of the versions of one type, and how its scopes
// narrow that.
func (rd *reader) seesPast(ctx context.Context, l letter, typ string) (fhir.Sight, [][]fhir.Clause, []string, error) {
	if err := rd.pass(ctx, ToRead, l, typ); err != nil {
		return fhir.Sight{}, nil, nil, err
	}
	alternatives, err := rd.narrowing(typ, rd.ceiling(typ, l))
	if err != nil {
		return fhir.Sight{}, nil, nil, err
	}
	sight, by, err := rd.sees(ctx, l, typ)
	return sight, alternatives, by, err
}

// seesAll returns what the caller sees of every type that it may search as a whole.
// One that a scope narrows is left out, as it is where a search passes through it.
func (rd *reader) seesAll(ctx context.Context) (fhir.Sight, []string, error) {
	extents := map[string]fhir.Extent{}
	var by []string
	for _, t := range rd.Served.Types {
		if len(rd.ceiling(t.Name, maySearch).where) > 0 {
			continue
		}
		d, err := rd.decide(ctx, maySearch, t.Name)
		if err != nil {
			return fhir.Sight{}, nil, err
		}
		if d.extent.IsNone() {
			continue
		}
		extents[t.Name] = d.extent
		by = append(by, d.by...)
	}
	if len(extents) == 0 {
		return fhir.Sight{}, nil, forbidden()
	}
	return fhir.SightOf(rd.now, rd.now.Add(-rd.Grace), extents), by, nil
}

// present refuses what the caller may not know of, or no longer.
func (rd *reader) present(ctx context.Context, sight fhir.Sight, k fhir.Key, alternatives [][]fhir.Clause) error {
	h, found, err := rd.head(ctx, sight, k)
	if err != nil {
		return err
	}
	if !found {
		return fhir.Missing(k)
	}
	in, err := rd.currently(ctx, h, alternatives)
	if err == nil && !in {
		rd.entry.deny("scope", h.Patients)
		err = fhir.Missing(k)
	}
	return err
}

func (rd *reader) past(ctx context.Context, scope fhir.Scope, asked fhir.Span, sight fhir.Sight, cs store.Changes, alternatives [][]fhir.Clause, by []string) (fhir.Set, error) {
	ok, err := rd.admits(ctx, sight, cs.Heads)
	if err != nil {
		return fhir.Set{}, err
	}
	var set fhir.Set
	hs := cs.Heads[:0:0]
	var refs []store.Ref
	for _, h := range cs.Heads {
		if !ok(h) {
			continue
		}
		hs = append(hs, h)
		refs = append(refs, store.Ref{Key: h.Key, Version: h.Version})
	}
	rs, err := rd.bodies(ctx, refs)
	if err != nil {
		return fhir.Set{}, err
	}
	for i, h := range hs {
		if !h.Deleted {
			if in, err := rd.within(rs[i], alternatives); err != nil {
				return fhir.Set{}, err
			} else if !in || rs[i].IsZero() {
				continue
			}
		}
		rd.entry.touch(h.Key, h.Version, WasRead, h.Patients, nil)
		set.Entries = append(set.Entries, fhir.Entry{Head: h.Head, Mode: fhir.Past, Resource: rs[i]})
	}
	rd.entry.reasons = append(rd.entry.reasons, by...)
	if cs.Next != "" {
		asked.After = ""
		set.Next = rd.sealHistory(scope, asked, cs.Next)
	}
	return set, nil
}
