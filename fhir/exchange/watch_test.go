package exchange_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir/exchange"
)

// watch makes a watch of the clinic's, as a process that has just started.
func (w *world) watch() *exchange.Watch {
	c := w.clinic.courier
	return &exchange.Watch{Gate: c.Gate, Memos: c.Memos, Partners: c.Partners, Clock: w.clock}
}

// told lists what the clinic's staff was told: kind of resource, code or text, status.
func (w *world) told() (out []string) {
	for _, r := range w.clinic.find("Communication", "", "") {
		text := r.Root().Get("payload").Index(0).Get("contentString").Text()
		to := r.Root().Get("recipient").Index(0).Get("reference").Text()
		out = append(out, "reminder to "+to+": "+text[:strings.Index(text, ".")])
	}
	for _, r := range w.clinic.find("Task", "", "") {
		if c := r.Root().At("code", "coding").Index(0); c.Get("system").Text() == exchange.NoticeCodes {
			out = append(out, "task "+c.Get("code").Text()+" "+r.Root().Get("priority").Text()+" "+r.Root().Get("status").Text()+" for "+r.Root().At("owner", "reference").Text())
		}
	}
	slices.Sort(out)
	return out
}

const (
	noAnswer  = "reminder to Practitioner/mira: A referral has not been answered"
	noArrival = "reminder to Practitioner/mira: A referral has not reached the partner yet"
	timeIsUp  = "reminder to Practitioner/mira: The time that was set for a referral is over"
)

