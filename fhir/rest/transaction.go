package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rapport/fhir"
)

// maxEntries bounds a Bundle; larger loads go by bulk import.
const maxEntries = 5000

// bundle: POST [base] with a transaction or batch.
//
// Source: https://hl7.org/fhir/R4/http.html#transaction
func (rt *Router) bundle(ctx context.Context, r *Request) (Response, error) {
	if err := plain(r.Query); err != nil {
		return Response{}, err
	}
	b, err := fhir.Parse(r.Body)
	if err != nil {
		return Response{}, err
	}
	if b.Type != "Bundle" {
		return Response{}, fhir.Errorf(fhir.Invalid, "resourceType", "The system base takes a Bundle of type transaction or batch; post a %s to its own type.", b.Type)
	}
	if n := b.Root().Get("entry").Len(); n > maxEntries {
		return Response{}, fhir.Errorf(fhir.TooLong, "Bundle.entry", "A Bundle may have up to %d entries; send it in parts.", maxEntries)
	}
	switch b.Root().Get("type").Text() {
	case "transaction":
		return rt.transaction(ctx, r, b)
	case "batch":
		return rt.batch(ctx, r, b)
	}
	return Response{}, fhir.Errorf(fhir.Invalid, "Bundle.type", "The system base takes the types transaction and batch.")
}

// entry is one entry of a Bundle, told apart and made ready.
type entry struct {
	i       int
	fullURL string
	req     *Request
	body    fhir.Node
	links   *links
	plan    *plan
	resp    Response
}

// order is the one in which a transaction's entries take effect.
var order = map[string]int{http.MethodDelete: 0, http.MethodPost: 1, http.MethodPut: 2, http.MethodPatch: 2, http.MethodGet: 3, http.MethodHead: 3}

// transaction runs all entries or none, each decided and audited by itself.
func (rt *Router) transaction(ctx context.Context, r *Request, b fhir.Resource) (Response, error) {
	es, err := rt.entries(b, r)
	if err != nil {
		return Response{}, err
	}
	if err := rt.ready(ctx, es); err != nil {
		return Response{}, err
	}
	o, err := OnceOf(r)
	if err != nil {
		return Response{}, err
	}
	todo := slices.Clone(es)
	slices.SortStableFunc(todo, func(a, b *entry) int { return order[a.req.Method] - order[b.req.Method] })
	deletes := 0
	for deletes < len(todo) && todo[deletes].req.Method == http.MethodDelete {
		deletes++
	}

	again := false
	err = r.Gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
		if o != nil {
			before, done, err := o.Recall(ctx, tx)
			if err != nil {
				return err
			}
			if again = done; again {
				return rt.tellAgain(ctx, tx, es, before)
			}
		}
		// What is deleted is there for nothing else to refer to.
		if err := rt.take(ctx, tx, todo[:deletes], nil); err != nil {
			return err
		}
		late, err := rt.late(ctx, tx, es)
		if err != nil {
			return err
		}
		if err := rt.take(ctx, tx, todo[deletes:], late); err != nil {
			return err
		}
		if o == nil {
			return nil
		}
		rs := make([]Response, len(es))
		for i, e := range es {
			rs[i] = e.resp
		}
		return o.remember(ctx, tx, rs...)
	})
	if err != nil {
		return Response{}, err
	}
	h := http.Header{}
	if again {
		h.Set(Replayed, "true")
	}
	w := newBundle("transaction-response", rt)
	for _, e := range es {
		w.answer(e.resp)
	}
	return Response{Status: http.StatusOK, Header: h, Body: w.done()}, nil
}

// take lets entries take effect, with what is known late of their references.
func (rt *Router) take(ctx context.Context, tx fhir.Tx, es []*entry, late *links) (err error) {
	for _, e := range es {
		if e.plan.look != nil {
			e.resp, err = e.plan.look(ctx, tx.As(e.plan.act))
		} else {
			var res fhir.Resource
			if res, err = late.of(e).resolve(e.plan.body); err == nil {
				e.resp, err = e.plan.write(ctx, tx.As(e.plan.act), res)
			}
		}
		if err == nil && !late.foretold(e) {
			err = &fhir.Error{Code: fhir.Invalid, Detail: "Another entry makes or changes what meets the criteria of this one; one transaction does each once."}
		}
		if err != nil {
			return e.name(err)
		}
	}
	return nil
}

