package policy

import (
	"context"
	"slices"

	"rapport/fhir"
	"rapport/fhir/store"
)

// follows says which types may follow from which by the product's own rules.
var follows = map[string][]string{
	"QuestionnaireResponse": {"Observation", "Flag", "Task", "Communication"},
	"Observation":           {"Observation", "Flag", "Task"},
	"EpisodeOfCare":         {"Observation", "Flag", "Task"},              // of responses, when it begins or ends otherwise
	"Encounter":             {"Procedure", "Observation", "Flag", "Task"}, // of its responses, when it moves
	"ServiceRequest":        {"Task"},
	"Task":                  {"Communication", "ServiceRequest", "Task"}, // the referral that is agreed to stop
}

// Derive implements fhir.Tx. What follows is about the same patients as its
// parent and nobody else, and its parent was written in this transaction: with
// that, the caller's own rights are not asked.
func (w *writer) Derive(ctx context.Context, parent fhir.Head, rs ...fhir.Resource) ([]fhir.Written, error) {
	if v, ok := w.session.fresh.heads[parent.Key]; !ok || v != parent.Version {
		return nil, &fhir.Error{Code: fhir.Exception, Detail: "Nothing can follow from a resource that this transaction did not write."}
	}
	from, err := w.before(ctx, parent.Key)
	if err != nil {
		return nil, err
	}
	e := newEntry(fhir.Act{Interaction: fhir.Create, Operation: "derive"})
	e.derived = parent.Key
	w.session.entries = append(w.session.entries, e)
	d := *w
	d.reader.entry = e
	out := make([]fhir.Written, 0, len(rs))
	for _, r := range rs {
		written, err := d.derive(ctx, from, r)
		if err != nil {
			return nil, err
		}
		out = append(out, written)
	}
	return out, nil
}

func (w *writer) derive(ctx context.Context, from before, r fhir.Resource) (fhir.Written, error) {
	misfit := func(why string) error {
		w.entry.deny(why, from.head.Patients)
		return &fhir.Error{Code: fhir.Exception, Detail: "A resource that should follow from another does not fit it."}
	}
	if r.Type != "Provenance" && !slices.Contains(follows[from.head.Type], r.Type) {
		return fhir.Written{}, misfit("derived-type")
	}
	b, err := w.before(ctx, r.Key)
	if err != nil {
		return fhir.Written{}, err
	}
	if r.IsZero() {
		return w.underive(ctx, from, b, r.Key, misfit)
	}
	if b.exists && !b.head.Deleted {
		if r, err = keepLabels(b.body, r); err != nil {
			return fhir.Written{}, err
		}
	}
	f := w.factor.FactsOf(r)
	if err := w.sameRecord(from, slices.Concat(f.Patients, b.head.Patients), misfit); err != nil {
		return fhir.Written{}, err
	}
	if len(f.Patients) == 0 && r.Type != "Provenance" && len(from.head.Patients) > 0 {
		return fhir.Written{}, misfit("derived-patient")
	}
	if parseClass(f.Class).labels != "" && slices.Contains(split(parseClass(f.Class).labels), "PSYTHPN") {
		return fhir.Written{}, misfit("derived-note")
	}
	if b.exists && !b.head.Deleted && fhir.SameContent(b.body, r) {
		w.entry.touch(r.Key, b.head.Version, WasSame, b.head.Patients, nil)
		return fhir.Written{Head: b.head.Head, Effect: fhir.Unchanged, Resource: b.body}, nil
	}
	return w.put(ctx, b, r, f, store.Condition{}, []string{"derived"})
}

// sameRecord refuses what follows where it is about others than its parent, now or
// before. That is our own fault, but where they are whom the parent was about until
// this transaction: then the caller has moved it, and what followed cannot go along.
func (w *writer) sameRecord(from before, patients []fhir.Key, misfit func(string) error) error {
	others := slices.DeleteFunc(slices.Clone(patients), func(p fhir.Key) bool { return slices.Contains(from.head.Patients, p) })
	if len(others) == 0 {
		return nil
	}
	left := w.session.fresh.left[from.head.Key]
	if slices.ContainsFunc(others, func(p fhir.Key) bool { return !slices.Contains(left, p) }) {
		return misfit("derived-patient")
	}
	w.entry.deny("derived-moved", slices.Concat(from.head.Patients, others))
	return &fhir.Error{
		Code: fhir.BusinessRule, At: w.factor.naming(from.body, from.head.Patients),
		Detail: "What followed from this before (scores, flags, tasks) stands in the record of another client. Leave it that client's and mark it entered-in-error, and send this one as a new one of its own.",
	}
}

// underive takes back what followed. Who did what is never taken back.
func (w *writer) underive(ctx context.Context, from, b before, k fhir.Key, misfit func(string) error) (fhir.Written, error) {
	if k.Type == "Provenance" {
		return fhir.Written{}, misfit("derived-type")
	}
	if !b.lives() {
		return fhir.Written{Head: fhir.Head{Key: k}, Effect: fhir.Unchanged}, nil
	}
	if len(b.head.Patients) == 0 {
		return fhir.Written{}, misfit("derived-patient")
	}
	if err := w.sameRecord(from, b.head.Patients, misfit); err != nil {
		return fhir.Written{}, err
	}
	return w.bury(ctx, k, b, store.Condition{}, []string{"derived"})
}
