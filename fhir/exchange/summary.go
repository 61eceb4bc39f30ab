package exchange

import (
	"crypto/sha1"
	"encoding/base64"

	"rapport/fhir"
	"rapport/fhir/document"
)

// summary returns the referral as a document in a DocumentReference: a page that
// people read and the Bundle that programs do, both within it, since that is what
// every partner takes. It is made of what is released and of nothing else, and is the
// same for the same version of the Task.
func (p *pack) summary(task fhir.Resource, released []fhir.Resource, withheld bool) (fhir.Resource, error) {
	in := document.Input{Base: p.base, Withheld: withheld, At: task.Updated}
	for _, r := range released {
		shown, err := p.shown(r)
		if err != nil {
			return fhir.Resource{}, err
		}
		in.Resources = append(in.Resources, shown)
	}
	doc, err := document.New(in)
	if err != nil {
		return fhir.Resource{}, err
	}
	page, err := doc.Page()
	if err != nil {
		return fhir.Resource{}, err
	}
	bundle, err := doc.Bundle()
	if err != nil {
		return fhir.Resource{}, err
	}
	var author []fhir.Node
	if by := task.Root().Get("requester"); by.Exists() {
		author = append(author, by)
	}
	var labels []*fhir.Object
	for _, l := range doc.Security() {
		labels = append(labels, fhir.NewObject().Set("coding", []fhir.Node{l}))
	}
	description := "Referral note"
	if doc.Notice != "" {
		description += ". " + doc.Notice
	}
	return fhir.NewResource(fhir.Key{Type: "DocumentReference", ID: summaryID(task.Key)}).
		Set("meta", fhir.NewObject().Set("security", doc.Security())).
		Set("status", "current").
		Set("docStatus", "final").
		Set("type", document.Type()).
		Set("category", []*fhir.Object{fhir.Concept("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note")}).
		Set("subject", task.Root().Get("for")).
		Set("date", task.Updated).
		Set("author", author).
		Set("description", description).
		Set("securityLabel", labels).
		Set("content", []*fhir.Object{
			attachment("text/html", "Referral note", page),
			attachment("application/fhir+json", "Referral note as FHIR document", bundle.Body()),
		}).
		Set("context", fhir.NewObject().Set("related", []fhir.Node{task.Root().Get("focus")})).
		Resource()
}

// summaryID names the document of a Task: however often it is sent, it is one.
func summaryID(task fhir.Key) string { return uuid("document " + task.String()) }

// attachment holds content within. R4 asks for SHA-1; it protects nothing.
//
// Source: https://hl7.org/fhir/R4/datatypes.html#Attachment
func attachment(kind, title string, content []byte) *fhir.Object {
	sum := sha1.Sum(content)
	return fhir.NewObject().Set("attachment", fhir.NewObject().
		Set("contentType", kind).
		Set("language", "en").
		Set("data", base64.StdEncoding.EncodeToString(content)).
		Set("size", len(content)).
		Set("hash", base64.StdEncoding.EncodeToString(sum[:])).
		Set("title", title))
}

// shown is a resource as the partner may see it within a document: with our id, since
// that is what it goes by there, without what our server owns, and with references to
// nothing that does not go along.
func (p *pack) shown(r fhir.Resource) (fhir.Resource, error) {
	var edits []fhir.Edit
	for _, e := range p.outside(r.Root(), nil) {
		k, _ := fhir.ParseKey(e.Get("reference").Text())
		edits = append(edits, fhir.Replace(e, masked(k.Type, e).JSON()))
	}
	if len(edits) > 0 {
		var err error
		if r, err = r.Apply(edits...); err != nil {
			return fhir.Resource{}, err
		}
	}
	o := fhir.NewObject()
	for name, v := range r.Root().Members() {
		if name == "meta" {
			o.Set(name, metaOf(v))
			continue
		}
		o.Set(name, v)
	}
	return o.Resource()
}

// outside finds the references to what does not go along.
func (p *pack) outside(n fhir.Node, to []fhir.Node) []fhir.Node {
	switch n.Kind() {
	case fhir.Arr:
		for m := range n.Elements() {
			to = p.outside(m, to)
		}
	case fhir.Obj:
		ref := n.Get("reference")
		if ref.Kind() != fhir.Str {
			for _, m := range n.Members() {
				to = p.outside(m, to)
			}
			return to
		}
		k, ok := fhir.ParseKey(ref.Text())
		_, home := p.home[k]
		if ok && (p.in[k] || home) || len(ref.Text()) > 0 && ref.Text()[0] == '#' {
			return to
		}
		return append(to, n)
	}
	return to
}
