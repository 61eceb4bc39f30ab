package sqlstore

import (
	"path/filepath"
	"strings"
	"testing"

	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
)

// plans explains the statements of a search, and hands each to look.
func plans(t *testing.T, db *DB, sight fhir.Sight, q fhir.Query, look func(step string)) {
	t.Helper()
	s := opened(t, db, "t").(*tenant)
	err := s.view(t.Context(), func(r *reader) error {
		sel, err := r.selection(t.Context(), sight, q)
		if err != nil {
			return err
		}
		page, args, err := sel.statement(q)
		if err != nil {
			return err
		}
		count, countArgs := sel.finish("SELECT count(*) FROM " + sel.from + " WHERE " + sel.where)
		explain := "EXPLAIN QUERY PLAN "
		into := func(w row, step *string) error {
			var id, parent, n int64
			return w.scan(&id, &parent, &n, step)
		}
		if r.words() == postgresWords {
			explain, into = "EXPLAIN ", func(w row, step *string) error { return w.scan(step) }
		}
		for _, x := range []struct {
			sql  string
			args []any
		}{{page, args}, {count, countArgs}} {
			if err := all(t.Context(), r, explain+x.sql, x.args, func(w row) error {
				var step string
				err := into(w, &step)
				look(step)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// led says by what index SQLite must begin some searches.
var led = map[string]string{
	"by identifier": "SEARCH x1 USING PRIMARY KEY (tenant=? AND type=? AND param=? AND code=? AND system=?",
	"one patient's scores of a code, newest first": "SEARCH x1 USING PRIMARY KEY (tenant=? AND type=? AND param=? AND target=?",
	"changed lately": "INDEX res_updated",
	"in a week":      "AND target=?",
}

var sights = map[string]fhir.Sight{"a therapist": caseload(0), "one who sees all": fhir.Omniscient()}

// TestSQLiteSearchesByIndex: no step of a plan goes through a whole table. Sets are
// scanned, for they are arguments.
func TestSQLiteSearchesByIndex(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "store.db"), Options{})
	practise(t, opened(t, db, "t"), 300)
	for who, sight := range sights {
		for name, q := range searches {
			t.Run(name+", for "+who, func(t *testing.T) {
				searched := false
				var steps []string
				plans(t, db, sight, q, func(step string) {
					steps = append(steps, step)
					if strings.HasPrefix(step, "SCAN ") && !strings.Contains(step, "VIRTUAL TABLE") && step != "SCAN q" {
						t.Errorf("goes through all: %s", step)
					}
					// The name of the tenant alone is not an index worth the name.
					if strings.HasPrefix(step, "SEARCH ") && strings.HasSuffix(step, "(tenant=?)") {
						t.Errorf("goes through all of a tenant: %s", step)
					}
					searched = searched || strings.HasPrefix(step, "SEARCH ")
				})
				if !searched {
					t.Error("the plan could not be read")
				}
				if all := strings.Join(steps, "\n"); sight.Every() && !strings.Contains(all, led[name]) {
					t.Errorf("does not begin by %s:\n%s", led[name], all)
				}
			})
		}
	}
}

func TestPostgresSearchesByIndex(t *testing.T) {
	db := openPostgres(t, pgtest.Start(t, "fsync=off"), Options{})
	practise(t, opened(t, db, "t"), 300)
	for who, sight := range sights {
		for name, q := range searches {
			t.Run(name+", for "+who, func(t *testing.T) {
				searched := false
				plans(t, db, sight, q, func(step string) {
					if strings.Contains(step, "Seq Scan") {
						t.Errorf("goes through all: %s", step)
					}
					searched = searched || strings.Contains(step, "Index")
				})
				if !searched {
					t.Error("the plan could not be read")
				}
			})
		}
	}
}
