package exchange_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// rewrite puts a resource with other elements than it has, as the staff; "" takes one off.
func (s *side) rewrite(k fhir.Key, elements map[string]string) (int, string) {
	s.t.Helper()
	r, o := s.get(k.String()), fhir.NewObject()
	for name, v := range r.Root().Members() {
		if _, ok := elements[name]; !ok {
			o.Set(name, v)
		}
	}
	for name, text := range elements {
		if text == "" {
			continue
		}
		n, err := fhir.ParseNode([]byte(text))
		if err != nil {
			s.t.Fatal(err)
		}
		o.Set(name, n)
	}
	a := s.serve(s.staff, http.MethodPut, k.String(), nil, o.JSON(), "If-Match", `W/"`+strconv.FormatInt(r.Version, 10)+`"`)
	return a.Status, said(a)
}

const approve = `{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"approve"}]}`

func TestAReferralThatWasSentStaysTheSame(t *testing.T) {
	p := newParts(t)
	for at, change := range map[string]string{
		"Task.owner": `{"reference":"Organization/clinic-here"}`,
		"Task.focus": `{"reference":"ServiceRequest/sr2"}`,
		"Task.for":   `{"reference":"Patient/p2"}`,
		"Task.code":  approve,
	} {
		for _, change := range []string{change, ""} {
			t.Run(at+" "+change, func(t *testing.T) {
				w, _ := joined(t, p)
				task := w.clinic.referral("1", "draft")
				w.clinic.put(`{"resourceType":"Patient","id":"p2","name":[{"family":"Kern"}]}`)
				w.clinic.put(strings.ReplaceAll(string(w.clinic.get("ServiceRequest/sr1").Body()), `"sr1"`, `"sr2"`))
				draft := string(w.clinic.get(task.String()).Body())
				element := strings.TrimPrefix(at, "Task.")
				if status, why := w.clinic.rewrite(task, map[string]string{element: change}); status != http.StatusOK {
					t.Fatalf("a draft may still change: %d %s", status, why)
				}
				w.clinic.put(draft)
				w.clinic.step(task, "requested", "")
				w.settle()
				status, why := w.clinic.rewrite(task, map[string]string{element: change})
				if status != http.StatusUnprocessableEntity || !strings.Contains(why, "send a new one") || !strings.Contains(why, at) && element != "focus" {
					t.Errorf("%d %s", status, why)
				}
			})
		}
	}
}

// A step that is not the sender's cannot be made in two writes either, of which the
// first hides that the Task is a referral's.
func TestAStepIsNotMadeBehindAnotherCode(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	if status, why := w.clinic.rewrite(task, map[string]string{"code": approve, "status": `"completed"`}); status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", status, why)
	}
	theirs := w.copyOf(task)[0].Key
	for name, change := range map[string]string{"code": approve, "identifier": "", "for": ""} {
		if status, why := w.hospital.rewrite(theirs, map[string]string{name: change}); status != http.StatusUnprocessableEntity {
			t.Errorf("at the receiver, %s: %d %s", name, status, why)
		}
	}
}

// A Task for nobody that we carry anything to becomes a referral when it is given to a
// partner by a new Task only: this one was not sent, and would not be.
func TestAReferralToNobodyIsNotGivenToAPartner(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "draft")
	owner := string(w.clinic.get(task.String()).Root().Get("owner").Raw())
	for _, change := range []map[string]string{{"owner": ""}, {"status": `"requested"`}} {
		if status, why := w.clinic.rewrite(task, change); status != http.StatusOK {
			t.Fatalf("%d %s", status, why)
		}
	}
	if status, why := w.clinic.rewrite(task, map[string]string{"owner": owner}); status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", status, why)
	}
}

