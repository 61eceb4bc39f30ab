package sqlstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"rapport/adapters/sqlstore"
	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
)

func openPostgres(t testing.TB, dsn string, o sqlstore.Options) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.OpenPostgres(t.Context(), dsn, o)
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
	db := openPostgres(t, dsn, sqlstore.Options{})
	var n atomic.Int64
	storetest.Run(t, func(t *testing.T) store.Store { return tenant(t, db, fmt.Sprint("t", n.Add(1))) })
	storetest.RunClock(t, func(t *testing.T, clock fhir.Clock) store.Store {
		return tenant(t, openPostgres(t, dsn, sqlstore.Options{Clock: clock}), fmt.Sprint("t", n.Add(1)))
	})
}
