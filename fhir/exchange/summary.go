package exchange

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"time"

	"rapport/fhir"
	"rapport/fhir/document"
)

// referralNote is a referral as a document that a partner gets.
type referralNote struct {
	task fhir.Resource
	doc  *document.Referral
	sum  string // of what people read in it
}

// summary makes the note of what is released and of nothing else; at is when it was so.
func (p *pack) summary(task fhir.Resource, released []fhir.Resource, withheld bool, at time.Time) (n referralNote, err error) {
	in := document.Input{Base: p.base, Withheld: withheld, At: at}
	for _, r := range released {
		shown, err := p.shown(r)
		if err != nil {
			return n, err
		}
		in.Resources = append(in.Resources, shown)
	}
	n.task = task
	if n.doc, err = document.New(in); err != nil {
		return n, err
	}
	n.sum, err = sumOf(*n.doc)
	return n, err
}

// resource returns the note as a DocumentReference: a page that people read and the
// Bundle that programs do, both within it, since that is what every partner takes. It is
// the same for the same note. replaces is one that it stands in place of, if any.
func (n referralNote) resource(k fhir.Key, title string, replaces fhir.Key) (fhir.Resource, error) {
	page, err := n.doc.Page()
	if err != nil {
		return fhir.Resource{}, err
	}
	bundle, err := n.doc.Bundle()
	if err != nil {
		return fhir.Resource{}, err
	}
	task := n.task.Root()
	var author []fhir.Node
	if by := task.Get("requester"); by.Exists() {
		author = append(author, by)
	}
	var labels []*fhir.Object
	for _, l := range n.doc.Security() {
		labels = append(labels, fhir.NewObject().Set("coding", []fhir.Node{l}))
	}
	var relates []*fhir.Object
	if !replaces.IsZero() {
		relates = append(relates, fhir.NewObject().Set("code", "replaces").Set("target", replaces))
	}
	description := title
	if n.doc.Notice != "" {
		description += ". " + n.doc.Notice
	}
	return fhir.NewResource(k).
		Set("meta", fhir.NewObject().Set("security", n.doc.Security())).
		Set("status", "current").
		Set("docStatus", "final").
		Set("type", document.Type()).
		Set("category", []*fhir.Object{fhir.Concept("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note", "Clinical Note")}).
		Set("subject", task.Get("for")).
		Set("date", n.doc.At).
		Set("author", author).
		Set("relatesTo", relates).
		Set("description", description).
		Set("securityLabel", labels).
		Set("content", []*fhir.Object{
			attachment("text/html", title, page),
			attachment("application/fhir+json", title+" as FHIR document", bundle.Body()),
		}).
		Set("context", fhir.NewObject().Set("related", []fhir.Node{task.Get("focus")})).
		Resource()
}

// noteKey names the note of a Task: however often it is sent, it is one. n counts those
// that were made in place of it at a partner that changes none.
func noteKey(task fhir.Key, n int) fhir.Key {
	name := "document " + task.String()
	if n > 0 {
		name += fmt.Sprint(" ", n)
	}
	return fhir.Key{Type: "DocumentReference", ID: uuid(name)}
}

// isNote reports whether a document is the note of a Task, or one of those in its place.
func isNote(doc, task fhir.Key, notes int) bool {
	for n := range notes + 1 {
		if doc == noteKey(task, n) {
			return true
		}
	}
	return false
}

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
