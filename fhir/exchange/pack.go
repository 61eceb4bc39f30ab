package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"rapport/fhir"
)

// pack makes what one partner gets of a set of resources.
type pack struct {
	base string // our own FHIR base
	to   Partner
	// home are resources that came from the partner: what refers to them refers
	// to the partner's own.
	home map[fhir.Key]fhir.Key
	in   map[fhir.Key]bool // what the Bundle holds
	sent []fhir.Resource   // the same, in the order in which they can be taken in
}

// newPack makes ready for a set of resources that are sent and of those that are
// merely referred to.
func newPack(base string, to Partner, sent, known []fhir.Resource) *pack {
	p := &pack{base: base, to: to, home: map[fhir.Key]fhir.Key{}, in: map[fhir.Key]bool{}}
	for _, r := range slices.Concat(sent, known) {
		if k, ok := p.origin(r); ok {
			p.home[r.Key] = k
		}
	}
	for _, r := range sent {
		if _, theirs := p.home[r.Key]; !theirs {
			p.in[r.Key] = true
			p.sent = append(p.sent, r)
		}
	}
	slices.SortStableFunc(p.sent, func(a, b fhir.Resource) int { return turn(a.Type) - turn(b.Type) })
	return p
}

// turn orders a package: whom it is about, who takes part, the records, and last what
// sets the receiver to work. A receiver may ask of each whether it knows the patient.
func turn(typ string) int {
	switch typ {
	case "Patient":
		return 0
	case "Organization", "Location":
		return 1
	case "Practitioner":
		return 2
	case "PractitionerRole", "HealthcareService":
		return 3
	case "ServiceRequest":
		return 5
	case "Task":
		return 6
	}
	return 4
}

// origin returns the partner's key of a resource that came from it.
func (p *pack) origin(r fhir.Resource) (fhir.Key, bool) {
	for id := range r.Root().Get("identifier").Elements() {
		if id.Get("system").Text() == p.to.Base+"/"+r.Type && fhir.ValidID(id.Get("value").Text()) {
			return fhir.Key{Type: r.Type, ID: id.Get("value").Text()}, true
		}
	}
	return fhir.Key{}, false
}

// bundle writes the transaction: each resource is created unless its identifier
// shows that it arrived before.
func (p *pack) bundle() (fhir.Resource, error) {
	var entries []*fhir.Object
	for _, r := range p.sent {
		o, err := p.resource(r)
		if err != nil {
			return fhir.Resource{}, err
		}
		entries = append(entries, fhir.NewObject().
			Set("fullUrl", urn(r.Key)).
			Set("resource", o).
			Set("request", fhir.NewObject().
				Set("method", "POST").
				Set("url", r.Type).
				Set("ifNoneExist", "identifier="+url.QueryEscape(p.identifier(r)))))
	}
	return fhir.NewResource(fhir.Key{Type: "Bundle"}).Set("type", "transaction").Set("entry", entries).Resource()
}

// identifier returns the search value by which the partner recognises a resource: any of
// its identifiers will do.
func (p *pack) identifier(r fhir.Resource) string { return strings.Join(p.identifiers(r), ",") }

// identifiers are, as search values, of an organisation what both sides know it by, of
// everything else that it is this one of ours.
func (p *pack) identifiers(r fhir.Resource) []string {
	if r.Type == "Organization" {
		if p.to.Is(r.Root()) {
			return []string{token(p.to.System, p.to.Value)}
		}
		var known []string
		for id := range r.Root().Get("identifier").Elements() {
			if s, v := id.Get("system").Text(), id.Get("value").Text(); s != "" && v != "" && s != p.base+"/"+r.Type {
				known = append(known, token(s, v))
			}
		}
		if len(known) > 0 {
			return known
		}
	}
	return []string{token(p.base+"/"+r.Type, r.ID)}
}

// is reports whether what a partner shows bears an identifier of r: one that ignores the
// parameter, as some do, answers with everything, and with everybody's.
func (p *pack) is(theirs, r fhir.Resource) bool {
	known := p.identifiers(r)
	for id := range theirs.Root().Get("identifier").Elements() {
		if slices.Contains(known, token(id.Get("system").Text(), id.Get("value").Text())) {
			return true
		}
	}
	return false
}

