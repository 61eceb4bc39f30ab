package policy_test

import (
	"context"
	"encoding/json"
	"testing"

	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/policy"
)

// twice is a store that runs every View and Update again from the start, as it may.
type twice struct{ store.Store }

func (s twice) View(ctx context.Context, f func(store.Reader) error) error {
	return s.Store.View(ctx, func(r store.Reader) error {
		_ = f(r)
		return f(r)
	})
}

func (s twice) Update(ctx context.Context, f func(store.Tx) error) error {
	_ = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return errTakenBack
	})
	return s.Store.Update(ctx, f)
}

func TestWhatRunsAgainIsRecordedAsWhatItCameTo(t *testing.T) {
	inner := open(t)
	inner.load(world()...)
	p := open(t, func(c *policy.Config) {
		c.Store = func(string) (store.Store, error) { return twice{inner.store}, nil }
	})
	ctx := t.Context()
	if _, err := read(ctx, p.gate("mira"), k("Goal/anna-goal")); err != nil {
		t.Fatal(err)
	}
	if r := p.log.last(); len(r.Touched) != 1 {
		t.Errorf("a read is recorded as %+v", r.Touched)
	}
	_, _ = read(ctx, p.gate("jon"), k("Goal/anna-goal"))
	if r := p.log.last(); len(r.Patients) != 1 || r.Decision != policy.Deny {
		t.Errorf("a denial is recorded as %+v", r)
	}
	if w, err := put(ctx, p.gate("mira"), goal(t, "anna-goal", "anna", "completed"), fhir.Condition{}); err != nil || w.Version != 2 {
		t.Fatalf("version %d, %v", w.Version, err)
	}
	if r := p.log.last(); len(r.Touched) != 1 || r.Touched[0].Version != 2 {
		t.Errorf("a write is recorded as %+v", r.Touched)
	}
	out, err := p.guard.Release(who("import"))(ctx, k("Organization/hospital"), []fhir.Resource{goal(t, "g", "anna", "active")})
	if err != nil || len(out) != 1 || len(p.log.last().Touched) != 1 {
		t.Errorf("%d released, recorded as %+v, %v", len(out), p.log.last().Touched, err)
	}
	if _, err := p.guard.Notes(who("mira")).Write(ctx, policy.Note{Patient: k("Patient/anna"), Body: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if r := p.log.last(); len(r.Touched) != 1 || len(p.notes.kept) != 1 {
		t.Errorf("a note is recorded as %+v, %d are kept", r.Touched, len(p.notes.kept))
	}
}
