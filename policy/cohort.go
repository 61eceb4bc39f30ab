package policy

import (
	"context"
	"slices"

	"rapport/fhir"
)

// cohort reads a Group for an export: whom of its members the caller may export, and
// nothing else of it. A Group names clients of whom the caller may know some only, so
// that the Group itself is out of sight; whoever is granted it, or sees all of it,
// still gets the files of those. Members that left it are none (attack case A45).
func (rd *reader) cohort(ctx context.Context, k fhir.Key) (fhir.Resource, error) {
	if err := rd.pass(ctx, ToRead, mayRead, k.Type); err != nil {
		return fhir.Resource{}, err
	}
	types, by, err := rd.sees(ctx, mayRead, k.Type, "Patient")
	if err != nil {
		return fhir.Resource{}, err
	}
	seen := types
	if slices.Contains(rd.caller.Grants, k) {
		seen = fhir.Omniscient()
	}
	h, found, err := rd.head(ctx, seen, k)
	if err != nil {
		return fhir.Resource{}, err
	}
	if !found || h.Deleted {
		return fhir.Resource{}, fhir.Missing(k)
	}
	r, err := rd.show(ctx, h, h.Version, nil, by)
	if err != nil {
		return fhir.Resource{}, err
	}
	var in []fhir.Key
	for _, rel := range relationsOf(r, rd.now) {
		if rel.Ended.IsZero() || rd.now.Before(rel.Ended) {
			in = append(in, rel.Patient)
		}
	}
	slices.SortFunc(in, fhir.Key.Compare)
	hs, err := rd.in.Heads(ctx, types, slices.Compact(in)...)
	if err != nil {
		return fhir.Resource{}, err
	}
	ok, err := rd.admits(ctx, types, hs)
	if err != nil {
		return fhir.Resource{}, err
	}
	members := []*fhir.Object{}
	for _, m := range hs {
		if ok(m) && !m.Deleted {
			members = append(members, fhir.NewObject().Set("entity", m.Key.Reference()))
		}
	}
	return fhir.NewObject().Set("resourceType", "Group").Set("id", k.ID).Set("type", "person").Set("actual", true).Set("member", members).Resource()
}
