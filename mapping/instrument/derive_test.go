package instrument

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"rapport/fhir"
)

// derive runs the Deriver and puts what it made on the shelf, as a gate would.
func derive(t *testing.T, s *shelf, r fhir.Resource) []fhir.Resource {
	t.Helper()
	out, err := NewDeriver(library(t)).Derive(context.Background(), s, r)
	if err != nil {
		t.Fatal(err)
	}
	s.put(r)
	s.put(out...)
	return out
}

func of(typ string, rs []fhir.Resource) (out []fhir.Resource) {
	for _, r := range rs {
		if r.Type == typ {
			out = append(out, r)
		}
	}
	return out
}

func status(r fhir.Resource) string { return r.Root().Get("status").Text() }

func labels(r fhir.Resource) (out []string) {
	for l := range r.Root().At("meta", "security").Elements() {
		out = append(out, l.Get("code").Text())
	}
	return out
}

func TestACompletedResponseGivesOneObservation(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf()
	out := derive(t, s, response(t, in, "2222112000", Occasion{Encounter: fhir.Key{Type: "Encounter", ID: "e1"}, Author: therapist1}))
	if len(out) != 1 || out[0].Type != "Observation" {
		t.Fatalf("got %v", out)
	}
	root := out[0].Root()
	for path, want := range map[string]string{
		"status": "final", "effectiveDateTime": "2026-03-02T10:00:00+01:00", "issued": "2026-03-02T10:00:00+01:00",
		"subject.reference": "Patient/c1", "encounter.reference": "Encounter/e1", "performer.reference": "Practitioner/t1",
		"derivedFrom.reference": "QuestionnaireResponse/r1", "category.coding.code": "survey",
		"code.coding.system": loinc, "code.coding.code": "44261-6",
		"valueQuantity.system": ucum, "valueQuantity.code": "{score}",
		"interpretation.coding.system": BandCodes, "interpretation.coding.code": "phq-9-total-moderate",
	} {
		if got := root.At(strings.Split(path, ".")...).Text(); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	if got := root.At("valueQuantity", "value").Decimal(); got != "12" {
		t.Errorf("value %s", got)
	}
	if !cmp.Equal(labels(out[0]), []string{"R", "PSY"}) {
		t.Errorf("labels %v", labels(out[0]))
	}
	if claims(root, usCoreSurvey) {
		t.Error("a profile is claimed that the response does not claim")
	}
}

func TestTheSameResponseGivesTheSameBytes(t *testing.T) {
	in := library(t).BySlug("phq-9")
	r := response(t, in, "1111111112", Occasion{})
	a, b := derive(t, newShelf(), r), derive(t, newShelf(), r)
	if len(a) != 3 || len(b) != 3 {
		t.Fatalf("%v and %v", a, b)
	}
	for i := range a {
		if a[i].Key != b[i].Key || string(a[i].Body()) != string(b[i].Body()) {
			t.Errorf("%v differs", a[i])
		}
		if !fhir.ValidID(a[i].ID) {
			t.Errorf("%v is no id", a[i].ID)
		}
	}
	other := derive(t, newShelf(), response(t, in, "1111111112", Occasion{ID: "r2"}))
	if a[0].ID == other[0].ID {
		t.Error("two responses share an id")
	}
}

func TestSubscalesAreComponentsAndAMissingOneSaysSo(t *testing.T) {
	in := library(t).BySlug("sdq-pc101")
	a := full(in, 1)
	a["26"] = "0"
	for _, link := range []string{"6", "11", "14", "28", "29", "30", "31", "32", "33"} {
		delete(a, link)
	}
	qr, err := in.Response(a, Occasion{ID: "r1", Subject: patient, Authored: "2026-03-02"})
	if err != nil {
		t.Fatal(err)
	}
	root := derive(t, newShelf(), qr)[0].Root()
	if root.Get("valueQuantity").Exists() || root.At("dataAbsentReason", "coding", "code").Text() != "unknown" {
		t.Error("a total is given without all four scales")
	}
	got := map[string]string{}
	for c := range root.Get("component").Elements() {
		got[c.At("code", "coding", "code").Text()] = c.At("valueQuantity", "value").Decimal() + c.At("dataAbsentReason", "coding", "code").Text()
	}
	want := map[string]string{
		"sdq-parent-emotional": "5", "sdq-parent-conduct": "5", "sdq-parent-hyperactivity": "5",
		"sdq-parent-peer": "unknown", "sdq-parent-prosocial": "5", "sdq-parent-impact": "0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if root.Get("issued").Exists() {
		t.Error("a date without time is no instant")
	}
}

func TestWhatASourceStatesWithoutItemsIsAnObservationWithoutAResponse(t *testing.T) {
	in := library(t).BySlug("sdq-yr101")
	s, err := in.Stated(map[string]Points{"total": PointsOf(18), "impact": PointsOf(2)})
	if err != nil {
		t.Fatal(err)
	}
	o, err := in.Observation(s, Measured{ID: "o1", Status: "final", Subject: patient, Effective: "2026-03-02"})
	if err != nil {
		t.Fatal(err)
	}
	root := o.Root()
	if root.At("valueQuantity", "value").Decimal() != "18" || root.At("interpretation", "coding", "code").Text() != "sdq-yr101-total-high" {
		t.Errorf("%s", o.Body())
	}
	if root.Get("component").Len() != 1 || root.Get("derivedFrom").Exists() {
		t.Error("scores that are not stated are invented")
	}
	if _, err := in.Stated(map[string]Points{"total": PointsOf(99)}); err == nil {
		t.Error("99 is taken for a score")
	}
	none, err := in.Stated(nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err = in.Observation(none, Measured{ID: "o2", Status: "final", Subject: patient})
	if err != nil || o.Root().At("dataAbsentReason", "coding", "code").Text() != "unknown" {
		t.Errorf("nothing stated: %s, %v", o.Body(), err)
	}
}

func TestAResponseEnteredInErrorTakesBackWhatItGave(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf()
	first := derive(t, s, response(t, in, "111111111", Occasion{}))
	out := derive(t, s, response(t, in, "111111111", Occasion{Status: "entered-in-error"}))
	if len(out) != len(first) {
		t.Fatalf("%v of %v", out, first)
	}
	for _, r := range out {
		if status(r) != "entered-in-error" || !slices.ContainsFunc(first, func(f fhir.Resource) bool { return f.Key == r.Key }) {
			t.Errorf("%v is %s", r, status(r))
		}
	}
	if out := derive(t, newShelf(), response(t, in, "111111111", Occasion{ID: "r9", Status: "entered-in-error"})); len(out) != 0 {
		t.Errorf("nothing was there, and %v is made", out)
	}
}

func TestUSCoreIsClaimedOnlyWhereTheResponseClaimsIt(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf()
	derive(t, s, response(t, in, "222222220", Occasion{ID: "a", Authored: "2026-01-05"}))
	for authored, claimed := range map[string]bool{"2026-03-02": true, "2026-03": false} {
		o := derive(t, s, response(t, in, "211110000", Occasion{ID: "c", Authored: authored, Profiles: []string{usCoreResponse}}))[0].Root()
		if claims(o, usCoreSurvey) != claimed || (o.Get("category").Len() == 2) != claimed {
			t.Errorf("authored %s: %v", authored, claims(o, usCoreSurvey))
		}
		if claimed && o.Get("derivedFrom").Len() != 1 {
			t.Error("a score that does not claim US Core is named in derivedFrom")
		}
	}
}

func TestLabelsAreCopiedAndRaised(t *testing.T) {
	in := library(t).BySlug("phq-9")
	label := func(system, code string) *fhir.Object { return fhir.Coding(system, code, "") }
	for name, c := range map[string]struct {
		in   []*fhir.Object
		want []string
	}{
		"none":                    {nil, []string{"R", "PSY"}},
		"normal is raised":        {[]*fhir.Object{label(confidentiality, "N")}, []string{"R", "PSY"}},
		"very restricted is kept": {[]*fhir.Object{label(confidentiality, "V"), label(actCode, "PSY")}, []string{"V", "PSY"}},
		"others are kept":         {[]*fhir.Object{label(actCode, "SDV"), label(confidentiality, "R")}, []string{"R", "SDV", "PSY"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range derive(t, newShelf(), response(t, in, "000000001", Occasion{Security: c.in})) {
				if !cmp.Equal(labels(r), c.want) {
					t.Errorf("%s carries %v", r.Type, labels(r))
				}
			}
		})
	}
}

func TestWhatIsNoResponseToAKnownInstrumentGivesNothing(t *testing.T) {
	for _, body := range []string{
		`{"resourceType":"Observation","id":"o"}`,
		`{"resourceType":"QuestionnaireResponse","id":"q","status":"completed"}`,
		`{"resourceType":"QuestionnaireResponse","id":"q","status":"completed","questionnaire":"https://elsewhere.invalid/Questionnaire/phq-9"}`,
		`{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"https://rapport.example/fhir/Questionnaire/phq-9"}`,
	} {
		if out := derive(t, newShelf(), parse(t, body)); len(out) != 0 {
			t.Errorf("%s gives %v", body, out)
		}
	}
}

func TestAResponseThatCannotBeScoredIsRefused(t *testing.T) {
	answer := func(v string) string {
		return `{"resourceType":"QuestionnaireResponse","id":"q","status":"completed","questionnaire":"https://rapport.example/fhir/Questionnaire/phq-9","item":[` + v + `]}`
	}
	for name, v := range map[string]string{
		"an unknown answer":       `{"linkId":"9","answer":[{"valueCoding":{"system":"http://loinc.org","code":"LA9999-9"}}]}`,
		"a coding without system": `{"linkId":"9","answer":[{"valueCoding":{"code":"LA6569-3"}}]}`,
		"a number for a coding":   `{"linkId":"9","answer":[{"valueInteger":1}]}`,
		"a string for a coding":   `{"linkId":"9","answer":[{"valueString":"1"}]}`,
		"two answers":             `{"linkId":"9","answer":[{"valueCoding":{"system":"http://loinc.org","code":"LA6568-5"}},{"valueCoding":{"system":"http://loinc.org","code":"LA6571-9"}}]}`,
		"an item twice":           `{"linkId":"9","answer":[{"valueCoding":{"system":"http://loinc.org","code":"LA6568-5"}}]},{"linkId":"9","answer":[{"valueCoding":{"system":"http://loinc.org","code":"LA6571-9"}}]}`,
		"a total that items deny": `{"linkId":"9","answer":[{"valueCoding":{"system":"http://loinc.org","code":"LA6568-5"}}]},{"linkId":"total","answer":[{"valueDecimal":3}]}`,
		"a total as a text":       `{"linkId":"total","answer":[{"valueString":"3"}]}`,
		"a total twice":           `{"linkId":"total","answer":[{"valueDecimal":3},{"valueDecimal":3}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewDeriver(library(t)).Derive(context.Background(), newShelf(), parse(t, answer(v)))
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, e := range fhir.IssuesOf(err) {
				if strings.Contains(e.Detail, "LA9999") || e.Code == fhir.Exception {
					t.Errorf("says %q", e.Detail)
				}
			}
		})
	}
}

func TestAnItemInsideAGroupOrAnAnswerIsFound(t *testing.T) {
	in := library(t).BySlug("phq-9")
	one := `"answer":[{"valueCoding":{"system":"http://loinc.org","code":"LA6569-3"}`
	qr := parse(t, `{"resourceType":"QuestionnaireResponse","id":"q","status":"completed","item":[{"linkId":"group","item":[
		{"linkId":"1",`+one+`,"item":[{"linkId":"\u0039",`+one+`}]}]}]}]}]}`)
	s, err := in.Score(qr)
	if err != nil || !s.Fired("item-9") || s.Total().Answered != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}
