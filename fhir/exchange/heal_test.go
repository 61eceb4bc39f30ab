package exchange_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rapport/adapters/sqlstore"
	"rapport/fhir"
	"rapport/fhir/exchange"
)

// What a wire that loses, repeats, delays and reorders does to two sides that go on
// working on it, and processes that end at any step, once all is whole again: nothing.

var statuses = []string{"draft", "requested", "accepted", "rejected", "in-progress", "on-hold", "completed", "failed", "cancelled", "entered-in-error"}

// figures are what a check went through.
type figures struct {
	runs, acts, steps, stops, corrections, deleted  int
	requests, lost, unheard, repeated, late, deaths int
	arrived, crossed                                int
}

func (f figures) String() string {
	return fmt.Sprintf("%d runs, %d acts (%d steps of Tasks, %d requests to stop, %d corrections, %d deletions); of %d requests %d were lost, of %d the answer, %d came twice, %d late and out of order; "+
		"%d times a courier's process ended; %d referrals arrived, of %d a cancellation crossed the end and was flagged on both sides",
		f.runs, f.acts, f.steps, f.stops, f.corrections, f.deleted, f.requests, f.lost, f.unheard, f.repeated, f.late, f.deaths, f.arrived, f.crossed)
}

func TestBothSidesAgreeOnceTheWireIsWholeAgain(t *testing.T) {
	p := newParts(t)
	db, err := sqlstore.OpenSQLite(t.Context(), ":memory:", sqlstore.Options{Clock: func() time.Time { return p.world.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p.db = db
	var f figures
	rapid.Check(t, func(rt *rapid.T) {
		f.runs++
		w, ch := joined(t, p)
		faults := rapid.SampledFrom([]fault{none, none, none, lostOnTheWay, lostOnTheWayBack, twice, delayed})
		ch.fault = func(write bool) fault {
			x := faults.Draw(rt, "fault")
			if x == delayed && !write {
				x = lostOnTheWay
			}
			f.requests++
			switch x {
			case lostOnTheWay:
				f.lost++
			case lostOnTheWayBack:
				f.unheard++
			case twice:
				f.repeated++
			case delayed:
				f.late++
			}
			return x
		}
		tasks := []fhir.Key{w.clinic.referral("0", "requested")}
		for range rapid.IntRange(10, 40).Draw(rt, "acts") {
			f.acts++
			act(rt, w, &tasks, &f)
			for _, s := range []*side{w.clinic, w.hospital} {
				if rapid.Bool().Draw(rt, "courier") {
					run(rt, s, &f)
				}
			}
			if rapid.Bool().Draw(rt, "late") && len(ch.late) > 0 {
				ch.arrive(rapid.IntRange(0, len(ch.late)-1).Draw(rt, "which"))
			}
			w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{0, 5, 60, 180}).Draw(rt, "seconds")) * time.Second)
		}
		ch.fault = nil
		for len(ch.late) > 0 { // what was under way arrives, in any order
			ch.arrive(rapid.IntRange(0, len(ch.late)-1).Draw(rt, "late"))
		}
		w.settle()
		for _, task := range tasks {
			ours := w.clinic.get(task.String())
			copies := w.copyOf(task)
			f.arrived += len(copies)
			answered(rt, w, task)
			upToDate(rt, w, ours, copies)
			if agree(rt, w, ours, copies) {
				f.crossed++
			}
		}
		alike(rt, w, w.clinic, w.hospital)
		alike(rt, w, w.hospital, w.clinic)
		once(rt, w.hospital, w.clinic.base)
		once(rt, w.clinic, w.hospital.base)
	})
	t.Log(f)
	if f.arrived == 0 || f.stops*f.corrections*f.deleted == 0 || f.lost*f.unheard*f.repeated*f.late*f.deaths == 0 {
		t.Error("something of it never happened")
	}
}

// run lets a courier look once, in a process that may end meanwhile.
func run(rt *rapid.T, s *side, f *figures) {
	m := &mortal{left: -1}
	if rapid.SampledFrom([]bool{false, false, false, true}).Draw(rt, "mortal") {
		m.left, m.after = rapid.IntRange(0, 25).Draw(rt, "left"), rapid.Bool().Draw(rt, "after")
	}
	if err := s.once(context.Background(), m); err != nil {
		rt.Fatal(err)
	}
	if m.dead {
		f.deaths++
	}
}

