package instrument

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
)

func TestABareScoreAsksForAReviewAsAnAnsweredOneDoes(t *testing.T) {
	d := NewDeriver(library(t))
	total := func(id, authored, status, points string) form {
		return form{id, "phq-9", authored, status, "=" + points}
	}
	relapse := []form{total("a", "2026-01-05", "completed", "20"), total("b", "2026-02-02", "completed", "6"), total("c", "2026-03-02", "completed", "17")}
	later := func(version int64, f form) fhir.Resource {
		r := f.resource(t, d)
		r.Version = version
		return r
	}
	for name, x := range map[string]struct {
		forms []form
		then  []fhir.Resource
		want  []string
	}{
		"worse than the first":          {[]form{relapse[1], total("c", "2026-03-02", "completed", "17")}, nil, []string{"c since-first"}},
		"worse than the last":           {relapse, nil, []string{"c since-last"}},
		"no more than a little":         {[]form{relapse[1], total("c", "2026-03-02", "completed", "11")}, nil, nil},
		"a bare one after answers":      {[]form{scored("a", "2026-01-05", 5), total("c", "2026-03-02", "completed", "17")}, nil, []string{"c since-first"}},
		"answers after a bare one":      {[]form{relapse[1], scored("c", "2026-03-02", 17)}, nil, []string{"c since-first"}},
		"an older one makes it worse":   {append(slices.Clone(relapse[2:]), scored("a", "2026-01-05", 6)), nil, []string{"c since-first"}},
		"it is in error":                {relapse, []fhir.Resource{later(2, total("c", "2026-03-02", "entered-in-error", "17"))}, nil},
		"it is deleted":                 {relapse, []fhir.Resource{fhir.Tombstone(total("c", "", "", "1").key(), 2)}, nil},
		"it is amended":                 {relapse, []fhir.Resource{later(2, total("c", "2026-03-02", "amended", "7"))}, nil},
		"the one before is in error":    {relapse, []fhir.Resource{later(2, total("b", "2026-02-02", "entered-in-error", "6"))}, nil},
		"the one before was as high":    {relapse, []fhir.Resource{later(2, total("b", "2026-02-02", "amended", "19"))}, nil},
		"the first was low as well":     {relapse, []fhir.Resource{later(2, total("a", "2026-01-05", "amended", "6"))}, []string{"c since-first-and-last"}},
		"it is not final":               {append(slices.Clone(relapse[:2]), total("c", "2026-03-02", "preliminary", "17")), nil, nil},
		"the same again":                {relapse, []fhir.Resource{later(2, relapse[2])}, []string{"c since-last"}},
		"it is amended there and back":  {relapse, []fhir.Resource{later(2, total("c", "2026-03-02", "amended", "7")), later(3, total("c", "2026-03-02", "amended", "17"))}, []string{"c since-last"}},
		"in error, and then not at all": {relapse, []fhir.Resource{later(2, total("c", "2026-03-02", "entered-in-error", "17")), later(3, relapse[2])}, []string{"c since-last"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			for _, f := range x.forms {
				hand(t, d, s, later(1, f))
			}
			for _, r := range x.then {
				hand(t, d, s, r)
			}
			if diff := cmp.Diff(x.want, s.reasons()); diff != "" {
				t.Error(diff)
			}
			for k, r := range s.now {
				if k.Type == "Observation" && bare(r.Root()) && len(changes(r)) > 0 {
					t.Errorf("%s is not as it was said: %s", k, r.Body())
				}
			}
		})
	}
}

func TestFeedbackOfABareScoreSaysWhatIsStatedAndNoMore(t *testing.T) {
	l := library(t)
	s := newShelf()
	for slug, x := range map[string]struct {
		stated map[string]Points
		scales string
		says   []string
	}{
		"sdq-yr101": {map[string]Points{"total": PointsOf(18), "impact": PointsOf(2)}, "total impact", []string{"18 (range 0 to 40), high", "its items were not seen."}},
		"phq-9":     {map[string]Points{"total": PointsOf(17)}, "total", []string{"moderately severe", "its items were not seen, those that ask about a risk among them."}},
		"sdq-pc101": {map[string]Points{"impact": PointsOf(2)}, "total impact", []string{"no total score is stated"}},
	} {
		in := l.BySlug(slug)
		sc, err := in.Stated(x.stated)
		if err != nil {
			t.Fatal(err)
		}
		o, err := in.Observation(sc, Measured{ID: "o", Status: "final", Subject: patient, Effective: "2026-03-02"})
		if err != nil {
			t.Fatal(err)
		}
		o = with(t, o, []string{`{"url":"` + statedURL + `","valueCanonical":"` + in.Canonical() + `"}`})
		f, err := l.Feedback(t.Context(), s, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		var scales []string
		for _, sc := range f.Scores {
			scales = append(scales, sc.Scale)
		}
		if f.Instrument != slug || !f.Bare || f.Response != "" || len(f.Risks) != 0 || f.Safety != "" || strings.Join(scales, " ") != x.scales {
			t.Errorf("%s: %+v", slug, f)
		}
		for _, says := range x.says {
			if !strings.Contains(f.ForClinician, says) {
				t.Errorf("%s: %q lacks %q", slug, f.ForClinician, says)
			}
		}
		if strings.Contains(f.ForClient, "left open") {
			t.Errorf("%s: %q", slug, f.ForClient)
		}
	}
	if _, err := l.Feedback(t.Context(), s, parse(t, `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"weight"}}`), nil); !fhir.Is(err, fhir.NotSupported) {
		t.Errorf("no score: %v", err)
	}
}
