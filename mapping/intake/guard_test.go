package intake_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
	"rapport/mapping/intake"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
)

// house is the gate as the gateway makes it, over a store.
type house struct {
	guard  *policy.Guard
	store  store.Store
	alarms []string
	log    records
}

// records is a Recorder that counts.
type records struct{ denied, written, all int }

func (r *records) keep(rs []policy.Record) error {
	for _, rec := range rs {
		r.all++
		if rec.Decision == policy.Deny {
			r.denied++
		}
		for _, touched := range rec.Touched {
			if touched.How == policy.WasCreated || touched.How == policy.WasUpdated || touched.How == policy.WasDeleted {
				r.written++
			}
		}
	}
	return nil
}

func (r *records) InTx(_ context.Context, _ store.Tx, rs ...policy.Record) error { return r.keep(rs) }
func (r *records) Before(_ context.Context, _ string, rs ...policy.Record) error { return r.keep(rs) }

// parts are the same for every test and dear to make.
var parts = func() func() (policy.Engine, *search.Engine, error) {
	rules := sync.OnceValues(func() (policy.Engine, error) { return opa.New(context.Background()) })
	index := sync.OnceValues(func() (*search.Engine, error) { return search.New(spec.R4(), spec.Capability()) })
	return func() (policy.Engine, *search.Engine, error) {
		e, err := rules()
		s, err2 := index()
		return e, s, errors.Join(err, err2)
	}
}()

func newHouse(t testing.TB, st store.Store) *house {
	t.Helper()
	h, n := &house{store: st}, 0
	rules, s, err := parts()
	if err != nil {
		t.Fatal(err)
	}
	h.guard, err = policy.NewGuard(policy.Config{
		Store: func(string) (store.Store, error) { return st, nil }, Engine: rules, Recorder: &h.log, Index: s.Index,
		Keys: keyring.Random(), Clock: still, IDs: func() string { n++; return fmt.Sprint("made-", n) },
		Alarm: func(what string) { h.alarms = append(h.alarms, what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) as(r policy.Role) fhir.Gate {
	return h.guard.For(policy.Principal{
		Tenant: "PHN999", Subject: "gateway/import", Role: r, Purpose: "TREAT",
		Scopes: []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}},
	})
}

// versions counts all that was ever written.
func (h *house) versions(t testing.TB) (n int) {
	t.Helper()
	var at fhir.Seq
	for {
		cs, _, err := h.store.Feed(context.Background(), at, 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(cs) == 0 {
			return n
		}
		n, at = n+len(cs), cs[len(cs)-1].Seq
	}
}

func TestImportsPassTheGateAsAnyOtherCaller(t *testing.T) {
	for _, c := range []struct{ site, path, tenant string }{
		{"practice-csv", practiceWith(t), ""}, {"pmhc-v4", fixture.Path(t, treatment), "PHN999"},
	} {
		t.Run(c.site, func(t *testing.T) {
			h := newHouse(t, storetest.NewMemory(time.Now))
			first := imported(t, h.as(policy.Integration), c.site, c.path, c.tenant)
			if !first.Complete() {
				t.Fatalf("%s", first)
			}
			told := len(first.Provenance)
			for _, r := range first.Resources {
				told += r.Created
			}
			written := h.versions(t)
			if h.log.denied > 0 || h.log.written != written {
				t.Errorf("%d denials; %d versions are recorded and %d written", h.log.denied, h.log.written, written)
			}
			if written < told {
				t.Errorf("%d versions are written, %d resources told", written, told)
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

func TestTheScoresOfASeriesTellTheChangeSinceItsFirst(t *testing.T) {
	h := newHouse(t, storetest.NewMemory(time.Now))
	imported(t, h.as(policy.Integration), "practice-csv", practiceWith(t), "")
	var changes []string
	q := fhir.Query{
		Type:  "Observation",
		Where: []fhir.Clause{{Param: "code", Kind: fhir.Token, Any: []fhir.Operand{{System: "http://loinc.org", HasSystem: true, Code: "44261-6"}}}},
		Sort:  []fhir.Order{{Param: "date", Kind: fhir.Date}}, Count: 100,
	}
	err := h.as(policy.Integration).View(context.Background(), fhir.Act{Interaction: fhir.SearchType, Type: "Observation"}, func(in fhir.Reader) error {
		found, err := in.Search(context.Background(), q)
		for _, e := range found.Entries {
			for c := range e.Resource.Root().Get("component").Elements() {
				if text(c, "code", "coding", 0, "code") == "since-first" {
					changes = append(changes, text(c, "valueQuantity", "value"))
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// 41 scores of 12 clients: all but the first of each tell it.
	if len(changes) != 29 || !slices.Contains(changes, "-9") {
		t.Errorf("%d scores tell a change: %v", len(changes), changes)
	}
}

func TestWhoMayNotWriteStopsTheImport(t *testing.T) {
	h := newHouse(t, storetest.NewMemory(time.Now))
	m := config(t, h.as(policy.Auditor), embedded(t, "practice-csv"), practiceWith(t), "")
	sum, err := intake.Run(context.Background(), m)
	if !fhir.Is(err, fhir.Forbidden) || sum.Changed() || h.versions(t) != 0 {
		t.Errorf("%v, %d versions", err, h.versions(t))
	}
}
