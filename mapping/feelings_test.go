package mapping

import (
	"context"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping/practice"
)

// stored is a reader of what was derived before.
type stored struct {
	fhir.Reader
	all map[fhir.Key]fhir.Resource
}

func (s stored) Read(_ context.Context, k fhir.Key) (fhir.Resource, error) {
	if r, ok := s.all[k]; ok {
		return r, nil
	}
	return fhir.Resource{}, &fhir.Error{Code: fhir.NotFound}
}

func TestRatedFeelingsFollowFromANotebookEntry(t *testing.T) {
	m, v, ctx := newMapper(t), validate.New(spec.R4()), context.Background()
	d, seen := feelings{m.codes}, stored{all: map[fhir.Key]fhir.Resource{}}
	entry := func(version int64, status string, fs ...practice.Feeling) fhir.Resource {
		rs, err := m.ToFHIR(&practice.NotebookEntry{
			Origin: practice.Origin{BusinessKey: "N1"}, Client: practice.Ref{Key: "LH-01"}, Episode: practice.Ref{Key: "E1"}, Status: status,
			Written: "2026-03-02T21:00:00+01:00", Words: "words that stay", Feelings: fs,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) != 1 {
			t.Fatalf("an entry is %d resources", len(rs))
		}
		rs[0].Version = version
		return rs[0]
	}
	follow := func(r fhir.Resource) (said string) {
		out, err := d.Derive(ctx, seen, r)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, o := range out {
			if o.IsZero() {
				delete(seen.all, o.Key)
				parts = append(parts, "gone")
				continue
			}
			seen.all[o.Key] = o
			for _, e := range v.Resource(ctx, o) {
				t.Errorf("%s: %v %s", o, e.At, e.Detail)
			}
			if strings.Contains(string(o.Body()), "words that stay") {
				t.Error("the words do not stay")
			}
			n := o.Root()
			if !n.Get("meta").Get("security").Index(2).Exists() || n.Get("subject").Get("reference").Text() != n.Get("performer").Index(0).Get("reference").Text() {
				t.Errorf("whose it is and how private: %s", o.Body())
			}
			parts = append(parts, n.Get("code").Get("coding").Index(0).Get("code").Text()+"="+n.Get("valueQuantity").Get("value").Decimal()+" "+n.Get("status").Text())
		}
		slices.Sort(parts)
		return strings.Join(parts, ", ")
	}
	mood, calm := practice.Feeling{Feeling: "mood", Rating: 6}, practice.Feeling{Feeling: "calm", Rating: 0}
	for _, c := range []struct {
		of   fhir.Resource
		want string
	}{
		{entry(1, "", mood, calm), "calm=0 final, mood=6 final"},
		{entry(2, "amended", mood), "gone, mood=6 amended"},
		{entry(3, "entered-in-error", mood), "mood=6 entered-in-error"},
		{fhir.Tombstone(entry(4, "", mood).Key, 4), "gone"},
		{fhir.Tombstone(fhir.Key{Type: "QuestionnaireResponse", ID: "other"}, 2), ""},
	} {
		if got := follow(c.of); got != c.want {
			t.Errorf("%s: %s, not %s", c.of, got, c.want)
		}
	}
	wrong, err := fhir.Parse([]byte(strings.Replace(string(entry(1, "", mood).Body()), `"valueInteger":6`, `"valueInteger":11`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Derive(ctx, seen, wrong); !fhir.Is(err, fhir.Value) {
		t.Errorf("a rating of 11: %v", err)
	}
	gad, err := m.ToFHIR(&practice.Response{Origin: practice.Origin{BusinessKey: "N1"}, Client: practice.Ref{Key: "LH-01"}, Instrument: "gad-7", Answers: practice.Answers{"1": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := follow(gad[0]); got != "" {
		t.Errorf("from a GAD-7 follows %s", got)
	}
	if gad[0].ID == entry(1, "", mood).ID {
		t.Error("a response and a notebook entry of one business key are one resource")
	}
}
