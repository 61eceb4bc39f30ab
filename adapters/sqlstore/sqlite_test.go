package sqlstore_test

import (
	"path/filepath"
	"testing"

	"rapport/adapters/sqlstore"
	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
)

func openSQLite(t testing.TB, path string, o sqlstore.Options) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.OpenSQLite(t.Context(), path, o)
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

func TestSQLiteKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return tenant(t, openSQLite(t, ":memory:", sqlstore.Options{}), "t")
	})
	storetest.RunClock(t, func(t *testing.T, clock fhir.Clock) store.Store {
		return tenant(t, openSQLite(t, filepath.Join(t.TempDir(), "store.db"), sqlstore.Options{Clock: clock}), "t")
	})
}
