package instrument

import (
	"context"

	"rapport/fhir"
)

// visible reads a resource; one that is not there, deleted or not for the caller
// is the zero Resource.
func visible(ctx context.Context, r fhir.Reader, k fhir.Key) (fhir.Resource, error) {
	if k.IsZero() {
		return fhir.Resource{}, nil
	}
	res, err := r.Read(ctx, k)
	if unseen(err) {
		return fhir.Resource{}, nil
	}
	return res, err
}

// prior reads the version before one that was just written; the zero Resource where it is
// the first, had been deleted, or is not for the caller.
func (j *derivation) prior(ctx context.Context, r fhir.Resource) (fhir.Resource, error) {
	if r.Version <= 1 {
		return fhir.Resource{}, nil
	}
	before, err := j.in.ReadVersion(ctx, r.Key, r.Version-1)
	if unseen(err) {
		return fhir.Resource{}, nil
	}
	return before, err
}

// unseen reports whether a read found nothing that is the caller's to know of.
func unseen(err error) bool {
	return fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Deleted) || fhir.Is(err, fhir.Forbidden)
}

// pages hands every match of a query to f; seen is false where the caller may not search
// for such.
func pages(ctx context.Context, r fhir.Reader, q fhir.Query, f func(fhir.Resource) error) (seen bool, err error) {
	for q.Count = pageOf; ; {
		set, err := r.Search(ctx, q)
		if fhir.Is(err, fhir.Forbidden) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, e := range set.Entries {
			if err := f(e.Resource); err != nil {
				return true, err
			}
		}
		if q.After = set.Next; set.Next == "" {
			return true, nil
		}
	}
}

// pageOf is how many matches are asked for at once: few clients have more scores on a
// scale.
const pageOf = 100

// remembering is a Reader that reads each resource once. It serves one transaction
// and one goroutine.
type remembering struct {
	fhir.Reader
	seen map[fhir.Key]answer
}

type answer struct {
	fhir.Resource
	err error
}

func remember(r fhir.Reader) remembering { return remembering{r, map[fhir.Key]answer{}} }

// Read implements fhir.Reader.
func (r remembering) Read(ctx context.Context, k fhir.Key) (fhir.Resource, error) {
	if a, ok := r.seen[k]; ok {
		return a.Resource, a.err
	}
	res, err := r.Reader.Read(ctx, k)
	r.seen[k] = answer{res, err}
	return res, err
}
