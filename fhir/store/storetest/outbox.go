package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

func enqueue(t *testing.T, s store.Store, ws ...fhir.Work) {
	t.Helper()
	for _, w := range ws { // each in a transaction of its own: the order is theirs
		update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Enqueue(ctx, w) })
	}
}

func lease(t *testing.T, s store.Store, kind string, n int, d time.Duration) []fhir.Work {
	t.Helper()
	ws, err := s.Lease(within(t), kind, n, d)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func finish(t *testing.T, s store.Store, w fhir.Work, o fhir.Outcome) {
	t.Helper()
	if err := s.Finish(within(t), w, o); err != nil {
		t.Fatalf("finish %s: %v", w.ID, err)
	}
}

func workIDs(ws []fhir.Work) (out []string) {
	for _, w := range ws {
		out = append(out, w.ID)
	}
	return out
}

func work(id, lane string) fhir.Work {
	return fhir.Work{ID: id, Lane: lane, Kind: "k", Body: []byte(id)}
}

func works(t *testing.T, s store.Store, dead bool) []string {
	t.Helper()
	ws, err := s.Works(within(t), dead, 100)
	if err != nil {
		t.Fatal(err)
	}
	ids := workIDs(ws)
	slices.Sort(ids)
	return ids
}

var outbox = []testCase{
	{"works of a lane are leased in order, one at a time", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("z1", "a"), work("y2", "a"), work("x3", "a"))
		for _, want := range []string{"z1", "y2", "x3"} {
			got := lease(t, s, "k", 10, time.Minute)
			if !slices.Equal(workIDs(got), []string{want}) {
				t.Fatalf("leased %q, want %q", workIDs(got), want)
			}
			if got[0].Attempt != 1 || got[0].Lease == "" || string(got[0].Body) != want || got[0].Born.IsZero() || got[0].Lane != "a" || got[0].Kind != "k" {
				t.Errorf("leased as %+v", got[0])
			}
			if more := lease(t, s, "k", 10, time.Minute); len(more) > 0 {
				t.Errorf("%q leased beside it", workIDs(more))
			}
			finish(t, s, got[0], fhir.Outcome{Done: true})
		}
		if got := lease(t, s, "k", 10, time.Minute); len(got) > 0 || len(works(t, s, false)) > 0 {
			t.Errorf("finished work came again: %q", workIDs(got))
		}
	}},
	{"lanes go side by side, kinds and numbers as asked for", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("a1", "a"), work("a2", "a"), work("b1", "b"), work("c1", "c"), fhir.Work{ID: "other", Lane: "d", Kind: "other"})
		if got := workIDs(lease(t, s, "k", 2, time.Minute)); len(got) != 2 || slices.Contains(got, "a2") || slices.Contains(got, "other") {
			t.Errorf("leased %q", got)
		}
		if got := workIDs(lease(t, s, "k", 9, time.Minute)); len(got) != 1 {
			t.Errorf("then %q", got)
		}
		if got := workIDs(lease(t, s, "other", 9, time.Minute)); !slices.Equal(got, []string{"other"}) {
			t.Errorf("of the other kind %q", got)
		}
	}},
	{"the same id is one work", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("1", "a"), fhir.Work{ID: "1", Lane: "b", Kind: "k", Body: []byte("again")})
		got := lease(t, s, "k", 10, time.Minute)
		if len(got) != 1 || got[0].Lane != "a" || string(got[0].Body) != "1" {
			t.Errorf("leased %+v", got)
		}
		finish(t, s, got[0], fhir.Outcome{Done: true})
		enqueue(t, s, work("1", "a"))
		if again := lease(t, s, "k", 10, time.Minute); len(again) > 0 {
			t.Errorf("what was done came again: %+v", again)
		}
	}},
	{"what is not due waits, and what waits keeps its lane waiting", func(t *testing.T, s store.Store) {
		later := work("later", "a")
		later.Due = time.Now().Add(time.Hour)
		enqueue(t, s, later, work("behind", "a"), work("now", "b"))
		if got := workIDs(lease(t, s, "k", 10, time.Minute)); !slices.Equal(got, []string{"now"}) {
			t.Errorf("leased %q", got)
		}
	}},
	{"a work put off keeps its place in the lane", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("1", "a"), work("2", "a"))
		first := lease(t, s, "k", 1, time.Minute)[0]
		finish(t, s, first, fhir.Outcome{Retry: time.Now().Add(time.Hour), Note: "partner is down"})
		if got := lease(t, s, "k", 9, time.Minute); len(got) > 0 {
			t.Errorf("%q overtook", workIDs(got))
		}
		ws, err := s.Works(within(t), false, 10)
		if err != nil || len(ws) != 2 {
			t.Fatalf("%d works, %v", len(ws), err)
		}
		i := slices.IndexFunc(ws, func(w fhir.Work) bool { return w.ID == "1" })
		if i < 0 || ws[i].Note != "partner is down" || ws[i].Attempt != 1 {
			t.Errorf("listed as %+v", ws)
		}
	}},
	{"a work put off to the past is due again and counts attempts", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("1", "a"))
		for attempt := 1; attempt <= 3; attempt++ {
			got := lease(t, s, "k", 1, time.Minute)
			if len(got) != 1 || got[0].Attempt != attempt {
				t.Fatalf("attempt %d: %+v", attempt, got)
			}
			finish(t, s, got[0], fhir.Outcome{Retry: time.Now().Add(-time.Second)})
		}
	}},
	{"a dead work is kept, seen and lets its lane go on", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("1", "a"), work("2", "a"))
		finish(t, s, lease(t, s, "k", 1, time.Minute)[0], fhir.Outcome{Dead: true, Note: "refused"})
		same(t, []string{"1"}, works(t, s, true))
		same(t, []string{"2"}, works(t, s, false))
		if got := workIDs(lease(t, s, "k", 9, time.Minute)); !slices.Equal(got, []string{"2"}) {
			t.Errorf("leased %q", got)
		}
		ws, err := s.Works(within(t), true, 10)
		if err != nil || !ws[0].Dead || ws[0].Note != "refused" || string(ws[0].Body) != "1" {
			t.Errorf("kept as %+v, %v", ws, err)
		}
	}},
	{"a lease that ran out makes the work due, and its holder is told", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("1", "a"))
		old := lease(t, s, "k", 1, 20*time.Millisecond)[0]
		var again []fhir.Work
		until(t, "the work is due again", func() bool {
			again = lease(t, s, "k", 1, time.Minute)
			return len(again) == 1
		})
		if again[0].Attempt != 2 || again[0].Lease == old.Lease {
			t.Errorf("leased again as %+v", again[0])
		}
		refused(t, s.Finish(within(t), old, fhir.Outcome{Done: true}), fhir.Conflict)
		finish(t, s, again[0], fhir.Outcome{Done: true})
		refused(t, s.Finish(within(t), again[0], fhir.Outcome{Done: true}), fhir.Conflict)
	}},
	{"a dead work that is revived is due in its old place, as if new", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("1", "a"), work("2", "a"))
		first := lease(t, s, "k", 1, time.Minute)[0]
		finish(t, s, first, fhir.Outcome{Dead: true, Note: "refused"})
		if err := s.Revive(within(t), "1"); err != nil {
			t.Fatal(err)
		}
		same(t, []string(nil), works(t, s, true))
		got := lease(t, s, "k", 9, time.Minute)
		if !slices.Equal(workIDs(got), []string{"1"}) || got[0].Attempt != 2 || got[0].Born.Before(first.Born) || string(got[0].Body) != "1" {
			t.Fatalf("leased %+v", got)
		}
		refused(t, s.Finish(within(t), first, fhir.Outcome{Done: true}), fhir.Conflict)
		refused(t, s.Revive(within(t), "1"), fhir.Conflict)
		refused(t, s.Drop(within(t), "1"), fhir.Conflict)
		finish(t, s, got[0], fhir.Outcome{Done: true})
		refused(t, s.Revive(within(t), "1"), fhir.NotFound)
		refused(t, s.Revive(within(t), "never there"), fhir.NotFound)
	}},
	{"a work that waits for another try is revived too", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("1", "a"))
		finish(t, s, lease(t, s, "k", 1, time.Minute)[0], fhir.Outcome{Retry: time.Now().Add(time.Hour), Note: "down"})
		if got := lease(t, s, "k", 1, time.Minute); len(got) > 0 {
			t.Fatalf("due already: %+v", got)
		}
		if err := s.Revive(within(t), "1"); err != nil {
			t.Fatal(err)
		}
		if got := workIDs(lease(t, s, "k", 1, time.Minute)); !slices.Equal(got, []string{"1"}) {
			t.Errorf("leased %q", got)
		}
	}},
	{"a work that is dropped is gone, its id used, its lane free", func(t *testing.T, s store.Store) {
		enqueue(t, s, work("1", "a"), work("2", "a"), work("3", "b"))
		finish(t, s, lease(t, s, "k", 1, time.Minute)[0], fhir.Outcome{Dead: true, Note: "refused"})
		for _, id := range []string{"1", "2"} { // one dead, one waiting
			if err := s.Drop(within(t), id); err != nil {
				t.Fatal(err)
			}
			refused(t, s.Drop(within(t), id), fhir.NotFound)
		}
		enqueue(t, s, work("1", "a"), work("4", "a"))
		same(t, []string(nil), works(t, s, true))
		same(t, []string{"3", "4"}, works(t, s, false))
		refused(t, s.Drop(within(t), "never there"), fhir.NotFound)
	}},
	{"of many who lease at once each gets other work", func(t *testing.T, s store.Store) {
		const lanes = 12
		for i := range lanes {
			enqueue(t, s, work(id("1-", i), id("lane", i)), work(id("2-", i), id("lane", i)))
		}
		ctx := within(t)
		var mu sync.Mutex
		held := map[string]int{}
		none(t, together(8, func(int) error {
			for range 3 {
				ws, err := s.Lease(ctx, "k", 2, time.Minute)
				if err != nil {
					return err
				}
				mu.Lock()
				for _, w := range ws {
					held[w.Lane]++
				}
				mu.Unlock()
			}
			return nil
		}))
		for lane, n := range held {
			if n != 1 {
				t.Errorf("%s was leased %d times at once", lane, n)
			}
		}
		if len(held) != lanes {
			t.Errorf("%d of %d lanes were leased", len(held), lanes)
		}
	}},
}
