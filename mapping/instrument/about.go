package instrument

import "rapport/fhir"

// episodeURL is where a response names its course of therapy, R4 having no element
// for it.
//
// Source: https://hl7.org/fhir/R4/extension-workflow-episodeofcare.html
const episodeURL = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare"

// about is what a response says of itself.
type about struct {
	key                fhir.Key
	status             string
	subject, encounter fhir.Key
	episode            fhir.Key
	author, source     fhir.Key
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
		key: qr.Key, status: root.Get("status").Text(),
		subject: ref("subject"), encounter: ref("encounter"), author: ref("author"), source: ref("source"),
		authored: root.Get("authored").Text(),
		usCore:   claims(root, usCoreResponse) && len(root.Get("authored").Text()) >= len("2006-01-02"),
	}
	for x := range root.Get("extension").Elements() {
		if x.Get("url").Text() == episodeURL {
			a.episode, _ = x.Get("valueReference").Ref()
		}
	}
	for l := range root.At("meta", "security").Elements() {
		o := fhir.NewObject()
		for name, v := range l.Members() {
			o.Set(name, v)
		}
		a.security = append(a.security, o)
	}
	return a
}

// scored reports whether a response is one that a score is made of.
func (w about) scored() bool { return w.status == "completed" || w.status == "amended" }
