package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"rapport/fhir"
)

// profile is what a patient's current consents come to, free of dates, ids and
// names, so that most patients share a few. As text it is a fhir.Profile. What
// holds only for a time is resolved when the profile is computed, and the profile
// with it ends (fhir.PatientFacts.Until).
type profile struct {
	// Opaque: there is a consent that cannot be understood. It denies all that
	// rests on consent.
	Opaque   bool        `json:"opaque,omitempty"`
	Consents []statement `json:"consents,omitempty"`
}

// statement is one consent.
type statement struct {
	Scope string       `json:"scope"` // patient-privacy, research
	Base  ConsentState `json:"base"`  // where no rule matches
	Rules []provision  `json:"rules,omitempty"`
}

// provision is one rule of a consent. All of its criteria must hold.
type provision struct {
	Effect ConsentState `json:"effect"` // permit, deny
	Depth  int          `json:"depth"`
	If     []criteria   `json:"if,omitempty"`
}

// criteria: each list that is not empty must have a member that fits.
type criteria struct {
	Actors   []string `json:"actors,omitempty"` // "Organization/1"
	Purposes []string `json:"purposes,omitempty"`
	Labels   []string `json:"labels,omitempty"` // v3-Confidentiality and v3-ActCode codes
	Actions  []string `json:"actions,omitempty"`
	Types    []string `json:"types,omitempty"`
}

func (c criteria) empty() bool {
	return len(c.Actors)+len(c.Purposes)+len(c.Labels)+len(c.Actions)+len(c.Types) == 0
}

// text is canonical: equal for equal content whatever the order of consents.
func (p profile) text() fhir.Profile {
	if !p.Opaque && len(p.Consents) == 0 {
		return ""
	}
	if p.Opaque {
		p.Consents = nil
	}
	each := make([]string, len(p.Consents))
	for i, s := range p.Consents {
		each[i] = string(must(json.Marshal(s)))
	}
	slices.Sort(each)
	each = slices.Compact(each)
	if p.Opaque {
		return `{"opaque":true}`
	}
	return fhir.Profile(`{"consents":[` + strings.Join(each, ",") + `]}`)
}

func must(b []byte, err error) []byte {
	if err != nil { // strings, numbers and lists of them
		panic(err)
	}
	return b
}

// parseProfile reads what text wrote; anything else is opaque.
func parseProfile(t fhir.Profile) profile {
	if t == "" {
		return profile{}
	}
	var p profile
	if err := json.Unmarshal([]byte(t), &p); err != nil || !p.Opaque && len(p.Consents) == 0 {
		return profile{Opaque: true}
	}
	return p
}

// demand is what consents are asked about.
type demand struct {
	actors  []string // whom the caller stands for
	purpose string
	actions []string // v3 consent actions any of which is meant
	typ     string
	class   class
	study   bool // for research: a permission counts only of a consent to research
}

// state says what the consents come to for a demand. Several consents: a denial
// wins. Consent is never concluded from silence: what no rule and no base speaks
// of is NoConsent.
func (p profile) state(d demand) ConsentState {
	if p.Opaque {
		return Denied
	}
	out := NoConsent
	for _, s := range p.Consents {
		if s.Scope == "research" && !subsumes("HRESCH", d.purpose) {
			continue
		}
		got := s.state(d)
		if d.study && got == Permitted && s.Scope != "research" {
			got = NoConsent // agreement to share is none to research; a denial is one to all
		}
		out = graver(out, got)
	}
	return out
}

// state of one consent: the deepest rule that matches decides, a denial before a
// permission of the same depth.
func (s statement) state(d demand) ConsentState {
	out, depth := s.Base, -1
	for _, r := range s.Rules {
		got, ok := r.match(d)
		switch {
		case !ok || r.Depth < depth:
		case r.Depth > depth:
			out, depth = got, r.Depth
		default:
			out = graver(out, got)
		}
	}
	return out
}

