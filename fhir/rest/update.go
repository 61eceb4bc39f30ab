package rest

import (
	"context"
	"strconv"
	"strings"

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
	match, err := ifMatch(r)
	if err != nil {
		return nil, err
	}
	c := fhir.Condition{IfMatch: match}
	return &plan{
		act:  fhir.Act{Interaction: fhir.Update, Type: k.Type, ID: k.ID},
		body: res,
		write: func(ctx context.Context, tx fhir.Tx, res fhir.Resource) (Response, error) {
			return rt.put(ctx, tx, r, res, c)
		},
	}, nil
}

// ifMatch reads If-Match: one weak or strong ETag; 0 when absent.
func ifMatch(r *Request) (int64, error) {
	h := strings.TrimSpace(r.Header.Get("If-Match"))
	if h == "" || h == "*" {
		return 0, nil
	}
	v, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(h, "W/"), `"`), 10, 64)
	if err != nil || v < 1 {
		return 0, &fhir.Error{Code: fhir.Stale, Detail: `If-Match names no version of this resource; send its ETag, e.g. W/"3".`}
	}
	return v, nil
}
