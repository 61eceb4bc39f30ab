package spec

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"rapport/fhir"
)

// Param is a search parameter of one type.
type Param struct {
	Code string // "clinical-date", "_id"
	// Kind is how it is indexed: [fhir.Special] for _id and _lastUpdated, which the
	// store answers by itself, and for types that are not indexed at all.
	Kind fhir.ParamKind
	Type string // as the definition says: token, reference, …, composite, special
	URL  string // canonical of the definition
	// Expression selects the values: FHIRPath from the resource. Of a parameter for
	// several types it holds what concerns this one. "" for those that search
	// something else than elements (_text, _filter).
	Expression string
	Targets    []string    // reference: types that may be named; "Resource": any
	Components []Component // composite
}

// Component is a part of a composite parameter.
type Component struct {
	Definition string // canonical of the part's parameter
	Expression string // FHIRPath from each item that the composite selects
}

// CanTarget reports whether a reference parameter may name a resource of typ.
func (p Param) CanTarget(typ string) bool {
	return slices.Contains(p.Targets, typ) || slices.Contains(p.Targets, "Resource")
}

var paramKinds = map[string]fhir.ParamKind{
	"token": fhir.Token, "reference": fhir.Reference, "date": fhir.Date, "string": fhir.String,
	"number": fhir.Number, "quantity": fhir.Quantity, "uri": fhir.URI,
}

// Params returns the search parameters of a resource type, those of Resource
// and DomainResource included, by code. The caller must not change them.
func (d *Definitions) Params(typ string) []Param {
	if f, ok := d.params()[typ]; ok {
		return f()
	}
	return nil
}

// Param returns one search parameter of a type.
func (d *Definitions) Param(typ, code string) (Param, bool) {
	ps := d.Params(typ)
	i, ok := slices.BinarySearchFunc(ps, code, func(p Param, code string) int { return cmp.Compare(p.Code, code) })
	if !ok {
		return Param{}, false
	}
	return ps[i], true
}

func (d *Definitions) readParams() map[string]func() []Param {
	raw := lines("params")
	out := make(map[string]func() []Param, len(raw))
	for _, typ := range d.ResourceTypes() {
		out[typ] = sync.OnceValue(func() []Param {
			var ps []Param
			for base := typ; base != ""; {
				ps = append(ps, decodeParams(base, raw[base])...)
				t, ok := d.Type(base)
				if !ok {
					break
				}
				base = t.Base
			}
			slices.SortFunc(ps, func(a, b Param) int { return cmp.Compare(a.Code, b.Code) })
			return ps
		})
	}
	return out
}

func decodeParams(base string, line []byte) []Param {
	if line == nil {
		return nil
	}
	var ls []struct {
		Code       string   `json:"code"`
		URL        string   `json:"url"`
		Type       string   `json:"type"`
		Expression string   `json:"expr"`
		Targets    []string `json:"to"`
		Components []struct {
			Definition string `json:"def"`
			Expression string `json:"expr"`
		} `json:"parts"`
	}
	decode(base, line, &ls)
	out := make([]Param, 0, len(ls))
	for _, l := range ls {
		p := Param{Code: l.Code, Kind: paramKinds[l.Type], Type: l.Type, URL: l.URL, Expression: l.Expression, Targets: l.Targets}
		if l.Code == "_id" || l.Code == "_lastUpdated" {
			p.Kind = fhir.Special
		}
		for _, c := range l.Components {
			p.Components = append(p.Components, Component{Definition: c.Definition, Expression: c.Expression})
		}
		out = append(out, p)
	}
	return out
}

// Compartment returns, for "Patient", "Practitioner", "RelatedPerson",
// "Encounter" and "Device", the types that can be in such a compartment and the
// reference parameters that put them there ("{def}": the resource itself). nil
// for any other name. The caller must not change it.
//
// Source: https://hl7.org/fhir/R4/compartmentdefinition.html
func (d *Definitions) Compartment(name string) map[string][]string { return d.compartments()[name] }

func readCompartments() map[string]map[string][]string {
	out := map[string]map[string][]string{}
	for name, line := range lines("compartments") {
		m := map[string][]string{}
		decode(name, line, &m)
		out[name] = m
	}
	return out
}

// ValueSet holds the codes of a required binding.
type ValueSet struct {
	URL string
	// Open: the codes are too many or defined elsewhere (mime types, currencies,
	// UCUM); none is listed and any may be right.
	Open    bool
	systems map[string]string   // code → the first system that has it
	more    map[string][]string // code → further systems
	codes   []string
}

// Has reports whether a code is in the set; of an open set it cannot be said,
// and Has is true.
func (v *ValueSet) Has(code string) bool {
	_, ok := v.systems[code]
	return ok || v.Open
}

// HasCoding reports whether the set has a code of a system; true if open.
func (v *ValueSet) HasCoding(system, code string) bool {
	return v.Open || v.systems[code] == system && system != "" || slices.Contains(v.more[code], system)
}

// System returns the code system of a code: what a plain code element means and
// token search asks for.
func (v *ValueSet) System(code string) (string, bool) {
	s, ok := v.systems[code]
	return s, ok
}

// Codes lists the codes in the order of the definition. The caller must not
// change it.
func (v *ValueSet) Codes() []string { return v.codes }

// Codes returns the value set of a required binding by its canonical, with or
// without a version.
func (d *Definitions) Codes(valueSet string) (*ValueSet, bool) {
	url, _, _ := strings.Cut(valueSet, "|")
	f, ok := d.codes()[url]
	if !ok {
		return nil, false
	}
	return f(), true
}

func readCodes() map[string]func() *ValueSet {
	out := map[string]func() *ValueSet{}
	for url, line := range lines("codes") {
		out[url] = sync.OnceValue(func() *ValueSet {
			var l struct {
				Open    bool `json:"open"`
				Systems []struct {
					System string   `json:"system"`
					Codes  []string `json:"codes"`
				} `json:"systems"`
			}
			decode(url, line, &l)
			v := &ValueSet{URL: url, Open: l.Open, systems: map[string]string{}, more: map[string][]string{}}
			for _, s := range l.Systems {
				for _, c := range s.Codes {
					if _, ok := v.systems[c]; ok {
						v.more[c] = append(v.more[c], s.System)
						continue
					}
					v.systems[c] = s.System
					v.codes = append(v.codes, c)
				}
			}
			return v
		})
	}
	return out
}
