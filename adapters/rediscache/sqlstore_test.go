package rediscache_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"rapport/adapters/rediscache"
	"rapport/adapters/sqlstore"
	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
)

func closing(t testing.TB, db *sqlstore.DB, err error) *sqlstore.DB {
	t.Helper()
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

func tenant(t testing.TB, db *sqlstore.DB, id string) store.Store {
	t.Helper()
	s, err := db.Tenant(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cached wraps a tenant that nobody else has, closed before its store is.
func cached(t testing.TB, db *sqlstore.DB, id string, keys rediscache.Keys, r *rediscache.Redis, clock fhir.Clock) store.Store {
	return wrappedAs(t, id, tenant(t, db, id), keys, r, clock)
}

func TestACacheOverSQLiteKeepsTheContract(t *testing.T) {
	keys := newKeys(t)
	for what, redis := range map[string]bool{"without Redis": false, "with Redis": true} {
		t.Run(what, func(t *testing.T) {
			var r *rediscache.Redis
			if redis {
				r = startServer(t).dial()
			}
			var n atomic.Int64
			db, err := sqlstore.OpenSQLite(t.Context(), ":memory:", sqlstore.Options{})
			closing(t, db, err)
			storetest.Run(t, func(t *testing.T) store.Store { return cached(t, db, fmt.Sprint("t", n.Add(1)), keys, r, time.Now) })
		})
	}
	storetest.RunClock(t, func(t *testing.T, clock fhir.Clock) store.Store {
		db, err := sqlstore.OpenSQLite(t.Context(), ":memory:", sqlstore.Options{Clock: clock})
		return cached(t, closing(t, db, err), "t", keys, nil, clock)
	})
}

func TestACacheOverPostgresKeepsTheContract(t *testing.T) {
	dsn := pgtest.Start(t, "fsync=off")
	db, err := sqlstore.OpenPostgres(t.Context(), dsn, sqlstore.Options{})
	closing(t, db, err)
	r := startServer(t).dial()
	keys := newKeys(t)
	var n atomic.Int64
	storetest.Run(t, func(t *testing.T) store.Store { return cached(t, db, fmt.Sprint("t", n.Add(1)), keys, r, time.Now) })
}

func TestASecondReadIssuesNoStatement(t *testing.T) {
	var requests, background atomic.Int64
	db, err := sqlstore.OpenSQLite(t.Context(), ":memory:", sqlstore.Options{Statement: func(origin string) {
		if origin == "request" {
			requests.Add(1)
		} else {
			background.Add(1)
		}
	}})
	c := cached(t, closing(t, db, err), "t", newKeys(t), nil, time.Now)
	written(t, c, "first")
	requests.Store(0)
	if text, found := read(t, c); text != "first" || found != 1 || requests.Load() == 0 {
		t.Fatalf("read %q, found %d, after %d statements", text, found, requests.Load())
	}
	// Once what was written came by in the Feed it is known to be ours. A cache that a busy
	// machine kept from following the Feed for a second asks anew, so this may take a while.
	until(t, "reading again issues no statement", func() bool {
		time.Sleep(3 * rediscache.Poll)
		read(t, c)
		requests.Store(0)
		for range 5 {
			if text, found := read(t, c); text != "first" || found != 1 {
				t.Fatalf("read %q, found %d", text, found)
			}
		}
		return requests.Load() == 0
	})
	if background.Load() == 0 {
		t.Error("the feed was followed without a statement: what was counted?")
	}
	written(t, c, "second")
	if text, _ := read(t, c); text != "second" {
		t.Errorf("after a write %q is read", text)
	}
}
