package instrument

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
	"rapport/fhir"
)

// full answers every item with its n-th scored option, cut to what it has.
func full(in *Instrument, n int) Answers {
	a := Answers{}
	for _, it := range in.Items {
		if it.list != nil {
			scored := slices.DeleteFunc(slices.Clone(it.list.Options), func(o *Option) bool { return o.Score == nil })
			a[it.Link] = scored[min(n, len(scored)-1)].Code
		}
	}
	return a
}

// drawn answers some items at random.
func drawn(t *rapid.T, in *Instrument) Answers {
	a := Answers{}
	gaps := rapid.SampledFrom([]int{0, 1, 3, 10}).Draw(t, "gaps")
	for _, it := range in.Items {
		if gaps > 0 && rapid.IntRange(0, 12).Draw(t, "gap") < gaps {
			continue
		}
		if it.list != nil {
			a[it.Link] = rapid.SampledFrom(it.list.Options).Draw(t, it.Link).Code
		} else {
			a[it.Link] = PointsOf(rapid.Int64Range(*it.Min, *it.Max).Draw(t, it.Link)).String()
		}
	}
	return a
}

func scoreOf(t testing.TB, in *Instrument, a Answers) Score {
	t.Helper()
	s, err := in.ScoreAnswers(a)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheWholeRangeIsReachedAndNeverLeft(t *testing.T) {
	for _, in := range library(t).All() {
		t.Run(in.Slug, func(t *testing.T) {
			for _, s := range in.Scales {
				lowest, highest := scoreOf(t, in, extreme(in, s, false)).Of(s.Slug), scoreOf(t, in, extreme(in, s, true)).Of(s.Slug)
				if lowest.Value == nil || lowest.Value.Cmp(s.Low) != 0 {
					t.Errorf("%s: lowest is %v, want %s", s.Slug, lowest.Value, s.Low)
				}
				if highest.Value == nil || highest.Value.Cmp(s.High) != 0 {
					t.Errorf("%s: highest is %v, want %s", s.Slug, highest.Value, s.High)
				}
			}
			rapid.Check(t, func(r *rapid.T) {
				s, err := in.ScoreAnswers(drawn(r, in))
				if err != nil {
					r.Fatal(err)
				}
				for _, sc := range s.Scales {
					if sc.Value != nil && (sc.Value.Cmp(sc.Low) < 0 || sc.Value.Cmp(sc.High) > 0) {
						r.Fatalf("%s = %s", sc.Slug, sc.Value)
					}
					if len(sc.Bands) > 0 && (sc.Value == nil) != (sc.Band == nil) {
						r.Fatalf("%s = %v lies in %v", sc.Slug, sc.Value, sc.Band)
					}
				}
			})
		})
	}
}

// extreme answers so that a scale is at one end of its range, by weight and not
// by the order of the options.
func extreme(in *Instrument, s *Scale, high bool) Answers {
	a := full(in, 1)
	parts := s.of
	if len(parts) == 0 {
		parts = []*Scale{s}
	}
	for _, p := range parts {
		for n, i := range p.items {
			best := -1
			for k, o := range in.Items[i].list.Options {
				if o.Score != nil && (best < 0 || (p.weights[n][k].Cmp(p.weights[n][best]) > 0) == high) {
					best = k
				}
			}
			a[in.Items[i].Link] = in.Items[i].list.Options[best].Code
		}
	}
	return a
}

func TestEveryBandBeginsAndEndsWhereItsSourceSays(t *testing.T) {
	// Point by point, from the sources named in each file.
	for slug, want := range map[string]map[int64]string{
		"phq-9":     {0: "minimal", 4: "minimal", 5: "mild", 9: "mild", 10: "moderate", 14: "moderate", 15: "moderately-severe", 19: "moderately-severe", 20: "severe", 27: "severe"},
		"gad-7":     {0: "minimal", 4: "minimal", 5: "mild", 9: "mild", 10: "moderate", 14: "moderate", 15: "severe", 21: "severe"},
		"phq-2":     {2: "negative", 3: "positive"},
		"gad-2":     {2: "negative", 3: "positive"},
		"k10p":      {10: "low", 15: "low", 16: "moderate", 21: "moderate", 22: "high", 29: "high", 30: "very-high", 50: "very-high"},
		"k5":        {5: "low-moderate", 11: "low-moderate", 12: "high-very-high", 25: "high-very-high"},
		"sdq-py201": {0: "close-to-average", 13: "close-to-average", 14: "slightly-raised", 16: "slightly-raised", 17: "high", 19: "high", 20: "very-high", 40: "very-high"},
		"sdq-yr201": {14: "close-to-average", 15: "slightly-raised", 17: "slightly-raised", 18: "high", 19: "high", 20: "very-high"},
	} {
		in := library(t).BySlug(slug)
		for at, band := range want {
			if b := in.Total().band(PointsOf(at)); b == nil || b.Slug != band {
				t.Errorf("%s %d lies in %v, want %s", slug, at, b, band)
			}
		}
	}
}

func TestEachSingleMissingItemCostsTheTotalUnlessAPublishedRuleSaysOtherwise(t *testing.T) {
	for _, in := range library(t).All() {
		for _, s := range in.Scales {
			for _, i := range s.items {
				link := in.Items[i].Link
				a := full(in, 1)
				delete(a, link)
				sc := scoreOf(t, in, a).Of(s.Slug)
				if kept := s.Missing != nil; (sc.Value != nil) != kept || sc.Estimated != kept || !slices.Equal(sc.Absent, []string{link}) {
					t.Errorf("%s without item %s: %s = %v, estimated %v, absent %v", in.Slug, link, s.Slug, sc.Value, sc.Estimated, sc.Absent)
				}
			}
		}
	}
	for slug, rule := range map[string]bool{"phq-9": false, "gad-7": false, "phq-2": false, "gad-2": false, "k5": false, "k10p": true} {
		if got := library(t).BySlug(slug).Total().Missing != nil; got != rule {
			t.Errorf("%s has a rule for missing items: %v", slug, got)
		}
	}
}

func TestNothingAnsweredIsNoScoreAndNotZero(t *testing.T) {
	for _, in := range library(t).All() {
		for _, sc := range scoreOf(t, in, nil).Scales {
			if sc.Value != nil || sc.Band != nil {
				t.Errorf("%s %s = %s without an answer", in.Slug, sc.Slug, sc.Value)
			}
		}
	}
}

func TestTheDifficultyItemOfThePHQ9IsNeverAdded(t *testing.T) {
	in := library(t).BySlug("phq-9")
	a := full(in, 0)
	a["10"] = "3"
	if v := scoreOf(t, in, a).Total().Value; v.Cmp(PointsOf(0)) != 0 {
		t.Errorf("total is %s", v)
	}
	delete(a, "10")
	if v := scoreOf(t, in, a).Total().Value; v == nil {
		t.Error("without the unscored item there is no total")
	}
}

func TestTheAustralianK10CountsAllOfTheTimeAsFive(t *testing.T) {
	// LOINC's answer list of the K10 has "all of the time" = 1; added up so, the
	// worst answers would be the lowest distress.
	in := library(t).BySlug("k10p")
	worst := Answers{}
	for _, it := range in.Items[:10] {
		worst[it.Link] = "5"
	}
	s := scoreOf(t, in, worst).Total()
	if s.Value.Cmp(PointsOf(50)) != 0 || s.Band.Slug != "very-high" {
		t.Errorf("all of the time gives %s, %s", s.Value, s.Band.Slug)
	}
}

func TestReversedItemsCountTheOtherWayRoundOnce(t *testing.T) {
	in := library(t).BySlug("sdq-pc101")
	for _, s := range in.Scales {
		for _, link := range s.Items {
			a := full(in, 0)
			a["26"] = "1"
			none := scoreOf(t, in, a).Of(s.Slug)
			a[link] = "2"
			certainly := scoreOf(t, in, a).Of(s.Slug)
			up := certainly.Value.Cmp(*none.Value) > 0
			reversed := slices.Contains([]string{"7", "21", "25", "11", "14"}, link)
			if up == reversed {
				t.Errorf("item %s of %s: from %s to %s", link, s.Slug, none.Value, certainly.Value)
			}
		}
	}
}

func TestARiskFiresOnAPartialFormAndOnEveryAnswerButTheLowest(t *testing.T) {
	in := library(t).BySlug("phq-9")
	for answer, fires := range map[string]bool{"0": false, "1": true, "2": true, "3": true} {
		s := scoreOf(t, in, Answers{"9": answer})
		if s.Total().Value != nil || s.Fired("item-9") != fires {
			t.Errorf("item 9 = %s alone: total %v, fired %v", answer, s.Total().Value, s.Fired("item-9"))
		}
	}
	if len(scoreOf(t, in, nil).Risks) != 0 {
		t.Error("an empty form fires")
	}
}

func TestWrongAnswersAreRefusedAndNotTakenForMissing(t *testing.T) {
	l := library(t)
	for name, c := range map[string]struct {
		slug string
		a    Answers
	}{
		"a value beyond the options":     {"phq-9", Answers{"1": "4"}},
		"a word for an option":           {"gad-7", Answers{"1": "Not at all sure"}},
		"an option of another item":      {"phq-9", Answers{"1": "LA6572-7"}},
		"an item that is not there":      {"phq-9", Answers{"11": "1"}},
		"one item under two names":       {"phq-9", Answers{"1": "1", "44250-9": "2"}},
		"the sentinel of another system": {"k10p", Answers{"1": "9"}},
		"days beyond the month":          {"k10p", Answers{"11": "29"}},
		"days that are no number":        {"k10p", Answers{"11": "many"}},
		"an item of another SDQ version": {"sdq-yr201", Answers{"39": "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := l.BySlug(c.slug).ScoreAnswers(c.a); err == nil {
				t.Error("it is scored")
			}
		})
	}
}

