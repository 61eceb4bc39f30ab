package mapping

import (
	"fmt"
	"strconv"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// notebook-entry → QuestionnaireResponse of the notebook, by and from the client.
// What follows from the ratings is derived when it is stored: see feelings.go.
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
	var x extensions
	x.episode("QuestionnaireResponse", w.target("episode", r.Episode, "/episode"))
	x.reference(extensionURL("notebook-exercise"), w.target("exercise", r.Exercise, "/exercise"))
	f := notebook(w.m.codes)
	w.add(fhir.NewResource(w.key("QuestionnaireResponse")).
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