func TestAReferralThatIsUnderWayIsNotDeleted(t *testing.T) {
	p := newParts(t)
	remove := func(s *side, k fhir.Key) (int, string) {
		a := s.serve(s.staff, http.MethodDelete, k.String(), nil, nil)
		return a.Status, said(a)
	}
	w, _ := joined(t, p)
	task := w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.copyOf(task)[0].Key
	focus := func(s *side, task fhir.Key) fhir.Key {
		k, _ := s.get(task.String()).Root().Get("focus").Ref()
		return k
	}
	for s, k := range map[*side]fhir.Key{w.clinic: task, w.hospital: theirs} {
		for _, k := range []fhir.Key{k, focus(s, k)} {
			if status, why := remove(s, k); status != http.StatusUnprocessableEntity || !strings.Contains(why, "first") {
				t.Errorf("%s, %s: %d %s", s.name, k.Type, status, why)
			}
		}
	}
	w.clinic.step(task, "cancelled", "")
	w.settle()
	body := string(w.clinic.get(task.String()).Body())
	for s, k := range map[*side]fhir.Key{w.clinic: task, w.hospital: theirs} {
		for _, k := range []fhir.Key{focus(s, k), k} {
			if status, why := remove(s, k); status != http.StatusNoContent {
				t.Errorf("%s, %s, ended: %d %s", s.name, k.Type, status, why)
			}
		}
	}
	// Its id is not used for another one: whoever had the first would take it for that.
	a := w.clinic.serve(w.clinic.staff, http.MethodPut, task.String(), nil, []byte(strings.Replace(body, `"cancelled"`, `"requested"`, 1)))
	if a.Status != http.StatusUnprocessableEntity || !strings.Contains(said(a), "Task.id") {
		t.Errorf("%d %s", a.Status, said(a))
	}
	draft := w.clinic.referral("2", "draft")
	if status, why := remove(w.clinic, draft); status != http.StatusNoContent {
		t.Errorf("a draft: %d %s", status, why)
	}
	w.clinic.referral("2", "requested")
	w.settle()
	if n := len(w.copyOf(draft)); n != 1 {
		t.Errorf("the hospital has %d", n)
	}
}

// What the sender changes without a step reaches the receiver, and takes nothing of its own.
func TestWhatTheSenderChangesInATaskReachesTheReceiver(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.copyOf(task)[0].Key
	w.hospital.step(theirs, "accepted", "")
	if status, why := w.hospital.rewrite(theirs, map[string]string{"executionPeriod": `{"start":"2026-03-20T10:00:00Z"}`, "note": `[{"text":"Room 4."}]`}); status != http.StatusOK {
		t.Fatalf("%d %s", status, why)
	}
	w.settle()
	asked := `{"coding":[{"system":"` + exchange.BusinessStatus + `","code":"` + exchange.AskedToCancel + `"}]}`
	for _, change := range []map[string]string{
		{"priority": `"stat"`, "restriction": `{"period":{"end":"2026-03-09"}}`},
		{"businessStatus": asked},
	} {
		if status, why := w.clinic.rewrite(task, change); status != http.StatusOK {
			t.Fatalf("%d %s", status, why)
		}
	}
	w.settle()
	got := w.hospital.get(theirs.String()).Root()
	if got.Get("priority").Text() != "stat" || got.At("restriction", "period", "end").Text() != "2026-03-09" || exchange.BusinessOf(got) != exchange.AskedToCancel ||
		got.Get("status").Text() != "accepted" || got.Get("note").Len() != 1 || !got.Get("executionPeriod").Exists() {
		t.Errorf("the hospital has %s; dead: %+v", got.Raw(), w.clinic.works(true))
	}
	at := w.clinic.get(task.String()).Version
	a := w.clinic.serve(w.clinic.partner, http.MethodPut, task.String(), nil, []byte(strings.Replace(string(w.clinic.get(task.String()).Body()), `"stat"`, `"routine"`, 1)))
	if a.Status != http.StatusUnprocessableEntity || !strings.Contains(said(a), "Task.priority") {
		t.Errorf("the receiver says how urgent it is: %d %s", a.Status, said(a))
	}
	w.settle()
	if now := w.clinic.get(task.String()); now.Version != at || len(w.clinic.works(true)) != 0 {
		t.Errorf("it comes back: %s", now.Body())
	}
}

// denies is a Consent by which nothing of the client goes out.
const denies = `{"resourceType":"Consent","id":"c1","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
	`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IDSCL"}]}],"patient":{"reference":"Patient/p1"},"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]},"provision":{"type":"deny"}}`

// What consent keeps back of it is a person's to tell: nobody takes it for told.
func TestAChangeThatConsentKeepsBackIsGivenUpAloud(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	w.clinic.put(denies)
	if status, why := w.clinic.rewrite(task, map[string]string{"priority": `"stat"`}); status != http.StatusOK {
		t.Fatalf("%d %s", status, why)
	}
	w.settle()
	if dead := w.clinic.works(true); len(dead) != 1 || !strings.Contains(dead[0].Note, "consent") {
		t.Errorf("%+v", dead)
	}
	if got := w.copyOf(task)[0].Root().Get("priority"); got.Exists() {
		t.Errorf("the hospital has %s", got.Raw())
	}
}
