package sqlstore

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
)

func openPostgres(t testing.TB, dsn string, o Options) *DB {
	t.Helper()
	db, err := OpenPostgres(t.Context(), dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func TestPostgresKeepsTheContract(t *testing.T) {
	dsn := pgtest.Start(t, "fsync=off", "log_min_duration_statement=30")
	db := openPostgres(t, dsn, Options{})
	var n atomic.Int64
	storetest.Run(t, func(t *testing.T) store.Store { return opened(t, db, fmt.Sprint("t", n.Add(1))) })
	storetest.RunClock(t, func(t *testing.T, clock fhir.Clock) store.Store {
		return opened(t, openPostgres(t, dsn, Options{Clock: clock}), fmt.Sprint("t", n.Add(1)))
	})
}

// asks runs a query beside the store.
func asks(t *testing.T, db *DB, q string) (n int) {
	t.Helper()
	if err := db.engine.(*postgres).pool.QueryRow(t.Context(), q).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheWriterOfAnotherProcessIsWaitedForAndSeen(t *testing.T) {
	dsn := pgtest.Start(t, "fsync=off")
	db, other := openPostgres(t, dsn, Options{}), openPostgres(t, dsn, Options{})
	a, b := opened(t, db, "t"), opened(t, other, "t")
	ctx := t.Context()
	inside, goOn := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- a.Update(ctx, func(tx store.Tx) error {
			close(inside)
			<-goOn
			_, _, err := tx.Put(ctx, goal("a"), plain, store.Condition{Absent: true})
			return err
		})
	}()
	<-inside
	// Another tenant does not wait.
	if err := write(ctx, opened(t, other, "u"), "a"); err != nil {
		t.Error(err)
	}
	second := make(chan error, 1)
	go func() {
		second <- b.Update(ctx, func(tx store.Tx) error {
			_, _, err := tx.Put(ctx, goal("a"), plain, store.Condition{Absent: true})
			return err
		})
	}()
	for end := time.Now().Add(10 * time.Second); asks(t, db, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`) == 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the second writer of the tenant does not wait for the first")
		}
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-second; !fhir.Is(err, fhir.Duplicate) {
		t.Errorf("who waited was told %v, want a duplicate", err)
	}
	if n := asks(t, db, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'`); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

func TestAStatementThatFailsTakesNothingFromThoseBesideIt(t *testing.T) {
	db := openPostgres(t, pgtest.Start(t, "fsync=off"), Options{})
	s := opened(t, db, "t")
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			err := s.(*tenant).update(ctx, func(w *writer) error {
				if _, _, err := w.Put(ctx, goal(fmt.Sprint("g", i)), plain, store.Condition{}); err != nil {
					return err
				}
				if i%3 == 0 { // told by a later statement, of another closure perhaps
					return w.exec(ctx, `INSERT INTO term (tenant, text) VALUES ($1, 'Goal')`, w.t.id)
				}
				return nil
			})
			if (err != nil) != (i%3 == 0) {
				t.Errorf("closure %d was told %v", i, err)
			}
		})
	}
	wg.Wait()
	for i := range 24 {
		if got := exists(t, s, fmt.Sprint("g", i)); got != (i%3 != 0) {
			t.Errorf("of closure %d there is something: %v", i, got)
		}
	}
}

func TestAConnectionThatEndsIsTransientAndReplaced(t *testing.T) {
	db := openPostgres(t, pgtest.Start(t, "fsync=off"), Options{})
	s := opened(t, db, "t")
	ctx := t.Context()
	err := s.Update(ctx, func(tx store.Tx) error {
		if _, _, err := tx.Put(ctx, goal("a"), plain, store.Condition{}); err != nil {
			return err
		}
		// Everybody but who asks: the transaction's connection is among them.
		if _, err := db.engine.(*postgres).pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
			return err
		}
		_, _, err := tx.Put(ctx, goal("b"), plain, store.Condition{})
		return err
	})
	if !fhir.Is(err, fhir.Transient) {
		t.Errorf("told %v, want transient", err)
	}
	if err := write(ctx, s, "c"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if exists(t, s, "a") || exists(t, s, "b") || !exists(t, s, "c") {
		t.Error("something of the lost transaction is there")
	}
}

func TestADatabaseThatIsNotThereIsNotOpened(t *testing.T) {
	var dsn string
	t.Run("server", func(t *testing.T) { dsn = pgtest.Start(t, "fsync=off") }) // ends here
	if dsn == "" {
		t.SkipNow()
	}
	if _, err := OpenPostgres(t.Context(), dsn, Options{}); err == nil {
		t.Error("a database that is not there was opened")
	}
}

// TestWritersOfManyKindsComeToAnEnd: transactions that all read and write the same few
// rows are retried, in the end alone.
func TestWritersOfManyKindsComeToAnEnd(t *testing.T) {
	db := openPostgres(t, pgtest.Start(t, "fsync=off"), Options{})
	s := opened(t, db, "t")
	ctx := t.Context()
	var wg sync.WaitGroup
	const writers, each = 12, 8
	for range writers {
		wg.Go(func() {
			for range each {
				err := s.Update(ctx, func(tx store.Tx) error {
					for _, id := range []string{"a", "b", "c"} {
						if _, err := tx.Heads(ctx, fhir.Omniscient(), fhir.Key{Type: "Goal", ID: id}); err != nil {
							return err
						}
						if _, _, err := tx.Put(ctx, goal(id), plain, store.Condition{}); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	err := s.View(ctx, func(r store.Reader) error {
		hs, err := r.Heads(ctx, fhir.Omniscient(), fhir.Key{Type: "Goal", ID: "a"}, fhir.Key{Type: "Goal", ID: "c"})
		if err == nil && (len(hs) != 2 || hs[0].Version != writers*each || hs[1].Version != writers*each) {
			err = fmt.Errorf("%+v", hs)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
