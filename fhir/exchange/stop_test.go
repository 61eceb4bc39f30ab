package exchange_test

import (
	"net/http"
	"strings"
	"testing"

	"rapport/fhir"
)

// asksToStop is a Task that asks for the end of a referral of the clinic's.
func asksToStop(id string, referral fhir.Key) string {
	return `{"resourceType":"Task","id":"` + id + `","status":"requested","intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"abort"}]},` +
		`"focus":{"reference":"` + referral.String() + `"},"for":{"reference":"Patient/p1"},"requester":{"reference":"Organization/clinic-here"},"owner":{"reference":"Organization/hospital-here"},` +
		`"reasonCode":{"text":"She has found a place nearer home."}}`
}

// begun is a referral at which the hospital is at work.
func begun(t *testing.T, p *parts) (w *world, ch *wire, task, theirs fhir.Key) {
	t.Helper()
	w, ch = joined(t, p)
	task = w.clinic.referral("1", "requested")
	w.settle()
	theirs = w.copyOf(task)[0].Key
	for _, status := range []string{"accepted", "in-progress"} {
		if a := w.hospital.step(theirs, status, ""); a.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", status, a.Status, said(a))
		}
	}
	w.settle()
	return w, ch, task, theirs
}

func (s *side) status(k fhir.Key) string { return s.get(k.String()).Root().Get("status").Text() }

func TestAReceiverThatHasBegunIsAskedToStopAndAnswers(t *testing.T) {
	p := newParts(t)
	for name, x := range map[string]struct {
		before            string // a step of the hospital's while the request is on its way
		answer            string
		refused           string // part of what is said of the answer
		request, referral string
	}{
		"it agrees":                {"", "accepted", "", "accepted", "cancelled"},
		"it goes on":               {"", "rejected", "", "rejected", "in-progress"},
		"it had ended":             {"completed", "rejected", "", "rejected", "completed"},
		"it had ended, and agrees": {"completed", "accepted", "Reject the request", "requested", "completed"},
		"it had stopped already":   {"cancelled", "accepted", "", "accepted", "cancelled"},
		"it does something else":   {"", "in-progress", "can become accepted, rejected", "requested", "in-progress"},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, task, theirs := begun(t, p)
			stop := w.clinic.put(asksToStop("stop", task)).Key
			if x.before != "" {
				out := ""
				if x.before == "completed" {
					out = "DocumentReference/d1"
				}
				w.hospital.step(theirs, x.before, out)
			}
			w.settle()
			copies := w.copyOf(stop)
			if len(copies) != 1 {
				t.Fatalf("the hospital has %d; dead: %+v", len(copies), w.clinic.works(true))
			}
			asked := copies[0].Root()
			if focus, _ := asked.Get("focus").Ref(); focus != theirs || !strings.Contains(string(copies[0].Body()), "nearer home") {
				t.Errorf("the hospital reads %s", copies[0].Body())
			}
			if whom, _ := asked.Get("for").Ref(); whom != w.theirsOf("Patient/p1")[0].Key {
				t.Errorf("it is about %s", whom)
			}
			a := w.hospital.step(copies[0].Key, x.answer, "")
			if x.refused == "" && a.Status != http.StatusOK || x.refused != "" && (a.Status != http.StatusUnprocessableEntity || !strings.Contains(said(a), x.refused)) {
				t.Fatalf("%d %s", a.Status, said(a))
			}
			w.settle()
			for _, at := range []struct {
				s              *side
				stop, referral fhir.Key
			}{{w.hospital, copies[0].Key, theirs}, {w.clinic, stop, task}} {
				if got := at.s.status(at.stop); got != x.request {
					t.Errorf("%s: the request is %s", at.s.name, got)
				}
				if got := at.s.status(at.referral); got != x.referral {
					t.Errorf("%s: the referral is %s", at.s.name, got)
				}
			}
			if x.answer == "rejected" && !strings.Contains(string(w.clinic.get(stop.String()).Body()), "No room.") {
				t.Error("why is not told")
			}
			for _, s := range []*side{w.clinic, w.hospital} {
				if dead := s.works(true); len(dead) > 0 {
					t.Errorf("%s: given up: %+v", s.name, dead)
				}
			}
		})
	}
}

