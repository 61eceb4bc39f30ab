package monitoring_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/mapping/monitoring"
)

func TestAnOverdueFollowUpRaisesOneTaskForTheTherapist(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}})
	w.at("2026-03-04T12:00:00Z")
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1}) {
		t.Errorf("while it is due: %+v", sum)
	}
	w.at("2026-03-05T12:00:00Z")
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1, Raised: 1}) {
		t.Errorf("overdue: %+v", sum)
	}
	for range 2 {
		w.at("2026-03-20T12:00:00Z")
		if sum := w.pass(); sum != (monitoring.Tally{Clients: 1}) {
			t.Errorf("again: %+v", sum)
		}
	}
	tasks := w.tasks("mira")
	if len(tasks) != 1 || len(w.tasks("jon")) != 0 {
		t.Fatalf("%d tasks", len(tasks))
	}
	task := tasks[0]
	for _, e := range w.valid.Resource(t.Context(), task) {
		if !e.Warn {
			t.Error(e)
		}
	}
	root := task.Root()
	if o, _ := root.Get("owner").Ref(); o.String() != "Practitioner/mira" || root.Get("status").Text() != "requested" ||
		root.Get("authoredOn").Text() != "2026-03-05T12:00:00.000000Z" || !root.Get("code").HasCoding(monitoring.FollowUp, "questionnaire-overdue") {
		t.Errorf("%s", task.Body())
	}
	if s := strings.ToLower(string(task.Body())); strings.Contains(s, "phq") {
		t.Errorf("it says what is overdue: %s", s)
	}
}

func TestTheTaskEndsWhenTheResponseComesAndTheNextPeriodHasItsOwn(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-02-20", asks: []string{"phq-9 1 wk"}})
	w.answered("r0", "ida", "phq-9", "2026-02-22", "completed")
	w.pass() // due on 1 March, overdue on the 5th
	// Entered late: it was given before the task was raised.
	w.answered("r1", "ida", "phq-9", "2026-03-04T18:00:00Z", "completed")
	w.at("2026-03-06T12:00:00Z")
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1, Completed: 1}) {
		t.Errorf("%+v", sum)
	}
	w.at("2026-03-15T12:00:00Z")
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1, Raised: 1}) {
		t.Errorf("%+v", sum)
	}
	if got := w.statuses(); got != "2026-03-01 completed, 2026-03-11 requested" {
		t.Error(got)
	}
}

func TestAResponseThatWasAnErrorRaisesItsTaskAgain(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-02-20", asks: []string{"phq-9 1 wk"}})
	w.answered("r0", "ida", "phq-9", "2026-02-22", "completed")
	w.pass()
	w.answered("r1", "ida", "phq-9", "2026-03-05", "completed")
	w.at("2026-03-06T12:00:00Z")
	w.put(strings.Replace(string(w.tasks("")[0].Body()), `"requested"`, `"requested","note":[{"text":"Rang twice."}]`, 1))
	w.pass()
	w.answered("r1", "ida", "phq-9", "2026-03-05", "entered-in-error")
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1, Raised: 1}) || w.statuses() != "2026-03-01 requested" {
		t.Errorf("%+v %s", sum, w.statuses())
	}
	if why := w.tasks("mira")[0].Root().Get("statusReason"); why.Exists() {
		t.Errorf("it still says %s", why.Raw())
	}
	if w.tasks("mira")[0].Root().Get("note").Len() != 1 {
		t.Error("what a person wrote on it is gone")
	}
	// What a person has closed is theirs.
	task := w.tasks("")[0]
	w.put(strings.Replace(string(task.Body()), `"requested"`, `"completed"`, 1))
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1}) {
		t.Errorf("%+v %s", sum, w.statuses())
	}
}

func TestWhatAPersonHasClosedStaysClosedUntilTheNextIsOverdue(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}})
	w.pass()
	task := w.tasks("")[0]
	w.put(strings.Replace(string(task.Body()), `"requested"`, `"rejected"`, 1))
	w.at("2026-03-30T12:00:00Z")
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1}) || w.statuses() != "2026-03-01 rejected" {
		t.Errorf("%+v %s", sum, w.statuses())
	}
	// One that a person is at stays as it is.
	w.answered("r1", "ida", "phq-9", "2026-03-20", "completed")
	w.at("2026-04-02T12:00:00Z")
	w.pass()
	for _, task := range w.tasks("") {
		if task.Root().Get("status").Text() == "requested" {
			w.put(strings.Replace(string(task.Body()), `"requested"`, `"accepted"`, 1))
		}
	}
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1}) || w.statuses() != "2026-03-01 rejected, 2026-03-27 accepted" {
		t.Errorf("%+v %s", sum, w.statuses())
	}
}

