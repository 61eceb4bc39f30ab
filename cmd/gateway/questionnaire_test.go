package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rapport/fhir"
)

func TestAResponseIsHeldToItsQuestionnaireWhereThatIsStored(t *testing.T) {
	w := newWorld(t)
	w.make(`{"resourceType":"Questionnaire","url":"urn:x:mood","version":"1","status":"active","item":[
		{"linkId":"mood","text":"How are you?","type":"integer","required":true,"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/maxValue","valueInteger":10}]},
		{"linkId":"why","text":"Why?","type":"string"}]}`)
	response := func(form, status, item string) string {
		return fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","questionnaire":%q,"status":%q,"subject":{"reference":%q},"item":[%s]}`, form, status, w.a.patient, item)
	}
	good := `{"linkId":"mood","answer":[{"valueInteger":7}]}`
	for name, c := range map[string]struct {
		body string
		want int
		at   string
	}{
		"one that fits":                       {response("urn:x:mood|1", "completed", good), http.StatusCreated, ""},
		"an answer out of bounds":             {response("urn:x:mood", "completed", `{"linkId":"mood","answer":[{"valueInteger":11}]}`), http.StatusUnprocessableEntity, "item"},
		"a question that was not asked":       {response("urn:x:mood", "completed", good+`,{"linkId":"sleep","answer":[{"valueInteger":1}]}`), http.StatusUnprocessableEntity, "item"},
		"the mandatory answer is missing":     {response("urn:x:mood", "completed", `{"linkId":"why","answer":[{"valueString":"x"}]}`), http.StatusUnprocessableEntity, "QuestionnaireResponse"},
		"a draft may lack it":                 {response("urn:x:mood", "in-progress", `{"linkId":"why","answer":[{"valueString":"x"}]}`), http.StatusCreated, ""},
		"a version that is not here":          {response("urn:x:mood|2", "completed", `{"linkId":"sleep","answer":[{"valueInteger":1}]}`), http.StatusCreated, ""},
		"a form that is not here":             {response("urn:x:else", "completed", `{"linkId":"sleep","answer":[{"valueInteger":1}]}`), http.StatusCreated, ""},
		"what is withdrawn need not be right": {response("urn:x:mood", "entered-in-error", `{"linkId":"sleep","answer":[{"valueInteger":1}]}`), http.StatusCreated, ""},
	} {
		a := w.send(w.importer, http.MethodPost, "/QuestionnaireResponse", c.body)
		if a.status != c.want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if n, err := fhir.ParseNode(a.body); c.at != "" && (err != nil || !strings.Contains(n.Get("issue").Index(0).Get("expression").Index(0).Text(), c.at)) {
			t.Errorf("%s: it is not said where: %s", name, a.body)
		}
	}
}
