package policy

import (
	"slices"
	"strings"
	"time"

	"rapport/fhir"
)

// reduce makes one profile of all current Consents of a patient, and says when
// it must be made anew (zero: not until one of them changes). A later consent takes
// the place of an earlier one only under the same policy and organisation.
//
// Three dialects are read: R4 base (policyRule OPTIN or OPTOUT, the root without a
// type states exceptions), HRex and IHE PCF (a typed root; with criteria it speaks
// only of what they cover). Criteria that no class of resources can show (single
// resources, dates of data, clinical codes, logical references) are taken towards
// denial: a permission with one never holds, a denial holds without it.
//
// Source: https://hl7.org/fhir/R4/consent.html, IHE ITI PCF 1.1, HL7 FAST consent.
func reduce(consents []fhir.Resource, now time.Time) (p profile, until time.Time) {
	type current struct {
		statement
		about string // policy and organisation
		since time.Time
	}
	var all []current
	for _, r := range consents {
		n := &normaliser{now: now}
		s, ok := n.consent(r.Root())
		if n.opaque {
			p.Opaque = true
		}
		if !n.until.IsZero() && (until.IsZero() || n.until.Before(until)) {
			until = n.until
		}
		if ok {
			since, _, _ := moments(r.Root().Get("dateTime").Text())
			all = append(all, current{s, about(r.Root()), since})
		}
	}
	for _, c := range all {
		if !slices.ContainsFunc(all, func(o current) bool { return o.about == c.about && o.since.After(c.since) }) {
			p.Consents = append(p.Consents, c.statement)
		}
	}
	return p, until
}

// about tells consents apart: which policy, presented by whom, in which scope.
func about(n fhir.Node) string {
	var parts []string
	for pol := range n.Get("policy").Elements() {
		parts = append(parts, "p:"+pol.Get("uri").Text())
	}
	for c := range n.Get("policyRule").Get("coding").Elements() {
		parts = append(parts, "r:"+c.Get("system").Text()+"|"+c.Get("code").Text())
	}
	for c := range n.Get("category").Elements() {
		for cc := range c.Get("coding").Elements() {
			parts = append(parts, "c:"+cc.Get("system").Text()+"|"+cc.Get("code").Text())
		}
	}
	for o := range n.Get("organization").Elements() {
		parts = append(parts, "o:"+o.Get("reference").Text()+"|"+o.Get("identifier").Get("value").Text())
	}
	for c := range n.Get("scope").Get("coding").Elements() {
		parts = append(parts, "s:"+c.Get("code").Text())
	}
	slices.Sort(parts)
	return strings.Join(parts, "\n")
}

// normaliser reads one Consent.
type normaliser struct {
	now    time.Time
	until  time.Time
	opaque bool // something is there that must be understood and is not
}

// consent returns what a Consent states now; false if it states nothing.
func (n *normaliser) consent(root fhir.Node) (statement, bool) {
	switch root.Get("status").Text() {
	case "active":
	case "draft", "proposed", "rejected", "inactive", "entered-in-error":
		return statement{}, false
	default:
		n.opaque = true
		return statement{}, false
	}
	s := statement{Base: NoConsent}
	switch scope := codeIn(root.Get("scope"), "http://terminology.hl7.org/CodeSystem/consentscope"); scope {
	case "patient-privacy", "research":
		s.Scope = scope
	case "treatment", "adr": // agreement to be treated, advance directives: not about who may see what
		return statement{}, false
	default:
		n.opaque = true
		return statement{}, false
	}
	if root.Get("modifierExtension").Exists() {
		n.opaque = true
		return statement{}, false
	}
	verified := true
	for v := range root.Get("verification").Elements() {
		yes, _ := v.Get("verified").Bool()
		verified = verified && yes
	}

	prov := root.Get("provision")
	if !n.current(prov) {
		return statement{}, false
	}
	bounds := n.bounds(prov)
	typ := prov.Get("type").Text()
	rule := effectOf(root.Get("policyRule"))
	switch {
	case typ == "permit" || typ == "deny": // HRex, PCF
		effect := ConsentState(typ)
		if bounds.none {
			s.Base = effect
		} else {
			s.add(effect, 0, bounds)
		}
		for child := range prov.Get("provision").Elements() {
			n.nested(&s, child, effect, bounds)
		}
	case typ == "" && rule != NoConsent: // R4 base
		s.Base = rule
		opposite := Denied
		if rule == Denied {
			opposite = Permitted
		}
		if !bounds.none {
			s.add(opposite, 0, bounds)
		}
		for child := range prov.Get("provision").Elements() {
			n.nested(&s, child, NoConsent, bounds)
		}
	default: // neither says which way it goes
		n.opaque = true
	}
	if n.opaque {
		return statement{}, false
	}
	if !verified {
		s.withdraw()
	}
	return s, s.Base != NoConsent || len(s.Rules) > 0
}

// nested reads an exception. Of the other effect than its parent it holds within
// the parent's bounds; of the same effect, or where the parent has none, it stands
// by itself.
func (n *normaliser) nested(s *statement, prov fhir.Node, parent ConsentState, within bounds) {
	if prov.Get("provision").Exists() {
		n.opaque = true // deeper than any profile goes
		return
	}
	typ := ConsentState(prov.Get("type").Text())
	if typ != Permitted && typ != Denied {
		n.opaque = true
		return
	}
	if !n.current(prov) {
		return
	}
	own := n.bounds(prov)
	if parent == NoConsent || typ == parent {
		s.add(typ, 1, own)
		return
	}
	s.add(typ, 1, within, own)
}

