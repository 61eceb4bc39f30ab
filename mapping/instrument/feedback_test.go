package instrument

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"rapport/fhir"
)

func TestFeedbackIsPlainFacts(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf()
	derive(t, s, response(t, in, "222222220", Occasion{ID: "a", Authored: "2026-01-05"}))
	qr := response(t, in, "211110001", Occasion{ID: "c"})
	derived := derive(t, s, qr)
	for _, known := range [][]fhir.Resource{derived, nil} {
		f, err := library(t).Feedback(context.Background(), s, qr, known)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"instrument":"phq-9","title":"Patient Health Questionnaire 9 (PHQ-9)","response":"QuestionnaireResponse/c",` +
			`"scores":[{"scale":"total","name":"Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]","code":"http://loinc.org|44261-6",` +
			`"score":7,"low":0,"high":27,"worse":"higher",` +
			`"band":{"code":"phq-9-total-mild","label":"Mild","low":5,"high":9,"source":"Kroenke, Spitzer \u0026 Williams 2001, J Gen Intern Med 16:606-613"}}],` +
			`"sinceFirst":{"observation":"` + Derived("Observation", fhir.Key{Type: "QuestionnaireResponse", ID: "a"}, "score").String() + `","date":"2026-01-05","score":16,"change":-9,` +
			`"class":"reliable-improvement","recovery":true,"reliableRecovery":true,"source":"` + in.Change.Source + `"},` +
			`"sinceLast":{"observation":"` + Derived("Observation", fhir.Key{Type: "QuestionnaireResponse", ID: "a"}, "score").String() + `","date":"2026-01-05","score":16,"change":-9,` +
			`"class":"reliable-improvement","recovery":true,"reliableRecovery":true,"source":"` + in.Change.Source + `"},` +
			`"risks":[{"risk":"phq-9-item-9","display":"` + in.Risks[0].Display + `","source":"` + strings.ReplaceAll(in.Risks[0].Source, "&", `\u0026`) + `",` +
			`"flag":"` + of("Flag", derived)[0].Key.String() + `","task":"` + of("Task", derived)[0].Key.String() + `"}]}`
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Error(d)
		}
	}
	other := parse(t, `{"resourceType":"QuestionnaireResponse","id":"q","questionnaire":"https://elsewhere.invalid/q"}`)
	if _, err := library(t).Feedback(context.Background(), s, other, nil); !fhir.Is(err, fhir.NotSupported) {
		t.Errorf("another questionnaire: %v", err)
	}
}