func TestATaskIsCancelledWhenThePlanNoLongerAsks(t *testing.T) {
	weekly := phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}}
	for name, c := range map[string]struct {
		end   func(w *clinic)
		tally monitoring.Tally
	}{
		"the plan was revoked":  {func(w *clinic) { w.plan("plan", "ida", "revoked", "", weekly) }, monitoring.Tally{Clients: 1, Cancelled: 1}},
		"the therapy has ended": {func(w *clinic) { w.client("ida", "mira", "finished", "2026-03-05") }, monitoring.Tally{Clients: 1, Cancelled: 1}},
		"another phase asks for another": {func(w *clinic) {
			w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", status: "completed", asks: weekly.asks}, phase{id: "calm", from: "2026-03-02", asks: []string{"gad-7 1 wk"}})
		}, monitoring.Tally{Clients: 1, Raised: 1, Cancelled: 1}},
		"a later phase begins later": {func(w *clinic) {
			w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", to: "2026-03-05", asks: weekly.asks}, phase{id: "calm", from: "2026-03-06", asks: []string{"phq-9 1 mo"}})
		}, monitoring.Tally{Clients: 1, Cancelled: 1}},
		"nothing has changed": {func(*clinic) {}, monitoring.Tally{Clients: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClinic(t)
			w.plan("plan", "ida", "active", "", weekly)
			if sum := w.pass(); sum.Raised != 1 {
				t.Fatalf("%+v", sum)
			}
			w.at("2026-03-06T12:00:00Z")
			c.end(w)
			if sum := w.pass(); sum != c.tally {
				t.Errorf("%+v, %s", sum, w.statuses())
			}
			if c.tally.Cancelled > 0 && !strings.HasPrefix(w.statuses(), "2026-03-01 cancelled") {
				t.Error(w.statuses())
			}
			if sum := w.pass(); sum.Raised+sum.Completed+sum.Cancelled != 0 {
				t.Errorf("again: %+v", sum)
			}
		})
	}
}

func TestAPassGoesOverManyClientsInStretches(t *testing.T) {
	w := newClinic(t)
	const n = 120
	for i := range n {
		id := fmt.Sprintf("client-%d", i)
		w.client(id, "mira", "active", "")
		w.plan("plan-"+id, id, "active", "", phase{id: "acute-" + id, from: "2026-03-01", asks: []string{"phq-9 1 wk"}})
	}
	if sum := w.pass(); sum != (monitoring.Tally{Clients: n, Raised: n}) {
		t.Errorf("%+v", sum)
	}
	// One of them has a plan no more; the open task is found all the same.
	w.put(`{"resourceType":"CarePlan","id":"acute-client-7",` + secret + `,"status":"completed","intent":"plan","subject":{"reference":"Patient/client-7"}}`)
	if sum := w.pass(); sum != (monitoring.Tally{Clients: n, Cancelled: 1}) {
		t.Errorf("%+v", sum)
	}
}

func TestATaskThatWaitsGoesWithTheClientToAnotherTherapist(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}})
	w.pass()
	w.client("ida", "jon", "active", "")
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1, Reassigned: 1}) {
		t.Errorf("%+v", sum)
	}
	task := w.tasks("jon")[0]
	if o, _ := task.Root().Get("owner").Ref(); o.ID != "jon" {
		t.Errorf("%s", task.Body())
	}
	w.put(strings.Replace(string(task.Body()), `"requested"`, `"in-progress"`, 1))
	w.client("ida", "mira", "active", "")
	if sum := w.pass(); sum != (monitoring.Tally{Clients: 1}) {
		t.Errorf("what jon is at is taken from them: %+v", sum)
	}
}

func TestTwoPassesAtOnceRaiseOneTask(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}})
	raised := make(chan int, 4)
	for range cap(raised) {
		go func() {
			m := &monitoring.Monitor{Rules: w.rules, Gate: w.gate(""), Clock: w.clock}
			sum, err := m.Once(t.Context())
			if err != nil {
				t.Error(err)
			}
			raised <- sum.Raised
		}()
	}
	total := 0
	for range cap(raised) {
		total += <-raised
	}
	if total != 1 || w.statuses() != "2026-03-01 requested" {
		t.Errorf("%d raised: %s", total, w.statuses())
	}
}

func TestWhatComesOfATaskRunsInItsTransaction(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}})
	var seen []string
	m := &monitoring.Monitor{Rules: w.rules, Gate: w.gate(""), Clock: w.clock, Follow: []fhir.Follow{
		func(_ context.Context, _ fhir.Tx, x fhir.Written) error {
			seen = append(seen, x.Type)
			return fmt.Errorf("no")
		},
	}}
	if _, err := m.Once(t.Context()); err == nil || len(seen) != 1 || seen[0] != "Task" || len(w.tasks("")) != 0 {
		t.Errorf("%v %v", err, seen)
	}
}
