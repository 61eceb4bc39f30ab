package rest

import (
	"context"
	"strings"

	"rapport/fhir"
)

// links is what a transaction knows of its own references. A nil *links leaves
// resources as they are.
type links struct {
	id string // of the entry being prepared, if it is a create
	// root is what the entry's fullUrl has before Type/id, "" if it is no such URL.
	// Relative references are meant below it.
	root string
	to   map[string]fhir.Key
}

// resolve rewrites every reference of r that is known by now. Every other byte
// stays (promise 2).
func (l *links) resolve(r fhir.Resource) (fhir.Resource, error) {
	if l == nil {
		return r, nil
	}
	edits := l.edits(r.Root(), nil)
	if len(edits) == 0 {
		return r, nil
	}
	return r.Apply(edits...)
}

// edits finds Reference.reference everywhere, and url, uri and canonical
// values that are a urn:uuid of this Bundle.
func (l *links) edits(n fhir.Node, to []fhir.Edit) []fhir.Edit {
	switch n.Kind() {
	case fhir.Obj:
		for _, m := range n.Members() {
			to = l.edits(m, to)
		}
	case fhir.Arr:
		for m := range n.Elements() {
			to = l.edits(m, to)
		}
	case fhir.Str:
		text := n.Text()
		if n.Name() != "reference" && !strings.HasPrefix(text, "urn:uuid:") {
			return to
		}
		k, ok := l.to[text]
		if _, relative := fhir.ParseKey(text); !ok && relative && l.root != "" {
			k, ok = l.to[l.root+text]
		}
		if ok && k.String() != text {
			to = append(to, fhir.Replace(n, fhir.AppendQuote(nil, k.String())))
		}
	}
	return to
}

// rootOf returns what a fullUrl has before Type/id.
//
// Source: https://hl7.org/fhir/R4/bundle.html#references
func rootOf(fullURL string) string {
	if !strings.HasPrefix(fullURL, "http://") && !strings.HasPrefix(fullURL, "https://") {
		return ""
	}
	id := strings.LastIndexByte(fullURL, '/')
	root := fullURL[:strings.LastIndexByte(fullURL[:id], '/')+1]
	if _, ok := fhir.ParseKey(fullURL[len(root):]); !ok {
		return ""
	}
	return root
}

// conditional collects the conditional references below n: "Patient?identifier=…".
//
// Source: https://hl7.org/fhir/R4/http.html#trules
func conditional(n fhir.Node, to []fhir.Node) []fhir.Node {
	switch n.Kind() {
	case fhir.Obj:
		for m := range n.Fields() {
			to = conditional(m, to)
		}
	case fhir.Arr:
		for m := range n.Elements() {
			to = conditional(m, to)
		}
	case fhir.Str:
		if n.Name() == "reference" {
			if typ, _, ok := strings.Cut(n.Text(), "?"); ok && fhir.ValidType(typ) {
				to = append(to, n)
			}
		}
	}
	return to
}

// settled is r with a reference to some resource of the type in place of each
// conditional one: what it will look like, for a validator.
func settled(r fhir.Resource) (fhir.Resource, error) {
	var edits []fhir.Edit
	for _, n := range conditional(r.Root(), nil) {
		typ, _, _ := strings.Cut(n.Text(), "?")
		edits = append(edits, fhir.Replace(n, fhir.AppendQuote(nil, typ+"/conditional")))
	}
	if len(edits) == 0 {
		return r, nil
	}
	return r.Apply(edits...)
}

// find resolves conditional references on what the caller may see.
func (l *links) find(ctx context.Context, rt *Router, tx fhir.Tx, refs []fhir.Node) error {
	for _, n := range refs {
		ref := n.Text()
		if _, known := l.to[ref]; known {
			continue
		}
		typ, crit, _ := strings.Cut(ref, "?")
		q, err := rt.criteriaOf(typ, crit)
		if err != nil {
			return err
		}
		set, err := tx.As(fhir.Act{Interaction: fhir.SearchType, Type: typ, Query: q.Canonical()}).Search(ctx, q)
		if err != nil {
			return err
		}
		if len(set.Entries) != 1 {
			return &fhir.Error{Code: fhir.Multiple, Detail: "A conditional reference must match exactly one resource; this one does not."}
		}
		l.to[ref] = set.Entries[0].Key
	}
	return nil
}
