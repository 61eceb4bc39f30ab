package mapping

import (
	"encoding/json"
	"slices"
	"strconv"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
)

// drawer draws records that say what their resources can say: references to what is
// stored, since that is how they come back.
type drawer struct {
	t       *rapid.T
	library *instrument.Library
}

// maybe is false half of the time.
func (d *drawer) maybe() bool { return rapid.Bool().Draw(d.t, "maybe") }

func (d *drawer) pick(words ...string) string { return rapid.SampledFrom(words).Draw(d.t, "word") }

func (d *drawer) text() string {
	return rapid.StringMatching(`[A-Za-z<&"äß€][A-Za-z0-9 <>&'"\\/äß€]{0,12}[a-z.]`).Draw(d.t, "text")
}

func (d *drawer) texts() (out []string) {
	for range rapid.IntRange(0, 2).Draw(d.t, "n") {
		out = append(out, d.text())
	}
	return out
}

func (d *drawer) someText() string {
	if d.maybe() {
		return d.text()
	}
	return ""
}

func (d *drawer) yes() *bool {
	if d.maybe() {
		return of(d.maybe())
	}
	return nil
}

func (d *drawer) date() string {
	return d.pick("", "2026", "2026-03", "2026-03-02", "2025-12-31")
}

func (d *drawer) moment() string {
	return d.pick("", "2026-03-02", "2026-03-02T10:00:00+01:00", "2026-03-02T09:30:00Z")
}

// lastDate and lastMoment lie before none of date and moment.
func (d *drawer) lastDate() string {
	return d.pick("", "2026", "2026-03", "2026-03-02", "2026-12-31")
}

func (d *drawer) lastMoment() string {
	return d.pick("", "2026-03-02", "2026-03-02T10:45:00+01:00", "2026-03-03T09:30:00Z")
}

func (d *drawer) ref(typ string) practice.Ref {
	return practice.Ref{Stored: fhir.Key{Type: typ, ID: strconv.Itoa(rapid.IntRange(1, 9).Draw(d.t, typ))}}
}

func (d *drawer) someRef(typ string) practice.Ref {
	if d.maybe() {
		return d.ref(typ)
	}
	return practice.Ref{}
}

func (d *drawer) refs(types ...string) (out []practice.Ref) {
	for range rapid.IntRange(0, 2).Draw(d.t, "n") {
		out = append(out, d.ref(d.pick(types...)))
	}
	return out
}

func (d *drawer) origin() practice.Origin {
	return practice.Origin{System: d.pick("urn:test:other", "https://example.org/records"), BusinessKey: d.text()}
}

func (d *drawer) coding() practice.Coding {
	return practice.Coding{System: d.pick("urn:test:a", "urn:test:b"), Code: rapid.StringMatching(`[a-z0-9]{1,5}`).Draw(d.t, "code"), Display: d.someText()}
}

func (d *drawer) concept() practice.Concept {
	if d.maybe() {
		return practice.Concept{Text: d.text()}
	}
	c := practice.Concept{Coding: d.coding(), Text: d.someText()}
	if d.maybe() {
		c.Also = []practice.Coding{d.coding()}
	}
	return c
}

func (d *drawer) someConcept() practice.Concept {
	if d.maybe() {
		return d.concept()
	}
	return practice.Concept{}
}

func (d *drawer) concepts() (out []practice.Concept) {
	for range rapid.IntRange(0, 2).Draw(d.t, "n") {
		out = append(out, d.concept())
	}
	return out
}

func (d *drawer) number() json.Number {
	return json.Number(d.pick("0", "1", "12.50", "-3", "100"))
}

func (d *drawer) details() (out []practice.Detail) {
	for range rapid.IntRange(0, 3).Draw(d.t, "n") {
		x := practice.Detail{About: d.coding()}
		switch rapid.IntRange(0, 4).Draw(d.t, "value") {
		case 0:
			x.Coding = of(d.coding())
		case 1:
			x.Number = d.number()
		case 2:
			x.Yes = of(d.maybe())
		case 3:
			x.Date = d.pick("2026", "2026-03-02")
		default:
			x.Text = d.text()
		}
		out = append(out, x)
	}
	return out
}

func (d *drawer) name() practice.Name {
	return practice.Name{Family: d.someText(), Given: d.texts(), Prefix: d.texts(), Text: d.someText()}
}

func (d *drawer) telecom() (out []practice.Telecom) {
	for range rapid.IntRange(0, 2).Draw(d.t, "n") {
		out = append(out, practice.Telecom{System: d.pick("phone", "email", "sms", "url"), Value: d.text(), Use: d.pick("", "home", "work", "mobile")})
	}
	return out
}

