package storetest

import (
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

var clocked = []clockCase{
	{"a version is never earlier than one before it, though the clock goes back", func(t *testing.T, s store.Store, at *hand) {
		first, _ := put(t, s, key("Goal", "a"), "x", about("c"))
		at.move(-time.Hour)
		second, _ := put(t, s, key("Task", "b"), "x", about("c"))
		third := remove(t, s, key("Goal", "a"))
		if second.Updated.Before(first.Updated) || third.Updated.Before(second.Updated) {
			t.Errorf("%s, then %s, then %s", first.Updated, second.Updated, third.Updated)
		}
		at.move(2 * time.Hour)
		fourth, _ := put(t, s, key("Goal", "a"), "x", about("c"))
		if !fourth.Updated.Equal(at.Now()) {
			t.Errorf("written at %s, says %s", at.Now(), fourth.Updated)
		}
	}},
	{"_lastUpdated finds versions by their time", func(t *testing.T, s store.Store, at *hand) {
		put(t, s, key("Goal", "a"), "x", about("c"))
		noon := at.Now().Add(3 * time.Hour)
		at.move(3 * time.Hour)
		put(t, s, key("Goal", "b"), "x", about("c"))
		at.move(time.Hour)
		put(t, s, key("Goal", "c"), "x", about("c"))
		for prefix, want := range map[fhir.Prefix]int{fhir.Eq: 1, fhir.Ne: 2, fhir.Gt: 1, fhir.Lt: 1, fhir.Ge: 2, fhir.Le: 2, fhir.Sa: 1, fhir.Eb: 1} {
			q := fhir.Query{Type: "Goal", Count: 9, Total: true, Where: []fhir.Clause{{Param: "_lastUpdated", Kind: fhir.Special,
				Any: []fhir.Operand{{Prefix: prefix, Low: fhir.Micros(noon), High: fhir.Micros(noon)}}}}}
			if p := find(t, s, all, q); len(p.Found) != want || *p.Total != want {
				t.Errorf("%q: %d found, want %d", prefix, len(p.Found), want)
			}
		}
	}},
	{"a memo is there until the moment it expires", func(t *testing.T, s store.Store, at *hand) {
		if err := s.SetMemo(within(t), fhir.Memo{Space: "s", Key: "k", Value: []byte("v"), Expires: at.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		at.move(time.Minute - time.Microsecond)
		if memo(t, s, "s", "k").Version == 0 {
			t.Error("gone too early")
		}
		at.move(2 * time.Microsecond)
		if memo(t, s, "s", "k").Version != 0 {
			t.Error("still there")
		}
		if err := s.SetMemo(within(t), fhir.Memo{Space: "s", Key: "k", Value: []byte("w")}); err != nil {
			t.Errorf("as none, it can be set anew: %v", err)
		}
	}},
	{"a lease lasts as long as it was taken for", func(t *testing.T, s store.Store, at *hand) {
		enqueue(t, s, work("1", "a"))
		old := lease(t, s, "k", 1, time.Minute)[0]
		at.move(time.Minute - time.Millisecond)
		if got := lease(t, s, "k", 1, time.Minute); len(got) != 0 {
			t.Fatal("leased to two")
		}
		at.move(2 * time.Millisecond)
		got := lease(t, s, "k", 1, time.Minute)
		if len(got) != 1 {
			t.Fatal("not due though the lease ran out")
		}
		refused(t, s.Finish(within(t), old, fhir.Outcome{Done: true}), fhir.Conflict)
	}},
	{"work is due when its time has come", func(t *testing.T, s store.Store, at *hand) {
		w := work("1", "a")
		w.Due = at.Now().Add(time.Hour)
		enqueue(t, s, w)
		if len(lease(t, s, "k", 1, time.Minute)) != 0 {
			t.Fatal("leased before it was due")
		}
		at.move(time.Hour)
		got := lease(t, s, "k", 1, time.Minute)
		if len(got) != 1 {
			t.Fatal("not leased when it was due")
		}
		finish(t, s, got[0], fhir.Outcome{Retry: at.Now().Add(time.Minute)})
		at.move(time.Minute)
		if len(lease(t, s, "k", 1, time.Minute)) != 1 {
			t.Error("not leased when it was due again")
		}
	}},
}
