package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"rapport/fhir"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
)

// scoreStatus is a response's status as that of a score without items.
var scoreStatus = map[string]string{
	"completed": "final", "in-progress": "preliminary", "amended": "amended", "stopped": "cancelled", "entered-in-error": "entered-in-error",
}

// response → QuestionnaireResponse; where the source has only scores, the
// Observation of them. What follows from answers (scores, flags, tasks) is made
// when they are stored, by [instrument.Deriver], not here: one place for whoever
// hands in answers.
//
// US Core is not claimed: its profile rests on one of SDC's, which asks for the
// items of a form that may not be shipped.
func (w *writer) response(r *practice.Response) {
	in := w.m.instruments.Find(r.Instrument)
	if in == nil {
		w.fail("/instrument", fhir.Errorf(fhir.NotSupported, "/instrument", "is none of the instruments that are known here"))
		return
	}
	stated := map[string]instrument.Points{}
	for _, scale := range slices.Sorted(maps.Keys(r.Scores)) {
		p, err := instrument.ParsePoints(string(r.Scores[scale]))
		if err != nil {
			w.fail("/scores/"+scale, fhir.Errorf(fhir.Value, "/scores/"+scale, "is no number that a score can be"))
			return
		}
		stated[scale] = p
	}
	for i, scale := range r.Unscored {
		if _, both := stated[scale]; in.Scale(scale) == nil || both {
			at := fmt.Sprintf("/unscored/%d", i)
			w.fail(at, fhir.Errorf(fhir.Value, at, "must be a scale of the instrument of which no score is stated"))
			return
		}
	}
	status := r.Status
	if status == "" {
		status = "completed"
	}
	o := instrument.Occasion{
		Identifier: w.identifierObject(),
		Status:     status,
		Subject:    w.target("client", r.Client, "/client"),
		Encounter:  w.target("session", r.Session, "/session"),
		Author:     w.target("practitioner", r.Therapist, "/therapist"),
		Authored:   r.Authored,
		Security:   clinical.codings(),
		Stated:     stated,
	}
	if o.Subject.IsZero() {
		w.fail("/client", fhir.Errorf(fhir.Required, "/client", "is missing"))
	}
	if len(r.Answers) == 0 {
		w.scored(r, in, o)
		return
	}
	o.ID = w.key("QuestionnaireResponse").ID
	told := r.AnsweredBy
	switch {
	case told == "client":
		o.Source, told = o.Subject, ""
	case told == "practitioner" && !o.Author.IsZero():
		o.Source, told = o.Author, ""
	}
	qr, err := in.Response(instrument.Answers(r.Answers), o)
	if err != nil {
		w.fail("/answers", err)
		return
	}
	w.extended(qr, w.responseExtensions(r, told))
}

// scored makes the Observation of scores without items.
func (w *writer) scored(r *practice.Response, in *instrument.Instrument, o instrument.Occasion) {
	s, err := in.Stated(o.Stated)
	if err != nil {
		w.fail("/scores", err)
		return
	}
	status, ok := scoreStatus[o.Status]
	if !ok {
		w.fail("/status", fhir.Errorf(fhir.CodeInvalid, "/status", "is none of the words that are known here"))
		return
	}
	obs, err := in.Observation(s, instrument.Measured{
		ID: w.key("Observation").ID, Identifier: o.Identifier, Status: status,
		Subject: o.Subject, Encounter: o.Encounter, Performer: o.Author, Effective: o.Authored, Security: o.Security,
	})
	if err != nil {
		w.fail("/scores", err)
		return
	}
	// A score's code is shared by the versions of an instrument.
	x := extensions{{Url: extensionURL("response-instrument"), ValueCanonical: of(in.Canonical())}}
	w.extended(obs, append(x, w.responseExtensions(r, r.AnsweredBy)...))
}

// responseExtensions says what neither resource has an element for; answeredBy is
// given where it is not said by a reference.
func (w *writer) responseExtensions(r *practice.Response, answeredBy string) (x extensions) {
	x.episode("QuestionnaireResponse", w.target("episode", r.Episode, "/episode"))
	x.code("response-answered-by", answeredBy)
	x.concept("response-reason", r.Reason)
	for _, s := range r.Unscored {
		x.code("response-unscored", s)
	}
	x.text("correction-reason", r.CorrectedBecause)
	x.details(r.Details)
	return x
}

// extended adds extensions to what package instrument made.
func (w *writer) extended(r fhir.Resource, x extensions) {
	if len(x) > 0 {
		o := fhir.NewObject().Set("extension", x.objects()).JSON()
		var err error
		if r, err = r.Apply(fhir.Add(r.Root(), o[1:len(o)-1])); err != nil {
			w.fail("/", err)
			return
		}
	}
	w.add(r)
}

