package intake_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"rapport/adapters/sqlstore"
	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
	"rapport/policy"
)

// current returns the current resources of a store, but for those that say when and
// by which run.
func current(t testing.TB, st store.Store) map[fhir.Key]fhir.Resource {
	t.Helper()
	out := map[fhir.Key]fhir.Resource{}
	var at fhir.Seq
	for {
		cs, _, err := st.Feed(context.Background(), at, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(cs) == 0 {
			return out
		}
		var refs []store.Ref
		for _, c := range cs {
			if at = c.Seq; c.Deleted {
				delete(out, c.Key)
				refs = slices.DeleteFunc(refs, func(r store.Ref) bool { return r.Key == c.Key })
			} else if c.Type != "Provenance" {
				refs = append(refs, store.Ref{Key: c.Key, Version: c.Version})
			}
		}
		err = st.View(context.Background(), func(in store.Reader) error {
			rs, err := in.Bodies(context.Background(), refs...)
			for _, r := range rs {
				out[r.Key] = r
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachStoreHoldsTheSameOfAnUpload(t *testing.T) {
	lite, err := sqlstore.OpenSQLite(context.Background(), ":memory:", sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lite.Close() })
	t.Run("SQLite", func(t *testing.T) { holdsTheSame(t, lite) })
	t.Run("PostgreSQL", func(t *testing.T) {
		db, err := sqlstore.OpenPostgres(context.Background(), pgtest.Start(t, "fsync=off"), sqlstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		holdsTheSame(t, db)
	})
}

// holdsTheSame imports into a database and into memory.
func holdsTheSame(t *testing.T, db *sqlstore.DB) {
	for _, c := range []struct{ site, path, tenant string }{
		{"practice-csv", practiceWith(t), ""}, {"pmhc-v4", fixture.Path(t, treatment), "PHN999"},
	} {
		t.Run(c.site, func(t *testing.T) {
			st, err := db.Tenant(c.site)
			if err != nil {
				t.Fatal(err)
			}
			plain, h := newHouse(t, storetest.NewMemory(time.Now)), newHouse(t, st)
			imported(t, plain.as(policy.Integration), c.site, c.path, c.tenant)
			first := imported(t, h.as(policy.Integration), c.site, c.path, c.tenant)
			if !first.Complete() {
				t.Fatalf("%s", first)
			}
			want, got, written := current(t, plain.store), current(t, st), h.versions(t)
			if len(got) != len(want) {
				t.Errorf("it holds %d resources, memory %d", len(got), len(want))
			}
			for k, r := range got {
				if !fhir.SameContent(r, want[k]) {
					t.Errorf("%s is another one", k)
				}
			}
			second := imported(t, h.as(policy.Integration), c.site, c.path, c.tenant)
			if again := h.versions(t); again != written || second.Changed() {
				t.Errorf("the second import wrote %d versions\n%s", again-written, second)
			}
			if len(h.alarms) > 0 {
				t.Errorf("%q", h.alarms)
			}
		})
	}
}
