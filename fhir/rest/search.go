package rest

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"rapport/fhir"
)

// search: GET [base]/[type]?…, a next page by GET [base]/[type]?_page=…
//
// Source: https://hl7.org/fhir/R4/http.html#search
func (rt *Router) search(r *Request, typ string) (*plan, error) {
	var q fhir.Query
	var ignored []string
	self := ""
	if pages, ok := r.Query["_page"]; ok {
		if len(pages) != 1 || pages[0] == "" {
			return nil, fhir.Missing(fhir.Key{})
		}
		for name := range r.Query {
			if name != "_page" && name != "_format" && name != "_pretty" {
				return nil, &fhir.Error{Code: fhir.Invalid, Detail: "_page stands alone: it holds the whole search. Follow the next link as it is."}
			}
		}
		q = fhir.Query{Type: typ, After: pages[0]}
		self = rt.Base + "/" + typ + "?_page=" + url.QueryEscape(pages[0])
	} else {
		lenient := strings.Contains(r.Header.Get("Prefer"), "handling=lenient")
		req, err := rt.Search.Parse(typ, withoutFormat(r.Query), lenient)
		if err != nil {
			return nil, badRequest(err)
		}
		q, ignored = req.Query, req.Ignored
		self = rt.Base + "/" + typ
		if s := req.Self(); s != "" {
			self += "?" + s
		}
	}
	return &plan{
		act: fhir.Act{Interaction: fhir.SearchType, Type: typ, Query: q.Canonical()},
		look: func(ctx context.Context, in fhir.Reader) (Response, error) {
			set, err := in.Search(ctx, q)
			if err != nil {
				return Response{}, err
			}
			w := newBundle("searchset", rt)
			if set.Total != nil {
				w.total(*set.Total)
			}
			next := ""
			if set.Next != "" {
				next = rt.Base + "/" + typ + "?_page=" + url.QueryEscape(set.Next)
			}
			w.links([2]string{"self", self}, [2]string{"next", next})
			for _, e := range set.Entries {
				mode := "match"
				if e.Mode == fhir.Included {
					mode = "include"
				}
				w.entry(rt.Base+"/"+e.Key.String(), e.Resource.Body(), fhir.NewObject().Set("search", fhir.NewObject().Set("mode", mode)))
			}
			if len(ignored) > 0 {
				warn := Outcome(&fhir.Error{Code: fhir.NotSupported, Warn: true,
					Detail: "These parameters are not served and were ignored: " + strings.Join(ignored, ", ") + "."})
				w.entry("", warn, fhir.NewObject().Set("search", fhir.NewObject().Set("mode", "outcome")))
			}
			return Response{Status: http.StatusOK, Header: http.Header{}, Body: w.done()}, nil
		},
	}, nil
}

func withoutFormat(vs url.Values) url.Values {
	out := url.Values{}
	for n, v := range vs {
		if n != "_format" && n != "_pretty" {
			out[n] = v
		}
	}
	return out
}

// badRequest makes what is wrong with a URL a 400, whatever is wrong with it.
func badRequest(err error) error {
	var out fhir.Errors
	for _, e := range fhir.IssuesOf(err) {
		c := *e
		if Status(&c) != http.StatusBadRequest && c.Code != fhir.Exception {
			c.Code = fhir.Invalid
		}
		out = append(out, &c)
	}
	return out
}
