package mapping

import (
	"encoding/json"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// extensions collects extensions; what says nothing is left out.
type extensions []r4.Extension

func (x *extensions) concept(slug string, c practice.Concept) {
	if v := conceptOf(c); v != nil {
		*x = append(*x, r4.Extension{Url: extensionURL(slug), ValueCodeableConcept: v})
	}
}

func (x *extensions) code(slug, code string) {
	if code != "" {
		*x = append(*x, r4.Extension{Url: extensionURL(slug), ValueCode: &code})
	}
}

func (x *extensions) text(slug, s string) {
	if s != "" {
		*x = append(*x, r4.Extension{Url: extensionURL(slug), ValueString: &s})
	}
}

func (x *extensions) yes(slug string, v *bool) {
	if v != nil {
		*x = append(*x, r4.Extension{Url: extensionURL(slug), ValueBoolean: v})
	}
}

func (x *extensions) reference(url string, k fhir.Key) {
	if r := reference(k); r != nil {
		*x = append(*x, r4.Extension{Url: url, ValueReference: r})
	}
}

// episode says to which course of therapy a resource of a type belongs that has no
// element for it. HL7's extension may not stand on every type.
func (x *extensions) episode(typ string, k fhir.Key) {
	url := episodeURL
	switch typ {
	case "Goal", "Appointment", "Consent", "CareTeam", "Task":
		url = extensionURL("episode")
	}
	x.reference(url, k)
}

// details writes what the source says beyond our fields.
func (x *extensions) details(ds []practice.Detail) {
	for _, d := range ds {
		v := r4.Extension{Url: "value"}
		switch {
		case d.Coding != nil:
			v.ValueCoding = of(coding4(*d.Coding))
		case d.Number != "":
			v.ValueDecimal = of(d.Number)
		case d.Yes != nil:
			v.ValueBoolean = d.Yes
		case d.Date != "":
			v.ValueDateTime = of(d.Date)
		default:
			v.ValueString = of(d.Text)
		}
		about := r4.Extension{Url: "about", ValueCoding: of(coding4(d.About))}
		*x = append(*x, r4.Extension{Url: extensionURL("source-detail"), Extension: []r4.Extension{about, v}})
	}
}

// objects is the same for what is built as an Object.
func (x extensions) objects() (out []json.RawMessage) {
	for _, e := range x {
		b, err := json.Marshal(e)
		if err != nil { // strings, numbers and lists of them
			panic(err)
		}
		out = append(out, b)
	}
	return out
}

func absent(reason string) r4.Extension { return r4.Extension{Url: absentURL, ValueCode: &reason} }

// extension finds one of ours on an element.
func extension(n fhir.Node, slug string) fhir.Node { return extensionAt(n, extensionURL(slug)) }

func extensionAt(n fhir.Node, url string) fhir.Node {
	for e := range n.Get("extension").Elements() {
		if e.Get("url").Text() == url {
			return e
		}
	}
	return fhir.Node{}
}

// episodeIn reads the link to a course of therapy.
func episodeIn(n fhir.Node) practice.Ref {
	if e := extensionAt(n, episodeURL); e.Exists() {
		return refIn(e.Get("valueReference"))
	}
	return refIn(extension(n, "episode").Get("valueReference"))
}

func detailsIn(n fhir.Node) (out []practice.Detail) {
	for e := range n.Get("extension").Elements() {
		if e.Get("url").Text() != extensionURL("source-detail") {
			continue
		}
		var d practice.Detail
		for part := range e.Get("extension").Elements() {
			if part.Get("url").Text() == "about" {
				d.About = codingIn(part.Get("valueCoding"))
				continue
			}
			if c := part.Get("valueCoding"); c.Exists() {
				d.Coding = of(codingIn(c))
			}
			d.Number = json.Number(part.Get("valueDecimal").Decimal())
			d.Text = part.Get("valueString").Text()
			d.Date = part.Get("valueDateTime").Text()
			d.Yes = yesIn(part.Get("valueBoolean"))
		}
		out = append(out, d)
	}
	return out
}

// indexed says at which place something stands in a list that its resource is no
// part of.
func indexed(slug string, n int) extensions {
	return extensions{{Url: extensionURL(slug), ValuePositiveInt: &n}}
}

func positionIn(n fhir.Node, slug string) int {
	v, _ := extension(n, slug).Get("valuePositiveInt").Int()
	return int(v)
}
