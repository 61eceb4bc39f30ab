package instrument

import (
	"context"
	"slices"

	"rapport/fhir"
)

// rolesOf lists every key under which something may have followed from a response,
// whatever instrument it was to: the score first. From a bare score only alerts do.
func (l *Library) rolesOf(response fhir.Key) []fhir.Key {
	answered := response.Type == "QuestionnaireResponse"
	ks := []fhir.Key{scoreKey(response)}
	for _, in := range l.list {
		for _, risk := range in.Risks {
			if !answered {
				break
			}
			ks = append(ks, flagKey(response, risk))
			for _, o := range in.Items[risk.item].list.Options {
				ks = append(ks, taskKey(response, risk, o.Code))
			}
		}
		for _, a := range in.alerts() {
			ks = append(ks, a.taskOf(response))
			if a.flag {
				ks = append(ks, a.flagOf(response))
			}
		}
	}
	slices.SortStableFunc(ks[1:], fhir.Key.Compare)
	if !answered {
		ks = ks[1:]
	}
	return slices.Compact(ks)
}

// each runs f on everything that followed from a response and is there.
func (j *derivation) each(ctx context.Context, response fhir.Key, f func(fhir.Resource) error) error {
	for _, k := range j.library.rolesOf(response) {
		r, err := fhir.Look(ctx, j.in, k)
		if err != nil {
			return err
		}
		if r.IsZero() {
			continue
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// mistaken marks what followed from a response that should never have been.
func (j *derivation) mistaken(ctx context.Context, response fhir.Key) error {
	return j.each(ctx, response, func(r fhir.Resource) error { return j.mark(r, "entered-in-error") })
}

// withdrawn takes back what followed from a response that was deleted.
func (j *derivation) withdrawn(ctx context.Context, response fhir.Key) error {
	prior, err := fhir.Look(ctx, j.in, scoreKey(response))
	if err != nil {
		return err
	}
	err = j.each(ctx, response, func(r fhir.Resource) error { j.unmake(r); return nil })
	if err != nil {
		return err
	}
	return j.settle(ctx, prior, fhir.Resource{}, nil)
}
