package rest

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"rapport/fhir"
)

// create: POST [base]/[type], with If-None-Exist a conditional create.
//
// Source: https://hl7.org/fhir/R4/http.html#create and #ccreate
func (rt *Router) create(ctx context.Context, r *Request, typ string, links *links) (*plan, error) {
	if err := plain(r.Query); err != nil {
		return nil, err
	}
	if _, err := ifNoneMatch(r); err != nil {
		return nil, err
	}
	res, err := rt.content(ctx, r.Body, typ, links)
	if err != nil {
		return nil, err
	}
	id := rt.IDs()
	if links != nil {
		id = links.id
	}
	c := fhir.Condition{MustCreate: true}
	if crit := r.Header.Get("If-None-Exist"); crit != "" {
		if served, ok := rt.Served.Type(typ); !ok || !served.ConditionalCreate {
			return nil, fhir.Errorf(fhir.NotSupported, "", "If-None-Exist is not served for %s; leave it out.", typ)
		}
		// Some clients send Type?criteria.
		q, err := rt.criteriaOf(typ, strings.TrimPrefix(strings.TrimPrefix(crit, typ), "?"))
		if err != nil {
			return nil, err
		}
		c = fhir.Condition{IfNoneExist: &q}
	}
	if res, err = res.Stamp(id, 1, rt.Clock()); err != nil {
		return nil, err
	}
	return &plan{
		act:  fhir.Act{Interaction: fhir.Create, Type: typ},
		body: res,
		write: func(ctx context.Context, tx fhir.Tx, res fhir.Resource) (Response, error) {
			return rt.put(ctx, tx, r, res, c)
		},
	}, nil
}

// content parses, resolves the links of and validates what was sent, which must be whole.
func (rt *Router) content(ctx context.Context, body []byte, typ string, links *links) (fhir.Resource, error) {
	res, err := fhir.Parse(body)
	if err != nil {
		return fhir.Resource{}, err
	}
	if res.Type != typ {
		return fhir.Resource{}, fhir.Errorf(fhir.Invalid, "resourceType", "The URL says %s and the body something else; they must agree.", typ)
	}
	if res, err = links.resolve(res); err != nil {
		return fhir.Resource{}, err
	}
	judged := res
	if links != nil {
		if judged, err = settled(res); err != nil {
			return fhir.Resource{}, err
		}
	}
	if err := rt.Validate.Check(ctx, judged); err != nil {
		return fhir.Resource{}, err
	}
	return res, whole(res)
}

// criteria reads the parameters that name one resource.
func (rt *Router) criteria(typ string, vs url.Values) (fhir.Query, error) {
	for name := range vs {
		if strings.HasPrefix(name, "_") && name != "_id" && name != "_tag" {
			return fhir.Query{}, &fhir.Error{Code: fhir.Invalid, Detail: "Criteria name search parameters only; leave out parameters that shape a result."}
		}
	}
	req, err := rt.Search.Parse(typ, vs, false)
	if err != nil {
		return fhir.Query{}, badRequest(err)
	}
	req.Query.Count = 2
	return req.Query, nil
}

// put writes, derives and answers; create and update share it.
func (rt *Router) put(ctx context.Context, tx fhir.Tx, r *Request, res fhir.Resource, c fhir.Condition) (Response, error) {
	w, err := tx.Put(ctx, res, c)
	if err != nil {
		return Response{}, err
	}
	if w.Effect == fhir.Created || w.Effect == fhir.Updated {
		if err := rt.follows(ctx, tx, w); err != nil {
			return Response{}, err
		}
	}
	h := versionHeader(w.Resource)
	resp := Response{Status: http.StatusOK, Header: h, Body: prefers(r.Header).shown(w), did: fhir.Written{Head: w.Head, Effect: w.Effect}}
	if w.Effect == fhir.Created {
		resp.Status = http.StatusCreated
	}
	if w.Effect != fhir.Unchanged {
		h.Set("Location", rt.location(w.Key, w.Version))
	}
	return resp, nil
}

// follows does what must come of a write.
func (rt *Router) follows(ctx context.Context, tx fhir.Tx, w fhir.Written) error {
	for _, follow := range rt.Follow {
		if err := follow(ctx, tx, w); err != nil {
			return err
		}
	}
	return nil
}