func (w *world) look(want ...string) {
	w.t.Helper()
	for range 2 { // the second, in a process of its own, adds nothing
		if _, err := w.watch().Once(w.t.(*testing.T).Context()); err != nil {
			w.t.Fatal(err)
		}
		if got := w.told(); !slices.Equal(got, want) {
			w.t.Errorf("at %v the staff has\n%s\nwant\n%s", w.now, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestAnAnswerThatIsOverdueIsRemindedOfThenSomebodyMustAct(t *testing.T) {
	p := newParts(t)
	for priority, c := range map[string]struct {
		wait time.Duration
		next string
	}{
		"stat": {exchange.WaitStat, "stat"}, "asap": {exchange.WaitASAP, "stat"}, "urgent": {exchange.WaitUrgent, "asap"}, "routine": {exchange.WaitRoutine, "urgent"},
	} {
		t.Run(priority, func(t *testing.T) {
			w, _ := joined(t, p)
			task := w.clinic.referral("1", "draft")
			w.clinic.amend(task.String(), `"intent"`, `"priority":"`+priority+`","intent"`)
			w.now = w.now.Add(100 * 24 * time.Hour) // a draft may lie as long as it likes
			w.look()
			w.clinic.step(task, "requested", "")
			began := w.now
			w.settle()
			before := w.clinic.get(task.String())
			w.now = began.Add(c.wait - time.Minute)
			w.look()
			w.now = began.Add(c.wait)
			w.look(noAnswer)
			w.now = began.Add(2*c.wait - time.Minute)
			w.look(noAnswer)
			w.now = began.Add(2 * c.wait)
			w.look(noAnswer, "task unanswered "+c.next+" requested for Practitioner/mira")
			if got := w.clinic.get(task.String()); got.Version != before.Version {
				t.Errorf("the referral was changed: %s", got.Body())
			}
			// The answer comes after all.
			w.hospital.step(w.copyOf(task)[0].Key, "accepted", "")
			w.settle()
			w.look(noAnswer, "task unanswered "+c.next+" cancelled for Practitioner/mira")
		})
	}
}

func TestTheSendersOwnTimeCountsAlsoForWhatWasAccepted(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "draft")
	w.clinic.amend(task.String(), `"intent"`, `"restriction":{"period":{"end":"2026-06-30"}},"intent"`)
	w.clinic.step(task, "requested", "")
	w.settle()
	w.now = time.Date(2026, 6, 30, 23, 0, 0, 0, time.UTC)
	w.look() // long after a fortnight, and within the day that was set
	w.hospital.step(w.copyOf(task)[0].Key, "accepted", "")
	w.settle()
	w.now = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	w.look(timeIsUp)
	w.now = w.now.Add(exchange.WaitRoutine)
	w.look(timeIsUp, "task unfinished urgent requested for Practitioner/mira")
	// Whoever has taken the Task up keeps it.
	for _, r := range w.clinic.find("Task", "code", exchange.NoticeCodes+"|unfinished") {
		w.clinic.amend(r.Key.String(), `"requested"`, `"in-progress"`)
	}
	w.hospital.step(w.copyOf(task)[0].Key, "completed", "DocumentReference/d1")
	w.settle()
	w.look(timeIsUp, "task unfinished urgent in-progress for Practitioner/mira")
}

// A day is over when it is over where the practice is, not in Greenwich.
func TestADeadlineIsOfTheDaysOfThePractice(t *testing.T) {
	p := newParts(t)
	for hours, over := range map[int]time.Time{
		1:  time.Date(2026, 6, 30, 23, 0, 0, 0, time.UTC),
		-7: time.Date(2026, 7, 1, 7, 0, 0, 0, time.UTC),
	} {
		w, _ := joined(t, p)
		task := w.clinic.referral("1", "draft")
		w.clinic.amend(task.String(), `"intent"`, `"restriction":{"period":{"end":"2026-06-30"}},"intent"`)
		w.clinic.step(task, "requested", "")
		w.settle()
		watch := w.watch()
		watch.Zone = time.FixedZone("practice", hours*60*60)
		for want, at := range []time.Time{over.Add(-time.Second), over} {
			w.now = at
			if told, err := watch.Once(t.Context()); told != want || err != nil {
				t.Errorf("%+d hours, at %v: %d told, %v", hours, at, told, err)
			}
		}
	}
}

func TestWhatPressesIsToldSoonerWhenItDoesNotArriveAndIsTriedAsLong(t *testing.T) {
	p := newParts(t)
	for priority, alarm := range map[string]time.Duration{"stat": exchange.AlarmStat, "routine": exchange.AlarmRoutine} {
		t.Run(priority, func(t *testing.T) {
			w, ch := joined(t, p)
			down := 0
			ch.fault = func(bool) fault { down++; return lostOnTheWay }
			task := w.clinic.referral("1", "draft")
			w.clinic.amend(task.String(), `"intent"`, `"priority":"`+priority+`","intent"`)
			w.clinic.step(task, "requested", "")
			began := w.now
			first := time.Duration(0)
			for w.now.Before(began.Add(24 * time.Hour)) { // the partner is down for a day
				if _, err := w.clinic.courier.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.now = w.now.Add(15 * time.Minute)
				told, err := w.watch().Once(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if told > 0 && first == 0 {
					first = w.now.Sub(began)
				}
			}
			if !slices.Contains(w.told(), noArrival) {
				t.Errorf("told was %q", w.told())
			}
			if first != alarm {
				t.Errorf("told after %v, want %v: %q", first, alarm, w.told())
			}
			if down < 40 || len(w.clinic.works(true)) != 0 {
				t.Errorf("%d tries; given up: %+v", down, w.clinic.works(true))
			}
			ch.fault = nil
			w.settle()
			if n := len(w.copyOf(task)); n != 1 {
				t.Errorf("it arrived %d times", n)
			}
			once(t, w.hospital, w.clinic.base)
			if _, err := w.watch().Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(w.told(), func(s string) bool {
				return strings.HasPrefix(s, "task undelivered") && strings.Contains(s, "requested")
			}) {
				t.Errorf("still said to be missing: %q", w.told())
			}
		})
	}
}

func TestTheWatchGoesOnWhereItStopped(t *testing.T) {
	w, _ := joined(t, newParts(t))
	const many = 15
	w.clinic.referral("0", "requested")
	body := string(w.clinic.get("Task/t0").Body())
	for n := range many {
		w.clinic.put(strings.Replace(body, `"id":"t0"`, `"id":"n`+string(rune('a'+n))+`"`, 1))
	}
	w.now = w.now.Add(exchange.AlarmRoutine)
	watch := w.watch()
	watch.Most = 10 // fewer than there are
	first, err := watch.Once(t.Context())
	if err != nil || first > 10 {
		t.Fatalf("%d told at once, %v", first, err)
	}
	second, err := watch.Once(t.Context())
	if err != nil || first+second != many+1 {
		t.Errorf("%d and %d were told, %v", first, second, err)
	}
}

func TestNobodyIsRemindedOfWhatAPartnerSent(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	w.now = w.now.Add(1000 * time.Hour)
	c := w.hospital.courier
	there := &exchange.Watch{Gate: c.Gate, Memos: c.Memos, Partners: c.Partners, Clock: w.clock}
	if told, err := there.Once(t.Context()); told != 0 || err != nil {
		t.Errorf("%d told of %s, %v", told, task, err)
	}
}

func TestAMessageThatIsGivenUpIsAPersonsBusinessUntilItIsBrought(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.copyOf(task)[0].Key
	w.hospital.step(theirs, "accepted", "")
	w.settle()
	// Both end it at the same moment, in two ways.
	w.hospital.step(theirs, "completed", "DocumentReference/d1")
	w.clinic.step(task, "cancelled", "")
	w.settle()
	for _, s := range []*side{w.clinic, w.hospital} {
		open := s.find("Task", "code", exchange.NoticeCodes+"|given-up")
		if len(open) != 1 || open[0].Root().Get("status").Text() != "requested" || !strings.Contains(open[0].Root().Get("description").Text(), "business-rule") {
			t.Errorf("%s: %d are told: %v; dead: %+v", s.name, len(open), open, s.works(true))
		}
	}
}
