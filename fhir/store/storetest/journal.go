package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

func entry(id, writer string, at time.Time) store.Entry {
	return store.Entry{ID: id, Writer: writer, At: at, Body: []byte(`{"id":"` + id + `"}`)}
}

func appended(t *testing.T, s store.Store, es ...store.Entry) {
	t.Helper()
	if err := s.Append(within(t), store.Synced, es...); err != nil {
		t.Fatal(err)
	}
}

// listedEntries reads all pages of a selection.
func listedEntries(t *testing.T, s store.Store, sel store.Entries) (all []store.Entry) {
	t.Helper()
	for range 100 {
		es, next, err := s.Entries(within(t), sel)
		if err != nil {
			t.Fatal(err)
		}
		if len(es) > sel.Max {
			t.Fatalf("%d entries, at most %d were asked for", len(es), sel.Max)
		}
		all = append(all, es...)
		if sel.After = next; next == "" {
			return all
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

func entryIDs(es []store.Entry) (out []string) {
	for _, e := range es {
		out = append(out, e.ID)
	}
	return out
}

// sealed gives entries places from n on.
func sealed(n int64, es ...store.Entry) []store.Entry {
	es = slices.Clone(es)
	for i := range es {
		es[i].N = n + int64(i)
		es[i].Hash = []byte{byte(es[i].N), 0, 255}
	}
	return es
}

var journals = []testCase{
	{"entries come back as they were given, by time, then id, page by page", func(t *testing.T, s store.Store) {
		var want []store.Entry
		for i, name := range []string{"c", "a", "e", "b", "d"} {
			e := entry(name, "w", epoch.Add(time.Duration(i/2)*time.Microsecond))
			appended(t, s, e)
			want = append(want, e)
		}
		slices.SortFunc(want, func(a, b store.Entry) int {
			if c := a.At.Compare(b.At); c != 0 {
				return c
			}
			return slices.Compare([]byte(a.ID), []byte(b.ID))
		})
		for _, size := range []int{1, 2, 5, 9} {
			same(t, want, listedEntries(t, s, store.Entries{Max: size}))
		}
		same(t, []string{"b", "e", "d"}, entryIDs(listedEntries(t, s, store.Entries{Max: 2, Since: epoch.Add(time.Microsecond)})))
	}},
	{"the same id appended twice keeps the first, in and outside a transaction", func(t *testing.T, s store.Store) {
		first := entry("1", "w", epoch)
		second := store.Entry{ID: "1", Writer: "v", At: epoch.Add(time.Hour), Body: []byte(`{"other":1}`)}
		appended(t, s, first)
		appended(t, s, second, entry("2", "w", epoch.Add(time.Second)))
		update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Append(ctx, second) })
		if err := s.Append(within(t), store.Batched, second); err != nil {
			t.Fatal(err)
		}
		same(t, []store.Entry{first, entry("2", "w", epoch.Add(time.Second))}, listedEntries(t, s, store.Entries{Max: 9}))
	}},
	{"entries of either durability are in the store when Append returns", func(t *testing.T, s store.Store) {
		for i, d := range []store.Durability{store.Synced, store.Batched} {
			if err := s.Append(within(t), d, entry(fmt.Sprint(i), "w", epoch)); err != nil {
				t.Fatal(err)
			}
			if got := listedEntries(t, s, store.Entries{Max: 9}); len(got) != i+1 {
				t.Errorf("durability %d: %d entries", d, len(got))
			}
		}
	}},
	{"an entry is kept after the transaction beside it was rolled back", func(t *testing.T, s store.Store) {
		ctx := within(t)
		err := s.Update(ctx, func(tx store.Tx) error {
			if err := tx.Append(ctx, entry("inside", "w", epoch)); err != nil {
				return err
			}
			return errWanted
		})
		if !errors.Is(err, errWanted) {
			t.Fatal(err)
		}
		appended(t, s, entry("denied", "w", epoch))
		same(t, []string{"denied"}, entryIDs(listedEntries(t, s, store.Entries{Max: 9})))
	}},
	{"unsealed entries come in the order of their commit", func(t *testing.T, s store.Store) {
		var want []string
		for i := range 12 { // times and ids run the other way
			e := entry(id("e", 99-i), []string{"w", "v"}[i%2], epoch.Add(-time.Duration(i)*time.Hour))
			if i%3 == 0 {
				update(t, s, func(ctx context.Context, tx store.Tx) error { return tx.Append(ctx, e) })
			} else {
				appended(t, s, e)
			}
			want = append(want, e.ID)
		}
		same(t, want, entryIDs(listedEntries(t, s, store.Entries{Unsealed: true, Max: 5})))
		var ofW []string
		for i := 0; i < len(want); i += 2 {
			ofW = append(ofW, want[i])
		}
		same(t, ofW, entryIDs(listedEntries(t, s, store.Entries{Unsealed: true, Writer: "w", Max: 4})))
	}},
	{"sealed entries have their place and hash and come by it", func(t *testing.T, s store.Store) {
		a, b, c, d := entry("a", "w", epoch.Add(3*time.Microsecond)), entry("b", "w", epoch.Add(2*time.Second)), entry("c", "w", epoch), entry("d", "v", epoch)
		appended(t, s, a, b, c, d)
		chain := sealed(1, b, a)
		if err := s.Seal(within(t), chain, store.Checkpoint{Writer: "w", N: 2, Body: []byte(`{"n":2}`)}); err != nil {
			t.Fatal(err)
		}
		got := listedEntries(t, s, store.Entries{Writer: "w", Max: 5})
		if !slices.Equal(entryIDs(got), []string{"b", "a"}) {
			t.Fatalf("by N: %q", entryIDs(got))
		}
		for i, e := range got {
			if e.N != chain[i].N || !slices.Equal(e.Hash, chain[i].Hash) || string(e.Body) != string(chain[i].Body) {
				t.Errorf("sealed as %+v, want %+v", e, chain[i])
			}
		}
		after, _, err := s.Entries(within(t), store.Entries{Writer: "w", AfterN: 1, Max: 5})
		if err != nil || !slices.Equal(entryIDs(after), []string{"a"}) {
			t.Errorf("after place 1: %q, %v", entryIDs(after), err)
		}
		same(t, []string{"c", "d"}, entryIDs(listedEntries(t, s, store.Entries{Unsealed: true, Max: 5})))
	}},
	{"a place is taken once: a second seal is a conflict and leaves nothing", func(t *testing.T, s store.Store) {
		a, b, c := entry("a", "w", epoch), entry("b", "w", epoch), entry("c", "v", epoch)
		appended(t, s, a, b, c)
		ctx := within(t)
		if err := s.Seal(ctx, sealed(1, a), store.Checkpoint{Writer: "w", N: 1, Body: []byte("1")}); err != nil {
			t.Fatal(err)
		}
		refused(t, s.Seal(ctx, sealed(1, b), store.Checkpoint{Writer: "w", N: 1, Body: []byte("other")}), fhir.Conflict)
		same(t, []string{"b", "c"}, entryIDs(listedEntries(t, s, store.Entries{Unsealed: true, Max: 5})))
		cs, err := s.Checkpoints(ctx, "w")
		if err != nil || len(cs) != 1 || string(cs[0].Body) != "1" {
			t.Errorf("checkpoints %v, %v", cs, err)
		}
		if err := s.Seal(ctx, sealed(1, c), store.Checkpoint{Writer: "v", N: 1, Body: []byte("v")}); err != nil {
			t.Errorf("the same place in another writer's chain: %v", err)
		}
	}},
	{"checkpoints come by place, of one writer or of all", func(t *testing.T, s store.Store) {
		ctx := within(t)
		for _, n := range []int64{1, 2, 10} {
			for _, w := range []string{"w", "v"} {
				e := entry(fmt.Sprint(w, n), w, epoch)
				appended(t, s, e)
				if err := s.Seal(ctx, sealed(n, e), store.Checkpoint{Writer: w, N: n, Body: []byte(fmt.Sprint(w, n))}); err != nil {
					t.Fatal(err)
				}
			}
		}
		cs, err := s.Checkpoints(ctx, "w")
		if err != nil {
			t.Fatal(err)
		}
		same(t, []store.Checkpoint{{Writer: "w", N: 1, Body: []byte("w1")}, {Writer: "w", N: 2, Body: []byte("w2")}, {Writer: "w", N: 10, Body: []byte("w10")}}, cs)
		if cs, err := s.Checkpoints(ctx, ""); err != nil || len(cs) != 6 {
			t.Errorf("of all: %d, %v", len(cs), err)
		}
		ws, err := s.Writers(ctx)
		slices.Sort(ws)
		if err != nil || !slices.Equal(ws, []string{"v", "w"}) {
			t.Errorf("writers %q, %v", ws, err)
		}
	}},
	{"no entry is missed by one who reads unsealed ones while many append", func(t *testing.T, s store.Store) {
		ctx := within(t)
		done := make(chan []error)
		go func() {
			done <- together(10, func(w int) error {
				for i := range 10 {
					e := entry(fmt.Sprintf("%d-%d", w, i), "w", epoch)
					var err error
					if i%2 == 0 {
						err = s.Append(ctx, store.Batched, e)
					} else {
						err = s.Update(ctx, func(tx store.Tx) error { return tx.Append(ctx, e) })
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		}()
		n := int64(0)
		seal := func() {
			es, _, err := s.Entries(ctx, store.Entries{Writer: "w", Unsealed: true, Max: 7})
			if err != nil {
				t.Fatal(err)
			}
			if len(es) > 0 {
				if err := s.Seal(ctx, sealed(n+1, es...), store.Checkpoint{Writer: "w", N: n + int64(len(es)), Body: []byte("{}")}); err != nil {
					t.Fatal(err)
				}
				n += int64(len(es))
			}
		}
		for running := true; running; {
			select {
			case errs := <-done:
				none(t, errs)
				running = false
			default:
				seal()
			}
		}
		until(t, "all 100 are sealed", func() bool { seal(); return n >= 100 })
		if n != 100 {
			t.Errorf("%d were sealed of 100", n)
		}
	}},
}
