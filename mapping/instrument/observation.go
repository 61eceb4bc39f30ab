package instrument

import (
	"slices"
	"strings"
	"time"

	"rapport/fhir"
)

// Code systems of HL7 that scores, flags and tasks use.
const (
	ucum            = "http://unitsofmeasure.org"
	obsCategory     = "http://terminology.hl7.org/CodeSystem/observation-category"
	absentReason    = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
	confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	actCode         = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	usCoreCategory  = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
	usCoreSurvey    = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-screening-assessment"
	usCoreResponse  = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-questionnaireresponse"
)

// Measured is where a score comes from and whom it is about.
type Measured struct {
	ID         string       // of the Observation
	Identifier *fhir.Object // of the source, may be nil
	Status     string       // "final", "amended", "entered-in-error"
	Subject    fhir.Key
	Encounter  fhir.Key
	Performer  fhir.Key       // left out where an Observation may not name it
	Effective  string         // FHIR dateTime as it was said
	Response   fhir.Key       // that it derives from; zero for a score without items
	Security   []*fhir.Object // Codings; raised to R and PSY
	USCore     bool           // the response claims US Core, so the score may
	relative   fhir.Key       // who answered, where that is a RelatedPerson; performs too
	answeredBy string         // who answered, where neither that nor the instrument says it
	course     fhir.Key       // EpisodeOfCare within which it is compared
	compared   compared
}

// Stated makes a Score of what a source states without items.
//
// Errors: [fhir.Value] for an unknown scale or a score outside its range.
func (in *Instrument) Stated(stated map[string]Points) (Score, error) {
	s := in.score(make(given, len(in.Items)))
	if err := in.Check(stated, s); err != nil {
		return Score{}, err
	}
	for i := range s.Scales {
		sc := &s.Scales[i]
		sc.Absent = nil
		if p, ok := stated[sc.Slug]; ok {
			sc.Value = &p
			*sc = sc.banded()
		}
	}
	return s, nil
}

// Observation makes the one Observation of a score: the total as its value, with
// its band; the subscales and the change as components. A total that there is
// none of has a dataAbsentReason.
//
// Source: US Core screening and assessment, https://hl7.org/fhir/us/core/STU6.1/screening-and-assessments.html
func (in *Instrument) Observation(s Score, m Measured) (fhir.Resource, error) {
	category := []*fhir.Object{fhir.Concept(obsCategory, "survey", "Survey")}
	var profiles []string
	if m.USCore {
		category = append(category, fhir.Concept(usCoreCategory, "cognitive-status", "Cognitive Status"))
		profiles = []string{usCoreSurvey}
	}
	total := s.Total()
	o := fhir.NewResource(fhir.Key{Type: "Observation", ID: m.ID}).
		Set("meta", fhir.NewObject().Set("profile", profiles).Set("security", raise(m.Security)))
	var says []*fhir.Object
	if !m.course.IsZero() {
		says = append(says, fhir.NewObject().Set("url", episodeURL).Set("valueReference", m.course))
	}
	if m.answeredBy != "" {
		says = append(says, fhir.NewObject().Set("url", answeredByURL).Set("valueCode", m.answeredBy))
	}
	o.Set("extension", says)
	if m.Identifier != nil {
		o.Set("identifier", []*fhir.Object{m.Identifier})
	}
	o.Set("status", m.Status).
		Set("category", category).
		Set("code", in.scaleCode(total.Scale)).
		Set("subject", m.Subject).
		Set("encounter", m.Encounter).
		Set("effectiveDateTime", m.Effective).
		Set("issued", instantOf(m.Effective))
	var performers []fhir.Key
	for _, k := range []fhir.Key{m.Performer, m.relative} {
		if performs(k) && !slices.Contains(performers, k) {
			performers = append(performers, k)
		}
	}
	o.Set("performer", performers)
	in.setValue(o, total)
	var from []fhir.Key
	if !m.Response.IsZero() {
		from = append(from, m.Response)
	}
	for _, c := range m.compared.told() {
		if k := c.earlier.key; !slices.Contains(from, k) && (!m.USCore || c.earlier.usCore) {
			from = append(from, k)
		}
	}
	return o.Set("derivedFrom", from).Set("component", in.components(s, m)).Resource()
}

func (in *Instrument) scaleCode(s *Scale) *fhir.Object {
	return fhir.NewObject().Set("coding", []*fhir.Object{s.Code.coding()}).Set("text", s.Code.Display)
}