func (d *reader) response() *practice.Response {
	out := &practice.Response{
		Authored:  d.n.Get("authored").Text(),
		Therapist: refIn(d.n.Get("author")),
		Status:    d.n.Get("status").Text(),
	}
	d.occasion(out)
	if out.Therapist.Stored.Type != "Practitioner" {
		out.Therapist = practice.Ref{}
	}
	switch by := refIn(d.n.Get("source")); {
	case by.IsZero():
	case by == out.Client:
		out.AnsweredBy = "client"
	case by.Stored.Type == "Practitioner":
		out.AnsweredBy = "practitioner"
	}
	in := d.m.instruments.ByURL(d.n.Get("questionnaire").Text())
	if in == nil {
		d.err = fhir.Errorf(fhir.NotSupported, "QuestionnaireResponse.questionnaire", "is none of the instruments that are known here")
		return out
	}
	out.Instrument = in.Slug
	d.items(out, in, d.n)
	return out
}

// items collects answers and stated scores, in groups too.
func (d *reader) items(out *practice.Response, in *instrument.Instrument, parent fhir.Node) {
	for item := range parent.Get("item").Elements() {
		link, a := item.Get("linkId").Text(), item.Get("answer").Index(0)
		switch {
		case !a.Exists():
		case in.Item(link) != nil:
			v := a.Get("valueCoding").Get("code").Text()
			if v == "" {
				v = a.Get("valueInteger").Decimal()
			}
			if v != "" {
				if out.Answers == nil {
					out.Answers = practice.Answers{}
				}
				out.Answers[in.Item(link).Link] = v
			}
		case in.Scale(link) != nil:
			stateIn(out, link, a.Get("valueDecimal"))
		}
		d.items(out, in, item)
	}
}

// occasion reads what a response and a score without items have in common.
func (d *reader) occasion(out *practice.Response) {
	out.Client = refIn(d.n.Get("subject"))
	out.Session = refIn(d.n.Get("encounter"))
	out.Episode = episodeIn(d.n)
	out.AnsweredBy = extension(d.n, "response-answered-by").Get("valueCode").Text()
	out.Reason = conceptIn(extension(d.n, "response-reason").Get("valueCodeableConcept"))
	out.CorrectedBecause = extension(d.n, "correction-reason").Get("valueString").Text()
	out.Details = detailsIn(d.n)
	if out.Status == "completed" {
		out.Status = ""
	}
	for e := range d.n.Get("extension").Elements() {
		if e.Get("url").Text() == extensionURL("response-unscored") {
			out.Unscored = append(out.Unscored, e.Get("valueCode").Text())
		}
	}
}

// score reads an Observation that a source's scores gave; nil for one that was
// derived from answers or measures something else.
func (d *reader) score() *practice.Response {
	for from := range d.n.Get("derivedFrom").Elements() {
		if k, ok := from.Ref(); ok && k.Type == "QuestionnaireResponse" {
			return nil
		}
	}
	in := d.measuredBy()
	if in == nil {
		return nil
	}
	out := &practice.Response{
		Instrument: in.Slug,
		Authored:   d.n.Get("effectiveDateTime").Text(),
		Therapist:  refIn(d.n.Get("performer").Index(0)),
	}
	for word, s := range scoreStatus {
		if s == d.n.Get("status").Text() {
			out.Status = word
		}
	}
	d.occasion(out)
	stateIn(out, in.Total().Slug, d.n.Get("valueQuantity").Get("value"))
	for c := range d.n.Get("component").Elements() {
		for _, s := range in.Scales[1:] {
			if c.Get("code").HasCoding(s.Code.System, s.Code.Code) {
				stateIn(out, s.Slug, c.Get("valueQuantity").Get("value"))
			}
		}
	}
	return out
}

// measuredBy finds the instrument whose scores an Observation tells.
func (d *reader) measuredBy() *instrument.Instrument {
	if e := extension(d.n, "response-instrument"); e.Exists() {
		return d.m.instruments.ByURL(e.Get("valueCanonical").Text())
	}
	for _, in := range d.m.instruments.All() {
		if c := in.Total().Code; d.n.Get("code").HasCoding(c.System, c.Code) {
			return in
		}
	}
	return nil
}

func stateIn(out *practice.Response, scale string, v fhir.Node) {
	if !v.Exists() {
		return
	}
	if out.Scores == nil {
		out.Scores = map[string]json.Number{}
	}
	out.Scores[scale] = number(v)
}
