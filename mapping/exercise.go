package mapping

import (
	"rapport/fhir"
	"rapport/mapping/practice"
)

// exercise → Task that the client owns; what the client tells of it →
// QuestionnaireResponse, which the Task names as its output. The Task asks for no
// ServiceRequest, so that nobody takes it for a referral.
//
// Its instructions make the Task one that says why: those who only make
// appointments do not see it.
//
// Source: HL7 SDOH Clinical Care, Task for Patient.
func (w *writer) exercise(r *practice.Exercise) {
	client := w.target("client", r.Client, "/client")
	if client.IsZero() {
		w.fail("/client", fhir.Errorf(fhir.Required, "/client", "is missing"))
	}
	var x extensions
	x.episode("Task", w.target("episode", r.Episode, "/episode"))
	x.details(r.Details)
	report := w.key("QuestionnaireResponse", "report")
	f := exerciseReport()
	o := fhir.NewResource(w.key("Task")).
		Set("meta", clinical.object()).
		Set("extension", x.objects()).
		Set("identifier", objects(w.identifier())).
		Set("basedOn", some(w.target("plan", r.Plan, "/plan"))).
		Set("status", r.Status).
		Set("statusReason", fhir.NewObject().Set("text", r.Because)).
		Set("intent", "order").
		Set("code", w.concept("exercise", r.Exercise, "/exercise")).
		Set("description", r.Instructions).
		Set("for", client).
		Set("encounter", w.target("session", r.Session, "/session")).
		Set("authoredOn", r.Assigned).
		Set("requester", w.target("practitioner", r.Therapist, "/therapist")).
		Set("owner", client).
		Set("restriction", fhir.NewObject().Set("period", fhir.NewObject().Set("start", r.Start).Set("end", r.End))).
		Set("input", []*fhir.Object{fhir.NewObject().
			Set("type", fhir.NewObject().Set("text", "Form to report with")).
			Set("valueCanonical", f.url()+"|"+formVersion)})
	if r.Report == nil {
		w.add(o)
		return
	}
	w.add(o.Set("output", []*fhir.Object{fhir.NewObject().
		Set("type", fhir.NewObject().Set("text", "Report of the client")).
		Set("valueReference", report)}))
	answers := map[string]string{}
	worded(answers, "outcome", r.Report.Outcome)
	counted(answers, "minutes", r.Report.Minutes)
	counted(answers, "difficulty", r.Report.Difficulty)
	counted(answers, "mood-before", r.Report.MoodBefore)
	counted(answers, "mood-after", r.Report.MoodAfter)
	worded(answers, "words", r.Report.Words)
	status := "completed"
	if r.Status == "entered-in-error" {
		status = r.Status
	}
	var about extensions
	about.episode("QuestionnaireResponse", w.target("episode", r.Episode, "/episode"))
	w.add(fhir.NewResource(report).
		Set("meta", byClient()).
		Set("extension", about.objects()).
		Set("identifier", object(w.identifier("report")[0])).
		Set("questionnaire", f.url()+"|"+formVersion).
		Set("status", status).
		Set("subject", client).
		Set("authored", r.Report.Date).
		Set("author", client).
		Set("source", client).
		Set("item", w.answered(f, answers)))
}

// exercise reads a Task; nil for one that asks for something else.
func (d *reader) exercise() *practice.Exercise {
	sort := codeIn(d.n.Get("code"), systemURL("exercise"))
	if sort == "" {
		return nil
	}
	period := d.n.Get("restriction").Get("period")
	out := &practice.Exercise{
		Client:       refIn(d.n.Get("for")),
		Episode:      episodeIn(d.n),
		Therapist:    refIn(d.n.Get("requester")),
		Plan:         refIn(d.n.Get("basedOn").Index(0)),
		Session:      refIn(d.n.Get("encounter")),
		Status:       d.n.Get("status").Text(),
		Exercise:     sort,
		Instructions: d.n.Get("description").Text(),
		Assigned:     d.n.Get("authoredOn").Text(),
		Start:        period.Get("start").Text(),
		End:          period.Get("end").Text(),
		Because:      d.n.Get("statusReason").Get("text").Text(),
		Details:      detailsIn(d.n),
	}
	f := exerciseReport()
	for _, n := range d.of("QuestionnaireResponse") {
		if !f.answers(n) || !d.puts(n) {
			continue
		}
		a := f.answersIn(n)
		out.Report = &practice.Report{
			Outcome: a["outcome"], Date: n.Get("authored").Text(), Words: a["words"],
			Minutes: countIn(a, "minutes"), Difficulty: countIn(a, "difficulty"),
			MoodBefore: countIn(a, "mood-before"), MoodAfter: countIn(a, "mood-after"),
		}
	}
	return out
}

// puts reports whether the Task names a response as its output.
func (d *reader) puts(response fhir.Node) bool {
	id := response.Get("id").Text()
	for o := range d.n.Get("output").Elements() {
		if k, ok := o.Get("valueReference").Ref(); ok && k.Type == "QuestionnaireResponse" && k.ID == id {
			return true
		}
	}
	return false
}
