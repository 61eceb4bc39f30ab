package instrument

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"rapport/fhir"
)

func TestChangeIsToldSinceTheFirstAndSinceTheLastScore(t *testing.T) {
	l := library(t)
	in := l.BySlug("phq-9")
	s := newShelf()
	derive(t, s, response(t, in, "222222220", Occasion{ID: "a", Authored: "2026-01-05"})) // 16
	derive(t, s, response(t, in, "222220000", Occasion{ID: "b", Authored: "2026-02-02"})) // 10
	derive(t, s, response(t, in, "333333330", Occasion{ID: "x", Authored: "2026-02-10", Subject: fhir.Key{Type: "Patient", ID: "c2"}}))
	derive(t, s, response(t, l.BySlug("gad-7"), "3333333", Occasion{ID: "y", Authored: "2026-02-11"}))
	derive(t, s, response(t, in, "33333333.", Occasion{ID: "z", Authored: "2026-02-12"})) // no total
	wrong := derive(t, s, response(t, in, "000000000", Occasion{ID: "w", Authored: "2026-02-13"}))
	mistaken, _ := withStatus(wrong[0], "entered-in-error")
	s.put(mistaken)
	derive(t, s, response(t, in, "333333330", Occasion{ID: "later", Authored: "2026-05-01"}))

	out := derive(t, s, response(t, in, "211110000", Occasion{ID: "c", Authored: "2026-03-02T10:00:00+01:00"})) // 6
	got := map[string]string{}
	for c := range out[0].Root().Get("component").Elements() {
		v := c.At("valueQuantity", "value").Decimal()
		for i := range c.Get("interpretation").Elements() {
			v += " " + i.At("coding", "code").Text()
		}
		got[c.At("code", "coding", "code").Text()] = v
	}
	want := map[string]string{"since-first": "-10 reliable-improvement reliable-recovery", "since-last": "-4 no-reliable-change recovery"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var from []string
	for d := range out[0].Root().Get("derivedFrom").Elements() {
		from = append(from, d.Get("reference").Text())
	}
	score := func(id string) string {
		return Derived("Observation", fhir.Key{Type: "QuestionnaireResponse", ID: id}, "score").String()
	}
	if d := cmp.Diff([]string{"QuestionnaireResponse/c", score("a"), score("b")}, from); d != "" {
		t.Error(d)
	}
}

func TestTheFirstScoreIsThatOfTheCourseOfTherapy(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf(
		parse(t, `{"resourceType":"Encounter","id":"e1","episodeOfCare":[{"reference":"EpisodeOfCare/ep1"}]}`),
		episode(t, "ep1", "2026-01-15", ""),
	)
	derive(t, s, response(t, in, "333333333", Occasion{ID: "years-ago", Authored: "2019-06-01"}))
	derive(t, s, response(t, in, "222222222", Occasion{ID: "invited", Authored: "2026-01-02"}))
	derive(t, s, response(t, in, "111111110", Occasion{ID: "now", Authored: "2026-02-20", Encounter: fhir.Key{Type: "Encounter", ID: "e1"}}))
	f, err := library(t).Feedback(context.Background(), s, s.now[fhir.Key{Type: "QuestionnaireResponse", ID: "now"}], nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.First == nil || f.First.Score.Cmp(PointsOf(18)) != 0 {
		t.Errorf("first score is %+v", f.First)
	}
}

func TestACallerWhoMayNotSearchGetsTheScoreWithoutChange(t *testing.T) {
	in := library(t).BySlug("phq-9")
	s := newShelf()
	derive(t, s, response(t, in, "222222220", Occasion{ID: "a", Authored: "2026-01-05"}))
	s.closed["Observation"] = true
	out := derive(t, s, response(t, in, "211110000", Occasion{ID: "c"}))
	if len(out) != 1 || out[0].Root().Get("component").Exists() {
		t.Errorf("%v", out)
	}
}

func TestAScoreOfAYearOrAMonthIsComparedWithNone(t *testing.T) {
	d := NewDeriver(library(t))
	for name, x := range map[string]struct {
		given []form
		of    string // whose changes
		want  map[string]string
	}{
		"a year is no first score":  {[]form{scored("a", "2026-02-12", 8), scored("b", "2026", 24), scored("c", "2026-03-01", 7)}, "c", map[string]string{"since-first": "-1 no-reliable-change"}},
		"a month is no first score": {[]form{scored("a", "2026-02-12", 8), scored("b", "2026-02", 24), scored("c", "2026-03-01", 7)}, "c", map[string]string{"since-first": "-1 no-reliable-change"}},
		"a year has none before it": {[]form{scored("a", "2025-02-12", 8), scored("b", "2026", 24)}, "b", map[string]string{}},
		"a day has":                 {[]form{scored("a", "2026-02-12", 8), scored("b", "2026-03-01", 7)}, "b", map[string]string{"since-first": "-1 no-reliable-change"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			for _, f := range x.given {
				hand(t, d, s, placed{form: f}.resource(t, d))
			}
			if diff := cmp.Diff(x.want, changes(s.now[scoreKey(form{id: x.of}.key())])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestACourseThatBeganInAMonthTakesScoresFromItsFirstDay(t *testing.T) {
	s := newShelf(episode(t, "ep1", "2026-03", ""))
	d := NewDeriver(library(t))
	hand(t, d, s, placed{form: scored("years-ago", "2019-06-01", 24)}.resource(t, d))
	hand(t, d, s, placed{form: scored("now", "2026-03-20", 7), episode: "ep1"}.resource(t, d))
	if got := changes(s.now[scoreKey(form{id: "now"}.key())]); len(got) != 0 {
		t.Errorf("compared with an earlier therapy: %v", got)
	}
}
