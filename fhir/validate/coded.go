package validate

import (
	"strings"

	"rapport/fhir"
)

// code judges a code element with a required binding.
func (w *walk) code(b []byte, f *field) {
	if !f.codes.Has(string(b)) {
		w.say(fhir.CodeInvalid, "This is none of the codes that %s allows%s.", f.codes.URL, allowed(f.codes.Codes()))
	}
}

func allowed(codes []string) string {
	const most = 20
	if len(codes) > most {
		return ""
	}
	return ": " + strings.Join(codes, " | ")
}

// concept judges a CodeableConcept with a required binding: one of its codings
// must be of the set.
func (w *walk) concept(n fhir.Node, f *field) {
	for c := range n.Get("coding").Elements() {
		if f.codes.HasCoding(c.Get("system").Text(), c.Get("code").Text()) {
			return
		}
	}
	w.say(fhir.CodeInvalid, "One coding must be of %s%s; give its system as well.", f.codes.URL, allowed(f.codes.Codes()))
}

// labels judges what a policy relies on.
func (w *walk) labels(meta fhir.Node) {
	i := 0
	for m := range meta.Get("security").Elements() {
		if m.Kind() == fhir.Obj && m.Get("code").Text() == "" {
			w.push("meta")
			w.push("security")
			w.pushIndex(i)
			w.say(fhir.BusinessRule, "A security label without a code cannot be honoured. Add system and code, or leave the label out.")
			w.path = w.path[:len(w.path)-3]
		}
		i++
	}
}
