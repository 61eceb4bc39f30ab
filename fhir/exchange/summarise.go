package exchange

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"rapport/fhir"
	"rapport/fhir/document"
	"rapport/fhir/rest"
)

// Summaries serves a referral as a document: GET Task/{}/$referral-summary answers with
// the document Bundle, or with the page where HTML is asked for (Accept: text/html, or
// _format=html). It is made of what the caller's gate shows at that moment.
//
// Rejected: Composition/{}/$document, which needs a stored Composition, a copy of the
// record that goes stale and that consents do not reach into. Like IPS's $summary it is
// made when it is asked for, and of the Task, since that is what the referral is.
type Summaries struct {
	Base string // our own FHIR base
	// Definition is the canonical URL of the OperationDefinition; "": not listed.
	Definition string
	Clock      fhir.Clock
}

// Operation is $referral-summary.
func (s Summaries) Operation() rest.Operation {
	return rest.Operation{
		Paths: []string{"Task/{}/$referral-summary"}, Methods: []string{http.MethodGet}, Definition: s.Definition,
		Serve: func(ctx context.Context, r *rest.Request, ids []string) (rest.Response, error) {
			return s.serve(ctx, r, fhir.Key{Type: "Task", ID: ids[0]})
		},
	}
}

func (s Summaries) serve(ctx context.Context, r *rest.Request, task fhir.Key) (rest.Response, error) {
	var g referral
	act := fhir.Act{Interaction: fhir.Read, Type: task.Type, ID: task.ID, Operation: "$referral-summary"}
	err := r.Gate.View(ctx, act, func(in fhir.Reader) (err error) {
		g, err = gather(ctx, in, task)
		return err
	})
	if err != nil {
		return rest.Response{}, err
	}
	if !isReferral(g.task.Root()) {
		return rest.Response{}, &fhir.Error{Code: fhir.Invalid, Detail: "This Task is no referral: it asks nobody to fulfil a ServiceRequest."}
	}
	doc, err := document.New(document.Input{Base: s.Base, Resources: brought(g, s.Base), At: s.Clock()})
	if err != nil {
		return rest.Response{}, fhir.Missing(task) // of what is not visible nothing is said
	}
	h := http.Header{"Cache-Control": {"no-store"}}
	if wantsPage(r) {
		page, err := doc.Page()
		if err != nil {
			return rest.Response{}, err
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", document.Policy())
		h.Set("Referrer-Policy", "no-referrer")
		return rest.Response{Status: http.StatusOK, Header: h, Body: page}, nil
	}
	b, err := doc.Bundle()
	if err != nil {
		return rest.Response{}, err
	}
	return rest.Response{Status: http.StatusOK, Header: h, Body: b.Body()}, nil
}

// brought returns what belongs to a referral: where the Task came from elsewhere, what
// came along with it, not what this house knows of the client besides.
func brought(g referral, base string) []fhir.Resource {
	from := ""
	for id := range g.task.Root().Get("identifier").Elements() {
		if s, ok := strings.CutSuffix(id.Get("system").Text(), "/Task"); ok && s != base && strings.HasPrefix(s, "http") {
			from = s
		}
	}
	if from == "" {
		return g.rs
	}
	return slices.DeleteFunc(slices.Clone(g.rs), func(r fhir.Resource) bool {
		switch r.Type {
		case "Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService":
			return false
		}
		for id := range r.Root().Get("identifier").Elements() {
			if id.Get("system").Text() == from+"/"+r.Type {
				return false
			}
		}
		return true
	})
}

// wantsPage reports whether the caller prefers HTML to FHIR.
func wantsPage(r *rest.Request) bool {
	if f := r.Query.Get("_format"); f != "" {
		return f == "html" || f == "text/html"
	}
	best, page := -1.0, false
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		t, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if v, err := strconv.ParseFloat(params["q"], 64); err == nil {
			q = v
		}
		if q <= best {
			continue
		}
		switch t {
		case "text/html", "application/xhtml+xml":
			best, page = q, true
		case "application/fhir+json", "application/json", "application/*", "*/*":
			best, page = q, false
		}
	}
	return page
}
