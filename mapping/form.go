package mapping

import (
	"encoding/json"
	"slices"
	"strconv"

	"rapport/fhir"
)

// form is a questionnaire of our own that has no score: what a client writes or
// rates between sessions.
type form struct {
	slug, name, title, says string
	items                   []question
}

// question is an item of a form.
type question struct {
	link, text string
	typ        string // text, choice, integer
	system     string // of a choice's options, of a rating's code: a code system of ours
	max        int    // of an integer; the least is 0
}

// url is the canonical of a form.
func (f *form) url() string { return Canonical + "/Questionnaire/" + f.slug }

const formVersion = "1.0.0"

// notebook is what a client writes for themselves and their therapist. Feelings
// are rated one by one, each an item of its own.
func notebook(t *tables) *form {
	f := &form{
		slug: "notebook", name: "Notebook", title: "Notebook entry",
		says: "What a client writes between sessions, in their own words, with ratings of feelings where they like.",
		items: []question{
			{link: "words", text: "What happened, and how was it?", typ: "text"},
			{link: "progress", text: "What goes better?", typ: "text"},
			{link: "question", text: "A question for my therapist", typ: "text"},
		},
	}
	for _, c := range t.concepts("feeling") {
		display, _ := t.display("feeling", c)
		f.items = append(f.items, question{link: c, text: display, typ: "integer", system: "feeling", max: 10})
	}
	return f
}

// exerciseReport is what a client tells of an exercise.
func exerciseReport() *form {
	return &form{
		slug: "exercise-report", name: "ExerciseReport", title: "Report on an exercise",
		says: "What a client tells of an exercise between sessions.",
		items: []question{
			{link: "outcome", text: "Did you do it?", typ: "choice", system: "exercise-outcome"},
			{link: "minutes", text: "How many minutes did it take?", typ: "integer", max: 1440},
			{link: "difficulty", text: "How hard was it? 0 easy, 10 as hard as can be", typ: "integer", max: 10},
			{link: "mood-before", text: "How was your mood before? 0 worst, 10 best", typ: "integer", max: 10},
			{link: "mood-after", text: "How was your mood after? 0 worst, 10 best", typ: "integer", max: 10},
			{link: "words", text: "Anything you want to say about it", typ: "text"},
		},
	}
}

// questionnaire makes the FHIR definition.
func (f *form) questionnaire(t *tables) (fhir.Resource, error) {
	var items []*fhir.Object
	for _, q := range f.items {
		o := fhir.NewObject()
		if q.typ == "integer" {
			bound := func(name string, v int) *fhir.Object {
				return fhir.NewObject().Set("url", "http://hl7.org/fhir/StructureDefinition/"+name).Set("valueInteger", v)
			}
			o.Set("extension", []*fhir.Object{bound("minValue", 0), bound("maxValue", q.max)})
		}
		o.Set("linkId", q.link)
		if q.typ == "integer" && q.system != "" {
			o.Set("code", []*fhir.Object{fhir.Coding(systemURL(q.system), q.link, q.text)})
		}
		o.Set("text", q.text).Set("type", q.typ)
		var options []*fhir.Object
		if q.typ == "choice" {
			for _, c := range t.concepts(q.system) {
				display, _ := t.display(q.system, c)
				options = append(options, fhir.NewObject().Set("valueCoding", fhir.Coding(systemURL(q.system), c, display)))
			}
		}
		items = append(items, o.Set("answerOption", options))
	}
	return fhir.NewResource(fhir.Key{Type: "Questionnaire", ID: f.slug}).
		Set("url", f.url()).
		Set("version", formVersion).
		Set("name", f.name).
		Set("title", f.title).
		Set("status", "active").
		Set("subjectType", []string{"Patient"}).
		Set("description", f.says).
		Set("item", items).
		Resource()
}

// answered makes the items of a response, in the order of the form; what was not
// answered has none.
func (w *writer) answered(f *form, answers map[string]string) (items []*fhir.Object) {
	for _, q := range f.items {
		a, ok := answers[q.link]
		if !ok {
			continue
		}
		v := fhir.NewObject()
		switch q.typ {
		case "integer":
			v.Set("valueInteger", json.RawMessage(a))
		case "choice":
			display, _ := w.m.codes.display(q.system, a)
			v.Set("valueCoding", fhir.Coding(systemURL(q.system), a, display))
		default:
			v.Set("valueString", a)
		}
		items = append(items, fhir.NewObject().Set("linkId", q.link).Set("text", q.text).Set("answer", []*fhir.Object{v}))
	}
	return items
}

// answersIn reads a response to a form.
func (f *form) answersIn(n fhir.Node) map[string]string {
	out := map[string]string{}
	for item := range n.Get("item").Elements() {
		link, a := item.Get("linkId").Text(), item.Get("answer").Index(0)
		if !slices.ContainsFunc(f.items, func(q question) bool { return q.link == link }) {
			continue
		}
		for _, v := range []string{a.Get("valueString").Text(), a.Get("valueInteger").Decimal(), a.Get("valueCoding").Get("code").Text()} {
			if v != "" {
				out[link] = v
			}
		}
	}
	return out
}

// answers reports whether a response is one to the form, of whatever version.
func (f *form) answers(n fhir.Node) bool {
	q := n.Get("questionnaire").Text()
	return q == f.url() || q == f.url()+"|"+formVersion
}

// counted is an optional number as an answer.
func counted(to map[string]string, link string, v *int) {
	if v != nil {
		to[link] = strconv.Itoa(*v)
	}
}

func countIn(from map[string]string, link string) *int {
	v, err := strconv.Atoi(from[link])
	if err != nil {
		return nil
	}
	return &v
}

func worded(to map[string]string, link, s string) {
	if s != "" {
		to[link] = s
	}
}

// byClient are the labels of what a client wrote: private, and asserted by them.
//
// Source: http://terminology.hl7.org/CodeSystem/v3-ObservationValue, PATAST.
func byClient() *fhir.Object {
	ls := append(clinical.codings(), fhir.Coding(observationValue, "PATAST", ""))
	return fhir.NewObject().Set("security", ls)
}
