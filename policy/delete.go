package policy

import (
	"context"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Delete implements fhir.Tx.
func (w *writer) Delete(ctx context.Context, k fhir.Key, c fhir.Condition) (fhir.Written, error) {
	if err := w.pass(ctx, ToDelete, mayDelete, k.Type); err != nil {
		return fhir.Written{}, err
	}
	b, err := w.before(ctx, k)
	if err != nil {
		return fhir.Written{}, err
	}
	if !b.exists || !b.visible || b.head.Deleted {
		if b.exists && !b.visible {
			w.entry.deny("not-visible", b.head.Patients)
		}
		if c.IfMatch != 0 {
			return fhir.Written{}, fhir.Missing(k)
		}
		if c.IfMatchAny {
			return fhir.Written{}, nothingMatches()
		}
		return fhir.Written{Head: fhir.Head{Key: k}, Effect: fhir.Unchanged}, nil
	}
	v, err := w.may(ctx, ToDelete, mayDelete, k, b.head.Facts, "")
	if err != nil {
		return fhir.Written{}, err
	}
	alternatives, err := w.narrowing(k.Type, w.caller.ceiling(k.Type, mayDelete))
	if err != nil {
		return fhir.Written{}, err
	}
	in, err := w.within(b.body, alternatives)
	if err != nil {
		return fhir.Written{}, err
	}
	if !v.ok || !in {
		w.entry.deny("before-not-writable", b.head.Patients)
		return fhir.Written{}, unwritable()
	}
	return w.bury(ctx, k, b, store.Condition{IfMatch: c.IfMatch}, v.by)
}

// bury writes the tombstone of what was decided about.
func (w *writer) bury(ctx context.Context, k fhir.Key, b before, c store.Condition, by []string) (fhir.Written, error) {
	h, err := w.out.Delete(ctx, k, c)
	if err != nil {
		return fhir.Written{}, err
	}
	w.entry.touch(k, h.Version, WasDeleted, b.head.Patients, by)
	w.wrote(h.Head, b.head.Facts)
	if err := w.consentChanged(ctx, k, b.head.Patients, nil); err != nil {
		return fhir.Written{}, err
	}
	return fhir.Written{Head: h.Head, Effect: fhir.Removed}, nil
}