func (d *drawer) address() practice.Address {
	return practice.Address{Line: d.texts(), City: d.text(), PostalCode: d.someText(), State: d.someText(), Country: d.someText()}
}

func (d *drawer) identifiers() (out []practice.Identifier) {
	for range rapid.IntRange(0, 2).Draw(d.t, "n") {
		out = append(out, practice.Identifier{System: d.pick("", "urn:oid:1.2.3"), Value: d.text(), Use: d.pick("", "usual", "official", "old"), Linkage: d.maybe()})
	}
	return out
}

func (d *drawer) organisation() practice.Record {
	r := &practice.Organisation{
		Origin: d.origin(), Name: d.someText(), Alias: d.texts(), Active: d.yes(), Types: d.concepts(), PartOf: d.someRef("Organization"),
		Identifiers: d.identifiers(), Telecom: d.telecom(), Start: d.date(), End: d.lastDate(), Details: d.details(),
	}
	if d.maybe() {
		r.Address = d.address()
	}
	return r
}

func (d *drawer) practitioner() practice.Record {
	r := &practice.Practitioner{
		Origin: d.origin(), Name: d.name(), Gender: d.pick("", "male", "female", "other", "unknown"), BirthDate: d.date(), Active: d.yes(),
		Identifiers: d.identifiers(), Telecom: d.telecom(), Details: d.details(),
	}
	for i := range rapid.IntRange(0, 2).Draw(d.t, "roles") {
		r.Roles = append(r.Roles, practice.Role{
			Organisation: practice.Ref{Stored: fhir.Key{Type: "Organization", ID: strconv.Itoa(i)}}, Codes: d.concepts(), Specialties: d.concepts(),
			Active: d.yes(), Telecom: d.telecom(), Start: d.date(), End: d.lastDate(),
		})
	}
	return r
}

func (d *drawer) client() practice.Record {
	r := &practice.Client{
		Origin: d.origin(), Name: d.name(), Gender: d.pick("", "male", "female", "other", "unknown"), BirthDate: d.date(),
		BirthDateAccuracy: d.pick("", "exact", "estimated", "unknown"), Deceased: d.date(), Active: d.yes(), Organisation: d.someRef("Organization"),
		GeneralPractice: d.refs("Organization"), Identifiers: d.identifiers(), Telecom: d.telecom(), MaritalStatus: d.someConcept(),
		BirthCountry: d.someConcept(), Indigenous: d.someConcept(), Details: d.details(),
	}
	for range rapid.IntRange(0, 2).Draw(d.t, "n") {
		r.Addresses = append(r.Addresses, d.address())
		r.Languages = append(r.Languages, practice.Language{Concept: d.concept(), Preferred: d.yes(), Proficiency: d.someConcept()})
	}
	return r
}

func (d *drawer) referral() practice.Record {
	r := &practice.Referral{
		Origin: d.origin(), Client: d.ref("Patient"), Episode: d.someRef("EpisodeOfCare"), Direction: d.pick("in", "out"),
		From: d.someRef("Organization"), Requester: d.someRef("Practitioner"), RequesterRole: d.someConcept(), To: d.someRef("Organization"),
		Status:       d.pick("draft", "requested", "accepted", "rejected", "in-progress", "on-hold", "completed", "failed", "cancelled", "entered-in-error"),
		StatusReason: d.someText(), Outcomes: d.refs("DocumentReference", "Observation"), Urgency: d.pick("", "routine", "urgent", "asap", "stat"),
		Service: d.someConcept(), Date: d.moment(), Due: d.moment(), Reason: d.someText(), Note: d.someText(),
		Supporting: d.refs("Goal", "Condition", "Observation"), Consents: d.refs("Consent"), Details: d.details(),
	}
	if r.Direction == "out" {
		if r.To = d.ref("Organization"); r.From.IsZero() {
			r.Requester = d.ref("Practitioner")
		}
	}
	// A first reason in words alone is the reason.
	for _, c := range d.concepts() {
		if r.Reason != "" || !c.Coding.IsZero() {
			r.ReasonCodes = append(r.ReasonCodes, c)
		}
	}
	return r
}

