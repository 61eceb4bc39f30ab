package intake

import (
	"context"
	"fmt"
	"strings"

	"rapport/fhir"
	"rapport/mapping"
	"rapport/mapping/practice"
	"rapport/mapping/site"
)

// otherwise are the types that a record of a kind stands as where it is not that of
// [Mapper.KeyOf].
var otherwise = map[string]string{"session": "Appointment", "response": "Observation"}

// partOf says of which types the further resources of a record are. They bear its
// business key with a suffix and are found among the resources about the same
// client, or practitioner.
var partOf = map[string][]string{
	"episode": {"Condition", "CareTeam", "Observation"}, "session": {"Procedure"}, "referral": {"Task"}, "plan": {"CarePlan"},
	"practitioner": {"PractitionerRole"},
}

// takesBack makes of a row that takes back what others gave before a unit of its own;
// of one whose table gives no records, a part to be looked for.
func (r *run) takesBack(ctx context.Context, t *site.Table, row site.Row, seen map[mark]int32) error {
	r.tick(row.Place)
	if r.Tenant != "" && t.HasTenant() && t.Tenant(row) != r.Tenant {
		r.fail(row.Place, Rejected, otherTenant)
		return nil
	}
	key, ok := t.Key(row.Values)
	if !ok && t.Delete.Short > 0 {
		key, ok = t.Target(row.Values)
	}
	if !ok {
		r.fail(row.Place, Rejected, t.KeyColumns()+": is the key of the row and says nothing")
		return nil
	}
	m := markOf("", key)
	if at, twice := seen[m]; twice {
		r.fail(row.Place, Rejected, fmt.Sprintf("%s: this key stands already in line %d; a row is told or taken back, not both", t.KeyColumns(), at))
		return nil
	}
	seen[m] = int32(row.Line)
	if !r.wanted(row.Place) {
		return nil
	}
	if len(t.Emits) == 0 {
		r.parts.add(r, t, row, key)
		return nil
	}
	refs := t.Keys(row)
	r.ledger.lose(row.Place, refs) // what depends on it in this upload cannot stand
	r.batch = append(r.batch, &unit{row: row, table: t, gone: refs})
	if r.size += 4 * len(refs); r.size >= r.Batch {
		return r.flush(ctx)
	}
	return nil
}

// retract deletes what a record gave, with what followed from it.
func (r *run) retract(ctx context.Context, tx fhir.Tx, ref site.Ref, out *effects) ([]fhir.Resource, error) {
	main := r.Mapper.KeyOf(practice.SourceKey{System: r.Site.System, Kind: ref.Kind, Key: ref.Key})
	if main.IsZero() {
		return nil, fmt.Errorf("intake: nothing stands for a record of the kind %s", ref.Kind)
	}
	keys := []fhir.Key{main}
	if typ := otherwise[ref.Kind]; typ != "" {
		keys = append(keys, r.Mapper.ID(typ, r.Site.System, ref.Key))
	}
	var gone []fhir.Resource
	for _, k := range keys {
		res, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}).Read(ctx, k)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		parts, err := r.partsOf(ctx, tx, ref, res)
		if err != nil {
			return nil, err
		}
		for _, p := range append([]fhir.Resource{res}, parts...) {
			if err := r.bury(ctx, tx, p.Key, out); err != nil {
				return nil, err
			}
			gone = append(gone, p)
		}
	}
	return gone, nil
}

// bury deletes a resource and lets what must come of it follow.
func (r *run) bury(ctx context.Context, tx fhir.Tx, k fhir.Key, out *effects) error {
	w, err := tx.As(fhir.Act{Interaction: fhir.Delete, Type: k.Type, ID: k.ID}).Delete(ctx, k, fhir.Condition{})
	if err != nil || w.Effect != fhir.Removed {
		return err
	}
	return r.follow(ctx, tx, w, out)
}

func (r *run) follow(ctx context.Context, tx fhir.Tx, w fhir.Written, out *effects) error {
	for _, f := range r.Follow {
		if err := f(ctx, followed{tx, out}, w); err != nil {
			return err
		}
	}
	return nil
}

func absent(err error) bool { return fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Deleted) }

// partsOf finds the further resources of a record.
func (r *run) partsOf(ctx context.Context, tx fhir.Tx, ref site.Ref, main fhir.Resource) (out []fhir.Resource, _ error) {
	by, about := "patient", main.Key
	switch k, ok := main.Root().Get("subject").Ref(); {
	case ref.Kind == "practitioner":
		by = "practitioner"
	case ok:
		about = k
	default:
		if about, ok = main.Root().Get("patient").Ref(); !ok {
			return nil, nil
		}
	}
	system := mapping.IdentifierSystem(r.Site.System, ref.Kind)
	for _, typ := range partOf[ref.Kind] {
		q := fhir.Query{Type: typ, Where: []fhir.Clause{{Param: by, Kind: fhir.Reference, Any: []fhir.Operand{{Ref: about}}}}}
		if typ == "Observation" { // scores are no parts of an episode
			q.Where = append(q.Where, fhir.Clause{Param: "category", Kind: fhir.Token, Any: []fhir.Operand{{Code: "social-history"}}})
		}
		err := each(ctx, tx.As(fhir.Act{Interaction: fhir.SearchType, Type: typ}), q, func(res fhir.Resource) error {
			for id := range res.Root().Get("identifier").Elements() {
				if id.Get("system").Text() == system && strings.HasPrefix(id.Get("value").Text(), ref.Key+"#") {
					out = append(out, res)
					break
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// each searches page by page.
func each(ctx context.Context, in fhir.Reader, q fhir.Query, f func(fhir.Resource) error) error {
	q.Count = 200
	for {
		set, err := in.Search(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range set.Entries {
			if e.Resource.Type != q.Type {
				continue
			}
			if err := f(e.Resource); err != nil {
				return err
			}
		}
		if set.Next == "" {
			return nil
		}
		q.After = set.Next
	}
}
