package instrument

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
)

// phq and check are responses of one client.
func phq(id, authored, digits string) form {
	return form{id, "phq-9", authored, "completed", digits}
}

func check(id, authored, digits string) form {
	return form{id, "alliance", authored, "completed", digits}
}

// raised lists tasks and flags that are open, by the response that they rest on.
func (s *shelf) raised() (out []string) {
	for k, r := range s.now {
		root := r.Root()
		switch {
		case k.Type == "Task" && open(r):
			why, _ := root.Get("reasonReference").Ref()
			out = append(out, fmt.Sprintf("%s %s %s", why.ID, root.Get("priority").Text(), root.At("code", "coding", "code").Text()))
		case k.Type == "Flag" && root.Get("status").Text() == "active":
			o, _ := root.Get("extension").Index(0).Get("valueReference").Ref()
			out = append(out, fmt.Sprintf("flag on %s", s.now[o].Root().Get("derivedFrom").Index(0).Get("reference").Text()))
		}
	}
	slices.Sort(out)
	return out
}

func TestADeteriorationIsPutBeforeTheTherapistOnceInItsRun(t *testing.T) {
	d := NewDeriver(library(t))
	s := newShelf()
	for i, x := range []struct {
		what string
		form
		want []string
	}{
		{"the first score", phq("a", "2026-01-05", "111110000"), nil},
		{"5 up: no reliable change", phq("b", "2026-01-12", "222220000"), nil},
		{"6 up", phq("c", "2026-01-19", "222221100"), []string{"c urgent review-change"}},
		{"still up", phq("d", "2026-01-26", "222222200"), []string{"c urgent review-change"}},
		{"better", phq("e", "2026-02-02", "111111000"), []string{"c urgent review-change"}},
		{"worse again while the task waits", phq("f", "2026-02-09", "222222200"), []string{"c urgent review-change"}},
	} {
		hand(t, d, s, x.resource(t, d))
		if diff := cmp.Diff(x.want, s.raised()); diff != "" {
			t.Fatalf("%d, %s: %s", i, x.what, diff)
		}
	}
	task := s.now[alert{slug: "deterioration"}.taskOf(form{id: "c"}.key())].Root()
	for path, want := range map[string]string{
		"focus.reference": scoreKey(form{id: "c"}.key()).String(), "owner.reference": "Practitioner/t1",
		"for.reference": "Patient/c1", "code.coding.system": RiskCodes, "authoredOn": "2026-01-19", "intent": "order",
	} {
		if got := task.At(strings.Split(path, ".")...).Text(); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	// A person closed it: the run that goes on is dealt with, another one is not.
	s.close(t, form{id: "c"})
	hand(t, d, s, phq("g", "2026-02-16", "222222200").resource(t, d))
	if got := s.raised(); len(got) != 1 || got[0] != "g urgent review-change" {
		t.Errorf("f and g are a run without a task: %v", got)
	}
	s.close(t, form{id: "g"})
	hand(t, d, s, phq("h", "2026-02-23", "222222210").resource(t, d))
	if got := s.raised(); len(got) != 0 {
		t.Errorf("the run was dealt with: %v", got)
	}
	hand(t, d, s, phq("i", "2026-03-02", "333333300").resource(t, d))
	if got := s.raised(); len(got) != 1 || got[0] != "i urgent review-change" {
		t.Errorf("a further deterioration since the last score is one of its own: %v", got)
	}
}

func TestADeteriorationSinceTheLastScoreIsPutBeforeTheTherapistToo(t *testing.T) {
	d := NewDeriver(library(t))
	const high, low, nearly = "333332300", "111111000", "333332000" // 20, 6, 17
	relapse := []form{phq("a", "2026-01-05", high), phq("b", "2026-02-02", low), phq("c", "2026-03-02", nearly)}
	for name, x := range map[string]struct {
		forms []form
		then  []fhir.Resource
		want  []string // tasks that wait, and the comparison that each names
	}{
		"a relapse after an improvement":  {relapse, nil, []string{"c since-last"}},
		"the second score has one":        {[]form{phq("a", "2026-01-05", low), phq("b", "2026-02-02", nearly)}, nil, []string{"b since-first"}},
		"worse than the first and last":   {[]form{phq("a", "2026-01-05", low), phq("b", "2026-02-02", low), phq("c", "2026-03-02", nearly)}, nil, []string{"c since-first-and-last"}},
		"as bad the week after":           {append(slices.Clone(relapse), phq("d", "2026-03-09", nearly)), nil, []string{"c since-last"}},
		"a second relapse while it waits": {append(slices.Clone(relapse), phq("d", "2026-03-09", low), phq("e", "2026-03-16", nearly)), nil, []string{"c since-last"}},
		"the low score is in error":       {relapse, []fhir.Resource{form{"b", "phq-9", "2026-02-02", "entered-in-error", low}.resource(t, d)}, nil},
		"the low score is deleted":        {relapse, []fhir.Resource{fhir.Tombstone(form{id: "b"}.key(), 2)}, nil},
		"the low score was none":          {relapse, []fhir.Resource{form{"b", "phq-9", "2026-02-02", "amended", high}.resource(t, d)}, nil},
		"the relapse was none":            {relapse, []fhir.Resource{form{"c", "phq-9", "2026-03-02", "amended", low}.resource(t, d)}, nil},
		"the first was low too":           {relapse, []fhir.Resource{form{"a", "phq-9", "2026-01-05", "amended", low}.resource(t, d)}, []string{"c since-first-and-last"}},
		"the first was low, then is not": {relapse, []fhir.Resource{
			form{"a", "phq-9", "2026-01-05", "amended", low}.resource(t, d), form{"a", "phq-9", "2026-01-05", "amended", high}.resource(t, d),
		}, []string{"c since-last"}},
		"it comes again": {relapse, []fhir.Resource{
			form{"b", "phq-9", "2026-02-02", "entered-in-error", low}.resource(t, d), form{"b", "phq-9", "2026-02-02", "completed", low}.resource(t, d),
		}, []string{"c since-last"}},
		"the same once more": {relapse, []fhir.Resource{relapse[2].resource(t, d)}, []string{"c since-last"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			for _, f := range x.forms {
				hand(t, d, s, f.resource(t, d))
			}
			for _, r := range x.then {
				hand(t, d, s, r)
			}
			if diff := cmp.Diff(x.want, s.reasons()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// reasons lists the tasks that wait, by the response that they rest on, and what each
// says why.
func (s *shelf) reasons() (out []string) {
	for k, r := range s.now {
		if k.Type == "Task" && open(r) {
			why, _ := r.Root().Get("reasonReference").Ref()
			out = append(out, why.ID+" "+r.Root().At("reasonCode", "coding", "code").Text())
		}
	}
	slices.Sort(out)
	return out
}

func (s *shelf) close(t *testing.T, f form) {
	t.Helper()
	k := alert{slug: "deterioration"}.taskOf(f.key())
	done, err := withStatus(s.now[k], "completed")
	if err != nil {
		t.Fatal(err)
	}
	s.put(done)
}

func TestACorrectionTakesTheTaskAlongOrHandsItOn(t *testing.T) {
	d := NewDeriver(library(t))
	low, high := "000000000", "222222200"
	for name, x := range map[string]struct {
		then fhir.Resource
		want []string
	}{
		"the score that called is amended": {form{"b", "phq-9", "2026-01-12", "amended", low}.resource(t, d), []string{"c urgent review-change"}},
		"it is in error":                   {form{"b", "phq-9", "2026-01-12", "entered-in-error", high}.resource(t, d), []string{"c urgent review-change"}},
		"it is deleted":                    {fhir.Tombstone(form{id: "b"}.key(), 2), []string{"c urgent review-change"}},
		"the first was as high":            {form{"a", "phq-9", "2026-01-05", "amended", high}.resource(t, d), nil},
		"the first is deleted":             {fhir.Tombstone(form{id: "a"}.key(), 2), nil},
		"a first that was higher still":    {phq("late", "2026-01-01", "333333333").resource(t, d), []string{"b urgent review-change", "flag on ", "late stat review"}}, // b is worse than a, the last before it
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			for _, f := range []form{phq("a", "2026-01-05", low), phq("b", "2026-01-12", high), phq("c", "2026-01-19", high)} {
				hand(t, d, s, f.resource(t, d))
			}
			if got := s.raised(); len(got) != 1 || got[0] != "b urgent review-change" {
				t.Fatalf("before: %v", got)
			}
			hand(t, d, s, x.then)
			if diff := cmp.Diff(x.want, s.raised()); diff != "" {
				t.Error(diff)
			}
			// Amended back, it calls as before.
			if name == "the first was as high" {
				hand(t, d, s, form{"a", "phq-9", "2026-01-05", "amended", low}.resource(t, d))
				if got := s.raised(); len(got) != 1 {
					t.Errorf("back again: %v", got)
				}
			}
		})
	}
}

func TestAnAllianceDropIsOneBelowTheClientsOwnMean(t *testing.T) {
	d := NewDeriver(library(t))
	for name, x := range map[string]struct {
		checks []string
		want   map[string]string // of the last check
		raised []string
	}{
		"two earlier checks are too few": {[]string{"9999", "9999", "2222"},
			map[string]string{"alliance-mean": "2", "since-first": "-28", "since-last": "-28"}, nil},
		"8 below the mean of three": {[]string{"9999", "9999", "9999", "7777"},
			map[string]string{"alliance-mean": "7", "since-first": "-8", "since-last": "-8", "since-own-mean": "-8 own-mean-drop"},
			[]string{"flag on QuestionnaireResponse/r3", "r3 urgent review-own-mean"}},
		"7 below": {[]string{"9999", "9999", "9999", "7778"},
			map[string]string{"alliance-mean": "7.25", "since-first": "-7", "since-last": "-7", "since-own-mean": "-7"}, nil},
		// 36, 36 and 35: a mean of 35 2/3, told as 35.67; 28 lies 7 2/3 below, 27 8 2/3.
		"not quite 8 below a mean that is rounded": {[]string{"9999", "9999", "9998", "7777"},
			map[string]string{"alliance-mean": "7", "since-first": "-8", "since-last": "-7", "since-own-mean": "-7.67"}, nil},
		"always low is no drop": {[]string{"3333", "3333", "3333", "3333"},
			map[string]string{"alliance-mean": "3", "since-first": "0", "since-last": "0", "since-own-mean": "0"}, nil},
		"a second drop waits with the first": {[]string{"9999", "9999", "9999", "5555", "5555"},
			map[string]string{"alliance-mean": "5", "since-first": "-16", "since-last": "0", "since-own-mean": "-12 own-mean-drop"},
			[]string{"flag on QuestionnaireResponse/r3", "r3 urgent review-own-mean"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf()
			var last form
			for i, digits := range x.checks {
				last = check(fmt.Sprintf("r%d", i), fmt.Sprintf("2026-01-%02d", i+1), digits)
				hand(t, d, s, last.resource(t, d))
			}
			if diff := cmp.Diff(x.want, changes(s.now[scoreKey(last.key())])); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(x.raised, s.raised()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnAllianceFlagRestsWhenItsCheckIsCorrected(t *testing.T) {
	d := NewDeriver(library(t))
	s := newShelf()
	for i, digits := range []string{"9999", "9999", "9999", "2222"} {
		hand(t, d, s, check(fmt.Sprintf("r%d", i), fmt.Sprintf("2026-01-%02d", i+1), digits).resource(t, d))
	}
	drop := form{"r3", "alliance", "2026-01-04", "amended", "9992"}
	for i, x := range []struct {
		digits string
		want   int
	}{{"8888", 0}, {"2222", 2}, {"999.", 0}} {
		drop.digits = x.digits
		hand(t, d, s, drop.resource(t, d))
		if got := s.raised(); len(got) != x.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}

func TestACourseOfTherapyOfItsOwnHasAMeanOfItsOwn(t *testing.T) {
	d := NewDeriver(library(t))
	s := newShelf(
		parse(t, `{"resourceType":"EpisodeOfCare","id":"ep2","period":{"start":"2026-06-01"},"careManager":{"reference":"Practitioner/t2"}}`),
	)
	for i, digits := range []string{"9999", "9999", "9999"} {
		hand(t, d, s, check(fmt.Sprintf("r%d", i), fmt.Sprintf("2026-01-%02d", i+1), digits).resource(t, d))
	}
	last := check("r9", "2026-06-10", "2222").resource(t, d)
	last, err := last.Apply(fhir.Add(last.Root(), []byte(`"extension":[{"url":"`+episodeURL+`","valueReference":{"reference":"EpisodeOfCare/ep2"}}]`)))
	if err != nil {
		t.Fatal(err)
	}
	hand(t, d, s, last)
	if got := changes(s.now[scoreKey(last.Key)]); got["since-own-mean"] != "" || got["since-first"] != "" || len(s.raised()) != 0 {
		t.Errorf("%v, %v", got, s.raised())
	}
	w := aboutOf(last)
	w.author = fhir.Key{}
	if k, err := owner(t.Context(), s, w); err != nil || k.ID != "t2" {
		t.Errorf("%v, %v", k, err)
	}
}

func TestWhatAChangeCallsForIsValidFHIR(t *testing.T) {
	d, v := NewDeriver(library(t)), validate.New(spec.R4())
	s := newShelf()
	for i, digits := range []string{"9999", "9999", "9999", "2222"} {
		hand(t, d, s, check(fmt.Sprintf("r%d", i), fmt.Sprintf("2026-01-%02d", i+1), digits).resource(t, d))
	}
	hand(t, d, s, phq("a", "2026-01-05", "000000000").resource(t, d))
	hand(t, d, s, phq("b", "2026-01-12", "222222222").resource(t, d))
	types := map[string]int{}
	for k, r := range s.now {
		types[k.Type]++
		for _, e := range v.Resource(t.Context(), r) {
			if !e.Warn {
				t.Errorf("%s: %v", k, e)
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"QuestionnaireResponse": 6, "Observation": 6, "Task": 3, "Flag": 2}, types); diff != "" {
		t.Error(diff)
	}
}