func TestAStatedScoreThatDiffersFromItsItemsIsSeen(t *testing.T) {
	l := library(t)
	k10, k5, sdq := l.BySlug("k10p"), l.BySlug("k5"), l.BySlug("sdq-pc101")
	ones := func(in *Instrument, n int) Answers {
		a := Answers{}
		for _, it := range in.Items[:n] {
			a[it.Link] = "1"
		}
		return a
	}
	total := func(n int64) map[string]Points { return map[string]Points{"total": PointsOf(n)} }
	for name, c := range map[string]struct {
		in     *Instrument
		a      Answers
		stated map[string]Points
		ok     bool
	}{
		"the sum":                                    {k10, ones(k10, 10), total(10), true},
		"one more":                                   {k10, ones(k10, 10), total(11), false},
		"one item missing, scaled":                   {k10, ones(k10, 9), total(10), true},
		"one item missing, the sum before 2021":      {k10, ones(k10, 9), total(9), false},
		"two items missing":                          {k10, ones(k10, 8), total(10), false},
		"no items":                                   {k10, nil, total(33), true},
		"no items, out of range":                     {k10, nil, total(99), false},
		"nothing stated":                             {k10, ones(k10, 8), nil, true},
		"K5 with an item missing":                    {k5, ones(k5, 4), total(5), false},
		"a scale that is not there":                  {k5, ones(k5, 5), map[string]Points{"other": PointsOf(5)}, false},
		"a subscale that differs beside a total":     {sdq, full(sdq, 1), map[string]Points{"total": PointsOf(20), "conduct": PointsOf(4)}, false},
		"subscales and total as the items give them": {sdq, full(sdq, 1), map[string]Points{"total": PointsOf(20), "conduct": PointsOf(5), "prosocial": PointsOf(5)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.in.Check(c.stated, scoreOf(t, c.in, c.a))
			if (err == nil) != c.ok {
				t.Errorf("Check says %v", err)
			}
			if err != nil && fhir.CodeOf(err) != fhir.BusinessRule && fhir.CodeOf(err) != fhir.Value {
				t.Errorf("code %v", fhir.CodeOf(err))
			}
		})
	}
}

