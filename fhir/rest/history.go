package rest

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"rapport/fhir"
)

// pageSize bounds what one page holds when the caller does not say, and at most.
const (
	pageSize    = 20
	maxPageSize = 1000
)

// history: GET [base]/[type]/[id]/_history, with _count and _since.
//
// Source: https://hl7.org/fhir/R4/http.html#history
func (rt *Router) history(r *Request, k fhir.Key) (*plan, error) {
	return rt.versions(r, fhir.Act{Interaction: fhir.HistoryInstance, Type: k.Type, ID: k.ID})
}

// histories: GET [base]/[type]/_history and GET [base]/_history
func (rt *Router) histories(r *Request, typ string) (*plan, error) {
	if typ == "" {
		return rt.versions(r, fhir.Act{Interaction: fhir.HistorySystem})
	}
	return rt.versions(r, fhir.Act{Interaction: fhir.HistoryType, Type: typ})
}

func (rt *Router) versions(r *Request, act fhir.Act) (*plan, error) {
	span, err := spanOf(r)
	if err != nil {
		return nil, err
	}
	self := rt.Base + "/_history"
	if act.ID != "" {
		self = rt.Base + "/" + act.Type + "/" + act.ID + "/_history"
	} else if act.Type != "" {
		self = rt.Base + "/" + act.Type + "/_history"
	}
	return &plan{
		act: act,
		look: func(ctx context.Context, in fhir.Reader) (Response, error) {
			set, err := in.History(ctx, fhir.Scope{Type: act.Type, ID: act.ID}, span)
			if err != nil {
				return Response{}, err
			}
			if act.ID != "" && len(set.Entries) == 0 && span.After == "" && span.Since.IsZero() {
				return Response{}, fhir.Missing(fhir.Key{Type: act.Type, ID: act.ID})
			}
			w := newBundle("history", rt)
			if set.Total != nil {
				w.total(*set.Total)
			}
			next := ""
			if set.Next != "" {
				next = self + "?_page=" + url.QueryEscape(set.Next)
			}
			w.links([2]string{"self", self}, [2]string{"next", next})
			for _, e := range set.Entries {
				w.past(rt, e)
			}
			return Response{Status: http.StatusOK, Header: http.Header{}, Body: w.done()}, nil
		},
	}, nil
}

func spanOf(r *Request) (fhir.Span, error) {
	span := fhir.Span{Count: pageSize}
	for name, vs := range r.Query {
		v := vs[0]
		if len(vs) > 1 {
			return span, fhir.Errorf(fhir.Invalid, "", "%s may be given once.", printable(name))
		}
		switch name {
		case "_format", "_pretty":
		case "_count":
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				return span, &fhir.Error{Code: fhir.Invalid, Detail: "_count must be a whole number from 1."}
			}
			span.Count = min(n, maxPageSize)
		case "_since":
			t, err := time.Parse(time.RFC3339Nano, v)
			if err != nil {
				return span, &fhir.Error{Code: fhir.Invalid, Detail: "_since must be an instant such as 2026-01-31T08:00:00Z; write + as %2B."}
			}
			span.Since = t
		case "_page":
			span.After = v
		default:
			return span, fhir.Errorf(fhir.NotSupported, "", "The parameter %s is not served on a history; leave it out.", printable(name))
		}
	}
	if span.After != "" && (r.Query.Has("_count") || r.Query.Has("_since")) {
		return span, &fhir.Error{Code: fhir.Invalid, Detail: "_page stands alone: it holds the whole request. Follow the next link as it is."}
	}
	return span, nil
}

// past adds a version with the request that must have made it.
func (w *writer) past(rt *Router, e fhir.Entry) {
	method, status, target := http.MethodPut, "200", e.Key.String()
	switch {
	case e.Deleted:
		method, status = http.MethodDelete, "204"
	case e.Version == 1:
		method, status, target = http.MethodPost, "201", e.Type
	}
	w.entry(rt.Base+"/"+e.Key.String(), e.Resource.Body(), fhir.NewObject().
		Set("request", fhir.NewObject().Set("method", method).Set("url", target)).
		Set("response", fhir.NewObject().Set("status", status).Set("etag", etag(e.Version)).Set("lastModified", e.Updated)))
}
