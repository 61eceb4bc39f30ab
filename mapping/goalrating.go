package mapping

import (
	"rapport/fhir"
	"rapport/mapping/practice"
)

// goal-rating → Observation that looks at the Goal.
//
// Source: HL7 Person-Centered Outcomes, whose scores name their goal as focus.
func (w *writer) goalRating(r *practice.GoalRating) {
	client := w.target("client", r.Client, "/client")
	goal := w.target("goal", r.Goal, "/goal")
	if client.IsZero() || goal.IsZero() {
		w.fail("/goal", fhir.Errorf(fhir.Required, "/goal", "and client are needed"))
	}
	status := r.Status
	if status == "" {
		status = "completed"
	}
	who, meta := client, byClient()
	if r.By == "therapist" {
		who, meta = w.target("practitioner", r.Therapist, "/therapist"), clinical.object()
	}
	var x extensions
	x.episode("Observation", w.target("episode", r.Episode, "/episode"))
	if r.By == "client" {
		x.reference(extensionURL("goal-therapist"), w.target("practitioner", r.Therapist, "/therapist"))
	}
	w.add(fhir.NewResource(w.key("Observation")).
		Set("meta", meta).
		Set("extension", x.objects()).
		Set("identifier", objects(w.identifier())).
		Set("status", scoreStatus[status]).
		Set("category", []*fhir.Object{fhir.Concept(observationCategory, "survey", "")}).
		Set("code", w.concept("measure", "goal-rating", "/rating")).
		Set("subject", client).
		Set("focus", some(goal)).
		Set("encounter", w.target("session", r.Session, "/session")).
		Set("effectiveDateTime", r.Date).
		Set("performer", some(who)).
		Set("valueQuantity", score(r.Rating)))
}

// score is a rating from 0 to 10.
func score(v int) *fhir.Object {
	return fhir.NewObject().Set("value", v).Set("unit", "score").Set("system", ucum).Set("code", "{score}")
}

// goalRating reads an Observation; nil for one of something else.
func (d *reader) goalRating() *practice.GoalRating {
	if codeIn(d.n.Get("code"), systemURL("measure")) != "goal-rating" {
		return nil
	}
	out := &practice.GoalRating{
		Client:    refIn(d.n.Get("subject")),
		Goal:      refIn(d.n.Get("focus").Index(0)),
		Episode:   episodeIn(d.n),
		Session:   refIn(d.n.Get("encounter")),
		Date:      d.n.Get("effectiveDateTime").Text(),
		By:        "client",
		Therapist: refIn(extension(d.n, "goal-therapist").Get("valueReference")),
	}
	if by := refIn(d.n.Get("performer").Index(0)); by.Stored.Type == "Practitioner" {
		out.By, out.Therapist = "therapist", by
	}
	for word, s := range scoreStatus {
		if s == d.n.Get("status").Text() && word != "completed" {
			out.Status = word
		}
	}
	if v, ok := d.n.Get("valueQuantity").Get("value").Int(); ok {
		out.Rating = int(v)
	}
	return out
}