// act does one thing that a person may do.
func act(rt *rapid.T, w *world, tasks *[]fhir.Key, f *figures) {
	switch rapid.SampledFrom([]string{"hospital", "refer", "clinic", "correct", "hospital", "schedule", "report", "note", "delete", "stop", "answer"}).Draw(rt, "act") {
	case "refer":
		if n := len(*tasks); n < 3 {
			*tasks = append(*tasks, w.clinic.referral(fmt.Sprint(n), rapid.SampledFrom([]string{"draft", "requested", "requested"}).Draw(rt, "begins")))
		}
	case "clinic":
		if len(*tasks) > 0 {
			try(rt, w.clinic, rapid.SampledFrom(*tasks).Draw(rt, "task"), exchange.Sender)
			f.steps++
		}
	case "hospital":
		if c := copyIn(rt, w, *tasks); !c.IsZero() {
			try(rt, w.hospital, c.Key, exchange.Receiver)
			f.steps++
		}
	case "schedule":
		if c := copyIn(rt, w, *tasks); c.Root().Get("status").Text() == "accepted" {
			code := rapid.SampledFrom([]string{exchange.Scheduled, exchange.Unattended, exchange.ScheduleCancelled}).Draw(rt, "business")
			if a := w.hospital.serve(w.hospital.staff, http.MethodPut, c.Key.String(), nil, scheduled(c, code)); a.Status != http.StatusOK {
				rt.Fatalf("%d %s", a.Status, a.Body)
			}
			f.steps++
		}
	case "stop":
		task := rapid.SampledFrom(*tasks).Draw(rt, "task")
		if stop := "stop-" + task.ID; slices.Contains([]string{"requested", "accepted", "in-progress", "on-hold"}, w.clinic.status(task)) && w.clinic.get("Task/"+stop).IsZero() {
			w.clinic.put(asksToStop(stop, task))
			f.stops++
		}
	case "answer":
		for _, r := range w.hospital.find("Task", "code", "abort") {
			if r.Root().Get("status").Text() == "requested" {
				answer(rt, w.hospital, r)
				break
			}
		}
	case "correct":
		if len(*tasks) > 0 {
			g := w.clinic.get("Goal/g1")
			status := rapid.SampledFrom([]string{"active", "on-hold", "entered-in-error"}).Draw(rt, "lifecycle")
			w.clinic.put(fmt.Sprintf(`{"resourceType":"Goal","id":"g1","lifecycleStatus":%q,"description":{"text":"Sleep %d"},"subject":{"reference":"Patient/p1"}}`, status, g.Version))
			f.corrections++
		}
	case "delete": // the goal, which the next correction or referral brings back
		if !w.clinic.get("Goal/g1").IsZero() {
			w.clinic.remove("Goal/g1")
			f.deleted++
		}
	case "report":
		for _, r := range w.hospital.find("DocumentReference", "", "") {
			if strings.HasPrefix(r.ID, "report-") {
				w.hospital.put(report(r.ID, r.Root().Get("subject"), r.Version))
				f.corrections++
				break
			}
		}
	case "note":
		for _, g := range w.theirsOf("Goal/g1") {
			o := fhir.NewObject()
			for name, v := range g.Root().Members() {
				if name != "note" {
					o.Set(name, v)
				}
			}
			w.hospital.put(string(o.Set("note", []*fhir.Object{fhir.NewObject().Set("text", "Seen.")}).JSON()))
		}
	}
}

// copyIn draws one of the hospital's copies.
func copyIn(rt *rapid.T, w *world, tasks []fhir.Key) fhir.Resource {
	if len(tasks) > 0 {
		if copies := w.copyOf(rapid.SampledFrom(tasks).Draw(rt, "task")); len(copies) > 0 {
			return copies[0]
		}
	}
	return fhir.Resource{}
}

