package policy

import (
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// class is what the rules see of a resource, spelled out. As text it is a
// fhir.Class: "clinical|R|PSY,SUD|score".
type class struct {
	group  string
	conf   string // confidentiality: U L M N R V
	labels string // sorted, comma between
	marks  string
}

// The marks: content of which rules need to know.
const (
	markScore      = "score"      // a result of an instrument
	markReason     = "reason"     // a request or appointment that says why, or has notes
	markDisclosure = "disclosure" // an AuditEvent about a disclosure
	markSelf       = "self"       // written by the patient whom it is about
	markOther      = "other"      // written by somebody else
	markStaff      = "staff"      // an appointment of those who work here with each other
)

func (c class) text() fhir.Class {
	return fhir.Class(c.group + "|" + c.conf + "|" + c.labels + "|" + c.marks)
}

// parseClass reads what text wrote. What it cannot read is of no group, which no
// rule allows.
func parseClass(t fhir.Class) class {
	p := strings.Split(string(t), "|")
	if len(p) != 4 {
		return class{}
	}
	return class{group: p[0], conf: p[1], labels: p[2], marks: p[3]}
}

const levels = "ULMNRV" // v3-Confidentiality, ascending

// rank orders confidentiality codes; an unknown one is the highest.
func rank(conf string) int {
	if i := strings.Index(levels, conf); i >= 0 && len(conf) == 1 {
		return i
	}
	return len(levels) - 1
}

// higher returns the higher of two; b is "" where nothing is stated.
func higher(a, b string) string {
	if b != "" && rank(b) > rank(a) {
		return b
	}
	return a
}

// commonest is the class of a group when nothing says otherwise: the floor below
// which no label of a client's can take a resource.
func commonest(group spec.Group) class {
	switch group {
	case spec.Setting:
		return class{group: string(group), conf: "U"}
	case spec.Contact, spec.Frame:
		return class{group: string(group), conf: "N"}
	case spec.Record:
		return class{group: string(group), conf: "R"}
	}
	return class{group: string(spec.Clinical), conf: "R", labels: "PSY"}
}

// universe lists classes that resources of a type may always come to have. The
// rules are asked about them when it matters what a caller may do at all,
// whatever happens to be stored.
func (f *Factor) universe(typ string) []class {
	base := commonest(f.group(typ))
	cs := []class{base}
	switch typ {
	case "Observation":
		cs = append(cs, class{base.group, base.conf, base.labels, markScore})
	case "ServiceRequest", "Task", "Appointment":
		cs = append(cs, class{base.group, "R", base.labels, markReason})
	case "AuditEvent":
		cs = append(cs, class{base.group, base.conf, base.labels, markDisclosure})
	case "Communication":
		self := base
		self.marks = markSelf
		cs = append(cs, self, commonest(spec.Frame))
	case "QuestionnaireResponse":
		self := base
		self.marks = markSelf
		cs = append(cs, self)
	}
	return cs
}

// group says to whose business a type belongs. A type that nothing is said about
// is clinical: the most private.
func (f *Factor) group(typ string) spec.Group {
	switch typ {
	case "Group": // it names clients
		return spec.Frame
	}
	if t, ok := f.served.Type(typ); ok && t.Group != "" {
		return t.Group
	}
	if g, ok := otherGroups[typ]; ok {
		return g
	}
	return spec.Clinical
}

// otherGroups places types that are not served yet.
var otherGroups = map[string]spec.Group{
	"RelatedPerson": spec.Contact, "Coverage": spec.Contact, "Schedule": spec.Contact, "Slot": spec.Contact, "Person": spec.Contact,
	"AuditEvent": spec.Record, "Provenance": spec.Record,
}

// class computes the class of a resource.
func (f *Factor) class(r fhir.Resource) class {
	root := r.Root()
	g := f.group(r.Type)
	if r.Type == "Communication" && aboutAppointments(root) {
		g = spec.Frame
	}
	c := commonest(g)
	ls := split(c.labels)
	marks := marksOf(r.Type, root)
	if slices.Contains(marks, markReason) {
		c.conf = higher(c.conf, "R")
	}
	conf, found := f.labels(r)
	c.conf = higher(c.conf, conf)
	ls = append(ls, found...)
	c.labels, c.marks = join(ls), join(marks)
	return c
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func join(ss []string) string {
	slices.Sort(ss)
	return strings.Join(slices.Compact(ss), ",")
}

// aboutAppointments: a Communication whose topic or every category says that it is a
// reminder of an appointment and nothing else.
//
// Source: http://terminology.hl7.org/CodeSystem/communication-topic
func aboutAppointments(n fhir.Node) bool {
	return n.Get("topic").HasCoding("http://terminology.hl7.org/CodeSystem/communication-topic", "appointment-reminder")
}

// telling are the elements by which a type of the frame or of contact says why.
// Narrative and contained resources repeat what the rest holds.
var telling = map[string][]string{
	"ServiceRequest": {"reasonCode", "reasonReference", "supportingInfo", "note", "patientInstruction", "orderDetail", "text", "contained"},
	"Task":           {"reasonCode", "reasonReference", "note", "description", "input", "output", "text", "contained"},
	"Appointment":    {"reasonCode", "reasonReference", "supportingInformation", "description", "comment", "patientInstruction", "text", "contained"},
}

func marksOf(typ string, root fhir.Node) (ms []string) {
	switch typ {
	case "Observation":
		// What a client wrote down about themselves, a notebook's feelings, is no result of
		// an instrument: whoever reads outcomes does not read diaries.
		if asserted(root) {
			break
		}
		for c := range root.Get("category").Elements() {
			if c.HasCoding("http://terminology.hl7.org/CodeSystem/observation-category", "survey") {
				ms = append(ms, markScore)
			}
		}
	case "Appointment":
		if amongStaff(root) {
			ms = append(ms, markStaff)
		}
	case "AuditEvent":
		// DCM 110106 Export: IHE BALP's PrivacyDisclosure.
		if root.Get("type").Get("code").Text() == "110106" {
			ms = append(ms, markDisclosure)
		}
	}
	switch typ {
	case "QuestionnaireResponse", "Communication":
		ms = append(ms, writtenBy(root)...)
	}
	for _, name := range telling[typ] {
		if root.Get(name).Exists() {
			return append(ms, markReason)
		}
	}
	return ms
}

// amongStaff reports whether all whom an appointment names are practitioners.
func amongStaff(root fhir.Node) bool {
	n := 0
	for p := range root.Get("participant").Elements() {
		k, ok := p.Get("actor").Ref()
		if !ok || k.Type != "Practitioner" && k.Type != "PractitionerRole" {
			return false
		}
		n++
	}
	return n > 0
}

// asserted reports whether a resource says of itself that it is a patient's own word.
//
// Source: http://terminology.hl7.org/CodeSystem/v3-ObservationValue, PATAST, PATRPT
func asserted(root fhir.Node) bool {
	for l := range root.At("meta", "security").Elements() {
		if l.Get("system").Text() == obsValueSystem && (l.Get("code").Text() == "PATAST" || l.Get("code").Text() == "PATRPT") {
			return true
		}
	}
	return false
}

// writtenBy says whether what a patient may write was written by the one whom it
// is about. What names no writer has neither mark.
func writtenBy(root fhir.Node) []string {
	subject := root.Get("subject").Get("reference").Text()
	mark := ""
	for _, name := range []string{"author", "source", "sender"} {
		n := root.Get(name)
		if !n.Exists() {
			continue
		}
		if ref := n.Get("reference").Text(); ref == "" || ref != subject {
			return []string{markOther}
		}
		mark = markSelf
	}
	if mark == "" {
		return nil
	}
	return []string{mark}
}