// token writes a search value that means this identifier alone.
//
// Source: https://hl7.org/fhir/R4/search.html#escaping
func token(system, value string) string {
	return escape(system) + "|" + escape(value)
}

// resource rewrites one resource for the partner: what our server owns goes, our
// identifier is added, references lead to where the partner can follow them.
func (p *pack) resource(r fhir.Resource) (*fhir.Object, error) {
	if edits := p.references(r.Root(), nil); len(edits) > 0 {
		var err error
		if r, err = r.Apply(edits...); err != nil {
			return nil, err
		}
	}
	o := fhir.NewObject()
	wrote := false
	ours := fhir.NewObject().Set("system", p.base+"/"+r.Type).Set("value", r.ID)
	for name, v := range r.Root().Members() {
		switch name {
		case "id":
		case "meta":
			o.Set("meta", metaOf(v))
		case "identifier":
			wrote = true
			if v.Kind() == fhir.Obj { // 0..1 as in QuestionnaireResponse: its own is what we know it by
				o.Set(name, ours)
				continue
			}
			var list []any
			for id := range v.Elements() {
				if id.Get("system").Text() != p.base+"/"+r.Type {
					list = append(list, id)
				}
			}
			o.Set(name, append(list, ours))
		default:
			o.Set(name, v)
		}
	}
	if !wrote {
		if r.Type == "QuestionnaireResponse" {
			o.Set("identifier", ours)
		} else {
			o.Set("identifier", []*fhir.Object{ours})
		}
	}
	return o, nil
}

// metaOf is what the partner gets of a resource's meta: not what our server owns.
func metaOf(meta fhir.Node) *fhir.Object {
	m := fhir.NewObject()
	for name, v := range meta.Members() {
		if name == "profile" || name == "security" || name == "tag" {
			m.Set(name, v)
		}
	}
	return m
}

// references finds every literal reference and says what becomes of it.
func (p *pack) references(n fhir.Node, to []fhir.Edit) []fhir.Edit {
	switch n.Kind() {
	case fhir.Arr:
		for m := range n.Elements() {
			to = p.references(m, to)
		}
	case fhir.Obj:
		ref := n.Get("reference")
		if ref.Kind() != fhir.Str {
			for _, m := range n.Members() {
				to = p.references(m, to)
			}
			return to
		}
		k, ok := fhir.ParseKey(ref.Text())
		if home, theirs := p.home[k]; ok && theirs {
			return append(to, fhir.Replace(ref, fhir.AppendQuote(nil, home.String())))
		}
		if ok && p.in[k] {
			return append(to, fhir.Replace(ref, fhir.AppendQuote(nil, urn(k))))
		}
		if len(ref.Text()) > 0 && ref.Text()[0] == '#' {
			return to // contained: it travels along
		}
		return append(to, fhir.Replace(n, masked(k.Type, n).JSON()))
	}
	return to
}

// masked is a reference to what the partner does not get. Who in the practice is
// meant, by name, and which organisation, is no secret of the client's.
func masked(typ string, ref fhir.Node) *fhir.Object {
	o := fhir.NewObject().Set("extension", []*fhir.Object{fhir.NewObject().
		Set("url", "http://hl7.org/fhir/StructureDefinition/data-absent-reason").
		Set("valueCode", "masked")})
	o.Set("type", typ)
	switch typ {
	case "Organization":
		o.Set("identifier", ref.Get("identifier")).Set("display", ref.Get("display"))
	case "Practitioner", "PractitionerRole":
		o.Set("display", ref.Get("display"))
	}
	return o
}

// urn is a stable urn:uuid of a key, so that a package built twice is the same.
func urn(k fhir.Key) string { return "urn:uuid:" + uuid(k.String()) }

// uuid is a UUID of version 8 (RFC 9562) that follows from a name.
func uuid(name string) string {
	h := sha256.Sum256([]byte(name))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	x := hex.EncodeToString(h[:16])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
