package intake

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/spec"
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

// takesBack makes of a row that takes back what others gave before a unit that ends the
// run; of one whose table gives no records, a part to be looked for.
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
	u := &unit{row: site.Row{Place: row.Place}, table: t, gone: refs}
	for _, ref := range refs {
		u.kinds = append(u.kinds, ref.Kind)
	}
	r.ending = append(r.ending, u)
	return nil
}

// end takes back what the rows say, when all else is stored: what rests on others
// first, since tables are read in the order of what they need.
func (r *run) end(ctx context.Context) error {
	for _, u := range slices.Backward(r.ending) {
		r.batch = append(r.batch, u)
		if r.size += 4 * len(u.gone); r.size >= r.Batch {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
	}
	return r.flush(ctx)
}

// alone refuses to delete what other records refer to that stay: sessions without
// their episode, which nobody finds by it any more. gone is what a unit takes back, per
// record.
func (r *run) alone(ctx context.Context, tx fhir.Tx, u *unit, gone [][]fhir.Resource) error {
	keys := map[string]bool{}
	for _, res := range slices.Concat(gone...) {
		keys[res.Key.String()] = true
	}
	left, seen := map[string]int{}, map[fhir.Key]bool{}
	lookingUp := r.lookingUp(u.table) // once: the records of a row are about the same client
	for i, ref := range u.gone {
		if len(gone[i]) == 0 {
			continue
		}
		types := map[string]bool{}
		kinds := slices.Concat(r.Site.Resting(ref.Kind), lookingUp)
		lookingUp = nil
		for _, kind := range kinds {
			for _, typ := range r.standsAs(kind) {
				types[typ] = true
			}
		}
		for typ := range types {
			for _, where := range leading(typ, gone[i][0]) {
				q := fhir.Query{Type: typ, Where: where, Count: pageOf}
				for res, err := range fhir.Matches(ctx, tx.As(fhir.Act{Interaction: fhir.SearchType, Type: typ}), q) {
					if err != nil {
						return err
					}
					if seen[res.Key] {
						continue
					}
					seen[res.Key] = true
					next, whole, _, err := r.untied(res)
					if err != nil {
						return err
					}
					if whole == "" && (names(next, u.gone) || element(next.Root(), typ, func(s string) bool { return keys[s] }, 0) != "") {
						left[typ]++
					}
				}
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	var told []string
	for _, typ := range slices.Sorted(maps.Keys(left)) {
		told = append(told, fmt.Sprintf("%d %s", left[typ], typ))
	}
	return fhir.Errorf(fhir.BusinessRule, "", "what is stored refers to what this row deletes (%s); delete that in the same upload, or leave this row out", strings.Join(told, ", "))
}

// lookingUp lists the kinds of records whose rows look up a row of a table. They need not
// refer to its records: an assessment says in a detail alone by which intake it was made.
func (r *run) lookingUp(t *site.Table) (kinds []string) {
	for _, on := range r.Site.Tables {
		if slices.ContainsFunc(on.Relation, func(rel *site.Relation) bool { return !rel.Many && rel.Table == t.Name }) {
			kinds = append(kinds, on.Emits...)
		}
	}
	return kinds
}

// names reports whether a detail of a resource says the key of one of some records.
func names(res fhir.Resource, refs []site.Ref) bool {
	return slices.ContainsFunc(detailsOf(res), func(at string) bool {
		return slices.ContainsFunc(refs, func(ref site.Ref) bool { return strings.HasSuffix(at, "\x00"+ref.Key) })
	})
}

// standsAs lists the types that records of a kind stand as.
func (r *run) standsAs(kind string) []string {
	if k := r.Mapper.KeyOf(practice.SourceKey{System: r.Site.System, Kind: kind, Key: "-"}); k.IsZero() { // several clients or none
		kind = "session"
	}
	out := []string{r.Mapper.KeyOf(practice.SourceKey{System: r.Site.System, Kind: kind, Key: "-"}).Type}
	if typ := otherwise[kind]; typ != "" {
		out = append(out, typ)
	}
	return out
}

// aboutOf returns the client that a resource is about; of one that is about none, itself.
func aboutOf(res fhir.Resource) fhir.Key {
	for _, name := range []string{"subject", "patient"} {
		if k, ok := res.Root().Get(name).Ref(); ok {
			return k
		}
	}
	for p := range res.Root().Get("participant").Elements() {
		if k, ok := p.Get("actor").Ref(); ok && k.Type == "Patient" {
			return k
		}
	}
	return res.Key
}

// narrowed finds the resources of a type that are about a client, or name a
// practitioner; nil where no parameter tells.
func narrowed(typ string, about fhir.Key) []fhir.Clause {
	by := strings.ToLower(about.Type)
	if t, ok := spec.Capability().Type(typ); ok {
		if p, ok := t.Param(by); ok && p.Kind == fhir.Reference {
			return naming(by, about)
		}
	}
	return nil
}

func naming(param string, k fhir.Key) []fhir.Clause {
	return []fhir.Clause{{Param: param, Kind: fhir.Reference, Any: []fhir.Operand{{Ref: k}}}}
}

// leading are searches that together find what may refer to a resource: by each
// parameter that can name it, and what is about the same client, since an element
// of a practice's own, or an extension, has no parameter. An intake and the episode
// that it led to can be about two records of one person.
func leading(typ string, to fhir.Resource) [][]fhir.Clause {
	about := narrowed(typ, aboutOf(to)) // nil: all are read through
	out := [][]fhir.Clause{about}
	t, ok := spec.Capability().Type(typ)
	if !ok || about == nil || to.Type == "Patient" {
		return out
	}
	for _, p := range t.Params {
		if p.Kind == fhir.Reference && p.CanTarget(to.Type) {
			out = append(out, naming(p.Code, to.Key))
		}
	}
	return out
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
	about := aboutOf(main)
	system := mapping.IdentifierSystem(r.Site.System, ref.Kind)
	for _, typ := range partOf[ref.Kind] {
		q := fhir.Query{Type: typ, Where: narrowed(typ, about), Count: pageOf}
		if len(q.Where) == 0 {
			continue
		}
		if typ == "Observation" { // scores are no parts of an episode
			q.Where = append(q.Where, fhir.Clause{Param: "category", Kind: fhir.Token, Any: []fhir.Operand{{Code: "social-history"}}})
		}
		for res, err := range fhir.Matches(ctx, tx.As(fhir.Act{Interaction: fhir.SearchType, Type: typ}), q) {
			if err != nil {
				return nil, err
			}
			for id := range res.Root().Get("identifier").Elements() {
				if id.Get("system").Text() == system && strings.HasPrefix(id.Get("value").Text(), ref.Key+"#") {
					out = append(out, res)
					break
				}
			}
		}
	}
	return out, nil
}

// pageOf is how many resources are asked for at once.
const pageOf = 200
