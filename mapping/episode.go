package mapping

import (
	"fmt"
	"strconv"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/fhir"
	"rapport/mapping/practice"
)

const (
	clinicalStatusSystem = "http://terminology.hl7.org/CodeSystem/condition-clinical"
	verificationSystem   = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
	conditionCategory    = "http://terminology.hl7.org/CodeSystem/condition-category"
)

// episode → EpisodeOfCare, a Condition for each diagnosis, a CareTeam where there
// is one, an Observation for each fact.
func (w *writer) episode(r *practice.Episode) {
	var x extensions
	x.concept("episode-end-reason", r.EndReason)
	x.details(r.Details)
	subject := w.must("client", r.Client, "/client")
	e := r4.EpisodeOfCare{
		Id:                   of(w.key("EpisodeOfCare").ID),
		Meta:                 administrative.meta(),
		Extension:            x,
		Identifier:           w.identifier(),
		Status:               enum[r4.EpisodeOfCareStatus](w, "/status", r.Status),
		Type:                 conceptsOf(r.Types),
		Patient:              subject,
		ManagingOrganization: w.ref("organisation", r.Organisation, "/organisation"),
		Period:               period(r.Start, r.End),
		CareManager:          w.ref("practitioner", r.Therapist, "/therapist"),
	}
	for i, f := range r.Referrals {
		e.ReferralRequest = append(e.ReferralRequest, w.must("referral", f, fmt.Sprintf("/referrals/%d", i)))
	}
	rank := 1
	for i, dg := range r.Diagnoses {
		k := w.key("Condition", strconv.Itoa(i+1))
		ed := r4.EpisodeOfCareDiagnosis{Condition: *reference(k)}
		switch dg.Role {
		case "principal":
			ed.Rank = of(1)
		case "additional":
			rank++
			ed.Rank = of(rank)
		}
		e.Diagnosis = append(e.Diagnosis, ed)
	}
	if len(r.Team) > 0 {
		e.Team = references(w.key("CareTeam"))
	}
	w.add(e)
	for i, dg := range r.Diagnoses {
		w.diagnosis(r, i, dg, subject)
	}
	w.team(r, subject)
	times := map[practice.Coding]int{}
	for _, f := range r.Facts {
		about := practice.Coding{System: f.About.System, Code: f.About.Code}
		times[about]++
		w.fact(r, times[about], f, subject)
	}
}

// diagnosis → Condition. It is on the list of problems while it is one: agreed or
// proposed in a course that runs. Otherwise it is what this course was about, and
// nothing is claimed about how the client is now.
func (w *writer) diagnosis(r *practice.Episode, i int, dg practice.Diagnosis, subject r4.Reference) {
	at := fmt.Sprintf("/diagnoses/%d", i)
	c := r4.Condition{
		Id:                of(w.key("Condition", strconv.Itoa(i+1)).ID),
		Identifier:        w.identifier("diagnosis", strconv.Itoa(i+1)),
		Code:              conceptOf(dg.Concept),
		Subject:           subject,
		OnsetDateTime:     text(dg.Onset),
		AbatementDateTime: text(dg.End),
		RecordedDate:      text(dg.Recorded),
		Recorder:          w.ref("practitioner", dg.By, at+"/by"),
		Extension:         w.episodeLink("Condition"),
	}
	if dg.Status != "" {
		c.VerificationStatus = of(concept4(verificationSystem, dg.Status, ""))
	}
	status := ""
	switch {
	case r.Status == "entered-in-error":
		c.VerificationStatus = of(concept4(verificationSystem, "entered-in-error", ""))
	case dg.Status == "refuted":
	case dg.End != "":
		status = "inactive"
	case r.Status == "active" || r.Status == "onhold":
		status = "active"
	}
	if status != "" {
		c.ClinicalStatus = of(concept4(clinicalStatusSystem, status, ""))
		c.Category = []r4.CodeableConcept{concept4(conditionCategory, "problem-list-item", "")}
		c.Meta = clinical.meta(usCore + "condition-problems-health-concerns")
	} else {
		c.Category = []r4.CodeableConcept{concept4(conditionCategory, "encounter-diagnosis", "")}
		c.Meta = clinical.meta(usCore + "condition-encounter-diagnosis")
	}
	w.add(c)
}

// episodeLink says to which course something belongs, for types that have no
// element for it.
func (w *writer) episodeLink(typ string) []r4.Extension {
	var x extensions
	x.episode(typ, w.key("EpisodeOfCare"))
	return x
}

