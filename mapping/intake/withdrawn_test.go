package intake_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"rapport/adapters/sqlstore"
	"rapport/fhir"
	"rapport/mapping/instrument"
	"rapport/mapping/intake"
	"rapport/policy"
)

func TestAResponseThatBecomesAMereScoreLeavesNothingThatFollowedFromIt(t *testing.T) {
	m := newMemory()
	imported(t, m, "pmhc-v4", treatmentWith(t), "PHN999")
	response := keyed(t, m, "response", "K5M401")
	score := instrument.Derived("Observation", response.Key, "score")
	if response.Type != "QuestionnaireResponse" || m.now[score].IsZero() {
		t.Fatalf("%s and its score are not there", response)
	}
	sum := imported(t, m, "pmhc-v4", treatmentWith(t, "k5.csv", "CO404,2,3,3,1,5,14", "CO404,9,9,9,9,9,14"), "PHN999")
	if !sum.Complete() {
		t.Fatal(sum)
	}
	for k := range m.now {
		if k == response.Key || k == score {
			t.Errorf("%s is left", k)
		}
	}
	if stated := keyed(t, m, "response", "K5M401"); stated.Type != "Observation" || text(stated.Root(), "status") != "final" {
		t.Errorf("%s stands for it", stated)
	}
	if n := sum.Resource("Observation").Removed; n != 1 {
		t.Errorf("%d scores are told as removed", n)
	}
}

// takePractice imports tables of the invented practice.
func (h *house) takePractice(t testing.TB, path string) intake.Summary {
	t.Helper()
	c := config(t, h.as(policy.Integration), embedded(t, "practice-csv"), path, "")
	c.NewID = rand.Text
	sum, err := intake.Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// sqlite is a store of its own.
func sqlite(t testing.TB) *house {
	t.Helper()
	db, err := sqlstore.OpenSQLite(context.Background(), ":memory:", sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	st, err := db.Tenant("practice")
	if err != nil {
		t.Fatal(err)
	}
	return newHouse(t, st)
}

func TestWhatARowNoLongerSaysIsGoneAndTheRestOfItStaysAsItIs(t *testing.T) {
	session := []string{"sessions.csv", "2026-01-19,09:00,50,held,in-person,individual,assessment,active-listening psychoeducation,",
		"2026-01-19,09:00,50,held,in-person,individual,assessment,active-listening,"}
	plan := []string{"plan-phases.csv", "lindenhof,P-LH-01,consolidation,active,2026-04-06,2026-08-03,1,2,wk,cognitive exposure,Doing alone what worked together,3,6,,\n", ""}
	for name, c := range map[string]struct {
		edits   []string
		between func(t *testing.T, h *house)
		gone    map[string]int
		wrote   int // versions, without those of what is gone and the Provenances
	}{
		"a technique of a session":          {edits: session, gone: map[string]int{"Procedure": 1}},
		"the last phase of a plan":          {edits: plan, gone: map[string]int{"CarePlan": 1}},
		"both in one upload":                {edits: append(session, plan...), gone: map[string]int{"Procedure": 1, "CarePlan": 1}},
		"a phase of a plan deleted by hand": {edits: plan, between: buryPlan, gone: map[string]int{"CarePlan": 1}, wrote: 1},
	} {
		t.Run(name, func(t *testing.T) {
			h, clean := sqlite(t), sqlite(t)
			h.takePractice(t, practiceWith(t))
			before := current(t, h.store)
			if c.between != nil {
				c.between(t, h)
			}
			versions, less := h.versions(t), practiceWith(t, c.edits...)
			sum := h.takePractice(t, less)
			clean.takePractice(t, less)
			now := current(t, h.store)
			sameStore(t, now, current(t, clean.store))
			gone := 0
			for typ, n := range c.gone {
				if gone += n; !sum.Complete() || sum.Resource(typ).Removed != n {
					t.Errorf("%d of %s are told as removed, not %d:\n%s", sum.Resource(typ).Removed, typ, n, sum)
				}
			}
			if got := h.versions(t) - versions - len(sum.Provenance); got != gone+c.wrote {
				t.Errorf("%d versions were written, not %d and the Provenances", got, gone+c.wrote)
			}
			for k, r := range now {
				if before[k].Version != r.Version && c.wrote == 0 {
					t.Errorf("%s has another version", k)
				}
			}
			versions = h.versions(t)
			if sum = h.takePractice(t, less); h.versions(t) != versions || sum.Changed() {
				t.Errorf("the third upload changed something:\n%s", sum)
			}
			if len(h.alarms) > 0 {
				t.Errorf("%q", h.alarms)
			}
		})
	}
}

// buryPlan deletes the first client's plan and leaves its phases.
func buryPlan(t *testing.T, h *house) {
	t.Helper()
	for k, r := range current(t, h.store) {
		if k.Type != "CarePlan" || r.Root().Get("partOf").Exists() || !strings.Contains(text(r.Root(), "identifier", 0, "value"), "P-LH-01") {
			continue
		}
		err := h.as(policy.Integration).Update(context.Background(), fhir.Act{Interaction: fhir.Delete, Type: k.Type, ID: k.ID}, func(tx fhir.Tx) error {
			_, err := tx.Delete(context.Background(), k, fhir.Condition{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("the plan is not there")
}

// Of rows that say nothing else than before, one record of the audit tells the look.
func TestAnUploadThatChangesNothingIsRecordedOnceARow(t *testing.T) {
	h := sqlite(t)
	path := practiceWith(t)
	h.takePractice(t, path)
	before := h.log.all
	sum := h.takePractice(t, path)
	resources := 0
	for _, c := range sum.Resources {
		resources += c.Total()
	}
	if n := h.log.all - before; n > resources*11/10 {
		t.Errorf("%d records tell of %d resources", n, resources)
	}
}
