package rest

import (
	"context"
	"net/http"
	"net/url"

	"rapport/fhir"
)

// aim is what the criteria of a conditional update, patch or delete meet.
type aim struct {
	query fhir.Query
}

// aimed reads the criteria that stand in the URL of a write to a type. Without any it
// would be about every resource of the type.
func (rt *Router) aimed(r *Request, typ string) (aim, error) {
	vs := withoutFormat(r.Query)
	if len(vs) == 0 {
		return aim{}, &fhir.Error{Code: fhir.Invalid, Detail: "Name one resource by its id, or by criteria such as ?identifier=system|value."}
	}
	q, err := rt.criteria(typ, vs)
	return aim{q}, err
}

// find returns the one resource that meets the criteria among those that the caller
// sees, zero if there is none. What is hidden is not met, so that nothing is learnt of
// it (attack case A32). Writers of a tenant stand in line, so it stays the one.
func (a aim) find(ctx context.Context, tx fhir.Tx) (fhir.Resource, error) {
	act := fhir.Act{Interaction: fhir.SearchType, Type: a.query.Type, Query: a.query.Canonical()}
	set, err := tx.As(act).Search(ctx, a.query)
	if err != nil {
		return fhir.Resource{}, err
	}
	switch len(set.Entries) {
	case 0:
		return fhir.Resource{}, nil
	case 1:
		return set.Entries[0].Resource, nil
	}
	return fhir.Resource{}, &fhir.Error{Code: fhir.Multiple, Detail: "Several resources meet the criteria; name one that only one resource meets."}
}

// conditionalUpdate: PUT [base]/[type]?criteria. One match is updated; none makes a
// new resource, with the id in the body where the caller may choose ids.
//
// Source: https://hl7.org/fhir/R4/http.html#cond-update
func (rt *Router) conditionalUpdate(ctx context.Context, r *Request, typ string, links *links) (*plan, error) {
	a, err := rt.aimed(r, typ)
	if err != nil {
		return nil, err
	}
	c, err := preconditions(r)
	if err != nil {
		return nil, err
	}
	res, err := rt.content(ctx, r.Body, typ, links)
	if err != nil {
		return nil, err
	}
	fresh := rt.IDs()
	made := fhir.Key{Type: typ, ID: res.ID}
	if made.ID == "" {
		made.ID = fresh
	}
	return &plan{
		act:  fhir.Act{Interaction: fhir.Update, Type: typ, Query: a.query.Canonical()},
		body: res, aim: &a, made: made,
		write: func(ctx context.Context, tx fhir.Tx, res fhir.Resource) (Response, error) {
			found, err := a.find(ctx, tx)
			if err != nil {
				return Response{}, err
			}
			switch {
			case !found.IsZero() && res.ID != "" && res.ID != found.ID:
				return Response{}, fhir.Errorf(fhir.Invalid, typ+".id", "The id in the body is another than that of the resource that meets the criteria; leave the id out.")
			case found.IsZero() && (c.IfMatch != 0 || c.IfMatchAny):
				return Response{}, unmet()
			case !found.IsZero() && c.IfNoneMatchAny:
				return Response{}, &fhir.Error{Code: fhir.Stale, Detail: "A resource meets the criteria already, and If-None-Match: * asks to overwrite none. Read it, and update the version that you read."}
			case found.IsZero() && res.ID == "":
				return rt.makes(ctx, tx, r, res, fresh, a)
			}
			id := res.ID
			if !found.IsZero() {
				id = found.ID
			} else if _, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: typ, ID: id}).Read(ctx, res.Key); err == nil {
				return Response{}, fhir.Errorf(fhir.Duplicate, typ+".id", "The id in the body is that of a resource that does not meet the criteria; leave the id out.")
			}
			if res, err = res.Stamp(id, 1, rt.Clock()); err != nil {
				return Response{}, err
			}
			return rt.put(ctx, tx.As(fhir.Act{Interaction: fhir.Update, Type: typ, ID: id}), r, res, c)
		},
	}, nil
}

// unmet answers If-Match where nothing that the caller sees meets the criteria.
func unmet() error {
	return &fhir.Error{Code: fhir.Stale, Detail: "Nothing that you may see meets the criteria, so no version of it can be the one that If-Match names."}
}

// makes creates what no resource that the caller sees met.
func (rt *Router) makes(ctx context.Context, tx fhir.Tx, r *Request, res fhir.Resource, id string, a aim) (Response, error) {
	res, err := res.Stamp(id, 1, rt.Clock())
	if err != nil {
		return Response{}, err
	}
	return rt.put(ctx, tx.As(fhir.Act{Interaction: fhir.Create, Type: res.Type}), r, res, fhir.Condition{IfNoneExist: &a.query})
}

// conditionalDelete: DELETE [base]/[type]?criteria, of one match alone.
//
// Source: https://hl7.org/fhir/R4/http.html#cdelete
func (rt *Router) conditionalDelete(r *Request, typ string) (*plan, error) {
	a, err := rt.aimed(r, typ)
	if err != nil {
		return nil, err
	}
	c, err := preconditions(r)
	if err != nil {
		return nil, err
	}
	return &plan{
		act: fhir.Act{Interaction: fhir.Delete, Type: typ, Query: a.query.Canonical()},
		write: func(ctx context.Context, tx fhir.Tx, _ fhir.Resource) (Response, error) {
			found, err := a.find(ctx, tx)
			if err != nil {
				return Response{}, err
			}
			switch {
			case found.IsZero() && (c.IfMatch != 0 || c.IfMatchAny):
				return Response{}, unmet()
			case found.IsZero():
				return rt.deleted(r, fhir.Written{}), nil
			}
			tx = tx.As(fhir.Act{Interaction: fhir.Delete, Type: typ, ID: found.ID})
			return rt.remove(ctx, tx, r, found.Key, c)
		},
	}, nil
}

// criteriaOf reads "identifier=…" of If-None-Exist or of a conditional reference.
func (rt *Router) criteriaOf(typ, s string) (fhir.Query, error) {
	vs, err := url.ParseQuery(s)
	if err != nil || len(vs) == 0 {
		return fhir.Query{}, &fhir.Error{Code: fhir.Invalid, Detail: "The criteria cannot be read; write them as in a search URL, e.g. identifier=system|value."}
	}
	return rt.criteria(typ, vs)
}

func (rt *Router) remove(ctx context.Context, tx fhir.Tx, r *Request, k fhir.Key, c fhir.Condition) (Response, error) {
	w, err := tx.Delete(ctx, k, c)
	if err != nil {
		return Response{}, err
	}
	if w.Effect == fhir.Removed {
		if err := rt.follows(ctx, tx, w); err != nil {
			return Response{}, err
		}
	}
	return rt.deleted(r, w), nil
}

// deleted answers alike for what was deleted, was never there or is not visible, but
// for the ETag of a tombstone.
func (rt *Router) deleted(r *Request, w fhir.Written) Response {
	resp := Response{Status: http.StatusNoContent, Header: http.Header{}}
	if w.Effect == fhir.Removed {
		resp.Header.Set("ETag", etag(w.Version))
		resp.did = w
	}
	if prefers(r.Header).give == "OperationOutcome" {
		resp.Status, resp.Body = http.StatusOK, told("What the request names is not there, or no longer.")
	}
	return resp
}
