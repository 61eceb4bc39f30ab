package instrument

import (
	"context"

	"rapport/fhir"
)

// episodeURL is where a response names its course of therapy, R4 having no element
// for it.
//
// Source: https://hl7.org/fhir/R4/extension-workflow-episodeofcare.html
const episodeURL = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare"

// answeredByURL is where a response or a score says who answered, where no element does.
const answeredByURL = Canonical + "/StructureDefinition/response-answered-by"

// statedURL is where scores without items say which instrument was answered: several may
// share the code of their total.
const statedURL = Canonical + "/StructureDefinition/response-instrument"

// Stated returns the canonical of the instrument whose scores an Observation says that it
// states, "" where it says none.
func Stated(o fhir.Resource) string {
	for x := range o.Root().Get("extension").Elements() {
		if x.Get("url").Text() == statedURL {
			return x.Get("valueCanonical").Text()
		}
	}
	return ""
}

// about is what a response says of itself, or a bare score: one without a response.
type about struct {
	key                fhir.Key
	score              fhir.Key // of the Observation
	status             string
	subject, encounter fhir.Key
	episode            fhir.Key
	author, source     fhir.Key
	answeredBy         string // where no reference says it
	informant          string // of a bare score
	authored           string
	security           []*fhir.Object
	usCore             bool
}

func aboutOf(qr fhir.Resource) about {
	root := qr.Root()
	ref := func(name string) fhir.Key {
		k, _ := root.Get(name).Ref()
		return k
	}
	a := about{
		key: qr.Key, score: scoreKey(qr.Key), episode: Course(qr), status: root.Get("status").Text(),
		subject: ref("subject"), encounter: ref("encounter"), author: ref("author"), source: ref("source"),
		authored: root.Get("authored").Text(),
		usCore:   claims(root, usCoreResponse) && len(root.Get("authored").Text()) >= len("2006-01-02"),
	}
	for x := range root.Get("extension").Elements() {
		if x.Get("url").Text() == answeredByURL {
			a.answeredBy = x.Get("valueCode").Text()
		}
	}
	a.security = labelsOf(root)
	return a
}

// aboutScore is what a bare score says of itself.
func (in *Instrument) aboutScore(o fhir.Resource) about {
	root := o.Root()
	a := about{
		key: o.Key, score: o.Key, status: root.Get("status").Text(), episode: Course(o), authored: root.Get("effectiveDateTime").Text(),
		security: labelsOf(root), informant: in.informantOf(root),
	}
	a.subject, _ = root.Get("subject").Ref()
	a.encounter, _ = root.Get("encounter").Ref()
	for p := range root.Get("performer").Elements() {
		if k, ok := p.Ref(); ok && therapist(k) {
			a.author = k
			break
		}
	}
	return a
}

// labelsOf copies the security labels of a resource.
func labelsOf(root fhir.Node) (out []*fhir.Object) {
	for l := range root.At("meta", "security").Elements() {
		o := fhir.NewObject()
		for name, v := range l.Members() {
			o.Set(name, v)
		}
		out = append(out, o)
	}
	return out
}

// bare reports whether an Observation is no score of a response.
func bare(o fhir.Node) bool {
	for d := range o.Get("derivedFrom").Elements() {
		if k, ok := d.Ref(); ok && k.Type == "QuestionnaireResponse" {
			return false
		}
	}
	return true
}

// scored reports whether a response is one that a score is made of.
func (w about) scored() bool { return w.status == "completed" || w.status == "amended" }

// Who answers, beside what files call "self", "parent", "practitioner", and the keys of
// RelatedPersons: two parents are two informants, while therapists may take turns.
const (
	self         = "self"
	practitioner = "practitioner"
	other        = "other"
)

// informant says who answered: whose answers they are, else what is said without a
// reference, else the relative who wrote them down, else whom the questionnaire is for.
func (in *Instrument) informant(w about) string {
	switch {
	case w.informant != "":
		return w.informant
	case w.source.IsZero() && w.answeredBy != "":
		return informed(w.answeredBy)
	case w.source.IsZero() && w.author.Type == relative:
		return w.author.String()
	case w.source.IsZero():
		return in.Subject
	case w.source == w.subject:
		return self
	case w.source.Type == relative:
		return w.source.String()
	case therapist(w.source):
		return practitioner
	}
	return other
}

const relative = "RelatedPerson"

// answered puts into m who answered, so that [Instrument.informantOf] reads it there.
func (in *Instrument) answered(w about, m *Measured) {
	if w.source.Type == relative {
		m.relative = w.source
	}
	plain := in.Subject // what the performers say by themselves
	for _, k := range []fhir.Key{w.author, m.relative} {
		if k.Type == relative {
			plain = k.String()
		}
	}
	switch who := in.informant(w); who {
	case plain:
	case self:
		m.answeredBy = "client"
	default:
		m.answeredBy = who
	}
}

// informed is a code of who answered as a file of ours has it.
func informed(code string) string {
	if code == "client" {
		return self
	}
	return code
}

// Informant says who answered a response, or what a score was made of: "self", "parent",
// "practitioner", "other" or a RelatedPerson/id; nothing said is whom the questionnaire
// is for, [Instrument.Subject].
func (in *Instrument) Informant(r fhir.Resource) string {
	if r.Type == "QuestionnaireResponse" {
		return in.informant(aboutOf(r))
	}
	return in.informantOf(r.Root())
}

// CourseOf returns the course of therapy of a score or a response: the one that it names,
// else that of its encounter; the zero Key where neither does or r does not show it.
func CourseOf(ctx context.Context, r fhir.Reader, of fhir.Resource) (fhir.Key, error) {
	if k := Course(of); !k.IsZero() {
		return k, nil
	}
	k, _ := of.Root().Get("encounter").Ref()
	return episodeOf(ctx, r, k)
}

// Course returns the EpisodeOfCare that a score, a response or a plan names, the zero Key where
// it names none.
func Course(r fhir.Resource) (k fhir.Key) {
	for x := range r.Root().Get("extension").Elements() {
		if x.Get("url").Text() == episodeURL {
			k, _ = x.Get("valueReference").Ref()
		}
	}
	return k
}

// informantOf says who answered what a score was made of. A RelatedPerson stands among
// its performers, the last of them; whoever else is not whom the questionnaire is for, in
// an extension.
func (in *Instrument) informantOf(o fhir.Node) string {
	who := in.Subject
	for p := range o.Get("performer").Elements() {
		if k, ok := p.Ref(); ok && k.Type == relative {
			who = k.String()
		}
	}
	for x := range o.Get("extension").Elements() {
		if x.Get("url").Text() == answeredByURL {
			who = informed(x.Get("valueCode").Text())
		}
	}
	return who
}
