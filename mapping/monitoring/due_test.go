package monitoring_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/mapping/monitoring"
)

func TestTheFirstIsDueWhenThePhaseBeginsAndEachFurtherOneAfterTheLast(t *testing.T) {
	for name, c := range map[string]struct {
		asks     string
		from     string
		answered []string
		now      string
		want     string
	}{
		"before the phase":             {"phq-9 1 wk", "2026-03-09", nil, "2026-03-08T23:59:00Z", ""},
		"on its first day":             {"phq-9 1 wk", "2026-03-09", nil, "2026-03-09T00:00:00Z", "ida phq-9 2026-03-09 due 0"},
		"within the days of grace":     {"phq-9 1 wk", "2026-03-09", nil, "2026-03-12T23:00:00Z", "ida phq-9 2026-03-09 due 3"},
		"after them":                   {"phq-9 1 wk", "2026-03-09", nil, "2026-03-13T00:00:00Z", "ida phq-9 2026-03-09 overdue 4"},
		"answered, and not due yet":    {"phq-9 1 wk", "2026-03-01", []string{"2026-03-05T09:00:00Z"}, "2026-03-11T12:00:00Z", ""},
		"an interval after the answer": {"phq-9 1 wk", "2026-03-01", []string{"2026-03-05T09:00:00Z"}, "2026-03-12T12:00:00Z", "ida phq-9 2026-03-12 due 0"},
		"the last answer counts":       {"phq-9 1 wk", "2026-03-01", []string{"2026-03-20", "2026-03-01", "2026-03-09"}, "2026-04-05T12:00:00Z", "ida phq-9 2026-03-27 overdue 9"},
		"an answer before the phase":   {"gad-7 2 wk", "2026-03-01", []string{"2026-02-25"}, "2026-03-11T12:00:00Z", "ida gad-7 2026-03-11 due 0"},
		"an old one before the phase":  {"gad-7 2 wk", "2026-03-01", []string{"2026-01-07"}, "2026-03-02T12:00:00Z", "ida gad-7 2026-03-01 due 1"},
		"a month after the 31st":       {"phq-9 1 mo", "2026-01-01", []string{"2026-01-31"}, "2026-02-28T12:00:00Z", "ida phq-9 2026-02-28 due 0"},
		"three days":                   {"phq-9 3 d", "2026-01-01", []string{"2026-03-01"}, "2026-03-04T00:00:00Z", "ida phq-9 2026-03-04 due 0"},
		"an answer from the future":    {"phq-9 1 wk", "2026-03-01", []string{"2062-03-02", "2026-03-02"}, "2026-03-09T12:00:00Z", "ida phq-9 2026-03-09 due 0"},
		"as often as is asked":         {"phq-9 1 wk 2", "2026-03-01", []string{"2026-03-02", "2026-03-03"}, "2026-03-11T12:00:00Z", ""},
		"the future is not counted":    {"phq-9 1 wk 2", "2026-03-01", []string{"2026-03-02", "2062-03-03"}, "2026-03-11T12:00:00Z", "ida phq-9 2026-03-09 due 2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClinic(t)
			w.at(c.now)
			w.plan("plan", "ida", "active", "", phase{id: "acute", from: c.from, asks: []string{c.asks}})
			for i, a := range c.answered {
				w.answered(fmt.Sprintf("r%d", i), "ida", strings.Fields(c.asks)[0], a, "completed")
			}
			if got := w.list("mira", monitoring.Ask{}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestAnAnswerCountsWhereItIsOfTheCourseAndByWhomThePlanAsks(t *testing.T) {
	const (
		course  = `{"url":"http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare","valueReference":{"reference":"EpisodeOfCare/%s"}}`
		by      = `{"url":"https://rapport.example/fhir/StructureDefinition/response-answered-by","valueCode":%q}`
		source  = `"source":{"reference":%q}`
		session = `"encounter":{"reference":"Encounter/%s"}`
	)
	says := func(xs ...string) string { return `"extension":[` + strings.Join(xs, ",") + `]` }
	for name, c := range map[string]struct {
		slug   string
		says   string // of the answer
		counts bool
	}{
		"nothing is said":                       {"phq-9", `"language":"en"`, true},
		"the client, of this course":            {"phq-9", says(fmt.Sprintf(course, "course-ida"), fmt.Sprintf(by, "client")), true},
		"of another course":                     {"phq-9", says(fmt.Sprintf(course, "other")), false},
		"in a session of this course":           {"phq-9", fmt.Sprintf(session, "here"), true},
		"in a session of another course":        {"phq-9", fmt.Sprintf(session, "there"), false},
		"a session that names no course":        {"phq-9", fmt.Sprintf(session, "anywhere"), true},
		"a parent, asked of the client":         {"phq-9", says(fmt.Sprintf(by, "parent")), false},
		"a practitioner, asked of the client":   {"phq-9", says(fmt.Sprintf(by, "practitioner")), false},
		"a relative, asked of the client":       {"phq-9", fmt.Sprintf(source, "RelatedPerson/mother"), false},
		"a parent, asked of a parent":           {"sdq-pc101", says(fmt.Sprintf(by, "parent")), true},
		"a relative, asked of a parent":         {"sdq-pc101", fmt.Sprintf(source, "RelatedPerson/mother"), true},
		"the client, asked of a parent":         {"sdq-pc101", fmt.Sprintf(source, "Patient/ida"), false},
		"a parent, asked of a parent elsewhere": {"sdq-pc101", says(fmt.Sprintf(by, "parent"), fmt.Sprintf(course, "other")), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClinic(t)
			w.put(`{"resourceType":"EpisodeOfCare","id":"other","status":"active","patient":{"reference":"Patient/ida"},"careManager":{"reference":"Practitioner/mira"},"period":{"start":"2026-01-05"}}`,
				`{"resourceType":"RelatedPerson","id":"mother","patient":{"reference":"Patient/ida"}}`)
			for id, of := range map[string]string{"here": `,"episodeOfCare":[{"reference":"EpisodeOfCare/course-ida"}]`, "there": `,"episodeOfCare":[{"reference":"EpisodeOfCare/other"}]`, "anywhere": ""} {
				w.put(fmt.Sprintf(`{"resourceType":"Encounter","id":%q,%s,"status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/ida"}%s}`, id, secret, of))
			}
			w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{c.slug + " 1 wk"}})
			w.at("2026-03-20T12:00:00Z")
			w.pass()
			w.put(fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":"r1",%s,%s,"questionnaire":%q,"status":"completed","subject":{"reference":"Patient/ida"},"authored":"2026-03-18"}`,
				secret, c.says, w.rules.Library.BySlug(c.slug).Canonical()))
			want, status := "", "completed"
			if !c.counts {
				want, status = "ida "+c.slug+" 2026-03-01 overdue 19", "requested"
			}
			if got := w.list("mira", monitoring.Ask{}); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if w.pass(); w.statuses() != "2026-03-01 "+status {
				t.Errorf("%s, want %s", w.statuses(), status)
			}
		})
	}
}

