package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

var transactions = []testCase{
	{"of a transaction that fails nothing remains, of whatever kind", func(t *testing.T, s store.Store) {
		before := ask(t, s, func(ctx context.Context, r store.Reader) (store.Landscape, error) { return r.Landscape(ctx) })
		ctx := within(t)
		err := s.Update(ctx, func(tx store.Tx) error {
			if err := writeOneOfEach(ctx, tx); err != nil {
				return err
			}
			return errWanted
		})
		if !errors.Is(err, errWanted) {
			t.Fatalf("the closure's error came back as %v", err)
		}
		traces(t, s, false)
		after := ask(t, s, func(ctx context.Context, r store.Reader) (store.Landscape, error) { return r.Landscape(ctx) })
		same(t, before.Classes, after.Classes)
		same(t, before.Profiles, after.Profiles)
	}},
	{"of a transaction that succeeds all remains", func(t *testing.T, s store.Store) {
		update(t, s, writeOneOfEach)
		traces(t, s, true)
	}},
	{"a transaction sees what it wrote", func(t *testing.T, s store.Store) {
		update(t, s, func(ctx context.Context, tx store.Tx) error {
			if err := writeOneOfEach(ctx, tx); err != nil {
				return err
			}
			got, err := seen(ctx, tx)
			if err != nil {
				return err
			}
			for what, ok := range got {
				if !ok {
					t.Errorf("not seen: %s", what)
				}
			}
			return nil
		})
	}},
	{"nobody sees half of a transaction", func(t *testing.T, s store.Store) {
		ctx := within(t)
		a, b := key("Goal", "a"), key("Goal", "b")
		stop := make(chan struct{})
		wrote := make(chan error, 1)
		go func() {
			defer close(stop)
			for range 30 {
				err := s.Update(ctx, func(tx store.Tx) error {
					if _, _, err := tx.Put(ctx, made(a, "x"), about("c"), store.Condition{}); err != nil {
						return err
					}
					_, _, err := tx.Put(ctx, made(b, "x"), about("c"), store.Condition{})
					return err
				})
				if err != nil {
					wrote <- err
					return
				}
			}
			wrote <- nil
		}()
		for running := true; running; {
			select {
			case <-stop:
				running = false
			default:
			}
			err := s.View(ctx, func(r store.Reader) error {
				first, err := r.Heads(ctx, all, a)
				if err != nil {
					return err
				}
				second, err := r.Heads(ctx, all, b)
				if err != nil {
					return err
				}
				if len(first) != len(second) || len(first) > 0 && first[0].Version != second[0].Version {
					return fmt.Errorf("%v beside %v", names(first), names(second))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
	}},
	{"a view goes on seeing its snapshot while others write", func(t *testing.T, s store.Store) {
		ctx := within(t)
		k := key("Goal", "a")
		put(t, s, k, "x", about("c"))
		err := s.View(ctx, func(r store.Reader) error {
			if _, err := r.Find(ctx, all, fhir.Query{Type: "Goal", Count: 9}); err != nil {
				return err
			}
			if _, _, err := tryPut(ctx, s, key("Goal", "b"), "x", about("c"), store.Condition{}); err != nil {
				return fmt.Errorf("a write beside an open view: %w", err)
			}
			p, err := r.Find(ctx, all, fhir.Query{Type: "Goal", Count: 8, Total: true})
			if err == nil && (len(p.Found) != 1 || *p.Total != 1) {
				err = fmt.Errorf("%d found, %d counted within a snapshot of one", len(p.Found), *p.Total)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if p := find(t, s, all, fhir.Query{Type: "Goal", Count: 9}); len(p.Found) != 2 {
			t.Errorf("afterwards %d found", len(p.Found))
		}
	}},
	{"a closure that fails or is cancelled takes nothing from those beside it", func(t *testing.T, s store.Store) {
		ctx := within(t)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		const n = 60
		errs := together(n, func(i int) error {
			k := key("Goal", id("g", i))
			switch i % 4 {
			case 1: // fails after it wrote
				return s.Update(ctx, func(tx store.Tx) error {
					if _, _, err := tx.Put(ctx, made(k, "x"), about("c"), store.Condition{}); err != nil {
						return err
					}
					return errWanted
				})
			case 2: // cancelled before it starts
				_, _, err := tryPut(gone, s, k, "x", about("c"), store.Condition{})
				return err
			case 3: // fails within the store
				_, _, err := tryPut(ctx, s, k, "x", about("c"), store.Condition{IfMatch: 7})
				return err
			}
			_, _, err := tryPut(ctx, s, k, "x", about("c"), store.Condition{})
			return err
		})
		for i, err := range errs {
			wantErr := []bool{false, true, true, true}[i%4]
			if (err != nil) != wantErr {
				t.Errorf("closure %d of kind %d: %v", i, i%4, err)
			}
			if i%4 == 1 && !errors.Is(err, errWanted) {
				t.Errorf("closure %d: its own error came back as %v", i, err)
			}
			if there := current(t, s, key("Goal", id("g", i))) > 0; there == wantErr {
				t.Errorf("closure %d of kind %d: there is %v", i, i%4, there)
			}
		}
	}},
	{"a closure whose caller goes away while it runs takes nothing from those beside it", func(t *testing.T, s store.Store) {
		ctx := within(t)
		errs := together(20, func(i int) error {
			mine, cancel := context.WithCancel(ctx)
			defer cancel()
			err := s.Update(mine, func(tx store.Tx) error {
				if i%2 == 1 {
					cancel()
				}
				_, _, err := tx.Put(mine, made(key("Goal", id("g", i)), "x"), about("c"), store.Condition{})
				return err
			})
			return err
		})
		for i, err := range errs {
			there := current(t, s, key("Goal", id("g", i))) > 0
			if i%2 == 0 && err != nil {
				t.Errorf("closure %d, which nobody cancelled: %v", i, err)
			}
			if err == nil && !there {
				t.Errorf("closure %d was told of success and is not there", i)
			}
		}
	}},
	{"a context that is over is told before anything is done", func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ran := false
		if err := s.Update(ctx, func(store.Tx) error { ran = true; return nil }); err == nil || ran {
			t.Errorf("err %v, ran %v", err, ran)
		}
	}},
}

var inTransaction = fhir.Relation{Actor: key("Practitioner", "t"), Patient: key("Patient", "t")}

// writeOneOfEach writes with every method of Tx.
func writeOneOfEach(ctx context.Context, tx store.Tx) error {
	rec := identified("t")
	rec.Class, rec.Patients, rec.Relations = "class of the transaction", []fhir.Key{inTransaction.Patient}, []fhir.Relation{inTransaction}
	_, _, err := tx.Put(ctx, made(key("Goal", "t"), "x"), rec, store.Condition{})
	return errors.Join(err,
		tx.SetProfile(ctx, key("Patient", "t"), "profile of the transaction", time.Time{}),
		tx.SetMemo(ctx, fhir.Memo{Space: "s", Key: "t", Value: []byte("v")}),
		tx.Enqueue(ctx, fhir.Work{ID: "t", Lane: "l", Kind: "k"}),
		tx.Append(ctx, store.Entry{ID: "t", Writer: "w", At: epoch, Body: []byte(`{}`)}))
}

// seen says which traces of writeOneOfEach a reader sees.
func seen(ctx context.Context, r store.Reader) (map[string]bool, error) {
	hs, err := r.Heads(ctx, all, key("Goal", "t"))
	if err != nil {
		return nil, err
	}
	p, err := r.Find(ctx, all, byIdentifier("Goal", "t"))
	if err != nil {
		return nil, err
	}
	ps, err := r.Patients(ctx, key("Patient", "t"))
	if err != nil {
		return nil, err
	}
	c, err := r.Changes(ctx, all, fhir.Scope{Type: "Goal"}, fhir.Span{Count: 5})
	if err != nil {
		return nil, err
	}
	rs, err := r.Bodies(ctx, store.Ref{Key: key("Goal", "t"), Version: 1})
	if err != nil {
		return nil, err
	}
	m, err := r.Memo(ctx, "s", "t")
	return map[string]bool{
		"head": len(hs) == 1, "match": len(p.Found) == 1, "relation": len(ps[0].Relations) == 1,
		"profile": ps[0].Profile != "", "change": len(c.Heads) == 1, "body": !rs[0].IsZero(), "memo": m.Version > 0,
	}, err
}

// traces checks that all or nothing of writeOneOfEach is there.
func traces(t *testing.T, s store.Store, want bool) {
	t.Helper()
	ctx := within(t)
	got := ask(t, s, seen)
	ws, err := s.Works(ctx, false, 10)
	if err != nil {
		t.Fatal(err)
	}
	es, _, err := s.Entries(ctx, store.Entries{Max: 10})
	if err != nil {
		t.Fatal(err)
	}
	cs, _, err := s.Feed(ctx, fhir.Seq{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	got["work"], got["audit entry"], got["feed"] = len(ws) == 1, len(es) == 1, len(cs) == 1
	for what, there := range got {
		if there != want {
			t.Errorf("%s: there is %v, want %v", what, there, want)
		}
	}
}