// graver returns the state that wins where two speak.
func graver(a, b ConsentState) ConsentState {
	order := []ConsentState{NoConsent, Permitted, Denied, Barred}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

func (r provision) match(d demand) (ConsentState, bool) {
	out := r.Effect
	for _, c := range r.If {
		if !c.match(d, r.Effect) {
			return NoConsent, false
		}
		if r.Effect == Denied && len(c.Actors) > 0 {
			out = Barred
		}
	}
	return out, true
}

func (c criteria) match(d demand, effect ConsentState) bool {
	common := func(want, have []string) bool {
		return len(want) == 0 || slices.ContainsFunc(want, func(w string) bool { return slices.Contains(have, w) })
	}
	if !common(c.Actors, d.actors) || !common(c.Actions, d.actions) || !common(c.Types, []string{d.typ}) {
		return false
	}
	if len(c.Purposes) > 0 && !slices.ContainsFunc(c.Purposes, func(p string) bool { return subsumes(p, d.purpose) }) {
		// A denial for a purpose also meets a caller that states none.
		if effect != Denied || d.purpose != "" {
			return false
		}
	}
	return len(c.Labels) == 0 || slices.ContainsFunc(c.Labels, func(l string) bool { return labelled(l, d.class, effect) })
}

// labelled: a confidentiality code in a permission means that level or lower, in a
// denial that level or higher (otherwise a denial of R would not hold for V). A
// sensitivity code means itself and what it subsumes.
func labelled(l string, c class, effect ConsentState) bool {
	if len(l) == 1 && strings.Contains(levels, l) {
		if effect == Denied {
			return rank(c.conf) >= rank(l)
		}
		return rank(c.conf) <= rank(l)
	}
	return slices.ContainsFunc(split(c.labels), func(have string) bool { return have == l || broader[have] == l || broader[broader[have]] == l })
}

// broader leads from a purpose or sensitivity to the next that subsumes it.
//
// Source: v3-ActReason PurposeOfUse and v3-ActCode _ActInformationSensitivityPolicy
// in hl7.fhir.r4.core 4.0.1.
var broader = map[string]string{
	"CAREMGT": "HOPERAT", "DONAT": "HOPERAT", "FRAUD": "HOPERAT", "GOV": "HOPERAT", "HACCRED": "HOPERAT", "HCOMPL": "HOPERAT", "HDECD": "HOPERAT",
	"HDIRECT": "HOPERAT", "HDM": "HOPERAT", "HLEGAL": "HOPERAT", "HOUTCOMS": "HOPERAT", "HPRGRP": "HOPERAT", "HQUALIMP": "HOPERAT", "HSYSADMIN": "HOPERAT",
	"LABELING": "HSYSADMIN", "METAMGT": "HSYSADMIN", "MEMADMIN": "HOPERAT", "MILCDM": "HOPERAT", "PATADMIN": "HOPERAT", "PATSFTY": "HOPERAT",
	"PERFMSR": "HOPERAT", "RECORDMGT": "HOPERAT", "SYSDEV": "HOPERAT", "TRAIN": "HOPERAT",
	"CLMATTCH": "HPAYMT", "COVAUTH": "HPAYMT", "COVERAGE": "HPAYMT", "ELIGDTRM": "COVERAGE", "ELIGVER": "COVERAGE", "ENROLLM": "COVERAGE", "MILDCRG": "COVERAGE", "REMITADV": "HPAYMT",
	"BIORCH": "HRESCH", "CLINTRCH": "HRESCH", "CLINTRCHNPC": "CLINTRCH", "CLINTRCHPC": "CLINTRCH", "PRECLINTRCH": "CLINTRCH", "DSRCH": "HRESCH", "POARCH": "HRESCH", "TRANSRCH": "HRESCH",
	"FAMRQT": "PATRQT", "PWATRNY": "PATRQT", "SUPNWK": "PATRQT", "DISASTER": "PUBHLTH", "THREAT": "PUBHLTH",
	"CLINTRL": "TREAT", "COC": "TREAT", "ETREAT": "TREAT", "BTG": "ETREAT", "ERTREAT": "ETREAT", "POPHLTH": "TREAT",

	"COGN": "BH", "DVD": "BH", "EMOTDIS": "BH", "MH": "BH", "PSY": "BH", "PSYTHPN": "PSY", "SUD": "BH", "ETHUD": "SUD", "OPIOIDUD": "SUD",
}

// subsumes reports whether a purpose is another or one of its kinds. Break-glass is
// emergency treatment, but no consent to treatment opens it: only one that names it.
func subsumes(general, purpose string) bool {
	if purpose == "BTG" {
		return general == "BTG"
	}
	for p := purpose; p != ""; p = broader[p] {
		if p == general {
			return true
		}
	}
	return false
}
