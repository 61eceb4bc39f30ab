package instrument

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"rapport/fhir"
)

func TestARiskRaisesAFlagAndATaskThatSaysNothingOfIt(t *testing.T) {
	in := library(t).BySlug("phq-9")
	out := derive(t, newShelf(), response(t, in, "........1", Occasion{Author: therapist1}))
	flags, tasks := of("Flag", out), of("Task", out)
	if len(flags) != 1 || len(tasks) != 1 {
		t.Fatalf("got %v", out)
	}
	flag, task := flags[0].Root(), tasks[0].Root()
	for _, c := range []struct{ got, want string }{
		{flag.Get("status").Text(), "active"}, {flag.At("category", "coding", "code").Text(), "safety"},
		{flag.At("subject", "reference").Text(), "Patient/c1"}, {flag.At("extension", "valueReference", "reference").Text(), "QuestionnaireResponse/r1"},
		{flag.At("period", "start").Text(), "2026-03-02T10:00:00+01:00"},
		{task.Get("status").Text(), "requested"}, {task.Get("intent").Text(), "order"}, {task.Get("priority").Text(), "stat"},
		{task.At("focus", "reference").Text(), flags[0].Key.String()}, {task.At("for", "reference").Text(), "Patient/c1"},
		{task.At("owner", "reference").Text(), "Practitioner/t1"}, {task.At("reasonReference", "reference").Text(), "QuestionnaireResponse/r1"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	for _, word := range []string{"dead", "harm", "PHQ", "44260", "item-9"} {
		if strings.Contains(string(tasks[0].Body()), word) {
			t.Errorf("the task says %q to whoever runs the practice", word)
		}
	}
	for _, r := range out {
		if !cmp.Equal(labels(r), []string{"R", "PSY"}) {
			t.Errorf("%v carries %v", r, labels(r))
		}
	}
	if o := of("Observation", out)[0].Root(); o.Get("valueQuantity").Exists() {
		t.Error("a partial form has a total")
	}
}

func TestARiskFiresInAFormThatWasBrokenOff(t *testing.T) {
	in := library(t).BySlug("phq-9")
	for _, st := range []string{"in-progress", "stopped"} {
		out := derive(t, newShelf(), response(t, in, "........3", Occasion{Status: st}))
		if len(of("Flag", out)) != 1 || len(of("Task", out)) != 1 || len(of("Observation", out)) != 0 {
			t.Errorf("%s: %v", st, out)
		}
	}
}

func TestTheTaskGoesToWhoeverTreatsTheClient(t *testing.T) {
	in := library(t).BySlug("phq-9")
	enc := fhir.Key{Type: "Encounter", ID: "e1"}
	held := parse(t, `{"resourceType":"Encounter","id":"e1","participant":[{"individual":{"reference":"RelatedPerson/m"}},{"individual":{"reference":"Practitioner/t2"}}]}`)
	empty := parse(t, `{"resourceType":"Encounter","id":"e1","episodeOfCare":[{"reference":"EpisodeOfCare/ep1"}]}`)
	episode := parse(t, `{"resourceType":"EpisodeOfCare","id":"ep1","status":"active","patient":{"reference":"Patient/c1"},"careManager":{"reference":"Practitioner/t3"}}`)
	another := parse(t, `{"resourceType":"EpisodeOfCare","id":"ep2","status":"active","patient":{"reference":"Patient/c1"},"careManager":{"reference":"Practitioner/t4"}}`)
	for name, c := range map[string]struct {
		shelf *shelf
		o     Occasion
		want  string
	}{
		"the author, if a therapist":            {newShelf(held), Occasion{Author: therapist1, Encounter: enc}, "Practitioner/t1"},
		"who held the encounter":                {newShelf(held), Occasion{Author: patient, Encounter: enc}, "Practitioner/t2"},
		"who manages the encounter's episode":   {newShelf(empty, episode, another), Occasion{Author: patient, Encounter: enc}, "Practitioner/t3"},
		"who manages the only active episode":   {newShelf(episode), Occasion{Author: patient}, "Practitioner/t3"},
		"nobody, where there are two to choose": {newShelf(episode, another), Occasion{Author: patient}, ""},
		"nobody, where nobody is known":         {newShelf(), Occasion{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tasks := of("Task", derive(t, c.shelf, response(t, in, "000000001", c.o)))
			if len(tasks) != 1 || tasks[0].Root().At("owner", "reference").Text() != c.want {
				t.Errorf("owner of %v", tasks)
			}
		})
	}
	locked := newShelf(episode)
	locked.closed["EpisodeOfCare"], locked.closed["Observation"] = true, true
	if tasks := of("Task", derive(t, locked, response(t, in, "000000001", Occasion{}))); len(tasks) != 1 {
		t.Error("a caller who may not search raises no task")
	}
}

func TestAnAmendedResponseAmendsItsScoreAndKeepsThePersonsWork(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf()
	first := derive(t, s, response(t, in, "111111111", Occasion{}))
	task := of("Task", first)[0]
	taken, err := withStatus(task, "in-progress")
	if err != nil {
		t.Fatal(err)
	}
	s.put(taken)

	out := derive(t, s, response(t, in, "211111111", Occasion{Status: "amended"}))
	if len(out) != 1 || status(out[0]) != "amended" || out[0].Key != first[0].Key || out[0].Root().At("valueQuantity", "value").Decimal() != "10" {
		t.Errorf("a typo elsewhere gives %v", out)
	}

	// Worse, while somebody is at it: no second task.
	if out = derive(t, s, response(t, in, "211111112", Occasion{Status: "amended"})); len(of("Task", out)) != 0 {
		t.Errorf("an open task is doubled: %v", out)
	}

	// Closed by a person, the flag ended, the same answer: stays so.
	done, _ := withStatus(task, "completed")
	ended, _ := withStatus(of("Flag", first)[0], "inactive")
	s.put(done, ended)
	if out = derive(t, s, response(t, in, "311111111", Occasion{Status: "amended"})); len(out) != 1 {
		t.Errorf("what a clinician ended is raised again: %v", out)
	}
	// Another answer: raised anew.
	out = derive(t, s, response(t, in, "311111113", Occasion{Status: "amended"}))
	if fl, ta := of("Flag", out), of("Task", out); len(fl) != 1 || status(fl[0]) != "active" || len(ta) != 1 || ta[0].Key == task.Key || status(ta[0]) != "requested" {
		t.Errorf("a new answer raises %v", out)
	}
}

func TestAWithdrawnRiskPutsTheFlagToRestAndLeavesTheTask(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf()
	first := derive(t, s, response(t, in, "000000002", Occasion{Status: "in-progress"}))
	out := derive(t, s, response(t, in, "000000000", Occasion{}))
	if fl := of("Flag", out); len(fl) != 1 || status(fl[0]) != "inactive" {
		t.Errorf("flag: %v", fl)
	}
	if len(of("Task", out)) != 0 || status(s.now[of("Task", first)[0].Key]) != "requested" {
		t.Error("the task was touched")
	}
	// And said again, with the task still open: the flag is up again.
	out = derive(t, s, response(t, in, "000000002", Occasion{Status: "amended"}))
	if fl := of("Flag", out); len(fl) != 1 || status(fl[0]) != "active" || len(of("Task", out)) != 0 {
		t.Errorf("said again: %v", out)
	}
}

func TestARiskIsRaisedAgainWhenWhatWasAnErrorIsNone(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf()
	for _, status := range []string{"completed", "entered-in-error"} {
		derive(t, s, response(t, in, "000000002", Occasion{Status: status}))
	}
	out := derive(t, s, response(t, in, "000000002", Occasion{}))
	if fl := of("Flag", out); len(fl) != 1 || status(fl[0]) != "active" {
		t.Errorf("flag: %v", fl)
	}
	if ts := of("Task", out); len(ts) != 1 || status(ts[0]) != "requested" {
		t.Errorf("task: %v", ts)
	}
}
