package mapping

import (
	"encoding/json"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/fhir"
	"rapport/mapping/practice"
)

const (
	achievementSystem  = "http://terminology.hl7.org/CodeSystem/goal-achievement"
	goalCategorySystem = "http://terminology.hl7.org/CodeSystem/goal-category"
	goalAcceptanceURL  = "http://hl7.org/fhir/StructureDefinition/goal-acceptance"
)

// goal → Goal, with who put it into words and who agrees.
func (w *writer) goal(r *practice.Goal) {
	client := w.must("client", r.Client, "/client")
	therapist := w.ref("practitioner", r.Therapist, "/therapist")
	var x extensions
	x = append(x, accepts(&client, r.ClientAgrees)...)
	if r.TherapistAgrees != "" && therapist == nil {
		w.fail("/therapist", fhir.Errorf(fhir.Required, "/therapist", "is needed beside therapistAgrees"))
	}
	x = append(x, accepts(therapist, r.TherapistAgrees)...)
	x.episode("Goal", w.target("episode", r.Episode, "/episode"))
	if r.ExpressedBy != "therapist" && r.TherapistAgrees == "" {
		x.reference(extensionURL("goal-therapist"), w.target("practitioner", r.Therapist, "/therapist"))
	}
	x.details(r.Details)
	g := r4.Goal{
		Id:              of(w.key("Goal").ID),
		Meta:            clinical.meta(usCore + "goal"),
		Extension:       x,
		Identifier:      w.identifier(),
		LifecycleStatus: enum[r4.GoalLifecycleStatus](w, "/status", r.Status),
		Description:     r4.CodeableConcept{Text: text(r.Description)},
		Subject:         client,
		StartDate:       text(r.Start),
		StatusDate:      text(r.StatusDate),
	}
	if r.Achievement != "" {
		g.AchievementStatus = of(concept4(achievementSystem, r.Achievement, ""))
	}
	if r.Category != "" {
		g.Category = []r4.CodeableConcept{concept4(goalCategorySystem, r.Category, "")}
	}
	switch r.ExpressedBy {
	case "client":
		g.ExpressedBy = &client
	case "therapist":
		if therapist == nil {
			w.fail("/therapist", fhir.Errorf(fhir.Required, "/therapist", "is missing: the goal is said to be the therapist's"))
		}
		g.ExpressedBy = therapist
	}
	if t := r.Target; t != nil {
		unit := t.Unit
		if unit == "" {
			unit = "{score}"
		}
		q := quantity(t.Value, unit, unit)
		if t.Comparator != "" {
			q.Comparator = of(enum[r4.QuantityComparator](w, "/target/comparator", t.Comparator))
		}
		g.Target = []r4.GoalTarget{{
			Measure:        &r4.CodeableConcept{Coding: []r4.Coding{coding4(t.Measure)}},
			DetailQuantity: q,
			DueDate:        text(r.Due),
		}}
	} else if r.Due != "" {
		g.Target = []r4.GoalTarget{{DueDate: text(r.Due)}}
	}
	w.add(g)
}

func accepts(who *r4.Reference, status string) extensions {
	if who == nil || status == "" {
		return nil
	}
	return extensions{{Url: goalAcceptanceURL, Extension: []r4.Extension{
		{Url: "individual", ValueReference: who}, {Url: "status", ValueCode: &status},
	}}}
}

func (d *reader) goal() *practice.Goal {
	out := &practice.Goal{
		Client:      refIn(d.n.Get("subject")),
		Episode:     episodeIn(d.n),
		Description: d.n.Get("description").Get("text").Text(),
		Status:      d.n.Get("lifecycleStatus").Text(),
		Achievement: codeIn(d.n.Get("achievementStatus"), achievementSystem),
		StatusDate:  d.n.Get("statusDate").Text(),
		Start:       d.n.Get("startDate").Text(),
		Category:    codeIn(d.n.Get("category").Index(0), goalCategorySystem),
		Therapist:   refIn(extension(d.n, "goal-therapist").Get("valueReference")),
		Details:     detailsIn(d.n),
	}
	switch by := refIn(d.n.Get("expressedBy")); by.Stored.Type {
	case "Patient":
		out.ExpressedBy = "client"
	case "Practitioner":
		out.ExpressedBy, out.Therapist = "therapist", by
	}
	for e := range d.n.Get("extension").Elements() {
		if e.Get("url").Text() != goalAcceptanceURL {
			continue
		}
		var who practice.Ref
		var status string
		for part := range e.Get("extension").Elements() {
			switch part.Get("url").Text() {
			case "individual":
				who = refIn(part.Get("valueReference"))
			case "status":
				status = part.Get("valueCode").Text()
			}
		}
		switch who.Stored.Type {
		case "Patient":
			out.ClientAgrees = status
		case "Practitioner":
			out.TherapistAgrees, out.Therapist = status, who
		}
	}
	t := d.n.Get("target").Index(0)
	out.Due = t.Get("dueDate").Text()
	if q := t.Get("detailQuantity"); q.Exists() {
		out.Target = &practice.Target{
			Measure:    codingIn(t.Get("measure").Get("coding").Index(0)),
			Comparator: q.Get("comparator").Text(),
			Value:      json.Number(q.Get("value").Decimal()),
			Unit:       q.Get("code").Text(),
		}
	}
	return out
}
