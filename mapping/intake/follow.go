package intake

import (
	"context"

	"rapport/fhir"
)

// followed is a transaction as those see it who do what must come of a write. It
// counts what they write: scores and flags are a part of what an import did.
type followed struct {
	fhir.Tx
	out *effects
}

func (f followed) note(w fhir.Written) { f.out.derived = append(f.out.derived, w) }

// As implements fhir.Tx.
func (f followed) As(a fhir.Act) fhir.Tx { return followed{f.Tx.As(a), f.out} }

// Put implements fhir.Tx.
func (f followed) Put(ctx context.Context, r fhir.Resource, c fhir.Condition) (fhir.Written, error) {
	w, err := f.Tx.Put(ctx, r, c)
	if err == nil {
		f.note(w)
	}
	return w, err
}

// Delete implements fhir.Tx.
func (f followed) Delete(ctx context.Context, k fhir.Key, c fhir.Condition) (fhir.Written, error) {
	w, err := f.Tx.Delete(ctx, k, c)
	if err == nil && w.Effect == fhir.Removed {
		f.note(w)
	}
	return w, err
}

// Derive implements fhir.Tx.
func (f followed) Derive(ctx context.Context, parent fhir.Head, rs ...fhir.Resource) ([]fhir.Written, error) {
	ws, err := f.Tx.Derive(ctx, parent, rs...)
	for _, w := range ws {
		if err == nil {
			f.note(w)
		}
	}
	return ws, err
}
