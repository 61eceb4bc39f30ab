package instrument

import (
	"context"

	"rapport/fhir"
)

// prior reads the version before one that was just written; the zero Resource where it is
// the first, had been deleted, or is not for the caller.
func (j *derivation) prior(ctx context.Context, r fhir.Resource) (fhir.Resource, error) {
	if r.Version <= 1 {
		return fhir.Resource{}, nil
	}
	before, err := j.in.ReadVersion(ctx, r.Key, r.Version-1)
	if fhir.Unseen(err) {
		return fhir.Resource{}, nil
	}
	return before, err
}

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
