package mapping

import (
	"encoding/json"
	"strconv"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/fhir"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
)

// Canonical is the base of the URLs of what this gateway defines.
const Canonical = instrument.Canonical

// Systems of HL7 and others that records are told in.
const (
	confidentialitySystem = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	actCodeSystem         = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	actReasonSystem       = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	participationSystem   = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
	roleClassSystem       = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
	observationCategory   = "http://terminology.hl7.org/CodeSystem/observation-category"
	absentSystem          = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
	absentURL             = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
	episodeURL            = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare"
	usCore                = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
	loinc                 = "http://loinc.org"
	ucum                  = "http://unitsofmeasure.org"
)

// systemURL is one of our code systems, extensionURL one of our extensions.
func systemURL(slug string) string    { return Canonical + "/CodeSystem/" + slug }
func extensionURL(slug string) string { return Canonical + "/StructureDefinition/" + slug }

// level is how private a resource is.
type level uint8

const (
	administrative level = iota // N
	clinical                    // R, PSY
)

// Labels returns the codings of meta.security for what is made here.
func (l level) labels() []r4.Coding {
	if l == clinical {
		return []r4.Coding{code4(confidentialitySystem, "R", ""), code4(actCodeSystem, "PSY", "")}
	}
	return []r4.Coding{code4(confidentialitySystem, "N", "")}
}

func (l level) meta(profiles ...string) *r4.Meta {
	return &r4.Meta{Profile: said(profiles), Security: l.labels()}
}

// objects is meta for what is built as an Object.
func (l level) object(profiles ...string) *fhir.Object {
	return fhir.NewObject().Set("profile", said(profiles)).Set("security", l.codings())
}

func (l level) codings() (out []*fhir.Object) {
	for _, c := range l.labels() {
		out = append(out, fhir.Coding(*c.System, *c.Code, ""))
	}
	return out
}

// said leaves out what is empty.
func said(in []string) (out []string) {
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// claim is a profile where it holds.
func claim(profile string, holds bool) string {
	if holds {
		return usCore + profile
	}
	return ""
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func of[T any](v T) *T { return &v }

// enum reads one of the models' codes; their zero value is the first code of a
// list, so none is ever left to it.
func enum[T any, P interface {
	*T
	json.Unmarshaler
}](w *writer, at, word string) (v T) {
	if err := P(&v).UnmarshalJSON([]byte(strconv.Quote(word))); err != nil {
		w.fail(at, fhir.Errorf(fhir.CodeInvalid, at, "is none of the words that are known here"))
	}
	return v
}

func code4(system, code, display string) r4.Coding {
	return r4.Coding{System: text(system), Code: text(code), Display: text(display)}
}

func concept4(system, code, display string) r4.CodeableConcept {
	return r4.CodeableConcept{Coding: []r4.Coding{code4(system, code, display)}}
}

func coding4(c practice.Coding) r4.Coding { return code4(c.System, c.Code, c.Display) }

// conceptOf turns what is meant into a CodeableConcept, nil for nothing.
func conceptOf(c practice.Concept) *r4.CodeableConcept {
	if c.IsZero() {
		return nil
	}
	out := r4.CodeableConcept{Text: text(c.Text)}
	if !c.Coding.IsZero() {
		out.Coding = append(out.Coding, coding4(c.Coding))
	}
	for _, a := range c.Also {
		out.Coding = append(out.Coding, coding4(a))
	}
	return &out
}

func conceptsOf(cs []practice.Concept) (out []r4.CodeableConcept) {
	for _, c := range cs {
		if v := conceptOf(c); v != nil {
			out = append(out, *v)
		}
	}
	return out
}

func period(start, end string) *r4.Period {
	if start == "" && end == "" {
		return nil
	}
	return &r4.Period{Start: text(start), End: text(end)}
}

func quantity(v json.Number, unit, ucumCode string) *r4.Quantity {
	return &r4.Quantity{Value: &v, Unit: text(unit), System: of(ucum), Code: text(ucumCode)}
}

func reference(k fhir.Key) *r4.Reference {
	if k.IsZero() {
		return nil
	}
	return &r4.Reference{Reference: of(k.String())}
}

func references(ks ...fhir.Key) (out []r4.Reference) {
	for _, k := range ks {
		if r := reference(k); r != nil {
			out = append(out, *r)
		}
	}
	return out
}

// ref is reference to a record.
func (w *writer) ref(kind string, r practice.Ref, at string) *r4.Reference {
	return reference(w.target(kind, r, at))
}

// must is ref where the element is required; the schema saw that it is said.
func (w *writer) must(kind string, r practice.Ref, at string) r4.Reference {
	if v := w.ref(kind, r, at); v != nil {
		return *v
	}
	w.fail(at, fhir.Errorf(fhir.Required, at, "is missing"))
	return r4.Reference{}
}

// identifier is the business key, with a suffix for a part of the record.
func (w *writer) identifier(sub ...string) []r4.Identifier {
	return []r4.Identifier{{System: of(IdentifierSystem(w.origin.System, w.kind)), Value: of(w.businessKey(sub...))}}
}

func (w *writer) businessKey(sub ...string) string {
	v := w.origin.BusinessKey
	for _, s := range sub {
		v += "#" + s
	}
	return v
}

func (w *writer) identifierObject() *fhir.Object {
	return fhir.NewObject().Set("system", IdentifierSystem(w.origin.System, w.kind)).Set("value", w.origin.BusinessKey)
}

// identifiers is the business key and the numbers that others gave.
func (w *writer) identifiers(more []practice.Identifier) []r4.Identifier {
	out := w.identifier()
	for _, i := range more {
		id := r4.Identifier{System: text(i.System), Value: text(i.Value)}
		if i.Use != "" {
			id.Use = of(enum[r4.IdentifierUse](w, "/identifiers", i.Use))
		}
		if i.Linkage {
			id.Type = of(concept4(systemURL("identifier-type"), "linkage-key", "Statistical linkage key"))
		}
		out = append(out, id)
	}
	return out
}

func (w *writer) telecom(ts []practice.Telecom) (out []r4.ContactPoint) {
	for _, t := range ts {
		p := r4.ContactPoint{System: of(enum[r4.ContactPointSystem](w, "/telecom", t.System)), Value: text(t.Value)}
		if t.Use != "" {
			p.Use = of(enum[r4.ContactPointUse](w, "/telecom", t.Use))
		}
		out = append(out, p)
	}
	return out
}

func address(a practice.Address) []r4.Address {
	if a.IsZero() {
		return nil
	}
	return []r4.Address{{Line: a.Line, City: text(a.City), State: text(a.State), PostalCode: text(a.PostalCode), Country: text(a.Country)}}
}

func humanName(n practice.Name) r4.HumanName {
	return r4.HumanName{Family: text(n.Family), Given: n.Given, Prefix: n.Prefix, Text: text(n.Text)}
}
