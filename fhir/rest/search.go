package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rapport/fhir"
)

// search: GET [base]/[type]?…, a next page by GET [base]/[type]?_page=…
//
// Source: https://hl7.org/fhir/R4/http.html#search
func (rt *Router) search(r *Request, typ string) (*plan, error) {
	shown, vs, err := shapeOf(r.Query, typ)
	if err != nil {
		return nil, err
	}
	var q fhir.Query
	var ignored []string
	var self []string
	if pages, ok := vs["_page"]; ok {
		if len(pages) != 1 || pages[0] == "" {
			return nil, fhir.Missing(fhir.Key{})
		}
		for name := range vs {
			if name != "_page" && name != "_format" && name != "_pretty" {
				return nil, &fhir.Error{Code: fhir.Invalid, Detail: "_page stands alone: it holds the whole search. Follow the next link as it is."}
			}
		}
		q = fhir.Query{Type: typ, After: pages[0]}
		self = []string{"_page=" + url.QueryEscape(pages[0])}
	} else {
		req, err := rt.Search.Parse(typ, withoutFormat(vs), prefers(r.Header).lenient)
		if err != nil {
			return nil, badRequest(err)
		}
		q, ignored = req.Query, req.Ignored
		self = []string{req.Self()}
		if r.Method == http.MethodPost {
			self = nil // who posts a search keeps it out of URLs
		}
	}
	if shown.summary == "count" {
		q.Count, q.Total, q.Include, q.RevInclude = 0, true, nil, nil
	}
	address := rt.Base + "/" + typ
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
				next = withQuery(address, "_page="+url.QueryEscape(set.Next), shown.query())
			}
			w.links([2]string{"self", withQuery(address, append(self, shown.query())...)}, [2]string{"next", next})
			for _, e := range set.Entries {
				mode := "match"
				if e.Mode == fhir.Included {
					mode = "include"
				}
				w.entry(rt.Base+"/"+e.Key.String(), shown.of(e.Resource), fhir.NewObject().Set("search", fhir.NewObject().Set("mode", mode)))
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

// withQuery adds to an address what of a query there is.
func withQuery(address string, parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		return address
	}
	return address + "?" + strings.Join(parts, "&")
}

// posted: POST [base]/[type]/_search, the parameters in the body, so that no log on the
// way holds them. Those of the URL count too.
//
// Source: https://hl7.org/fhir/R4/http.html#search
func (rt *Router) posted(r *Request, typ string) (*plan, error) {
	vs, err := url.ParseQuery(strings.TrimSpace(string(r.Body)))
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Invalid, Detail: "The parameters in the body cannot be read: separate them by & and escape what is special."}
	}
	all := url.Values{}
	for _, from := range []url.Values{r.Query, vs} {
		for name, v := range from {
			all[name] = append(all[name], v...)
		}
	}
	c := *r
	c.Query = all
	return rt.search(&c, typ)
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
