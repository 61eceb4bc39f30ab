package rest

import (
	"context"

	"rapport/fhir"
)

// delete: DELETE [base]/[type]/[id]. What is gone, was never there or is not
// visible answers alike: 204.
//
// Source: https://hl7.org/fhir/R4/http.html#delete
func (rt *Router) delete(r *Request, k fhir.Key) (*plan, error) {
	if err := plain(r.Query); err != nil {
		return nil, err
	}
	c, err := preconditions(r)
	if err != nil {
		return nil, err
	}
	return &plan{
		act: fhir.Act{Interaction: fhir.Delete, Type: k.Type, ID: k.ID},
		write: func(ctx context.Context, tx fhir.Tx, _ fhir.Resource) (Response, error) {
			return rt.remove(ctx, tx, r, k, c)
		},
	}, nil
}