func (in *Instrument) setValue(o *fhir.Object, sc ScaleScore) {
	if sc.Value == nil {
		text := "No score is stated."
		if len(sc.Absent) > 0 {
			text = "Not answered: " + strings.Join(sc.Absent, ", ")
		}
		o.Set("dataAbsentReason", fhir.Concept(absentReason, "unknown", "Unknown").Set("text", text))
		return
	}
	o.Set("valueQuantity", points(*sc.Value))
	if sc.Band != nil {
		o.Set("interpretation", []*fhir.Object{
			fhir.Concept(BandCodes, in.bandCode(sc.Scale, sc.Band), sc.Band.Label).Set("text", sc.Band.Label),
		})
	}
}

func (in *Instrument) components(s Score, m Measured) (out []*fhir.Object) {
	for _, sc := range s.Scales[1:] {
		if sc.Value == nil && sc.Answered == 0 && m.Response.IsZero() {
			continue // a source that states scores need not state each
		}
		c := fhir.NewObject().Set("code", in.scaleCode(sc.Scale))
		in.setValue(c, sc)
		out = append(out, c)
	}
	for _, d := range m.compared.told() {
		c := fhir.NewObject().
			Set("code", fhir.Concept(ChangeCodes, d.code, in.changeDisplay(d.code))).
			Set("valueQuantity", points(d.shift.Points))
		var marks []*fhir.Object
		for _, k := range d.shift.codes() {
			marks = append(marks, fhir.Concept(ChangeCodes, k, in.changeDisplay(k)))
		}
		out = append(out, c.Set("interpretation", marks))
	}
	if own := m.compared.own; own != nil && own.enough {
		c := fhir.NewObject().
			Set("code", fhir.Concept(ChangeCodes, sinceOwnMean, in.changeDisplay(sinceOwnMean))).
			Set("valueQuantity", points(own.change))
		if own.drop {
			c.Set("interpretation", []*fhir.Object{fhir.Concept(ChangeCodes, ownMeanDrop, in.changeDisplay(ownMeanDrop))})
		}
		out = append(out, c)
	}
	return out
}

// codes lists what a shift amounts to.
func (s Shift) codes() (out []string) {
	if s.Class != Unclassified {
		out = append(out, string(s.Class))
	}
	if s.ReliableRecovery {
		return append(out, reliably)
	}
	if s.Recovery {
		out = append(out, recovered)
	}
	return out
}

func points(p Points) *fhir.Object {
	return fhir.NewObject().Set("value", p.Decimal()).Set("unit", "{score}").Set("system", ucum).Set("code", "{score}")
}

func (in *Instrument) bandCode(s *Scale, b *Band) string {
	return in.Slug + "-" + s.Slug + "-" + b.Slug
}

// performs reports whether an Observation may name k as performer.
func performs(k fhir.Key) bool {
	return slices.Contains([]string{"Practitioner", "PractitionerRole", "Organization", "CareTeam", "Patient", "RelatedPerson"}, k.Type)
}

// instantOf returns a dateTime that has a time and a zone, "" otherwise.
func instantOf(dateTime string) string {
	if _, err := time.Parse(time.RFC3339Nano, dateTime); err != nil {
		return ""
	}
	return dateTime
}

// raise copies security labels and sees to it that what a therapy measured is
// restricted and marked: exactly one confidentiality, R unless it is V already,
// and PSY beside other sensitivities.
func raise(labels []*fhir.Object) []*fhir.Object {
	var out []*fhir.Object
	very, marked := false, false
	for _, l := range labels {
		n, err := fhir.ParseNode(l.JSON())
		if err != nil {
			continue
		}
		system, code := n.Get("system").Text(), n.Get("code").Text()
		switch {
		case system == confidentiality:
			very = very || code == "V"
			continue
		case system == actCode && code == "PSY":
			marked = true
		}
		out = append(out, l)
	}
	level := fhir.Coding(confidentiality, "R", "restricted")
	if very {
		level = fhir.Coding(confidentiality, "V", "very restricted")
	}
	out = append([]*fhir.Object{level}, out...)
	if !marked {
		out = append(out, fhir.Coding(actCode, "PSY", "psychiatry disorder information sensitivity"))
	}
	return out
}

func claims(root fhir.Node, profile string) bool {
	for p := range root.At("meta", "profile").Elements() {
		if p.Text() == profile {
			return true
		}
	}
	return false
}
