package storetest

import (
	"context"
	"errors"
	"testing"

	"rapport/fhir"
	"rapport/fhir/store"
)

var conditions = []testCase{
	{"a write on another version than the current one is stale and leaves nothing", func(t *testing.T, s store.Store) {
		k := key("Goal", "1")
		put(t, s, k, "1", about("c"))
		put(t, s, k, "2", about("c"))
		for _, v := range []int64{1, 3} {
			_, _, err := tryPut(within(t), s, k, "x", about("c"), store.Condition{IfMatch: v})
			refused(t, err, fhir.Stale)
			_, err = tryRemove(within(t), s, k, store.Condition{IfMatch: v})
			refused(t, err, fhir.Stale)
		}
		if got := current(t, s, k); got != 2 {
			t.Fatalf("version %d, want 2", got)
		}
		if h, _, err := tryPut(within(t), s, k, "3", about("c"), store.Condition{IfMatch: 2}); err != nil || h.Version != 3 {
			t.Errorf("on the current version: %d, %v", h.Version, err)
		}
		if h, err := tryRemove(within(t), s, k, store.Condition{IfMatch: 3}); err != nil || h.Version != 4 {
			t.Errorf("delete on the current version: %d, %v", h.Version, err)
		}
	}},
	{"a version of what was never there is stale", func(t *testing.T, s store.Store) {
		_, _, err := tryPut(within(t), s, key("Goal", "1"), "x", about("c"), store.Condition{IfMatch: 1})
		refused(t, err, fhir.Stale)
	}},
	{"absent refuses an id that is in use or ever was", func(t *testing.T, s store.Store) {
		k := key("Goal", "1")
		if _, _, err := tryPut(within(t), s, k, "1", about("c"), store.Condition{Absent: true}); err != nil {
			t.Fatal(err)
		}
		_, _, err := tryPut(within(t), s, k, "2", about("c"), store.Condition{Absent: true})
		refused(t, err, fhir.Duplicate)
		remove(t, s, k)
		_, _, err = tryPut(within(t), s, k, "3", about("c"), store.Condition{Absent: true})
		refused(t, err, fhir.Duplicate)
		if got := current(t, s, k); got != 2 {
			t.Errorf("version %d, want the tombstone 2", got)
		}
	}},
	{"a condition is judged by what the same transaction wrote before", func(t *testing.T, s store.Store) {
		k := key("Goal", "1")
		update(t, s, func(ctx context.Context, tx store.Tx) error {
			if _, _, err := tx.Put(ctx, made(k, "1"), about("c"), store.Condition{Absent: true}); err != nil {
				return err
			}
			if _, _, err := tx.Put(ctx, made(k, "2"), about("c"), store.Condition{IfMatch: 1}); err != nil {
				return err
			}
			_, _, err := tx.Put(ctx, made(k, "3"), about("c"), store.Condition{IfMatch: 1})
			if !fhir.Is(err, fhir.Stale) {
				return errors.Join(errors.New("the version that the transaction replaced still counts"), err)
			}
			return nil
		})
		if got := current(t, s, k); got != 2 {
			t.Errorf("version %d: a refused write within a transaction that went on left something", got)
		}
	}},
}

// matchKey is some key to lock.
func matchKey(b byte) store.MatchKey { return store.MatchKey{b, 1, 2} }

// createOnce is a conditional create, as the gate does it.
func createOnce(ctx context.Context, s store.Store, k fhir.Key, value string, locks ...store.MatchKey) (created bool, err error) {
	err = s.Update(ctx, func(tx store.Tx) error {
		created = false
		if err := tx.Lock(ctx, locks...); err != nil {
			return err
		}
		p, err := tx.Find(ctx, all, byIdentifier(k.Type, value))
		if err != nil || len(p.Found) > 0 {
			return err
		}
		_, _, err = tx.Put(ctx, made(k, "x"), identified(value), store.Condition{Absent: true})
		created = err == nil
		return err
	})
	return created, err
}
