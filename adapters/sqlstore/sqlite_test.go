package sqlstore

import (
	"path/filepath"
	"testing"

	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
)

func openSQLite(t testing.TB, path string, o Options) *DB {
	t.Helper()
	db, err := OpenSQLite(t.Context(), path, o)
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

func opened(t testing.TB, db *DB, id string) store.Store {
	t.Helper()
	s, err := db.Tenant(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return opened(t, openSQLite(t, ":memory:", Options{}), "t")
	})
	storetest.RunClock(t, func(t *testing.T, clock fhir.Clock) store.Store {
		return opened(t, openSQLite(t, filepath.Join(t.TempDir(), "store.db"), Options{Clock: clock}), "t")
	})
}
