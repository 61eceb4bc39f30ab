package mapping

import (
	"strconv"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/mapping/practice"
)

func (d *drawer) rating() int { return rapid.IntRange(0, 10).Draw(d.t, "rating") }

func (d *drawer) someRating() *int {
	if d.maybe() {
		return of(d.rating())
	}
	return nil
}

func (d *drawer) some(words ...string) (out []string) {
	for _, w := range words {
		if d.maybe() {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return words[:1]
	}
	return out
}

func (d *drawer) workshop() practice.Record {
	r := &practice.Workshop{
		Origin: d.origin(), Organisation: d.someRef("Organization"), Topic: d.someText(), Start: d.pick("2026-03-02", "2026-03-02T10:00:00+01:00"),
		Modality: d.pick("", "in-person", "video"), Place: d.pick("", "practice", "elsewhere"), Techniques: d.techniques(),
	}
	if d.maybe() {
		r.Practitioners = []practice.Participant{{Practitioner: d.ref("Practitioner"), Primary: d.yes()}}
	}
	switch rapid.IntRange(0, 2).Draw(d.t, "how long") {
	case 0:
		r.Minutes = 90
	case 1:
		r.End = map[bool]string{true: "2026-03-02T11:30:00+01:00", false: "2026-03-03"}[timed(r.Start)]
	}
	there := false
	for i := range rapid.IntRange(1, 4).Draw(d.t, "clients") {
		a := practice.Attendance{
			Client: practice.Ref{Stored: fhir.Key{Type: "Patient", ID: strconv.Itoa(i)}}, Episode: d.someRef("EpisodeOfCare"),
			Status: d.pick("finished", "noshow", "cancelled", "booked", "entered-in-error"),
		}
		switch a.Status {
		case "finished", "entered-in-error":
			there, a.Phase = true, d.pick("", "acute")
		case "noshow", "cancelled":
			a.Because = d.someText()
		}
		r.Clients = append(r.Clients, a)
	}
	if !there { // topic and techniques stand on what took place alone
		r.Topic, r.Techniques = "", nil
	}
	return r
}

func (d *drawer) exercise() practice.Record {
	r := &practice.Exercise{
		Origin: d.origin(), Client: d.ref("Patient"), Episode: d.someRef("EpisodeOfCare"), Therapist: d.someRef("Practitioner"),
		Plan: d.someRef("CarePlan"), Session: d.someRef("Encounter"),
		Status:   d.pick("requested", "accepted", "in-progress", "completed", "failed", "rejected", "cancelled", "entered-in-error"),
		Exercise: d.pick("breathing", "exposure", "other"), Instructions: d.someText(), Assigned: d.moment(), Start: d.moment(), End: d.lastMoment(),
		Because: d.someText(), Details: d.details(),
	}
	if d.maybe() {
		r.Report = &practice.Report{
			Outcome: d.pick("done", "partly", "not-done"), Date: d.moment(), Minutes: d.someRating(), Difficulty: d.someRating(),
			MoodBefore: d.someRating(), MoodAfter: d.someRating(), Words: d.someText(),
		}
		r.Status = map[string]string{"done": "completed", "partly": "in-progress", "not-done": "failed"}[r.Report.Outcome]
	}
	return r
}

func (d *drawer) notebookEntry() practice.Record {
	r := &practice.NotebookEntry{
		Origin: d.origin(), Client: d.ref("Patient"), Episode: d.someRef("EpisodeOfCare"), Exercise: d.someRef("Task"),
		Status: d.pick("", "amended", "entered-in-error"), Written: d.moment(), Words: d.someText(), Progress: d.someText(), Question: d.text(),
	}
	for _, f := range []string{"mood", "calm", "shame", "energy"} {
		if d.maybe() {
			r.Feelings = append(r.Feelings, practice.Feeling{Feeling: f, Rating: d.rating()})
		}
	}
	return r
}

func (d *drawer) goalRating() practice.Record {
	r := &practice.GoalRating{
		Origin: d.origin(), Client: d.ref("Patient"), Goal: d.ref("Goal"), Episode: d.someRef("EpisodeOfCare"), Session: d.someRef("Encounter"),
		Status: d.pick("", "amended", "entered-in-error"), Date: d.moment(), By: d.pick("client", "therapist"), Therapist: d.someRef("Practitioner"), Rating: d.rating(),
	}
	if r.By == "therapist" {
		r.Therapist = d.ref("Practitioner")
	}
	return r
}

func (d *drawer) supervision() practice.Record {
	r := &practice.Supervision{
		Origin: d.origin(), Supervisor: d.someRef("Practitioner"), Supervisees: []practice.Ref{d.ref("Practitioner")}, Organisation: d.someRef("Organization"),
		Status: d.pick("fulfilled", "booked", "noshow", "cancelled", "entered-in-error"), Start: d.pick("2026-03-02", "2026-03-02T10:00:00+01:00"),
		Format: d.pick("", "individual", "group", "team", "peer"), Modality: d.pick("", "video"),
	}
	if d.maybe() {
		r.Minutes = 60
	}
	return r
}

func (d *drawer) adjustments() (out []practice.Adjustment) {
	for range rapid.IntRange(0, 2).Draw(d.t, "adjustments") {
		out = append(out, practice.Adjustment{
			Date: d.pick("2026-03-02", "2026-03-02T10:00:00+01:00"), Reason: d.text(), Changed: d.some("frequency", "techniques", "goals"),
			Agreed: d.some("client", "therapist"), By: d.ref("Practitioner"),
		})
	}
	return out
}

func (d *drawer) monitoring() (out []practice.Monitoring) {
	for range rapid.IntRange(0, 2).Draw(d.t, "monitoring") {
		out = append(out, practice.Monitoring{
			Instrument: rapid.SampledFrom(d.library.All()).Draw(d.t, "instrument").Slug, Every: rapid.IntRange(1, 12).Draw(d.t, "every"), Unit: d.pick("d", "wk", "mo"),
		})
	}
	return out
}
