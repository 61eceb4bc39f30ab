package storetest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"rapport/fhir"
	"rapport/fhir/store"
)

var races = []testCase{
	{"of 50 conditional creates of one identifier at once one creates", func(t *testing.T, s store.Store) {
		ctx := within(t)
		var created atomic.Int64
		none(t, together(50, func(i int) error {
			ok, err := createOnce(ctx, s, key("Patient", id("p", i)), "mrn", matchKey(1))
			if ok {
				created.Add(1)
			}
			return err
		}))
		p := find(t, s, all, byIdentifier("Patient", "mrn"))
		if created.Load() != 1 || len(p.Found) != 1 {
			t.Errorf("%d said to have created, %d are there", created.Load(), len(p.Found))
		}
	}},
	{"locks taken in opposite orders do not wait for each other for ever", func(t *testing.T, s store.Store) {
		ctx := within(t)
		locks := []store.MatchKey{matchKey(1), matchKey(2), matchKey(3), matchKey(1)}
		none(t, together(30, func(i int) error {
			mine := slices.Clone(locks)
			if i%2 == 0 {
				slices.Reverse(mine)
			}
			_, err := createOnce(ctx, s, key("Patient", id("p", i)), id("v", i%3), mine...)
			return err
		}))
		for i := range 3 {
			if p := find(t, s, all, byIdentifier("Patient", id("v", i))); len(p.Found) != 1 {
				t.Errorf("identifier %d: %d resources", i, len(p.Found))
			}
		}
	}},
	{"of 30 creates with one id at once one creates, the others are told of a duplicate", func(t *testing.T, s store.Store) {
		ctx := within(t)
		k := key("Goal", "1")
		var created, duplicate atomic.Int64
		none(t, together(30, func(int) error {
			_, _, err := tryPut(ctx, s, k, "x", about("c"), store.Condition{Absent: true})
			switch {
			case err == nil:
				created.Add(1)
			case fhir.Is(err, fhir.Duplicate):
				duplicate.Add(1)
			default:
				return err
			}
			return nil
		}))
		if created.Load() != 1 || duplicate.Load() != 29 || current(t, s, k) != 1 {
			t.Errorf("%d created, %d duplicates, version %d", created.Load(), duplicate.Load(), current(t, s, k))
		}
	}},
	{"of 30 updates of one version at once one succeeds, the others are stale", func(t *testing.T, s store.Store) {
		ctx := within(t)
		k := key("Goal", "1")
		put(t, s, k, "0", about("c"))
		var done, stale atomic.Int64
		none(t, together(30, func(int) error {
			_, _, err := tryPut(ctx, s, k, "x", about("c"), store.Condition{IfMatch: 1})
			switch {
			case err == nil:
				done.Add(1)
			case fhir.Is(err, fhir.Stale):
				stale.Add(1)
			default:
				return err
			}
			return nil
		}))
		if done.Load() != 1 || stale.Load() != 29 || current(t, s, k) != 2 {
			t.Errorf("%d done, %d stale, version %d", done.Load(), stale.Load(), current(t, s, k))
		}
	}},
	{"no update is lost between reading and writing", func(t *testing.T, s store.Store) {
		ctx := within(t)
		k := key("Goal", "1")
		put(t, s, k, "0", about("c"))
		none(t, together(20, func(int) error {
			return s.Update(ctx, func(tx store.Tx) error {
				hs, err := tx.Heads(ctx, all, k)
				if err != nil {
					return err
				}
				rs, err := tx.Bodies(ctx, store.Ref{Key: k, Version: hs[0].Version})
				if err != nil {
					return err
				}
				n, err := strconv.Atoi(textOf(rs[0]))
				if err != nil {
					return err
				}
				_, _, err = tx.Put(ctx, made(k, strconv.Itoa(n+1)), about("c"), store.Condition{})
				return err
			})
		}))
		if got := textOf(bodies(t, s, store.Ref{Key: k, Version: 21})[0]); got != "20" {
			t.Errorf("counted to %q in version 21, want 20", got)
		}
	}},
	{"two that each look at what the other writes do not both go by what was", func(t *testing.T, s store.Store) {
		// Write skew: snapshot isolation lets both through.
		ctx := within(t)
		for round := range 20 {
			typ := "Task"
			if round%2 == 0 { // the first of a type that the tenant ever saw
				typ += string(rune('A' + round))
			}
			ks := []fhir.Key{key(typ, id("a", round)), key(typ, id("b", round))}
			none(t, together(2, func(i int) error {
				return s.Update(ctx, func(tx store.Tx) error {
					hs, err := tx.Heads(ctx, all, ks[1-i])
					if err != nil || len(hs) > 0 {
						return err
					}
					_, _, err = tx.Put(ctx, made(ks[i], "x"), about("c"), store.Condition{})
					return err
				})
			}))
			if got := len(heads(t, s, all, ks...)); got != 1 {
				t.Fatalf("round %d: %d of the two are there", round, got)
			}
		}
	}},
	{"an error is told only when what it rests on can be read", func(t *testing.T, s store.Store) {
		ctx := within(t)
		for round := range 15 {
			k := key("Goal", id("g", round))
			none(t, together(8, func(int) error {
				_, _, err := tryPut(ctx, s, k, "x", about("c"), store.Condition{Absent: true})
				if err == nil || !fhir.Is(err, fhir.Duplicate) {
					return err
				}
				hs, err := tryAsk(ctx, s, func(ctx context.Context, r store.Reader) ([]store.Head, error) { return r.Heads(ctx, all, k) })
				if err == nil && len(hs) == 0 {
					return errors.New("told of a duplicate of which nothing is there")
				}
				return err
			}))
		}
	}},
	{"no error rests on what a neighbour wrote and took back", func(t *testing.T, s store.Store) {
		ctx := within(t)
		for round := range 15 {
			k := key("Goal", id("g", round))
			errs := together(9, func(i int) error {
				return s.Update(ctx, func(tx store.Tx) error {
					if _, _, err := tx.Put(ctx, made(k, "x"), about("c"), store.Condition{Absent: true}); err != nil {
						return err
					}
					if i > 0 { // all but one take it back
						return errWanted
					}
					return nil
				})
			})
			if errs[0] != nil {
				t.Fatalf("the only one to stay was refused: %v", errs[0])
			}
			for _, err := range errs[1:] {
				if !errors.Is(err, errWanted) && !fhir.Is(err, fhir.Duplicate) {
					t.Errorf("a neighbour was told %v", err)
				}
			}
		}
	}},
}