// tellAgain answers entries as they were answered before. Reads are read anew.
func (rt *Router) tellAgain(ctx context.Context, tx fhir.Tx, es []*entry, before []Did) (err error) {
	for i, e := range es {
		if e.plan.look != nil {
			e.resp, err = e.plan.look(ctx, tx.As(e.plan.act))
		} else {
			e.resp, err = rt.again(ctx, tx.As(e.plan.act), e.req, e.plan.act, before[i])
		}
		if err != nil {
			return e.name(err)
		}
	}
	return nil
}

// answer adds the response of an entry.
func (w *writer) answer(resp Response) {
	o := fhir.NewObject().
		Set("status", strconv.Itoa(resp.Status)).
		Set("location", resp.Header.Get("Location")).
		Set("etag", resp.Header.Get("ETag"))
	if t, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		o.Set("lastModified", t)
	}
	body := resp.Body
	if resp.Status >= 400 && body != nil {
		o.Set("outcome", json.RawMessage(body))
		body = nil
	}
	w.entry("", body, fhir.NewObject().Set("response", o))
}

// entries tells the entries of a Bundle apart by the rules of a request line.
// A URL must be relative to the base and is parsed by the one router (A40).
func (rt *Router) entries(b fhir.Resource, r *Request) ([]*entry, error) {
	var es []*entry
	for n := range b.Root().Get("entry").Elements() {
		e, err := tell(n, len(es), r)
		if err != nil {
			return nil, err
		}
		es = append(es, e)
	}
	return es, nil
}

// tell reads the i-th entry.
func tell(n fhir.Node, i int, r *Request) (*entry, error) {
	e := &entry{i: i, fullURL: n.Get("fullUrl").Text(), body: n.Get("resource")}
	req := n.Get("request")
	method, raw := req.Get("method").Text(), req.Get("url").Text()
	if _, ok := order[method]; !ok {
		return nil, e.name(fhir.Errorf(fhir.Invalid, "request.method", "An entry's method is GET, HEAD, POST, PUT, PATCH or DELETE."))
	}
	u, err := url.Parse(raw)
	if err != nil || raw == "" || u.IsAbs() || u.Host != "" || strings.HasPrefix(raw, "/") || u.Fragment != "" || strings.Contains(u.EscapedPath(), "%") {
		return nil, e.name(fhir.Errorf(fhir.Invalid, "request.url", "An entry's URL is relative to the base, e.g. Patient/1."))
	}
	vs, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, e.name(fhir.Errorf(fhir.Invalid, "request.url", "The parameters of the URL cannot be read."))
	}
	h := http.Header{"Prefer": r.Header.Values("Prefer")}
	for member, header := range map[string]string{"ifMatch": "If-Match", "ifNoneMatch": "If-None-Match", "ifNoneExist": "If-None-Exist", "ifModifiedSince": "If-Modified-Since"} {
		if v := req.Get(member).Text(); v != "" {
			h.Set(header, v)
		}
	}
	e.req = &Request{Method: method, Path: u.Path, Query: vs, Header: h, Body: e.body.Raw(), Gate: r.Gate}
	return e, nil
}