func report(id string, subject fhir.Node, n int64) string {
	return fmt.Sprintf(`{"resourceType":"DocumentReference","id":%q,"status":"current","description":"%d","subject":%s,"content":[{"attachment":{"contentType":"text/plain","data":"SGVyZQ=="}}]}`,
		id, n, subject.Raw())
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
		s.put(report(id, s.get(task.String()).Root().Get("for"), 0))
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

// answer says yes or no to a request to stop.
func answer(rt *rapid.T, s *side, stop fhir.Resource) {
	status, want := rapid.SampledFrom([]string{"accepted", "rejected"}).Draw(rt, "answer"), http.StatusOK
	focus, _ := stop.Root().Get("focus").Ref()
	if is := s.status(focus); status == "accepted" && is != "cancelled" && exchange.Check(is, "cancelled", exchange.Receiver) != nil {
		want = http.StatusUnprocessableEntity
	}
	if a := s.step(stop.Key, status, ""); a.Status != want {
		rt.Fatalf("%s to stop what is %s: %d %s", status, s.status(focus), a.Status, a.Body)
	}
}

// answered holds a request to stop against its copy; where the referral never arrived, a
// person was told.
func answered(rt *rapid.T, w *world, task fhir.Key) {
	stop := w.clinic.get("Task/stop-" + task.ID)
	if stop.IsZero() {
		return
	}
	copies := w.copyOf(stop.Key)
	given := func(x fhir.Work) bool { return strings.HasPrefix(x.ID, exchange.Ask+"/"+stop.ID+"@") }
	if len(copies) == 0 && len(w.copyOf(task)) == 0 && slices.ContainsFunc(w.clinic.works(true), given) {
		return
	}
	if ours := stop.Root().Get("status").Text(); len(copies) != 1 || copies[0].Root().Get("status").Text() != ours {
		rt.Fatalf("%s is %s, and %d copies: %v; dead: %+v %+v", stop.Key, ours, len(copies), copies, w.clinic.works(true), w.hospital.works(true))
	}
}

// upToDate holds the note of a referral against the goal that it may speak of.
func upToDate(rt *rapid.T, w *world, ours fhir.Resource, copies []fhir.Resource) {
	goal := w.clinic.get("Goal/g1").Root()
	for _, c := range copies {
		for _, r := range w.hospital.find("DocumentReference", "", "") {
			if r.Root().At("context", "related").Index(0).Get("reference").Text() != c.Root().At("focus", "reference").Text() {
				continue
			}
			b, err := base64.StdEncoding.DecodeString(r.Root().At("content", "attachment", "data").Text())
			if err != nil {
				rt.Fatal(err)
			}
			if _, after, speaks := strings.Cut(string(b), "Sleep"); speaks && ours.Root().Get("status").Text() != "entered-in-error" {
				now := goal.At("description", "text").Text()
				if !goal.Exists() || goal.Get("lifecycleStatus").Text() == "entered-in-error" || !strings.HasPrefix("Sleep"+after, now+"<") {
					rt.Fatalf("%s: the note says Sleep%.10s, the goal %s %q; dead: %+v", ours.Key, after, goal.Get("lifecycleStatus").Text(), now, w.clinic.works(true))
				}
			}
		}
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
		flagged := func(s *side, task fhir.Key) bool {
			return slices.ContainsFunc(s.find("Task", "code", exchange.NoticeCodes+"|"+exchange.GivenUp), func(r fhir.Resource) bool {
				k, _ := r.Root().Get("focus").Ref()
				return k == task && r.Root().Get("status").Text() == "requested"
			})
		}
		if status != "cancelled" || !slices.Contains(ended, there) || !flagged(w.clinic, ours.Key) || !flagged(w.hospital, theirs.Key) {
			rt.Fatalf("%s is %s, its copy %s; dead: %+v %+v", ours.Key, status, there, w.clinic.works(true), w.hospital.works(true))
		}
		return true
	}
	if status == "cancelled" || status == "entered-in-error" || status == "requested" {
		return false // nothing more is told then
	}
	if a, b := exchange.BusinessOf(ours.Root()), exchange.BusinessOf(theirs.Root()); a != b {
		rt.Fatalf("%s is %s at the clinic, %s at the hospital; dead: %+v", ours.Key, a, b, w.hospital.works(true))
	}
	out := ours.Root().Get("output")
	if out.Len() != theirs.Root().Get("output").Len() {
		rt.Fatalf("the output of %s is %s, there %s", ours.Key, out.Raw(), theirs.Root().Get("output").Raw())
	}
	for o := range out.Elements() {
		if w.clinic.get(o.At("valueReference", "reference").Text()).IsZero() {
			rt.Fatalf("the output of %s is not there: %s", ours.Key, out.Raw())
		}
	}
	return false
}

// alike holds what one side made against the copies that the other has.
func alike(rt *rapid.T, w *world, from, to *side) {
	for typ, names := range map[string][]string{
		"Goal": {"lifecycleStatus", "description"}, "ServiceRequest": {"status", "reasonCode"}, "Patient": {"name"}, "DocumentReference": {"status", "description"},
	} {
		for _, theirs := range to.find(typ, "", "") {
			for id := range theirs.Root().Get("identifier").Elements() {
				if id.Get("system").Text() != from.base+"/"+typ {
					continue
				}
				ours := from.get(typ + "/" + id.Get("value").Text())
				if ours.IsZero() { // the note, which we do not keep, or what was deleted
					if s := theirs.Root().Get(names[0]).Text(); typ == "Goal" && s != "entered-in-error" {
						rt.Fatalf("%s was deleted at the %s, and is %s at the %s; waiting %+v, dead %+v", id.Get("value").Text(), from.name, s, to.name, from.works(false), from.works(true))
					}
					continue
				}
				for _, name := range names {
					if a, b := ours.Root().Get(name), theirs.Root().Get(name); !a.Same(b) {
						rt.Fatalf("%s of %s is %s at the %s, %s at the %s; waiting %+v, dead %+v", name, ours.Key, a.Raw(), from.name, b.Raw(), to.name, from.works(false), from.works(true))
					}
				}
			}
		}
	}
	for _, x := range from.works(true) {
		if strings.HasPrefix(x.ID, "correct/") || strings.HasPrefix(x.ID, "settle/") || strings.HasPrefix(x.ID, "deliver/") {
			rt.Fatalf("%s gave up %+v", from.name, x)
		}
	}
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
