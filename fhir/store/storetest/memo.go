package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

func memo(t *testing.T, s store.Store, space, k string) fhir.Memo {
	t.Helper()
	m, err := s.Memo(within(t), space, k)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var memos = []testCase{
	{"a memo is there once it is set, under its space and key alone", func(t *testing.T, s store.Store) {
		if m := memo(t, s, "s", "k"); m.Version != 0 || m.Value != nil {
			t.Errorf("before: %+v", m)
		}
		expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		if err := s.SetMemo(within(t), fhir.Memo{Space: "s", Key: "k", Value: []byte{0, 1}, Expires: expires}); err != nil {
			t.Fatal(err)
		}
		m := memo(t, s, "s", "k")
		if m.Version == 0 || m.Space != "s" || m.Key != "k" || string(m.Value) != "\x00\x01" || !m.Expires.Equal(expires) {
			t.Errorf("after: %+v", m)
		}
		if memo(t, s, "s", "other").Version != 0 || memo(t, s, "other", "k").Version != 0 {
			t.Error("it is under other names, too")
		}
		inside := ask(t, s, func(ctx context.Context, r store.Reader) (fhir.Memo, error) { return r.Memo(ctx, "s", "k") })
		same(t, m, inside)
	}},
	{"a memo is set only on the version that was read", func(t *testing.T, s store.Store) {
		ctx := within(t)
		set := func(version int64, value string) error {
			return s.SetMemo(ctx, fhir.Memo{Space: "s", Key: "k", Value: []byte(value), Version: version})
		}
		refused(t, set(1, "none yet"), fhir.Conflict)
		if err := set(0, "first"); err != nil {
			t.Fatal(err)
		}
		refused(t, set(0, "again"), fhir.Conflict)
		v := memo(t, s, "s", "k").Version
		refused(t, set(v+1, "later"), fhir.Conflict)
		if err := set(v, "second"); err != nil {
			t.Fatal(err)
		}
		refused(t, set(v, "third"), fhir.Conflict)
		if got := string(memo(t, s, "s", "k").Value); got != "second" {
			t.Errorf("it says %q", got)
		}
	}},
	{"a one-use value is used once by many at once", func(t *testing.T, s store.Store) {
		ctx := within(t)
		for _, inTx := range []bool{false, true} {
			var used atomic.Int64
			m := fhir.Memo{Space: "jti", Key: "x", Value: []byte("1")}
			if inTx {
				m.Key = "y"
			}
			none(t, together(25, func(int) error {
				var err error
				if inTx {
					err = s.Update(ctx, func(tx store.Tx) error { return tx.SetMemo(ctx, m) })
				} else {
					err = s.SetMemo(ctx, m)
				}
				if err == nil {
					used.Add(1)
				} else if !fhir.Is(err, fhir.Conflict) {
					return err
				}
				return nil
			}))
			if used.Load() != 1 {
				t.Errorf("used %d times (in a transaction: %v)", used.Load(), inTx)
			}
		}
	}},
	{"an expired memo is as none", func(t *testing.T, s store.Store) {
		ctx := within(t)
		if err := s.SetMemo(ctx, fhir.Memo{Space: "s", Key: "k", Value: []byte("old"), Expires: time.Now().Add(-time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if m := memo(t, s, "s", "k"); m.Version != 0 {
			t.Errorf("it is there: %+v", m)
		}
		if err := s.SetMemo(ctx, fhir.Memo{Space: "s", Key: "k", Value: []byte("new")}); err != nil {
			t.Fatalf("cannot be set anew: %v", err)
		}
		if m := memo(t, s, "s", "k"); string(m.Value) != "new" || !m.Expires.IsZero() {
			t.Errorf("got %+v", m)
		}
	}},
	{"within a transaction a memo goes with it", func(t *testing.T, s store.Store) {
		ctx := within(t)
		err := s.Update(ctx, func(tx store.Tx) error {
			m, err := tx.Memo(ctx, "s", "k")
			if err != nil {
				return err
			}
			m.Space, m.Key, m.Value = "s", "k", []byte("v")
			if err := tx.SetMemo(ctx, m); err != nil {
				return err
			}
			if again, err := tx.Memo(ctx, "s", "k"); err != nil || again.Version == 0 {
				return errors.Join(errors.New("not seen by its own transaction"), err)
			}
			return errWanted
		})
		if !errors.Is(err, errWanted) {
			t.Fatal(err)
		}
		if m := memo(t, s, "s", "k"); m.Version != 0 {
			t.Errorf("left behind: %+v", m)
		}
	}},
}