func TestOnlyAReferralUnderWayWithItsReceiverCanBeAskedToStop(t *testing.T) {
	w, _, task, theirs := begun(t, newParts(t))
	draft := w.clinic.referral("2", "draft")
	w.clinic.put(`{"resourceType":"Patient","id":"p2","name":[{"family":"Falk"}]}`)
	for name, x := range map[string]struct{ change, to, why string }{
		"a draft":                     {task.String(), draft.String(), "only one that is under way"},
		"no referral":                 {task.String(), "Task/none", "Name the Task of the referral"},
		"of another client":           {`"Patient/p1"`, `"Patient/p2"`, "Name the Task of the referral"},
		"it begins as something else": {`"requested"`, `"accepted"`, "begins as requested"},
	} {
		body := strings.Replace(asksToStop("stop", task), x.change, x.to, 1)
		a := w.clinic.serve(w.clinic.staff, http.MethodPut, "Task/stop", nil, []byte(body))
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(said(a), x.why) {
			t.Errorf("%s: %d %s", name, a.Status, said(a))
		}
	}
	stop := w.clinic.put(asksToStop("stop", task)).Key
	for name, x := range map[string]struct{ change, to, why string }{
		"it answers itself": {`"requested"`, `"accepted"`, "can become entered-in-error"},
		"another client":    {`"Patient/p1"`, `"Patient/p2"`, "whom it is about"},
		"another referral":  {task.String(), draft.String(), "what is to stop"},
		"something else":    {`"abort"`, `"approve"`, "that it asks to stop"},
	} {
		body := strings.Replace(asksToStop("stop", task), x.change, x.to, 1)
		a := w.clinic.serve(w.clinic.staff, http.MethodPut, stop.String(), nil, []byte(body))
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(said(a), x.why) {
			t.Errorf("%s: %d %s", name, a.Status, said(a))
		}
	}
	if a := w.clinic.serve(w.clinic.staff, http.MethodDelete, stop.String(), nil, nil); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("deleted: %d", a.Status)
	}
	w.settle()
	// An error is told, and then it may go.
	if a := w.clinic.step(stop, "entered-in-error", ""); a.Status != http.StatusOK {
		t.Fatal(said(a))
	}
	w.settle()
	there := w.copyOf(stop)[0]
	if got := there.Root().Get("status").Text(); got != "entered-in-error" {
		t.Errorf("at the hospital it is %s; dead: %+v", got, w.clinic.works(true))
	}
	if a := w.hospital.step(there.Key, "accepted", ""); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("what was an error is accepted: %d", a.Status)
	}
	if got := w.hospital.status(theirs); got != "in-progress" {
		t.Errorf("the referral is %s", got)
	}
	if a := w.clinic.serve(w.clinic.staff, http.MethodDelete, stop.String(), nil, nil); a.Status != http.StatusNoContent {
		t.Errorf("deleted: %d %s", a.Status, said(a))
	}
	again := w.clinic.serve(w.clinic.staff, http.MethodPut, stop.String(), nil, []byte(asksToStop("stop", task)))
	if again.Status != http.StatusUnprocessableEntity || !strings.Contains(said(again), "Task.id") {
		t.Errorf("under the same id: %d %s", again.Status, said(again))
	}
}

// Nobody but the partner that sent a referral asks for its end, and it learns nothing of
// others by asking.
func TestAPartnerAsksForTheEndOfWhatItSentAlone(t *testing.T) {
	w, _, _, theirs := begun(t, newParts(t))
	w.hospital.put(`{"resourceType":"Patient","id":"own","name":[{"family":"Falk"}]}`)
	w.hospital.put(`{"resourceType":"ServiceRequest","id":"own","status":"active","intent":"order","subject":{"reference":"Patient/own"}}`)
	w.hospital.put(`{"resourceType":"Task","id":"own","status":"in-progress","intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}]},` +
		`"focus":{"reference":"ServiceRequest/own"},"for":{"reference":"Patient/own"}}`)
	whom := w.theirsOf("Patient/p1")[0].Key
	post := func(focus, client string) string {
		body := strings.NewReplacer(`"id":"stop",`, "", `"Patient/p1"`, `"`+client+`"`, `"requester"`, `"identifier":[{"system":"`+w.clinic.base+`/Task","value":"x-`+strings.ReplaceAll(focus+client, "/", "-")+`"}],"requester"`,
			`"Organization/hospital-here"`, `"Organization/hospital-here"`).Replace(asksToStop("stop", fhir.Key{Type: "Task", ID: strings.TrimPrefix(focus, "Task/")}))
		a := w.hospital.serve(w.hospital.partner, http.MethodPost, "Task", nil, []byte(body))
		return http.StatusText(a.Status) + " " + said(a)
	}
	if got := post(theirs.String(), whom.String()); !strings.HasPrefix(got, "Created") {
		t.Errorf("its own: %s", got)
	}
	hidden, none := post("Task/own", whom.String()), post("Task/nowhere", whom.String())
	if strings.HasPrefix(hidden, "Created") || hidden != none {
		t.Errorf("another's: %s\nnobody's: %s", hidden, none)
	}
	if got := post("Task/own", "Patient/own"); strings.HasPrefix(got, "Created") {
		t.Errorf("another client's: %s", got)
	}
}

func TestARequestToStopArrivesOnceOverALossyWire(t *testing.T) {
	p := newParts(t)
	for name, f := range map[string]fault{"lost": lostOnTheWay, "unheard": lostOnTheWayBack, "twice": twice} {
		t.Run(name, func(t *testing.T) {
			w, ch, task, _ := begun(t, p)
			n := 0
			ch.fault = func(write bool) fault {
				if n++; write && n < 8 {
					return f
				}
				return none
			}
			stop := w.clinic.put(asksToStop("stop", task)).Key
			w.settle()
			copies := w.copyOf(stop)
			if len(copies) != 1 {
				t.Fatalf("the hospital has %d", len(copies))
			}
			n = 0
			w.hospital.step(copies[0].Key, "accepted", "")
			w.settle()
			if got := w.clinic.status(stop) + " " + w.clinic.status(task); got != "accepted cancelled" {
				t.Errorf("the clinic reads %s", got)
			}
			if n := len(w.clinic.find("Provenance", "target", stop.String())); n < 2 {
				t.Errorf("%d records of it", n)
			}
		})
	}
}

// That it is to stop the receiver must know, and no more than that.
func TestARequestToStopGoesWithoutItsReasonWhereConsentWasWithdrawn(t *testing.T) {
	w, _, task, theirs := begun(t, newParts(t))
	w.clinic.put(denies)
	w.clinic.put(asksToStop("stop", task))
	w.settle()
	copies := w.copyOf(fhir.Key{Type: "Task", ID: "stop"})
	if len(copies) != 1 {
		t.Fatalf("the hospital has %d; dead: %+v", len(copies), w.clinic.works(true))
	}
	if focus, _ := copies[0].Root().Get("focus").Ref(); focus != theirs || strings.Contains(string(copies[0].Body()), "nearer home") {
		t.Errorf("the hospital reads %s", copies[0].Body())
	}
}