func (w *writer) team(r *practice.Episode, subject r4.Reference) {
	if len(r.Team) == 0 {
		return
	}
	t := r4.CareTeam{
		Id:         of(w.key("CareTeam").ID),
		Meta:       administrative.meta(),
		Identifier: w.identifier("team"),
		Subject:    &subject,
		Period:     period(r.Start, r.End),
		Extension:  w.episodeLink("CareTeam"),
	}
	if r.Status == "entered-in-error" {
		t.Status = of(r4.CareTeamStatusEnteredInError)
	}
	for i, p := range r.Team {
		t.Participant = append(t.Participant, r4.CareTeamParticipant{Member: of(w.must("practitioner", p, fmt.Sprintf("/team/%d", i)))})
	}
	w.add(t)
}

// fact → Observation of the client's circumstances. It is known by what it is about
// and not by its place, since what is not stated leaves no gap in the list.
func (w *writer) fact(r *practice.Episode, nth int, f practice.Detail, subject r4.Reference) {
	o := r4.Observation{
		Id:                of(w.key("Observation", f.About.System, f.About.Code, strconv.Itoa(nth)).ID),
		Meta:              clinical.meta(usCore + "simple-observation"),
		Extension:         w.episodeLink("Observation"),
		Identifier:        w.identifier("fact", f.About.Code, strconv.Itoa(nth)),
		Status:            r4.ObservationStatusFinal,
		Category:          []r4.CodeableConcept{concept4(observationCategory, "social-history", "")},
		Code:              r4.CodeableConcept{Coding: []r4.Coding{coding4(f.About)}},
		Subject:           &subject,
		EffectiveDateTime: text(r.Start),
	}
	if r.Status == "entered-in-error" {
		o.Status = r4.ObservationStatusEnteredInError
	}
	switch {
	case f.Coding != nil:
		o.ValueCodeableConcept = &r4.CodeableConcept{Coding: []r4.Coding{coding4(*f.Coding)}}
	case f.Number != "":
		o.ValueQuantity = &r4.Quantity{Value: of(f.Number)}
	case f.Yes != nil:
		o.ValueBoolean = f.Yes
	case f.Date != "":
		o.ValueDateTime = of(f.Date)
	default:
		o.ValueString = of(f.Text)
	}
	w.add(o)
}

func (d *reader) episode() *practice.Episode {
	out := &practice.Episode{
		Client:       refIn(d.n.Get("patient")),
		Organisation: refIn(d.n.Get("managingOrganization")),
		Therapist:    refIn(d.n.Get("careManager")),
		Status:       d.n.Get("status").Text(),
		Start:        d.n.Get("period").Get("start").Text(),
		End:          d.n.Get("period").Get("end").Text(),
		EndReason:    conceptIn(extension(d.n, "episode-end-reason").Get("valueCodeableConcept")),
		Types:        conceptsIn(d.n.Get("type")),
		Referrals:    refsIn(d.n.Get("referralRequest")),
		Details:      detailsIn(d.n),
	}
	for e := range d.n.Get("diagnosis").Elements() {
		dg := practice.Diagnosis{}
		if rank, ok := e.Get("rank").Int(); ok {
			dg.Role = "additional"
			if rank == 1 {
				dg.Role = "principal"
			}
		}
		k, _ := e.Get("condition").Ref()
		for _, r := range d.all {
			if r.Key != k {
				continue
			}
			n := r.Root()
			dg.Concept = conceptIn(n.Get("code"))
			dg.Onset, dg.End = n.Get("onsetDateTime").Text(), n.Get("abatementDateTime").Text()
			dg.Recorded, dg.By = n.Get("recordedDate").Text(), refIn(n.Get("recorder"))
			if s := codeIn(n.Get("verificationStatus"), verificationSystem); s != "entered-in-error" {
				dg.Status = s
			}
		}
		out.Diagnoses = append(out.Diagnoses, dg)
	}
	for _, n := range d.of("CareTeam") {
		if !d.belongs(n) {
			continue
		}
		for p := range n.Get("participant").Elements() {
			out.Team = append(out.Team, refIn(p.Get("member")))
		}
	}
	for _, n := range d.of("Observation") {
		if n.Get("category").Index(0).HasCoding(observationCategory, "social-history") && d.belongs(n) {
			out.Facts = append(out.Facts, factIn(n))
		}
	}
	return out
}

// belongs reports whether a resource is linked to this course.
func (d *reader) belongs(n fhir.Node) bool {
	return episodeIn(n).Stored == d.key
}

func factIn(n fhir.Node) practice.Detail {
	f := practice.Detail{
		About: codingIn(n.Get("code").At("coding").Index(0)),
		Text:  n.Get("valueString").Text(),
		Date:  n.Get("valueDateTime").Text(),
		Yes:   yesIn(n.Get("valueBoolean")),
	}
	if c := n.Get("valueCodeableConcept").Get("coding").Index(0); c.Exists() {
		f.Coding = of(codingIn(c))
	}
	f.Number = number(n.Get("valueQuantity").Get("value"))
	return f
}