// ready gives ids to creates, rewrites references between entries and prepares
// each entry, all outside the transaction.
func (rt *Router) ready(ctx context.Context, es []*entry) error {
	to := map[string]fhir.Key{}
	seen := map[fhir.Key]bool{}
	criteria := map[string]bool{}
	for _, e := range es {
		e.links = &links{root: rootOf(e.fullURL), to: to}
		var k fhir.Key
		switch e.req.Method {
		case http.MethodPost:
			if e.req.Path == "" {
				return e.name(fhir.Errorf(fhir.Invalid, "request.url", "A Bundle cannot hold a Bundle to run."))
			}
			e.links.id = rt.IDs()
			k = fhir.Key{Type: e.req.Path, ID: e.links.id}
			if crit := e.req.Header.Get("If-None-Exist"); crit != "" {
				if criteria[e.req.Path+"?"+crit] {
					return e.name(fhir.Errorf(fhir.Invalid, "request.ifNoneExist", "Another entry creates under the same criteria; refer to that one."))
				}
				criteria[e.req.Path+"?"+crit] = true
				k = fhir.Key{} // which resource it is turns out inside the transaction
			}
		case http.MethodPut, http.MethodPatch, http.MethodDelete:
			var ok bool
			if k, ok = fhir.ParseKey(e.req.Path); ok && seen[k] {
				return e.name(fhir.Errorf(fhir.Invalid, "request.url", "Another entry changes the same resource; one transaction changes each once."))
			}
			if ok {
				seen[k] = true
				break
			}
			crit := e.req.Path + "?" + e.req.Query.Encode()
			if criteria[crit] {
				return e.name(fhir.Errorf(fhir.Invalid, "request.url", "Another entry changes what meets the same criteria; one transaction changes each once."))
			}
			criteria[crit] = true
		}
		if e.fullURL != "" && !k.IsZero() {
			if _, twice := to[e.fullURL]; twice {
				return e.name(fhir.Errorf(fhir.Invalid, "fullUrl", "Another entry has the same fullUrl."))
			}
			to[e.fullURL] = k
		}
	}
	for _, e := range es {
		var err error
		if e.plan, err = rt.prepare(ctx, e.req, e.links); err != nil {
			return e.name(err)
		}
	}
	return nil
}

// late resolves what only the transaction can know, once it has deleted: conditional
// references, and references to conditional creates and updates.
func (rt *Router) late(ctx context.Context, tx fhir.Tx, es []*entry) (*links, error) {
	l := &links{to: map[string]fhir.Key{}}
	for _, e := range es {
		if e.plan.write == nil || e.plan.body.IsZero() {
			continue
		}
		if err := l.find(ctx, rt, tx, conditional(e.plan.body.Root(), nil)); err != nil {
			return nil, e.name(err)
		}
		if e.plan.aim != nil && e.fullURL != "" {
			met, err := e.plan.aim.find(ctx, tx)
			if err != nil {
				return nil, e.name(err)
			}
			if l.to[e.fullURL] = met.Key; met.IsZero() {
				l.to[e.fullURL] = e.plan.made
			}
			continue
		}
		crit := e.req.Header.Get("If-None-Exist")
		if crit == "" || e.fullURL == "" {
			continue
		}
		q, err := rt.criteriaOf(e.req.Path, strings.TrimPrefix(strings.TrimPrefix(crit, e.req.Path), "?"))
		if err != nil {
			return nil, e.name(err)
		}
		set, err := tx.As(fhir.Act{Interaction: fhir.SearchType, Type: e.req.Path, Query: q.Canonical()}).Search(ctx, q)
		if err != nil {
			return nil, e.name(err)
		}
		l.to[e.fullURL] = e.plan.body.Key
		if len(set.Entries) == 1 {
			l.to[e.fullURL] = set.Entries[0].Key
		}
	}
	if len(l.to) == 0 {
		return nil, nil
	}
	return l, nil
}

// of returns what is known late, for the references of one entry.
func (l *links) of(e *entry) *links {
	if l == nil {
		return nil
	}
	return &links{root: e.links.root, to: l.to}
}

// foretold reports whether an entry wrote what references to it were made to point at.
func (l *links) foretold(e *entry) bool {
	if l == nil || e.plan.write == nil || e.fullURL == "" {
		return true
	}
	k, late := l.to[e.fullURL]
	return !late || k == e.resp.did.Key
}

// name says which entry an error is about.
func (e *entry) name(err error) error {
	at := fmt.Sprintf("Bundle.entry[%d]", e.i)
	var out fhir.Errors
	for _, issue := range fhir.IssuesOf(err) {
		c := *issue
		if c.Code == fhir.Exception && !errors.As(err, new(*fhir.Error)) {
			return err // our own fault: not the entry's
		}
		c.At = nil
		for _, expr := range issue.At {
			if strings.HasPrefix(expr, "request.") || expr == "fullUrl" {
				c.At = append(c.At, at+"."+expr)
				continue
			}
			_, rest, _ := strings.Cut(expr, ".")
			c.At = append(c.At, strings.TrimSuffix(at+".resource."+rest, "."))
		}
		if c.At == nil {
			c.At = []string{at}
		}
		c.Detail = fmt.Sprintf("Entry %d: %s", e.i, c.Detail)
		out = append(out, &c)
	}
	return out
}
