package sqlstore

import (
	"errors"
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

// advisory counts the advisory locks that are held, but for those of statements that
// look at it.
func advisory(t *testing.T, db *DB) (n int) {
	t.Helper()
	p := db.engine.(*postgres)
	if err := p.side.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestALockTakenAfterReadingBeginsTheTransactionAgain(t *testing.T) {
	db := openPostgres(t, pgtest.Start(t, "fsync=off"), Options{})
	s := opened(t, db, "t")
	ctx := t.Context()
	lock := store.MatchKey{1}
	runs := 0
	read := func(tx store.Tx) (bool, error) {
		hs, err := tx.Heads(ctx, fhir.Omniscient(), fhir.Key{Type: "Goal", ID: "a"})
		return len(hs) > 0, err
	}
	inside, goOn := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- s.Update(ctx, func(tx store.Tx) error {
			if err := tx.Lock(ctx, lock); err != nil {
				return err
			}
			close(inside)
			<-goOn
			_, _, err := tx.Put(ctx, goal("a"), plain, store.Condition{Absent: true})
			return err
		})
	}()
	<-inside
	second := make(chan error, 1)
	sawIt := false
	go func() {
		second <- s.Update(ctx, func(tx store.Tx) error {
			runs++
			if _, err := read(tx); err != nil {
				return err
			}
			if err := tx.Lock(ctx, lock); err != nil {
				return err
			}
			var err error
			sawIt, err = read(tx)
			return err
		})
	}()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		var waits int
		if err := db.engine.(*postgres).side.QueryRow(ctx, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		if waits == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the second does not wait for the lock")
		}
	}
	close(goOn)
	for _, c := range []chan error{first, second} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
	if !sawIt || runs != 2 {
		t.Errorf("after %d runs with the lock it sees what was written before the lock: %v", runs, sawIt)
	}
	if n := advisory(t, db); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

func TestLocksGoWithTheTransactionHoweverItEnds(t *testing.T) {
	db := openPostgres(t, pgtest.Start(t, "fsync=off"), Options{})
	s := opened(t, db, "t")
	ctx := t.Context()
	wanted := errors.New("on purpose")
	for name, end := range map[string]func() error{
		"succeeds": func() error { return nil },
		"fails":    func() error { return wanted },
		"panics":   func() error { panic(wanted) },
	} {
		func() {
			defer func() { _ = recover() }()
			err := s.Update(ctx, func(tx store.Tx) error {
				if err := tx.Lock(ctx, store.MatchKey{1}, store.MatchKey{2}); err != nil {
					return err
				}
				if _, _, err := tx.Put(ctx, goal(name), plain, store.Condition{}); err != nil {
					return err
				}
				return end()
			})
			if name == "succeeds" && err != nil || name == "fails" && err != wanted {
				t.Errorf("one that %s: %v", name, err)
			}
		}()
		if n := advisory(t, db); n != 0 {
			t.Errorf("one that %s leaves %d locks", name, n)
		}
		if got := exists(t, s, name); got != (name == "succeeds") {
			t.Errorf("of one that %s there is something: %v", name, got)
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
		if _, err := db.engine.(*postgres).side.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
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
