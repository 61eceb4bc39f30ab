package deid

import (
	"slices"

	"rapport/fhir"
)

// element appends one value by its rule.
func (p *pass) element(to []byte, n fhir.Node, r *rule) ([]byte, status) {
	switch r.do {
	case inside:
		mark := len(to)
		if n.Kind() != fhir.Obj {
			return to, nothing
		}
		to, s := p.members(append(to, '{'), n, r, 0)
		if s == nothing {
			return to[:mark], nothing
		}
		return append(to, '}'), s
	case keep:
		return p.keep(to, n, r)
	case concept:
		return p.concept(to, n, r)
	case coding:
		mark := len(to)
		if out, ok := p.coding(to, n, r); ok {
			return out, told
		}
		return p.absent(to[:mark], n, "masked")
	case quantity:
		return p.quantity(to, n)
	case reference:
		return p.reference(to, n, r)
	case form:
		if in := p.Instruments.ByURL(n.Text()); in != nil {
			if _, ok := p.common(Instrument(in.Canonical())); ok {
				return fhir.AppendQuote(to, in.Canonical()), told
			}
		}
	}
	return to, nothing
}

// keep appends a number, a boolean or one of the codes of the rule as it is.
func (p *pass) keep(to []byte, n fhir.Node, r *rule) ([]byte, status) {
	switch n.Kind() {
	case fhir.Num, fhir.True, fhir.False:
		if r.codes != nil {
			return to, nothing
		}
	case fhir.Str:
		if !r.codes[n.Text()] {
			return to, nothing
		}
	default:
		return to, nothing
	}
	if !r.plain {
		code := n.Text()
		if n.Kind() != fhir.Str {
			code = string(n.Raw())
		}
		if _, ok := p.common(p.said(r, "", code)); !ok {
			return to, nothing
		}
	}
	return append(to, n.Raw()...), told
}

// said is a code at the element of a rule.
func (p *pass) said(r *rule, system, code string) Said {
	return Said{Type: p.typ, Element: r.at, System: system, Code: code, Vital: r.vital}
}

// common asks whether enough people have a code for it to be told. What is nobody's tells
// of nobody.
func (p *pass) common(s Said) (as string, ok bool) {
	if p.of == nil {
		return s.Code, true
	}
	if as, ok = s.Code, true; p.Code != nil {
		as, ok = p.Code(s)
	}
	if ok && p.dry {
		p.codes = append(p.codes, s)
	}
	return as, ok
}

// concept appends the codings of a CodeableConcept that may leave.
//
// Where there is none it is told as withheld, but not where R4 requires one.
func (p *pass) concept(to []byte, n fhir.Node, r *rule) ([]byte, status) {
	mark, codes := len(to), len(p.codes)
	to = append(to, `{"coding":[`...)
	first := len(to)
	for c := range n.Get("coding").Elements() {
		if p.Profile.ages[c.Get("system").Text()].has(c.Get("code").Text()) {
			to, p.codes = to[:first], p.codes[:codes]
			break
		}
		before := len(to)
		if before > first {
			to = append(to, ',')
		}
		out, ok := p.coding(to, c, r)
		if !ok {
			out = out[:before]
		}
		to = out
	}
	switch {
	case len(to) > first:
		return append(to, "]}"...), told
	case r.bound:
		return to[:mark], nothing
	}
	return p.absent(to[:mark], n, "masked")
}

// coding appends system and code. Systems and codes are plain ASCII where they may
// leave, since they are compared with lists, patterns and check digits. What is known by
// its form alone may be anything, and is counted whatever the rule says.
func (p *pass) coding(to []byte, n fhir.Node, r *rule) ([]byte, bool) {
	system, code := n.Get("system").Text(), n.Get("code").Text()
	known := p.systems[system]
	if !known.has(code) {
		return to, false
	}
	if !r.plain || known.check != nil {
		var ok bool
		if code, ok = p.common(p.said(r, system, code)); !ok {
			return to, false
		}
	}
	to = append(to, `{"system":`...)
	to = fhir.AppendQuote(to, system)
	to = append(to, `,"code":`...)
	to = fhir.AppendQuote(to, code)
	return append(to, '}'), true
}

// quantity appends a number with a unit of the list. A number whose unit may not be told
// would be taken for another one, and one without a unit may be an age: it is withheld.
func (p *pass) quantity(to []byte, n fhir.Node) ([]byte, status) {
	value, system, code := n.Get("value"), n.Get("system").Text(), n.Get("code").Text()
	united := system == "http://unitsofmeasure.org" && p.Profile.units[code]
	if value.Kind() != fhir.Num || !united {
		return p.absent(to, n, "masked")
	}
	to = append(append(to, `{"value":`...), value.Raw()...)
	switch c := n.Get("comparator").Text(); c {
	case "":
	case "<", "<=", ">=", ">":
		to = append(append(append(to, `,"comparator":"`...), c...), '"')
	default:
		return p.absent(to[:len(to)-len(value.Raw())-len(`{"value":`)], n, "masked")
	}
	to = append(to, `,"system":"http://unitsofmeasure.org","code":`...)
	return append(fhir.AppendQuote(to, code), '}'), told
}

// reference appends a reference to what leaves too. Where it names what does not,
// nothing is told, not even that there was something; nor where it names another person,
// since of fewer people it is told who belongs to whom.
func (p *pass) reference(to []byte, n fhir.Node, r *rule) ([]byte, status) {
	k, ok := n.Ref()
	if !ok || r.to != nil && !slices.Contains(r.to, k.Type) {
		return to, nothing
	}
	rules := p.Profile.types[k.Type]
	if rules == nil {
		return to, nothing
	}
	var id string
	switch {
	case k.Type == "Patient":
		who, ok := p.Person(k)
		if !ok || p.of == nil || who.Secret != p.of.Secret {
			return to, nothing
		}
		id = p.pseudonym(who.Secret, k.Type)
	case rules.of == nil:
		s, ok := p.Setting(k)
		if !ok {
			return to, nothing
		}
		id = p.pseudonym(s, k.Type)
	case p.of == nil, p.Leaves != nil && !p.Leaves(k):
		return to, nothing
	default:
		id = p.idOf(p.of.Secret, k)
	}
	to = append(append(append(to, `{"reference":"`...), k.Type...), '/')
	return append(append(to, id...), `"}`...), told
}

// extensions appends those of a list that may leave.
func (p *pass) extensions(to []byte, n fhir.Node, r *rule) ([]byte, status) {
	to = append(to, `"extension":[`...)
	first := len(to)
	for x := range n.Elements() {
		url := x.Get("url").Text()
		rule := p.Profile.extensions[url]
		if rule == nil || r.atEnd[url] && !p.ended {
			continue
		}
		before := len(to)
		if before > first {
			to = append(to, ',')
		}
		to = fhir.AppendQuote(append(to, `{"url":`...), url)
		var s status
		if to, s = p.members(to, x, rule, 1); s != told {
			to = to[:before]
			continue
		}
		to = append(to, '}')
	}
	if len(to) == first {
		return to, nothing
	}
	return append(to, ']'), told
}
