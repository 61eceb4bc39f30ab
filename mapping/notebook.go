package mapping

import (
	"fmt"
	"strconv"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// notebook-entry → QuestionnaireResponse of the notebook, by and from the client,
// and an Observation for each feeling that was rated. Words stay in the response.
func (w *writer) notebookEntry(r *practice.NotebookEntry) {
	client := w.target("client", r.Client, "/client")
	if client.IsZero() {
		w.fail("/client", fhir.Errorf(fhir.Required, "/client", "is missing"))
	}
	answers := map[string]string{}
	worded(answers, "words", r.Words)
	worded(answers, "progress", r.Progress)
	worded(answers, "question", r.Question)
	for i, f := range r.Feelings {
		if _, twice := answers[f.Feeling]; twice {
			at := fmt.Sprintf("/feelings/%d/feeling", i)
			w.fail(at, fhir.Errorf(fhir.Value, at, "is rated twice"))
		}
		answers[f.Feeling] = strconv.Itoa(f.Rating)
	}
	status := r.Status
	if status == "" {
		status = "completed"
	}
	entry := w.key("QuestionnaireResponse")
	episode := w.target("episode", r.Episode, "/episode")
	var x extensions
	x.episode("QuestionnaireResponse", episode)
	x.reference(extensionURL("notebook-exercise"), w.target("exercise", r.Exercise, "/exercise"))
	f := notebook(w.m.codes)
	w.add(fhir.NewResource(entry).
		Set("meta", byClient()).
		Set("extension", x.objects()).
		Set("identifier", object(w.identifier()[0])).
		Set("questionnaire", f.url()+"|"+formVersion).
		Set("status", status).
		Set("subject", client).
		Set("authored", r.Written).
		Set("author", client).
		Set("source", client).
		Set("item", w.answered(f, answers)))
	for i, feeling := range r.Feelings {
		var x extensions
		x.episode("Observation", episode)
		w.add(rated(w.key("Observation", feeling.Feeling), byClient(), x).
			Set("identifier", objects(w.identifier(feeling.Feeling))).
			Set("status", scoreStatus[status]).
			Set("category", []*fhir.Object{fhir.Concept(observationCategory, "survey", "")}).
			Set("code", w.concept("feeling", feeling.Feeling, fmt.Sprintf("/feelings/%d/feeling", i))).
			Set("subject", client).
			Set("effectiveDateTime", r.Written).
			Set("performer", []fhir.Key{client}).
			Set("valueQuantity", score(feeling.Rating)).
			Set("derivedFrom", []fhir.Key{entry}))
	}
}

// rated begins an Observation.
func rated(k fhir.Key, meta *fhir.Object, x extensions) *fhir.Object {
	return fhir.NewResource(k).Set("meta", meta).Set("extension", x.objects())
}

// score is a rating from 0 to 10.
func score(v int) *fhir.Object {
	return fhir.NewObject().Set("value", v).Set("unit", "score").Set("system", ucum).Set("code", "{score}")
}

// notebookEntry reads a response to the notebook; nil for another.
func (d *reader) notebookEntry() *practice.NotebookEntry {
	f := notebook(d.m.codes)
	if !f.answers(d.n) {
		return nil
	}
	a := f.answersIn(d.n)
	out := &practice.NotebookEntry{
		Client:   refIn(d.n.Get("subject")),
		Episode:  episodeIn(d.n),
		Exercise: refIn(extension(d.n, "notebook-exercise").Get("valueReference")),
		Status:   d.n.Get("status").Text(),
		Written:  d.n.Get("authored").Text(),
		Words:    a["words"],
		Progress: a["progress"],
		Question: a["question"],
	}
	if out.Status == "completed" {
		out.Status = ""
	}
	for _, c := range d.m.codes.concepts("feeling") {
		if v := countIn(a, c); v != nil {
			out.Feelings = append(out.Feelings, practice.Feeling{Feeling: c, Rating: *v})
		}
	}
	return out
}
