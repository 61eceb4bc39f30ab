package mapping

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
)

// kept is a Reader over resources that stand as written: it answers what the
// Deriver asks, and by code and date alone.
type kept map[fhir.Key]fhir.Resource

func (k kept) Read(_ context.Context, key fhir.Key) (fhir.Resource, error) {
	if r, ok := k[key]; ok {
		return r, nil
	}
	return fhir.Resource{}, fhir.Missing(key)
}

func (k kept) ReadVersion(_ context.Context, key fhir.Key, _ int64) (fhir.Resource, error) {
	return fhir.Resource{}, fhir.Missing(key)
}

func (k kept) History(context.Context, fhir.Scope, fhir.Span) (fhir.Set, error) {
	return fhir.Set{}, fhir.Errorf(fhir.NotSupported, "", "nothing is asked of history")
}

func (k kept) Search(_ context.Context, q fhir.Query) (set fhir.Set, err error) {
	var hits []fhir.Resource
	at := func(r fhir.Resource) int64 {
		t, err := time.Parse(time.RFC3339, r.Root().Get("effectiveDateTime").Text())
		if err != nil {
			return 0
		}
		return fhir.Micros(t)
	}
	for _, r := range k {
		fits := r.Type == q.Type
		for _, c := range q.Where {
			switch {
			case c.Param == "code":
				fits = fits && r.Root().Get("code").HasCoding(c.Any[0].System, c.Any[0].Code)
			case c.Param == "date" && c.Any[0].Prefix == fhir.Lt:
				fits = fits && at(r) < c.Any[0].Low
			}
		}
		if fits {
			hits = append(hits, r)
		}
	}
	slices.SortFunc(hits, func(a, b fhir.Resource) int {
		if q.Sort != nil && q.Sort[0].Desc {
			a, b = b, a
		}
		return int(at(a)/1e6 - at(b)/1e6)
	})
	for _, r := range hits {
		set.Entries = append(set.Entries, fhir.Entry{Head: fhir.Head{Key: r.Key}, Resource: r})
	}
	return set, nil
}

func (k kept) put(rs ...fhir.Resource) {
	for _, r := range rs {
		k[r.Key] = r
	}
}

// phq9 is a response with nine answers as digits.
func phq9(key, authored, digits string) *practice.Response {
	r := &practice.Response{
		Origin: practice.Origin{BusinessKey: key}, Instrument: "phq-9", Client: practice.Ref{Key: "LH-01"}, Therapist: practice.Ref{Key: "mira"},
		Authored: authored, AnsweredBy: "client", Answers: practice.Answers{},
	}
	for i, d := range digits {
		r.Answers[string(rune('1'+i))] = string(d)
	}
	return r
}

func TestWhatFollowsFromARecordedResponse(t *testing.T) {
	m, v := newMapper(t), validate.New(spec.R4())
	d, ctx := instrument.NewDeriver(m.instruments), context.Background()
	store := kept{}
	follow := func(r *practice.Response) (fhir.Resource, []fhir.Resource) {
		t.Helper()
		rs, err := m.ToFHIR(r)
		if err != nil {
			t.Fatal(err)
		}
		made, err := d.Derive(ctx, store, rs[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range made {
			for _, e := range v.Resource(ctx, r) {
				t.Errorf("%s: %v %s", r, e.At, e.Detail)
			}
		}
		return rs[0], made
	}
	first, made := follow(phq9("R1", "2026-01-05T10:00:00+01:00", "222222220"))
	if len(made) != 1 {
		t.Fatalf("of a response without a risk %v follow", made)
	}
	store.put(first)
	store.put(made...)

	second, made := follow(phq9("R2", "2026-03-02T10:00:00+01:00", "332322112"))
	_, again := follow(phq9("R2", "2026-03-02T10:00:00+01:00", "332322112"))
	var types []string
	for i, r := range made {
		types = append(types, r.Type)
		if string(r.Body()) != string(again[i].Body()) {
			t.Errorf("%s is another one the second time", r)
		}
		if k, ok := r.Root().Get("derivedFrom").Index(0).Ref(); r.Type == "Observation" && (!ok || k != second.Key) {
			t.Errorf("the score does not say that it comes of %s", second)
		}
		if k, _ := r.Root().Get("owner").Ref(); r.Type == "Task" && k != m.KeyOf(practice.SourceKey{Kind: "practitioner", Key: "mira"}) {
			t.Errorf("the task is %s's", k)
		}
	}
	if got := strings.Join(types, " "); got != "Observation Flag Task" {
		t.Fatalf("of an answer that is a risk follow: %s", got)
	}
	// Already stored, they are not made again, and the feedback finds them.
	store.put(second)
	store.put(made...)
	if _, third := follow(phq9("R2", "2026-03-02T10:00:00+01:00", "332322112")); len(third) != 1 || string(third[0].Body()) != string(made[0].Body()) {
		t.Errorf("stored once more, %v follow", third)
	}
	f, err := m.instruments.Feedback(ctx, store, second, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(struct {
		Score, Change any
		Band          string
		Flag, Task    bool
	}{f.Scores[0].Score, f.First.Change, f.Scores[0].Band.Label, f.Risks[0].Flag == made[1].Key.String(), f.Risks[0].Task == made[2].Key.String()})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"Score":19,"Change":3,"Band":"Moderately severe","Flag":true,"Task":true}`; string(got) != want {
		t.Errorf("told: %s, not %s", got, want)
	}
	// Scores without items are no answers: nothing follows from them.
	rs, err := m.ToFHIR(&practice.Response{
		Origin: practice.Origin{BusinessKey: "R3"}, Instrument: "phq-9", Client: practice.Ref{Key: "LH-01"}, Authored: "2026-03-09", Scores: map[string]json.Number{"total": "19"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if made, err := d.Derive(ctx, store, rs[0]); err != nil || len(made) != 0 {
		t.Errorf("of a score without items follow %v, %v", made, err)
	}
}