func TestNotStatedIsNoScore(t *testing.T) {
	for text, stated := range map[string]bool{"": false, " ": false, "99": false, "9": true, "0": true, "10.0": true} {
		_, ok, err := ParseStated(text, "99")
		if ok != stated || err != nil {
			t.Errorf("%q: stated %v, %v", text, ok, err)
		}
	}
	for _, text := range []string{"x", "1,5", "NaN", "Infinity", "1e9999999999"} {
		if _, ok, err := ParseStated(text, "99"); ok || err == nil {
			t.Errorf("%q is taken for a score", text)
		}
	}
}

func TestChangeIsClassedByPublishedConstantsAlone(t *testing.T) {
	l := library(t)
	for name, c := range map[string]struct {
		slug        string
		from, to    int64
		class       Class
		rec, relRec bool
	}{
		"PHQ-9 down by 6, still a case":       {"phq-9", 20, 14, ReliableImprovement, false, false},
		"PHQ-9 down by 6 below ten":           {"phq-9", 15, 9, ReliableImprovement, true, true},
		"PHQ-9 down by 5 below ten":           {"phq-9", 14, 9, NoReliableChange, true, false},
		"PHQ-9 from 10 to 9":                  {"phq-9", 10, 9, NoReliableChange, true, false},
		"PHQ-9 from 9 to 3, no case at first": {"phq-9", 9, 3, ReliableImprovement, false, false},
		"PHQ-9 up by 6":                       {"phq-9", 4, 10, ReliableDeterioration, false, false},
		"PHQ-9 up by 5":                       {"phq-9", 4, 9, NoReliableChange, false, false},
		"PHQ-9 the same":                      {"phq-9", 12, 12, NoReliableChange, false, false},
		"GAD-7 down by 4 below eight":         {"gad-7", 11, 7, ReliableImprovement, true, true},
		"GAD-7 down by 3":                     {"gad-7", 10, 7, NoReliableChange, true, false},
		"K10 down by 20: no constant cited":   {"k10p", 40, 20, Unclassified, false, false},
		"K5 down by 10: no constant cited":    {"k5", 20, 10, Unclassified, false, false},
		"SDQ down by 20: no constant cited":   {"sdq-py201", 30, 10, Unclassified, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := l.BySlug(c.slug)
			s := in.Shift(in.Total(), PointsOf(c.from), PointsOf(c.to))
			if s.Points.Cmp(PointsOf(c.to-c.from)) != 0 || s.Class != c.class || s.Recovery != c.rec || s.ReliableRecovery != c.relRec {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestPointsAreExactDecimals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Range(-1e9, 1e9).Draw(t, "a"), rapid.Int64Range(-1e9, 1e9).Draw(t, "b")
		tenth := func(n int64) Points { // n/10 as text
			p, err := ParsePoints(PointsOf(n).String() + "e-1")
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		if tenth(a).Plus(tenth(b)).Cmp(tenth(a+b)) != 0 || tenth(a).Minus(tenth(b)).Cmp(tenth(a-b)) != 0 {
			t.Fatalf("%d and %d tenths", a, b)
		}
	})
	half, err := ParsePoints("0.5")
	if err != nil || half.share(1, 1).Cmp(PointsOf(1)) != 0 {
		t.Error("halves are not rounded up")
	}
}

func TestScoringDoesNotChangeItsInput(t *testing.T) {
	in := library(t).BySlug("sdq-yr101")
	a := full(in, 1)
	before := maps.Clone(a)
	scoreOf(t, in, a)
	if !maps.Equal(a, before) {
		t.Error("the answers were changed")
	}
}