func TestOnlyAnswersOfItsCourseCountTowardsHowOftenAPlanAsks(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk 2"}})
	w.at("2026-03-20T12:00:00Z")
	w.answered("r1", "ida", "phq-9", "2026-03-02", "completed")
	w.put(fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":"r2",%s,"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare","valueReference":{"reference":"EpisodeOfCare/other"}}],"questionnaire":%q,"status":"completed","subject":{"reference":"Patient/ida"},"authored":"2026-03-04"}`,
		secret, w.rules.Library.BySlug("phq-9").Canonical()))
	if got := w.list("mira", monitoring.Ask{}); got != "ida phq-9 2026-03-09 overdue 11" {
		t.Error(got)
	}
}

// What a Task waited for is told by the plan that it was raised for, also when that asks
// no more.
func TestATaskOfAPlanThatEndedIsNotCompletedByAnotherCourse(t *testing.T) {
	w := newClinic(t)
	weekly := phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}}
	w.plan("plan", "ida", "active", "", weekly)
	w.at("2026-03-20T12:00:00Z")
	w.pass()
	w.put(fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":"r2",%s,"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare","valueReference":{"reference":"EpisodeOfCare/other"}}],"questionnaire":%q,"status":"completed","subject":{"reference":"Patient/ida"},"authored":"2026-03-04"}`,
		secret, w.rules.Library.BySlug("phq-9").Canonical()))
	w.plan("plan", "ida", "revoked", "", weekly)
	if w.pass(); w.statuses() != "2026-03-01 cancelled" {
		t.Error(w.statuses())
	}
}

