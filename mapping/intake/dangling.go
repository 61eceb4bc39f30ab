package intake

import (
	"context"
	"fmt"
	"sort"

	"rapport/fhir"
)

// dangling asks the store for what the run referred to and did not write.
func (r *run) dangling(ctx context.Context) error {
	rest := r.links.rest(&r.ledger.good)
	sort.Slice(rest, func(i, j int) bool {
		a, b := rest[i], rest[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Target.Compare(b.Target) < 0
	})
	if n := r.links.more; n > 0 {
		r.note("%d further references lead to what is not in this upload; whether it is in the store was not looked up", n)
	}
	for _, d := range rest {
		there, err := r.there(ctx, d.Target)
		if err != nil {
			return fmt.Errorf("looking for what the import refers to: %w", err)
		}
		if there {
			continue
		}
		r.sum.Loose++
		if len(r.sum.Dangling) < maxListed {
			r.sum.Dangling = append(r.sum.Dangling, d)
		}
	}
	return nil
}

// there reports whether a resource is stored, as one look-up of its own: each is
// decided and recorded for the resource that it names.
func (r *run) there(ctx context.Context, k fhir.Key) (bool, error) {
	err := r.Gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}, func(in fhir.Reader) error {
		_, err := in.Read(ctx, k)
		return err
	})
	switch {
	case err == nil:
		return true, nil
	case fhir.Is(err, fhir.NotFound), fhir.Is(err, fhir.Deleted), fhir.Is(err, fhir.NotSupported), fhir.Is(err, fhir.Forbidden):
		return false, nil
	}
	return false, err
}
