package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"rapport/fhir"
)

// loinc is where the codes of the document and its sections come from.
const loinc = "http://loinc.org"

// Type is the document's kind.
func Type() *fhir.Object { return fhir.Concept(loinc, "57133-1", "Referral note") }

// Bundle returns the document Bundle: the Composition first, then each resource that
// it leads to. It is the same for the same Input.
//
// Source: https://hl7.org/fhir/R4/documents.html
func (r *Referral) Bundle() (fhir.Resource, error) {
	c, err := r.composition()
	if err != nil {
		return fhir.Resource{}, err
	}
	id := r.id()
	entries := []*fhir.Object{fhir.NewObject().Set("fullUrl", r.Base+"/Composition/"+id).Set("resource", c)}
	for _, x := range r.Resources {
		if x.Key != r.task.Key { // it says how far the referral is, which a document cannot
			entries = append(entries, fhir.NewObject().Set("fullUrl", r.Base+"/"+x.Key.String()).Set("resource", x.Root()))
		}
	}
	return fhir.NewResource(fhir.Key{Type: "Bundle"}).
		Set("meta", fhir.NewObject().Set("security", r.labels)).
		Set("identifier", fhir.NewObject().Set("system", "urn:ietf:rfc:3986").Set("value", "urn:uuid:"+id)).
		Set("type", "document").
		Set("timestamp", r.At).
		Set("entry", entries).Resource()
}

// id is a UUID of version 8 (RFC 9562) that follows from what the document says.
func (r *Referral) id() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %t %s", r.Base, r.Withheld, fhir.Instant(r.At))
	for _, x := range r.Resources {
		fmt.Fprintf(h, "\n%s %x", x, sha256.Sum256(x.Body()))
	}
	b := h.Sum(nil)
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (r *Referral) composition() (*fhir.Object, error) {
	var author []*fhir.Object
	for _, k := range r.From.keys {
		if k.Type == "Organization" || k.Type == "Practitioner" || k.Type == "PractitionerRole" {
			author = append(author, k.Reference())
		}
	}
	if len(author) == 0 { // an author is required, and who it is may be withheld
		author = append(author, fhir.NewObject().Set("display", join(", ", r.From.Person, r.From.Organisation, "")))
	}
	if author[0].Len() == 0 {
		author[0] = fhir.NewObject().Set("display", "The sender of the referral")
	}
	text, err := r.narrative("head", r)
	if err != nil {
		return nil, err
	}
	var sections []*fhir.Object
	for _, s := range r.Sections {
		o, err := r.section(s)
		if err != nil {
			return nil, err
		}
		sections = append(sections, o)
	}
	c := fhir.NewResource(fhir.Key{Type: "Composition", ID: r.id()}).
		Set("meta", fhir.NewObject().Set("security", r.labels)).
		Set("language", "en").
		Set("text", text).
		Set("identifier", fhir.NewObject().Set("system", "urn:ietf:rfc:3986").Set("value", "urn:uuid:"+r.id())).
		Set("status", "final").
		Set("type", Type()).
		Set("subject", r.patient.Key).
		Set("date", r.At).
		Set("author", author).
		Set("title", "Referral note")
	if len(r.labels) > 0 && r.labels[0].Get("system").Text() == confidentiality {
		c.Set("confidentiality", r.labels[0].Get("code").Text())
	}
	if i := slices.IndexFunc(r.From.keys, func(k fhir.Key) bool { return k.Type == "Organization" }); i >= 0 {
		c.Set("custodian", r.From.keys[i])
	}
	return c.Set("section", sections), nil
}

func (r *Referral) section(s Section) (*fhir.Object, error) {
	text, err := r.narrative("section", s)
	if err != nil {
		return nil, err
	}
	o := fhir.NewObject().Set("title", s.Title)
	if s.Code != "" {
		o.Set("code", fhir.Concept(loinc, s.Code, s.Display))
	}
	return o.Set("text", text).Set("entry", s.entries), nil
}

// narrative writes a part in XHTML.
func (r *Referral) narrative(part string, data any) (*fhir.Object, error) {
	var b bytes.Buffer
	b.WriteString(`<div xmlns="http://www.w3.org/1999/xhtml" lang="en" xml:lang="en">`)
	if err := pages.ExecuteTemplate(&b, part, data); err != nil {
		return nil, fmt.Errorf("narrative of a referral: %w", err)
	}
	b.WriteString(`</div>`)
	return fhir.NewObject().Set("status", "generated").Set("div", b.String()), nil
}
