package rest

import (
	"context"

	"rapport/fhir"
)

// update: PUT [base]/[type]/[id]
//
// Source: https://hl7.org/fhir/R4/http.html#update
func (rt *Router) update(ctx context.Context, r *Request, k fhir.Key, links *links) (*plan, error) {
	if err := plain(r.Query); err != nil {
		return nil, err
	}
	res, err := rt.content(ctx, r.Body, k.Type, links)
	if err != nil {
		return nil, err
	}
	if res.ID != k.ID {
		return nil, fhir.Errorf(fhir.Invalid, k.Type+".id", "The id in the body must be there and equal the one in the URL.")
	}
	c, err := preconditions(r)
	if err != nil {
		return nil, err
	}
	return &plan{
		act:  fhir.Act{Interaction: fhir.Update, Type: k.Type, ID: k.ID},
		body: res,
		write: func(ctx context.Context, tx fhir.Tx, res fhir.Resource) (Response, error) {
			return rt.put(ctx, tx, r, res, c)
		},
	}, nil
}