func (d *drawer) episode() practice.Record {
	r := &practice.Episode{
		Origin: d.origin(), Client: d.ref("Patient"), Organisation: d.someRef("Organization"), Therapist: d.someRef("Practitioner"), Team: d.refs("Practitioner"),
		Status: d.pick("planned", "waitlist", "active", "onhold", "finished", "cancelled", "entered-in-error"), Start: d.date(), End: d.lastDate(),
		EndReason: d.someConcept(), Types: d.concepts(), Referrals: d.refs("ServiceRequest"), Facts: d.details(), Details: d.details(),
	}
	for range rapid.IntRange(0, 3).Draw(d.t, "diagnoses") {
		dg := practice.Diagnosis{Concept: d.concept(), Role: d.pick("", "principal", "additional"), Onset: d.date(), Recorded: d.date(), End: d.lastDate(), By: d.someRef("Practitioner")}
		if r.Status != "entered-in-error" { // which takes the place of what was said of it
			dg.Status = d.pick("", "provisional", "confirmed", "refuted")
		}
		r.Diagnoses = append(r.Diagnoses, dg)
	}
	return r
}

func (d *drawer) goal() practice.Record {
	r := &practice.Goal{
		Origin: d.origin(), Client: d.ref("Patient"), Episode: d.someRef("EpisodeOfCare"), Description: d.text(),
		Status:      d.pick("proposed", "accepted", "active", "on-hold", "completed", "cancelled", "rejected", "entered-in-error"),
		Achievement: d.pick("", "improving", "achieved", "not-achieved"), StatusDate: d.date(), Start: d.date(), Due: d.date(),
		ExpressedBy: d.pick("", "client", "therapist"), Therapist: d.ref("Practitioner"), ClientAgrees: d.pick("", "agree", "disagree", "pending"),
		TherapistAgrees: d.pick("", "agree"), Category: d.pick("", "behavioral", "safety"), Details: d.details(),
	}
	if d.maybe() {
		r.Target = &practice.Target{Measure: d.coding(), Comparator: d.pick("", "<", "<=", ">=", ">"), Value: d.number(), Unit: d.pick("{score}", "min")}
	}
	return r
}

func (d *drawer) techniques() (out []string) {
	all := []string{"active-listening", "cognitive", "behavioural", "crisis", "hypnosis", "body"}
	for _, t := range all {
		if d.maybe() {
			out = append(out, t)
		}
	}
	return out
}