// bounds are the criteria of one provision, twice: as a permission must read them
// and as a denial must, where some of them cannot be decided by classes.
type bounds struct {
	none  bool     // there are none
	never bool     // a permission within them can never be known to hold
	sure  criteria // what certainly fits, for a permission
	wide  criteria // what may fit, for a denial
}

// add takes up a rule.
func (s *statement) add(effect ConsentState, depth int, within ...bounds) {
	p := provision{Effect: effect, Depth: depth}
	for _, b := range within {
		c := b.wide
		if effect == Permitted {
			if b.never {
				return
			}
			c = b.sure
		}
		if !c.empty() {
			p.If = append(p.If, c)
		}
	}
	s.Rules = append(s.Rules, p)
}

// withdraw takes away every permission: the consent was not verified.
func (s *statement) withdraw() {
	if s.Base == Permitted {
		s.Base = NoConsent
	}
	s.Rules = slices.DeleteFunc(s.Rules, func(p provision) bool { return p.Effect == Permitted })
}

// current reports whether a provision holds now, and notes when that changes.
func (n *normaliser) current(prov fhir.Node) bool {
	per := prov.Get("period")
	if !per.Exists() {
		return true
	}
	start, end := per.Get("start"), per.Get("end")
	from, _, okFrom := moments(start.Text())
	_, behind, okEnd := moments(end.Text())
	if start.Exists() && !okFrom || end.Exists() && !okEnd {
		n.opaque = true
		return false
	}
	if okFrom && n.now.Before(from) {
		n.change(from)
		return false
	}
	if okEnd {
		if !n.now.Before(behind) {
			return false
		}
		n.change(behind)
	}
	return true
}

func (n *normaliser) change(t time.Time) {
	if n.until.IsZero() || t.Before(n.until) {
		n.until = t
	}
}

// bounds reads what a provision is about.
func (n *normaliser) bounds(prov fhir.Node) (b bounds) {
	if prov.Get("modifierExtension").Exists() {
		n.opaque = true
	}
	b.none = true
	for _, name := range []string{"code", "dataPeriod", "data"} {
		if prov.Get(name).Exists() {
			b.none, b.never = false, true
		}
	}
	// list reads one list of criteria; read returns "" for what cannot be decided.
	list := func(name string, to func(*criteria) *[]string, read func(fhir.Node) string) {
		var good []string
		dark := false
		for e := range prov.Get(name).Elements() {
			b.none = false
			if s := read(e); s != "" {
				good = append(good, s)
			} else {
				dark = true
			}
		}
		slices.Sort(good)
		good = slices.Compact(good)
		*to(&b.sure) = good
		if dark && len(good) == 0 {
			b.never = true
		}
		if !dark {
			*to(&b.wide) = good
		}
	}
	list("actor", func(c *criteria) *[]string { return &c.Actors }, func(a fhir.Node) string {
		if a.Get("modifierExtension").Exists() {
			n.opaque = true
		}
		k, ok := a.Get("reference").Ref()
		// Other roles say whose data are meant, or who vouches, not who receives.
		if !ok || !slices.Contains([]string{"IRCP", "PRCP", "GRANTEE", "DELEGATEE"}, codeIn(a.Get("role"), "")) {
			return ""
		}
		return k.String()
	})
	list("action", func(c *criteria) *[]string { return &c.Actions }, func(a fhir.Node) string {
		return codeIn(a, "http://terminology.hl7.org/CodeSystem/consentaction")
	})
	list("purpose", func(c *criteria) *[]string { return &c.Purposes }, func(p fhir.Node) string {
		if sys := p.Get("system").Text(); sys != actReasonSystem {
			return sys + "|" + p.Get("code").Text() // somebody's own: it equals itself alone
		}
		return p.Get("code").Text()
	})
	list("securityLabel", func(c *criteria) *[]string { return &c.Labels }, func(l fhir.Node) string {
		code := l.Get("code").Text()
		switch l.Get("system").Text() {
		case confidentialitySystem:
			if len(code) == 1 && strings.Contains(levels, code) {
				return code
			}
		case actCodeSystem:
			if code == "ETH" {
				return "SUD"
			}
			if known[code] {
				return code
			}
		}
		return ""
	})
	list("class", func(c *criteria) *[]string { return &c.Types }, func(t fhir.Node) string {
		if t.Get("system").Text() != "http://hl7.org/fhir/resource-types" {
			return ""
		}
		return t.Get("code").Text()
	})
	return b
}

// effectOf reads policyRule.
func effectOf(rule fhir.Node) ConsentState {
	switch codeIn(rule, actCodeSystem) {
	case "OPTIN", "OPTINR":
		return Permitted
	case "OPTOUT", "OPTOUTE":
		return Denied
	}
	return NoConsent
}

// codeIn returns the code of a concept in a system, of any for "".
func codeIn(concept fhir.Node, system string) string {
	for c := range concept.Get("coding").Elements() {
		if system == "" || strings.TrimSuffix(c.Get("system").Text(), "/") == system {
			return c.Get("code").Text()
		}
	}
	return ""
}
