package mapping

import (
	"context"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping/practice"
)

// journal is a transaction that has one earlier version and notes what is derived.
type journal struct {
	fhir.Tx
	before  fhir.Resource
	derived []fhir.Resource
}

func (j *journal) ReadVersion(context.Context, fhir.Key, int64) (fhir.Resource, error) {
	if j.before.IsZero() {
		return fhir.Resource{}, &fhir.Error{Code: fhir.NotFound}
	}
	return j.before, nil
}

func (j *journal) Derive(_ context.Context, _ fhir.Head, rs ...fhir.Resource) ([]fhir.Written, error) {
	j.derived = append(j.derived, rs...)
	return nil, nil
}

func TestAnAdjustmentOfAPlanIsKnownWithWhyAndByWhom(t *testing.T) {
	m, v, ctx := newMapper(t), validate.New(spec.R4()), context.Background()
	adjustments := []practice.Adjustment{
		{Date: "2026-03-02", Reason: "It stood still.", Changed: []string{"frequency", "techniques"}, Agreed: []string{"client", "therapist"}},
		{Date: "2026-04-06", Reason: "Too early.", Changed: []string{"phases"}, Agreed: []string{"client"}, By: practice.Ref{Key: "kim"}},
	}
	plan := func(as ...practice.Adjustment) fhir.Resource {
		rs, err := m.ToFHIR(&practice.Plan{
			Origin: practice.Origin{BusinessKey: "P1"}, Client: practice.Ref{Key: "LH-01"}, Author: practice.Ref{Key: "mira"}, Status: "active", Adjustments: as,
		})
		if err != nil {
			t.Fatal(err)
		}
		return rs[0]
	}
	written := func(r fhir.Resource, version int64, e fhir.Effect) fhir.Written {
		at := time.Date(2026, 4, 7, 8, 0, 0, 0, time.UTC)
		return fhir.Written{Head: fhir.Head{Key: r.Key, Version: version, Updated: at}, Effect: e, Resource: r}
	}
	follow := func(before fhir.Resource, w fhir.Written) []fhir.Resource {
		tx := &journal{before: before}
		if err := Adjustments(ctx, tx, w); err != nil {
			t.Fatal(err)
		}
		for _, r := range tx.derived {
			for _, e := range v.Resource(ctx, r) {
				t.Errorf("%s: %v %s", r, e.At, e.Detail)
			}
		}
		return tx.derived
	}
	if ps := follow(fhir.Resource{}, written(plan(), 1, fhir.Created)); len(ps) != 0 {
		t.Errorf("a new plan is no adjustment: %v", ps)
	}
	if ps := follow(fhir.Resource{}, written(plan(adjustments...), 1, fhir.Created)); len(ps) != 2 {
		t.Errorf("a plan that comes with its past: %d", len(ps))
	}
	if ps := follow(plan(adjustments...), written(plan(adjustments...), 3, fhir.Unchanged)); len(ps) != 0 {
		t.Errorf("nothing was written: %v", ps)
	}
	ps := follow(plan(adjustments[0]), written(plan(adjustments...), 2, fhir.Updated))
	if len(ps) != 1 {
		t.Fatalf("%d Provenances of one adjustment", len(ps))
	}
	p := ps[0].Root()
	if got := p.Get("target").Index(0).Get("reference").Text(); !strings.HasSuffix(got, "/_history/2") {
		t.Errorf("it is of %s", got)
	}
	kim, client := m.KeyOf(practice.SourceKey{Kind: "practitioner", Key: "kim"}), m.KeyOf(practice.SourceKey{Kind: "client", Key: "LH-01"})
	for i, who := range []fhir.Key{kim, client} {
		if k, _ := p.Get("agent").Index(i).Get("who").Ref(); k != who {
			t.Errorf("agent %d is %s", i, k)
		}
	}
	if reason := p.Get("reason").Index(0); reason.Get("text").Text() != "Too early." || !reason.HasCoding(systemURL("plan-part"), "phases") {
		t.Errorf("why: %s", reason.Raw())
	}
	if got := p.Get("recorded").Text(); !strings.HasPrefix(got, "2026-04-07T08:00:00") {
		t.Errorf("recorded %s", got)
	}
	if ps[0].ID == follow(fhir.Resource{}, written(plan(adjustments...), 1, fhir.Created))[1].ID {
		t.Error("two versions have one Provenance")
	}
}