func (d *drawer) plan() practice.Record {
	statuses := []string{"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
	r := &practice.Plan{
		Origin: d.origin(), Client: d.ref("Patient"), Episode: d.someRef("EpisodeOfCare"), Author: d.someRef("Practitioner"), Status: d.pick(statuses...),
		Title: d.someText(), Approach: d.pick("", "systemic", "integrative", "hypnosis"), Created: d.date(), Start: d.date(), End: d.lastDate(), Goals: d.refs("Goal"),
		Summary: d.someText(), Details: d.details(), Adjusts: d.someRef("CarePlan"), Because: d.someText(),
	}
	for range rapid.IntRange(0, 4).Draw(d.t, "phases") {
		p := practice.Phase{
			Phase: d.pick("assessment", "acute", "follow-up"), Status: d.pick(statuses...), Start: d.date(), End: d.lastDate(),
			Techniques: d.techniques(), Focus: d.someText(), Goals: d.refs("Goal"),
		}
		if d.maybe() {
			p.Frequency = &practice.Frequency{Times: rapid.IntRange(1, 9).Draw(d.t, "times"), Every: d.every(), Unit: d.pick("d", "wk", "mo")}
		}
		p.Monitoring = d.monitoring()
		r.Phases = append(r.Phases, p)
	}
	for _, a := range d.adjustments() {
		if a.By == r.Author { // who is the author is not said again
			a.By = practice.Ref{}
		}
		r.Adjustments = append(r.Adjustments, a)
	}
	return r
}

// every leaves 1 to be said by silence.
func (d *drawer) every() int { return rapid.SampledFrom([]int{0, 2, 3}).Draw(d.t, "every") }

func (d *drawer) session() practice.Record {
	r := &practice.Session{
		Origin: d.origin(), Client: d.ref("Patient"), Episode: d.someRef("EpisodeOfCare"), Organisation: d.someRef("Organization"),
		Status: d.pick("finished", "amended", "noshow", "cancelled", "booked", "entered-in-error"), Start: d.pick("2026-03-02", "2026-03-02T10:00:00+01:00"),
		Modality: d.pick("", "in-person", "phone", "video", "online"), Format: d.pick("", "individual", "group", "other"), Types: d.concepts(),
		Place: d.pick("", "practice", "home", "elsewhere"), Venue: d.someConcept(), Interpreter: d.yes(), Details: d.details(),
	}
	for i := range rapid.IntRange(0, 2).Draw(d.t, "practitioners") {
		r.Practitioners = append(r.Practitioners, practice.Participant{Practitioner: practice.Ref{Stored: fhir.Key{Type: "Practitioner", ID: strconv.Itoa(i)}}, Primary: d.yes()})
	}
	switch rapid.IntRange(0, 2).Draw(d.t, "how long") {
	case 0:
		r.Minutes = 50
	case 1:
		r.End = map[bool]string{true: "2026-03-02T10:45:00+01:00", false: "2026-03-03"}[timed(r.Start)]
	}
	if r.Status == "amended" || r.Status == "entered-in-error" {
		r.CorrectedBecause = d.someText()
	}
	if r.Status != "finished" && r.Status != "amended" && r.Status != "entered-in-error" {
		if r.Status != "booked" {
			r.CancelledBecause = d.someConcept()
		}
		return r // what is clinical does not go into an Appointment
	}
	if r.Minutes == 0 && d.maybe() {
		r.MinutesFrom, r.MinutesTo = 46, rapid.SampledFrom([]int{0, 60}).Draw(d.t, "to")
	}
	r.Phase, r.Techniques, r.Reason = d.pick("", "acute", "closing"), d.techniques(), d.someConcept()
	r.ClientPresent, r.Final = d.yes(), d.yes()
	return r
}

func (d *drawer) response() practice.Record {
	in := rapid.SampledFrom(d.library.All()).Draw(d.t, "instrument")
	r := &practice.Response{
		Origin: d.origin(), Instrument: in.Slug, Client: d.ref("Patient"), Episode: d.someRef("EpisodeOfCare"), Session: d.someRef("Encounter"),
		Status: d.pick("", "in-progress", "amended", "stopped", "entered-in-error"), Authored: d.moment(), AnsweredBy: d.pick("", "client", "practitioner", "parent", "other"),
		Therapist: d.someRef("Practitioner"), Reason: d.someConcept(), Details: d.details(), Answers: practice.Answers{}, Scores: map[string]json.Number{},
	}
	if r.Status == "amended" || r.Status == "entered-in-error" {
		r.CorrectedBecause = d.someText()
	}
	items := d.maybe()
	for _, it := range in.Items {
		switch options := in.Answers[it.Answers]; {
		case !items || !d.maybe():
		case options != nil:
			r.Answers[it.Link] = rapid.SampledFrom(options.Options).Draw(d.t, "option").Code
		default:
			r.Answers[it.Link] = strconv.FormatInt(rapid.Int64Range(*it.Min, *it.Max).Draw(d.t, "number"), 10)
		}
	}
	s, err := in.ScoreAnswers(instrument.Answers(r.Answers))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, sc := range s.Scales {
		switch {
		case !d.maybe():
		case len(r.Answers) == 0 && d.maybe():
			r.Scores[sc.Slug] = json.Number(sc.Low.String())
		case len(r.Answers) > 0 && sc.Value != nil:
			r.Scores[sc.Slug] = json.Number(sc.Value.String())
		default:
			r.Unscored = append(r.Unscored, sc.Slug)
		}
	}
	if len(r.Answers)+len(r.Scores)+len(r.Unscored) == 0 {
		r.Unscored = []string{in.Total().Slug}
	}
	return r
}

func (d *drawer) consent() practice.Record {
	r := &practice.Consent{
		Origin: d.origin(), Client: d.ref("Patient"), Episode: d.someRef("EpisodeOfCare"), Organisation: d.someRef("Organization"),
		Status: d.pick("draft", "proposed", "active", "rejected", "inactive", "entered-in-error"), About: d.pick("framing", "treatment", "privacy", "research", "statistics"),
		Decision: d.pick("permit", "deny"), Date: d.moment(), Start: d.moment(), End: d.lastMoment(), GivenBy: d.someRef("RelatedPerson"), Witness: d.someRef("Practitioner"),
		Text: d.someText(), Policy: d.pick("", "https://example.org/policy"), Verified: d.yes(), Recipients: d.refs("Organization", "Practitioner"),
		Purposes: slices.Compact([]string{"TREAT", d.pick("TREAT", "HRESCH")}), Details: d.details(),
	}
	if d.maybe() {
		r.Labels, r.Types = []string{"R", "PSY"}, []string{"Goal", "Observation"}
	}
	if r.About == "framing" {
		r.Explained = []string{"confidentiality", "fees"}
	}
	return r
}