func TestADayIsThatOfThePractice(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	auckland, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		zone          *time.Location
		answered, now string
		want          string
	}{
		"in UTC still the day before":     {time.UTC, "2026-03-01T23:30:00Z", "2026-03-08T23:30:00Z", "ida phq-9 2026-03-08 due 0"},
		"after midnight there":            {vienna, "2026-03-01T23:30:00Z", "2026-03-08T22:30:00Z", ""},
		"a week of their days later":      {vienna, "2026-03-01T23:30:00Z", "2026-03-08T23:30:00Z", "ida phq-9 2026-03-09 due 0"},
		"the answer told in another zone": {vienna, "2026-03-02T08:00:00+13:00", "2026-03-08T12:00:00Z", "ida phq-9 2026-03-08 due 0"},
		"half a day ahead":                {auckland, "2026-03-01T12:00:00Z", "2026-03-08T11:00:00Z", "ida phq-9 2026-03-09 due 0"},
		"across the change of the clocks": {vienna, "2026-03-27T23:30:00+01:00", "2026-04-02T22:30:00Z", "ida phq-9 2026-04-03 due 0"},
		"a date is that day everywhere":   {auckland, "2026-03-01", "2026-03-07T12:00:00Z", "ida phq-9 2026-03-08 due 0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClinic(t)
			w.rules.Zone = c.zone
			w.at(c.now)
			w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-01-05", asks: []string{"phq-9 1 wk"}})
			w.answered("r1", "ida", "phq-9", c.answered, "completed")
			if got := w.list("mira", monitoring.Ask{}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestAPlanThatDoesNotStandAsksForNothing(t *testing.T) {
	weekly := phase{id: "acute", from: "2026-02-01", asks: []string{"phq-9 1 wk"}}
	with := func(f func(*phase)) phase { p := weekly; f(&p); return p }
	for name, c := range map[string]struct {
		set  func(w *clinic)
		asks bool
	}{
		"it stands":            {func(w *clinic) { w.plan("plan", "ida", "active", "", weekly) }, true},
		"the plan is on hold":  {func(w *clinic) { w.plan("plan", "ida", "on-hold", "", weekly) }, false},
		"the plan was revoked": {func(w *clinic) { w.plan("plan", "ida", "revoked", "", weekly) }, false},
		"the phase is a draft": {func(w *clinic) { w.plan("plan", "ida", "active", "", with(func(p *phase) { p.status = "draft" })) }, false},
		"the phase has ended":  {func(w *clinic) { w.plan("plan", "ida", "active", "", with(func(p *phase) { p.to = "2026-03-04" })) }, false},
		"it ends today":        {func(w *clinic) { w.plan("plan", "ida", "active", "", with(func(p *phase) { p.to = "2026-03-05" })) }, true},
		"the plan has ended": {func(w *clinic) {
			w.plan("plan", "ida", "active", `,"period":{"start":"2026-01-05","end":"2026-03"}`, weekly)
		}, true},
		"the plan ended before": {func(w *clinic) {
			w.plan("plan", "ida", "active", `,"period":{"start":"2026-01-05","end":"2026-02"}`, weekly)
		}, false},
		"it was replaced": {func(w *clinic) {
			w.plan("plan", "ida", "active", "", weekly)
			w.plan("next", "ida", "active", `,"replaces":[{"reference":"CarePlan/plan"}]`)
		}, false},
		"the therapy has ended": {func(w *clinic) {
			w.client("ida", "mira", "finished", "2026-03-01")
			w.plan("plan", "ida", "active", "", weekly)
		}, false},
		"the therapy is on hold": {func(w *clinic) {
			w.client("ida", "mira", "onhold", "")
			w.plan("plan", "ida", "active", "", weekly)
		}, false},
		"the therapy is over by its end": {func(w *clinic) {
			w.client("ida", "mira", "active", "2026-03-01")
			w.plan("plan", "ida", "active", "", weekly)
		}, false},
		"the client has died": {func(w *clinic) {
			w.put(`{"resourceType":"Patient","id":"ida","deceasedBoolean":true}`)
			w.plan("plan", "ida", "active", "", weekly)
		}, false},
		"nobody knows the course of therapy": {func(w *clinic) { w.plan("plan", "nobody", "active", "", weekly) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClinic(t)
			if strings.HasPrefix(name, "nobody") {
				w.put(`{"resourceType":"Patient","id":"nobody"}`)
			}
			c.set(w)
			if got := w.list("", monitoring.Ask{}); (got != "") != c.asks {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestANewPhaseAsksAtItsOwnPace(t *testing.T) {
	w := newClinic(t)
	acute := phase{id: "acute", from: "2026-01-05", to: "2026-02-28", asks: []string{"phq-9 1 wk", "gad-7 2 wk"}}
	calm := phase{id: "calm", phase: "consolidation", from: "2026-03-01", asks: []string{"phq-9 1 mo"}}
	w.plan("plan", "ida", "active", "", acute, calm)
	w.answered("r1", "ida", "phq-9", "2026-02-20", "completed")
	w.at("2026-02-28T12:00:00Z")
	if got := w.list("mira", monitoring.Ask{}); got != "ida gad-7 2026-01-05 overdue 54\nida phq-9 2026-02-27 due 1" {
		t.Errorf("in the acute phase:\n%s", got)
	}
	w.at("2026-03-01T12:00:00Z")
	if got := w.list("mira", monitoring.Ask{}); got != "" {
		t.Errorf("after it:\n%s", got)
	}
	w.at("2026-03-20T12:00:00Z")
	page := w.page("mira", monitoring.Ask{})
	if len(page.Items) != 1 || page.Items[0].Due != "2026-03-20" || page.Items[0].Phase != "consolidation" || page.Items[0].Plan != "CarePlan/calm" ||
		page.Items[0].Last == nil || page.Items[0].Last.Reference != "QuestionnaireResponse/r1" || page.Items[0].Therapist != "Practitioner/mira" {
		t.Errorf("%+v", page.Items)
	}
}

func TestWhatIsNoAnswerDoesNotCountAsOne(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}})
	for i, status := range []string{"in-progress", "stopped", "entered-in-error"} {
		w.answered(fmt.Sprint("r", i), "ida", "phq-9", "2026-03-05", status)
	}
	w.answered("r9", "ida", "gad-7", "2026-03-05", "completed")
	score := func(id, date, extension string) {
		w.put(fmt.Sprintf(`{"resourceType":"Observation","id":%q,%s%s,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]},"subject":{"reference":"Patient/ida"},"effectiveDateTime":%q,"valueQuantity":{"value":9}}`, id, secret, extension, date))
	}
	score("derived", "2026-03-05", "")
	if got := w.list("mira", monitoring.Ask{}); got != "ida phq-9 2026-03-01 overdue 4" {
		t.Errorf("%q", got)
	}
	// A source that states the score alone has asked.
	score("stated", "2026-03-04", `,"extension":[{"url":"https://rapport.example/fhir/StructureDefinition/response-instrument","valueCanonical":"`+w.rules.Library.BySlug("phq-9").Canonical()+`"}]`)
	w.at("2026-03-11T12:00:00Z")
	if got := w.list("mira", monitoring.Ask{}); got != "ida phq-9 2026-03-11 due 0" {
		t.Errorf("%q", got)
	}
	w.answered("r10", "ida", "phq-9", "2026-03-06", "amended")
	if got := w.list("mira", monitoring.Ask{}); got != "" {
		t.Errorf("%q", got)
	}
}

func TestAScoreThatASourceStatesIsOneOfThoseThatAPlanAsksFor(t *testing.T) {
	w := newClinic(t)
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk 2"}})
	w.answered("r1", "ida", "phq-9", "2026-03-01", "completed")
	score := func(id, extension string) {
		w.put(fmt.Sprintf(`{"resourceType":"Observation","id":%q,%s%s,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]},"subject":{"reference":"Patient/ida"},"effectiveDateTime":"2026-03-02","valueQuantity":{"value":9}}`, id, secret, extension))
	}
	w.at("2026-03-11T12:00:00Z")
	score("derived", "")
	if got := w.list("mira", monitoring.Ask{}); got != "ida phq-9 2026-03-08 due 3" {
		t.Errorf("%q", got)
	}
	score("stated", `,"extension":[{"url":"https://rapport.example/fhir/StructureDefinition/response-instrument","valueCanonical":"`+w.rules.Library.BySlug("phq-9").Canonical()+`"}]`)
	if got := w.list("mira", monitoring.Ask{}); got != "" {
		t.Errorf("%q", got)
	}
}

func TestWhatTheAskerMayNotSeeDoesNotCount(t *testing.T) {
	w := newClinic(t)
	w.client("roth", "jon", "active", "")
	w.plan("plan", "ida", "active", "", phase{id: "acute", from: "2026-03-01", asks: []string{"phq-9 1 wk"}})
	w.plan("other", "roth", "active", "", phase{id: "other-acute", from: "2026-02-01", asks: []string{"phq-9 1 wk", "gad-7 1 wk"}})
	for who, want := range map[string]string{
		"mira": "ida phq-9 2026-03-01 overdue 4",
		"jon":  "roth gad-7 2026-02-01 overdue 32\nroth phq-9 2026-02-01 overdue 32",
		"":     "roth gad-7 2026-02-01 overdue 32\nroth phq-9 2026-02-01 overdue 32\nida phq-9 2026-03-01 overdue 4",
	} {
		if got := w.list(who, monitoring.Ask{}); got != want {
			t.Errorf("%s:\n%s", who, got)
		}
	}
	for _, c := range []struct {
		ask  monitoring.Ask
		want string
	}{
		{monitoring.Ask{Instrument: "gad-7"}, "roth gad-7 2026-02-01 overdue 32"},
		{monitoring.Ask{Therapist: fhir.Key{Type: "Practitioner", ID: "mira"}}, "ida phq-9 2026-03-01 overdue 4"},
		{monitoring.Ask{Client: fhir.Key{Type: "Patient", ID: "ida"}}, "ida phq-9 2026-03-01 overdue 4"},
		{monitoring.Ask{State: monitoring.Due}, ""},
	} {
		if got := w.list("", c.ask); got != c.want {
			t.Errorf("%+v:\n%s", c.ask, got)
		}
	}
	if got := w.list("mira", monitoring.Ask{Client: fhir.Key{Type: "Patient", ID: "roth"}}); got != "" {
		t.Errorf("%q", got)
	}
}

func TestPagesListEachClientOnce(t *testing.T) {
	w := newClinic(t)
	want := map[string]int{}
	for i := range 7 {
		id := fmt.Sprintf("client-%d", i)
		w.client(id, "mira", "active", "")
		w.plan("plan-"+id, id, "active", "",
			phase{id: "z" + id, from: "2026-02-01", asks: []string{"phq-9 1 wk"}},
			phase{id: "a" + id, phase: "consolidation", from: "2026-02-08", asks: []string{"phq-9 2 wk", "gad-7 1 wk"}})
		want[id+" phq-9 2026-02-01"]++
		want[id+" gad-7 2026-02-08"]++
	}
	got := map[string]int{}
	pages := 0
	for a := (monitoring.Ask{Count: 4}); ; pages++ {
		page := w.page("mira", a)
		for _, it := range page.Items {
			got[strings.TrimPrefix(it.Client, "Patient/")+" "+it.Instrument+" "+it.Due]++
		}
		if a.After = page.Next; a.After == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || pages < 4 {
		t.Errorf("on %d pages: %v", pages+1, got)
	}
}
