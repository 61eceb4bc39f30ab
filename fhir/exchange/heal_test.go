package exchange_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// What a wire that loses, repeats and delays does to two sides that go on working,
// once it is whole again: nothing.

var statuses = []string{"draft", "requested", "accepted", "rejected", "in-progress", "on-hold", "completed", "failed", "cancelled", "entered-in-error"}

func TestBothSidesAgreeOnceTheWireIsWholeAgain(t *testing.T) {
	p := newParts(t)
	var sent, crossed int
	rapid.Check(t, func(rt *rapid.T) {
		w, ch := joined(t, p)
		faults := rapid.SampledFrom([]fault{none, none, none, lostOnTheWay, lostOnTheWayBack, twice, delayed})
		ch.fault = func(write bool) fault {
			f := faults.Draw(rt, "fault")
			if f == delayed && !write {
				f = lostOnTheWay
			}
			return f
		}
		var tasks []fhir.Key
		for range rapid.IntRange(5, 30).Draw(rt, "acts") {
			act(rt, w, ch, &tasks)
		}
		ch.fault = nil
		for len(ch.late) > 0 { // what was under way arrives, in any order
			ch.arrive(rapid.IntRange(0, len(ch.late)-1).Draw(rt, "late"))
		}
		w.settle()
		for _, task := range tasks {
			ours := w.clinic.get(task.String())
			copies := w.copyOf(task)
			if len(copies) > 0 {
				sent++
			}
			if agree(rt, w, ours, copies) {
				crossed++
			}
		}
		once(rt, w.hospital, w.clinic.base)
		once(rt, w.clinic, w.hospital.base)
	})
	t.Logf("%d referrals arrived; of %d the end was crossed by a cancellation", sent, crossed)
	if sent == 0 {
		t.Error("no referral ever arrived")
	}
}

// act does one thing that a person, a courier, the wire or the time may do.
func act(rt *rapid.T, w *world, ch *wire, tasks *[]fhir.Key) {
	switch rapid.SampledFrom([]string{"refer", "clinic", "hospital", "hospital", "courier", "courier", "courier", "answers", "answers", "late", "time"}).Draw(rt, "act") {
	case "refer":
		if n := len(*tasks); n < 3 {
			*tasks = append(*tasks, w.clinic.referral(fmt.Sprint(n), rapid.SampledFrom([]string{"draft", "requested", "requested"}).Draw(rt, "begins")))
		}
	case "clinic":
		if len(*tasks) > 0 {
			try(rt, w.clinic, rapid.SampledFrom(*tasks).Draw(rt, "task"), exchange.Sender)
		}
	case "hospital":
		if len(*tasks) > 0 {
			if copies := w.copyOf(rapid.SampledFrom(*tasks).Draw(rt, "task")); len(copies) > 0 {
				try(rt, w.hospital, copies[0].Key, exchange.Receiver)
			}
		}
	case "courier":
		if _, err := w.clinic.courier.Once(context.Background()); err != nil {
			rt.Fatal(err)
		}
	case "answers":
		if _, err := w.hospital.courier.Once(context.Background()); err != nil {
			rt.Fatal(err)
		}
	case "late":
		if len(ch.late) > 0 {
			ch.arrive(rapid.IntRange(0, len(ch.late)-1).Draw(rt, "late"))
		}
	case "time":
		w.now = w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(rt, "seconds")) * time.Second)
	}
}

func (w *wire) arrive(i int) {
	f := w.late[i]
	w.late = slices.Delete(w.late, i, i+1)
	f()
}

// try takes a step, legal or not, and holds the answer against the table.
func try(rt *rapid.T, s *side, task fhir.Key, by exchange.Side) {
	from := s.get(task.String()).Root().Get("status").Text()
	to := rapid.SampledFrom(statuses).Draw(rt, "to")
	if next := exchange.Next(from, by); len(next) > 0 && rapid.IntRange(0, 9).Draw(rt, "legal") > 0 {
		to = rapid.SampledFrom(next).Draw(rt, "next")
	}
	output := ""
	if by == exchange.Receiver && (to == "completed" || to == "in-progress") {
		id := "report-" + task.ID
		s.put(`{"resourceType":"DocumentReference","id":"` + id + `","status":"current","subject":` + string(s.get(task.String()).Root().Get("for").Raw()) +
			`,"content":[{"attachment":{"contentType":"text/plain","data":"SGVyZQ=="}}]}`)
		output = "DocumentReference/" + id
	}
	a := s.step(task, to, output)
	want := http.StatusOK
	if exchange.Check(from, to, by) != nil {
		want = http.StatusUnprocessableEntity
	}
	if a.Status != want {
		rt.Fatalf("%s: %s to %s: %d %s", s.name, from, to, a.Status, a.Body)
	}
}

// agree holds the two Tasks of a referral against each other, and reports whether a
// cancellation crossed an end.
func agree(rt *rapid.T, w *world, ours fhir.Resource, copies []fhir.Resource) (crossed bool) {
	status := ours.Root().Get("status").Text()
	switch len(copies) {
	case 0:
		if status != "draft" && status != "cancelled" && status != "entered-in-error" {
			rt.Fatalf("%s is %s and was never delivered; dead: %+v", ours.Key, status, w.clinic.works(true))
		}
		return false
	case 1:
	default:
		rt.Fatalf("%s arrived %d times", ours.Key, len(copies))
	}
	theirs := copies[0]
	there := theirs.Root().Get("status").Text()
	if there != status {
		ended := []string{"completed", "failed", "rejected"}
		given := slices.ContainsFunc(w.clinic.works(true), func(x fhir.Work) bool { return strings.HasPrefix(x.ID, "withdraw/"+ours.ID+"@") }) &&
			slices.ContainsFunc(w.hospital.works(true), func(x fhir.Work) bool { return strings.HasPrefix(x.ID, "answer/"+theirs.ID+"@") })
		if status != "cancelled" || !slices.Contains(ended, there) || !given {
			rt.Fatalf("%s is %s, its copy %s; dead: %+v %+v", ours.Key, status, there, w.clinic.works(true), w.hospital.works(true))
		}
		return true
	}
	if status == "in-progress" || status == "completed" {
		out := ours.Root().Get("output")
		if out.Len() != theirs.Root().Get("output").Len() || w.clinic.get(out.Index(0).At("valueReference", "reference").Text()).IsZero() {
			rt.Fatalf("the output of %s is %s, there %s", ours.Key, out.Raw(), theirs.Root().Get("output").Raw())
		}
	}
	return false
}

// once checks that each thing of the other side's is here once.
func once(rt interface{ Fatalf(string, ...any) }, s *side, base string) {
	for _, typ := range []string{"Patient", "Practitioner", "Organization", "Goal", "ServiceRequest", "Task", "DocumentReference"} {
		seen := map[string]bool{}
		for _, r := range s.find(typ, "", "") {
			for id := range r.Root().Get("identifier").Elements() {
				key := id.Get("system").Text() + "|" + id.Get("value").Text()
				if seen[key] && (strings.HasPrefix(key, base+"/") || typ == "Organization") {
					rt.Fatalf("%s has %s twice as %s", s.name, key, typ)
				}
				seen[key] = true
			}
		}
	}
}
