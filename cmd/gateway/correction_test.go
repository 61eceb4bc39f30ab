package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/mapping/instrument"
	"rapport/policy"
)

// answered is a response of client a to the GAD-7, each item answered alike.
func (w *world) answered(id, status, date, answer string, author fhir.Key) fhir.Resource {
	w.Helper()
	in := w.i.library.BySlug("gad-7")
	answers := instrument.Answers{}
	for _, it := range in.Items[:7] {
		answers[it.Link] = answer
	}
	r, err := in.Response(answers, instrument.Occasion{ID: id, Status: status, Subject: w.a.patient, Author: author, Source: w.a.patient, Authored: date})
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// gad7 is what client a's scores on it tell: by date, as value, changes and classes.
func (w *world) gad7(c *caller) map[string]string {
	w.Helper()
	code := w.i.library.BySlug("gad-7").Total().Code
	out := map[string]string{}
	rs, err := c.find(w.Context(), fmt.Sprintf("Observation?patient=%s&code=%s|%s&status=final,amended", w.a.patient.ID, code.System, code.Code))
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range rs {
		said := []string{r.Root().At("valueQuantity", "value").Decimal()}
		for part := range r.Root().Get("component").Elements() {
			said = append(said, part.At("code", "coding", "code").Text(), part.At("valueQuantity", "value").Decimal())
			for i := range part.Get("interpretation").Elements() {
				said = append(said, i.At("coding", "code").Text())
			}
		}
		out[r.Root().Get("effectiveDateTime").Text()] = strings.Join(said, " ")
	}
	return out
}

// asked lists the open tasks that came of a change, by the date of the score.
func (w *world) asked(c *caller) (dates []string) {
	w.Helper()
	rs, err := c.find(w.Context(), "Task?patient="+w.a.patient.ID+"&status=requested&code=review-change")
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range rs {
		dates = append(dates, r.Root().Get("authoredOn").Text())
	}
	return dates
}

func TestCorrectionsReachScoresAndTasksThroughEveryDoor(t *testing.T) {
	w := newWorld(t)
	th := w.as(issuer.Grant{Role: policy.Therapist, Practitioner: w.a.doctor.ID})
	post := func(c *caller, author fhir.Key, date, answer string) fhir.Key {
		t.Helper()
		a := w.send(c, http.MethodPost, "/QuestionnaireResponse", string(w.answered("", "completed", date, answer, author).Body()))
		made, err := fhir.Parse(a.body)
		if a.status != http.StatusCreated || err != nil {
			t.Fatalf("%s: %d %s", date, a.status, a.body)
		}
		return made.Key
	}
	put := func(k fhir.Key, status, date, answer string) {
		t.Helper()
		if a := w.send(th, http.MethodPut, "/"+k.String(), string(w.answered(k.ID, status, date, answer, w.a.doctor).Body())); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	expect := func(what string, scores map[string]string, tasks ...string) {
		t.Helper()
		if diff := cmp.Diff(scores, w.gad7(th)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		if diff := cmp.Diff(tasks, w.asked(th)); diff != "" {
			t.Errorf("%s, tasks: %s", what, diff)
		}
	}
	a := post(th, w.a.doctor, "2026-02-01", "1")
	b := post(th, w.a.doctor, "2026-02-15", "2")
	post(th, w.a.doctor, "2026-03-01", "2")
	expect("as they came", map[string]string{
		"2026-02-01": "7", "2026-02-15": "14 since-first 7 reliable-deterioration",
		"2026-03-01": "14 since-first 7 reliable-deterioration since-last 0 no-reliable-change",
	}, "2026-02-15")
	put(b, "entered-in-error", "2026-02-15", "2")
	expect("the second in error", map[string]string{"2026-02-01": "7", "2026-03-01": "14 since-first 7 reliable-deterioration"}, "2026-03-01")
	put(b, "amended", "2026-02-15", "1")
	expect("the second amended", map[string]string{
		"2026-02-01": "7", "2026-02-15": "7 since-first 0 no-reliable-change",
		"2026-03-01": "14 since-first 7 reliable-deterioration since-last 7 reliable-deterioration",
	}, "2026-03-01")
	// The client sends one late, by their own right.
	post(w.as(issuer.Grant{Role: policy.Patient, Patient: w.a.patient.ID}), w.a.patient, "2026-01-20", "3")
	expect("an older one", map[string]string{
		"2026-01-20": "21", "2026-02-01": "7 since-first -14 reliable-improvement reliable-recovery",
		"2026-02-15": "7 since-first -14 reliable-improvement reliable-recovery since-last 0 no-reliable-change",
		"2026-03-01": "14 since-first -7 reliable-improvement since-last 7 reliable-deterioration",
	}, "2026-03-01")
	if got := w.send(th, http.MethodDelete, "/"+a.String(), ""); got.status != http.StatusNoContent {
		t.Fatalf("%d %s", got.status, got.body)
	}
	expect("one deleted", map[string]string{
		"2026-01-20": "21", "2026-02-15": "7 since-first -14 reliable-improvement reliable-recovery",
		"2026-03-01": "14 since-first -7 reliable-improvement since-last 7 reliable-deterioration",
	}, "2026-03-01")
	score := instrument.Derived("Observation", a, "score")
	if got := w.send(th, http.MethodGet, "/"+score.String(), ""); got.status != http.StatusGone {
		t.Errorf("the score of what was deleted: %d", got.status)
	}
}

// What followed from a response stays where it is, whatever way the response is moved.
func TestAResponseThatIsMovedToAnotherClientIsRefusedThroughEveryDoor(t *testing.T) {
	w := newWorld(t)
	a := w.send(w.importer, http.MethodPost, "/QuestionnaireResponse", string(w.answered("", "completed", "2026-02-01", "1", w.a.doctor).Body()))
	made, err := fhir.Parse(a.body)
	if a.status != http.StatusCreated || err != nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	moved := strings.ReplaceAll(string(w.answered(made.ID, "amended", "2026-02-01", "1", w.a.doctor).Body()), w.a.patient.String(), w.b.patient.String())
	put := fmt.Sprintf(`{"request":{"method":"PUT","url":%q},"resource":%s}`, made.Key, moved)
	refused := func(what string, status int, body []byte) {
		t.Helper()
		for _, want := range []string{"business-rule", ".subject\"", "another client"} {
			if status != http.StatusUnprocessableEntity || !strings.Contains(string(body), want) {
				t.Errorf("%s: %d %s", what, status, body)
			}
		}
	}
	r := w.send(w.importer, http.MethodPut, "/"+made.Key.String(), moved)
	refused("an update", r.status, r.body)
	r = w.send(w.importer, http.MethodPost, "", `{"resourceType":"Bundle","type":"transaction","entry":[`+put+`]}`)
	refused("a transaction", r.status, r.body)
	r = w.send(w.importer, http.MethodPatch, "/"+made.Key.String(), fmt.Sprintf(`[{"op":"replace","path":"/subject/reference","value":%q},{"op":"replace","path":"/source/reference","value":%q}]`, w.b.patient, w.b.patient),
		"Content-Type", "application/json-patch+json")
	refused("a patch", r.status, r.body)
	for _, k := range []fhir.Key{made.Key, instrument.Derived("Observation", made.Key, "score")} {
		now, err := fhir.Parse(w.send(w.importer, http.MethodGet, "/"+k.String(), "").body)
		if subject, _ := now.Root().Get("subject").Ref(); err != nil || subject != w.a.patient || now.Version > 1 {
			t.Errorf("%s is about %s: %v", now, subject, err)
		}
	}
}
