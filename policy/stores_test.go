package policy_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"rapport/adapters/sqlstore"
	"rapport/fhir/store"
	"rapport/policy"
)

// overStores runs a test over the smallest store, which evaluates plain values, and
// over SQLite, which evaluates SQL.
func overStores(t *testing.T, f func(t *testing.T, open func(testing.TB) *practice)) {
	t.Run("memory", func(t *testing.T) { f(t, func(t testing.TB) *practice { return open(t) }) })
	t.Run("SQLite", func(t *testing.T) {
		db, err := sqlstore.OpenSQLite(t.Context(), ":memory:", sqlstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
		var n atomic.Int64
		f(t, func(t testing.TB) *practice {
			s, err := db.Tenant(fmt.Sprint("t", n.Add(1)))
			if err != nil {
				t.Fatal(err)
			}
			return open(t, func(c *policy.Config) { c.Store = func(string) (store.Store, error) { return s, nil } })
		})
	})
}
