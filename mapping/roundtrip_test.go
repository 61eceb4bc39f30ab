package mapping

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping/practice"
)

// draws has a drawer for every kind that becomes FHIR.
var draws = map[string]func(*drawer) practice.Record{
	"organisation": (*drawer).organisation, "practitioner": (*drawer).practitioner, "client": (*drawer).client, "referral": (*drawer).referral,
	"episode": (*drawer).episode, "goal": (*drawer).goal, "plan": (*drawer).plan, "session": (*drawer).session, "response": (*drawer).response,
	"consent": (*drawer).consent, "workshop": (*drawer).workshop, "exercise": (*drawer).exercise, "notebook-entry": (*drawer).notebookEntry,
	"goal-rating": (*drawer).goalRating, "supervision": (*drawer).supervision,
}

func TestARecordThatBecameFHIRComesBack(t *testing.T) {
	m, v := newMapper(t), validate.New(spec.R4())
	for _, kind := range practice.Kinds() {
		draw := draws[kind]
		if draw == nil {
			if kind != "process-note" {
				t.Errorf("no records of the kind %s are drawn", kind)
			}
			continue
		}
		t.Run(kind, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				rec := draw(&drawer{t: t, library: m.instruments})
				want := encode(t, rec)
				if _, err := practice.Decode(kind, []byte(want)); err != nil {
					t.Fatalf("the schema refuses what was drawn: %v\n%s", err, want)
				}
				rs, err := m.ToFHIR(rec)
				if err != nil {
					t.Fatalf("%v\n%s", err, want)
				}
				for _, r := range rs {
					for _, e := range v.Resource(context.Background(), r) {
						t.Errorf("%s: %v %s\n%s", r, e.At, e.Detail, r.Body())
					}
				}
				back, err := m.FromFHIR(rs)
				if err != nil {
					t.Fatalf("%v\n%s", err, want)
				}
				if diff := cmp.Diff(want, encode(t, back)); diff != "" {
					t.Fatalf("-want +got\n%s", diff)
				}
				again, err := m.ToFHIR(back)
				if err != nil || len(again) != len(rs) {
					t.Fatalf("%d resources, then %d: %v", len(rs), len(again), err)
				}
				for i := range rs {
					if !bytes.Equal(rs[i].Body(), again[i].Body()) {
						t.Fatalf("%s differs the second time", rs[i])
					}
				}
			})
		})
	}
}

func encode(t *rapid.T, r practice.Record) string {
	b, err := practice.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
