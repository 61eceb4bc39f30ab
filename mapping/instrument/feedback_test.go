package instrument

import (
	"context"
	"encoding/json"
	"fmt"
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
		f.Language, f.ForClinician, f.ForClient, f.Safety = "", "", "", "" // see words_test.go
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
			`"flag":"` + of("Flag", derived)[0].Key.String() + `","task":"` + of("Task", derived)[0].Key.String() + `"}],"language":"","forClinician":""}`
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Error(d)
		}
	}
	other := parse(t, `{"resourceType":"QuestionnaireResponse","id":"q","questionnaire":"https://elsewhere.invalid/q"}`)
	if _, err := library(t).Feedback(context.Background(), s, other, nil); !fhir.Is(err, fhir.NotSupported) {
		t.Errorf("another questionnaire: %v", err)
	}
}

func TestFeedbackNamesTheTaskThatWaitsBecauseOfAChange(t *testing.T) {
	d := NewDeriver(library(t))
	s := newShelf()
	told := func(f form) Feedback {
		t.Helper()
		qr := f.resource(t, d)
		made := hand(t, d, s, qr)
		a, err := d.library.Feedback(context.Background(), s, qr, made)
		if err != nil {
			t.Fatal(err)
		}
		b, err := d.library.Feedback(context.Background(), s, qr, nil)
		if diff := cmp.Diff(inJSON(t, a), inJSON(t, b)); diff != "" || err != nil {
			t.Errorf("told otherwise afterwards: %s, %v", diff, err)
		}
		return a
	}
	told(phq("a", "2026-01-05", "111110000"))
	f := told(phq("b", "2026-01-12", "222222000"))
	if task := (alert{slug: "deterioration"}).taskOf(form{id: "b"}.key()).String(); f.First.Task != task {
		t.Errorf("%+v", f.First)
	}
	if f.Last.Task != f.First.Task {
		t.Errorf("%+v", f.Last)
	}
	if next := told(phq("c", "2026-01-19", "222222000")); next.First.Task != f.First.Task {
		t.Errorf("the next of the run: %+v", next.First)
	}
	s.close(t, form{id: "b"})
	told(phq("d", "2026-01-26", "000000000"))
	if f := told(phq("e", "2026-02-02", "111111000")); f.First.Task != "" || f.Last.Task != (alert{slug: "deterioration"}).taskOf(form{id: "e"}.key()).String() {
		t.Errorf("worse than the last alone: %+v, %+v", f.First, f.Last)
	}
	for i, digits := range []string{"9999", "9999", "9999"} {
		if f := told(check(fmt.Sprintf("r%d", i), fmt.Sprintf("2026-01-%02d", i+1), digits)); f.OwnMean.Mean != nil || f.OwnMean.Earlier != i || f.OwnMean.Drop {
			t.Errorf("%+v", f.OwnMean)
		}
	}
	if m := told(check("r3", "2026-01-09", "5555")).OwnMean; !m.Drop || m.Mean.Cmp(PointsOf(36)) != 0 || m.Change.Cmp(PointsOf(-16)) != 0 || m.Task == "" || m.Flag == "" {
		t.Errorf("%+v", m)
	}
}

func inJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
