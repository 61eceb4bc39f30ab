package instrument

import (
	"fmt"

	"rapport/fhir"
)

// Occasion is when, by whom and about whom an instrument was answered.
type Occasion struct {
	ID         string       // of the resource, may be ""
	Identifier *fhir.Object // of the source, may be nil
	Status     string       // of the response; "" is completed
	Subject    fhir.Key     // the patient
	Encounter  fhir.Key
	Author     fhir.Key // who wrote the answers down
	Source     fhir.Key // whose answers they are: the patient, a parent
	Authored   string   // FHIR dateTime as it was said, "" if not known
	Profiles   []string
	Security   []*fhir.Object    // Codings
	Stated     map[string]Points // scores that the source states, by scale slug; see [Instrument.Check]
}

// Response makes the QuestionnaireResponse of answers. Items that were not
// answered are left out.
//
// Errors: as [Instrument.ScoreAnswers] and [Instrument.Check].
func (in *Instrument) Response(a Answers, o Occasion) (fhir.Resource, error) {
	g, err := in.resolve(a)
	if err != nil {
		return fhir.Resource{}, err
	}
	if err := in.Check(o.Stated, in.score(g)); err != nil {
		return fhir.Resource{}, err
	}
	status := o.Status
	if status == "" {
		status = "completed"
	}
	qr := fhir.NewResource(fhir.Key{Type: "QuestionnaireResponse", ID: o.ID}).
		Set("meta", fhir.NewObject().Set("profile", o.Profiles).Set("security", o.Security)).
		Set("identifier", o.Identifier).
		Set("questionnaire", in.Canonical()).
		Set("status", status).
		Set("subject", o.Subject).
		Set("encounter", o.Encounter).
		Set("authored", o.Authored).
		Set("author", o.Author).
		Set("source", o.Source)
	var items []*fhir.Object
	for i, it := range in.Items {
		if !g[i].set {
			continue
		}
		answer := fhir.NewObject()
		if opt := in.option(g, i); opt != nil {
			answer.Set("valueCoding", fhir.Coding(it.list.System, opt.Code, opt.Display))
		} else {
			answer.Set("valueInteger", g[i].number)
		}
		items = append(items, fhir.NewObject().Set("linkId", it.Link).Set("text", it.Text).Set("answer", []*fhir.Object{answer}))
	}
	for _, s := range in.Scales {
		if p, ok := o.Stated[s.Slug]; ok {
			answer := fhir.NewObject().Set("valueDecimal", p.Decimal())
			items = append(items, fhir.NewObject().Set("linkId", s.Slug).Set("answer", []*fhir.Object{answer}))
		}
	}
	return qr.Set("item", items).Resource()
}

// Score scores a QuestionnaireResponse to this instrument. Where the response
// states a score itself, it must be the one that its items give.
//
// Errors, each with the element's path: [fhir.CodeInvalid] for an answer that is
// none of its item's, [fhir.Value] for the wrong type or several answers,
// [fhir.BusinessRule] for a stated score that differs.
func (in *Instrument) Score(qr fhir.Resource) (Score, error) {
	r := reading{in: in, g: make(given, len(in.Items))}
	r.items(qr.Root())
	if len(r.errs) > 0 {
		return Score{}, r.errs
	}
	s := in.score(r.g)
	if r.stated != nil {
		if err := in.check(r.stated, s, "QuestionnaireResponse", answerTo); err != nil {
			return Score{}, err
		}
	}
	return s, nil
}

// reading collects the answers of a response.
type reading struct {
	in     *Instrument
	g      given
	stated map[string]Points
	errs   fhir.Errors
}

func (r *reading) items(parent fhir.Node) {
	for item := range parent.Get("item").Elements() {
		link := content(item.Get("linkId"))
		answers := item.Get("answer")
		if i, ok := r.in.byLink[string(link)]; ok {
			r.item(i, answers)
		} else if s, ok := r.in.scores[string(link)]; ok {
			r.score(s, answers)
		}
		r.items(item)
		for a := range answers.Elements() {
			r.items(a)
		}
	}
}

func (r *reading) fail(code fhir.Code, link, format string, args ...any) {
	r.errs = append(r.errs, fhir.Errorf(code, answerTo(link), format, args...))
}

// answerTo is the FHIRPath of the answer to an item.
func answerTo(link string) string {
	return fmt.Sprintf("QuestionnaireResponse.descendants().where(linkId='%s').answer", link)
}

func (r *reading) item(i int, answers fhir.Node) {
	it := r.in.Items[i]
	for a := range answers.Elements() {
		v, kind := value(a)
		if !v.Exists() {
			continue // data-absent-reason, or no more than an extension: not answered
		}
		if r.g[i].set {
			r.fail(fhir.Value, it.Link, "item %s of %s takes one answer", it.Link, r.in.Slug)
			return
		}
		if it.list == nil {
			n, ok := v.Int()
			if kind != "valueInteger" || !ok || n < *it.Min || n > *it.Max {
				r.fail(fhir.Value, it.Link, "item %s of %s takes a valueInteger from %d to %d", it.Link, r.in.Slug, *it.Min, *it.Max)
				return
			}
			r.g[i] = reply{set: true, number: n}
			continue
		}
		if kind != "valueCoding" {
			r.fail(fhir.Value, it.Link, "item %s of %s takes a valueCoding", it.Link, r.in.Slug)
			return
		}
		n := it.list.chosen(v)
		if n < 0 {
			r.fail(fhir.CodeInvalid, it.Link, "the answer to item %s of %s must be one of %s of %s", it.Link, r.in.Slug, it.list.codes(), it.list.System)
			return
		}
		r.g[i] = reply{set: true, option: n}
	}
}

// chosen returns the index of the option that a Coding names, −1 for none.
func (a *Answer) chosen(coding fhir.Node) int {
	if string(content(coding.Get("system"))) != a.System {
		return -1
	}
	code := content(coding.Get("code"))
	for i, o := range a.Options {
		if o.Code == string(code) {
			return i
		}
	}
	return -1
}

func (r *reading) score(s *Scale, answers fhir.Node) {
	for a := range answers.Elements() {
		v, kind := value(a)
		if !v.Exists() {
			continue
		}
		if kind == "valueQuantity" {
			v = v.Get("value")
		}
		p, err := ParsePoints(v.Decimal())
		if err != nil {
			r.fail(fhir.Value, s.Slug, "the %s score of %s must be a number", s.Slug, r.in.Slug)
			return
		}
		if _, twice := r.stated[s.Slug]; twice {
			r.fail(fhir.Value, s.Slug, "the %s score of %s is stated twice", s.Slug, r.in.Slug)
			return
		}
		if r.stated == nil {
			r.stated = map[string]Points{}
		}
		r.stated[s.Slug] = p
	}
}

// value returns the value[x] of an answer and the member's name.
func value(answer fhir.Node) (fhir.Node, string) {
	for name, v := range answer.Members() {
		if len(name) > 5 && name[:5] == "value" {
			return v, name
		}
	}
	return fhir.Node{}, ""
}

// content returns the bytes of a JSON string without copying where it holds no
// escapes; nil for anything else.
func content(n fhir.Node) []byte {
	raw := n.Raw()
	if len(raw) < 2 || raw[0] != '"' {
		return nil
	}
	raw = raw[1 : len(raw)-1]
	for _, c := range raw {
		if c == '\\' {
			return []byte(n.Text())
		}
	}
	return raw
}
