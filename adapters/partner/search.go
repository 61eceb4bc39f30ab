package partner

import (
	"context"
	"net/http"
	"net/url"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// Search returns the matches of the first page.
func (ch *Channel) Search(ctx context.Context, at exchange.Partner, typ string, params url.Values) ([]fhir.Resource, error) {
	p, err := ch.peer(at)
	if err != nil {
		return nil, err
	}
	b, err := p.do(ctx, http.MethodGet, "/"+typ+"?"+params.Encode(), nil, nil)
	if err != nil {
		return nil, err
	}
	rs, _, err := matches(b, typ)
	return rs, err
}

// Look searches by POST, so that what identifies a person stands in no URL, and says
// whether the page holds all matches.
//
// Source: https://hl7.org/fhir/R4/http.html#search
func (ch *Channel) Look(ctx context.Context, at exchange.Partner, typ string, params url.Values) ([]fhir.Resource, bool, error) {
	p, err := ch.peer(at)
	if err != nil {
		return nil, false, err
	}
	b, err := p.do(ctx, http.MethodPost, "/"+typ+"/_search", []byte(params.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if err != nil {
		return nil, false, err
	}
	return matches(b, typ)
}

// matches reads a searchset: what matched, and whether there is no further page.
func matches(b fhir.Resource, typ string) (rs []fhir.Resource, whole bool, err error) {
	if b.Type != "Bundle" {
		return nil, false, &fhir.Error{Code: fhir.Invalid, Detail: "the partner answered a search with something else"}
	}
	for e := range b.Root().Get("entry").Elements() {
		if mode := e.At("search", "mode").Text(); mode != "" && mode != "match" || e.At("resource", "resourceType").Text() == "OperationOutcome" {
			continue
		}
		r, err := fhir.ResourceOf(e.Get("resource"))
		if err != nil || r.Type != typ {
			return nil, false, &fhir.Error{Code: fhir.Invalid, Detail: "the partner answered a search with something else", Err: err}
		}
		rs = append(rs, r)
	}
	whole = true
	for l := range b.Root().Get("link").Elements() {
		whole = whole && l.Get("relation").Text() != "next"
	}
	return rs, whole, nil
}
