package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// anothers is ground of a second client.
func (o *office) anothers() *office {
	o.Helper()
	for _, r := range []struct{ kinds, body string }{
		{"clients", `{"key":"c2","name":{"family":"Lohmann","given":["Til"]}}`},
		{"episodes", `{"key":"e2","client":"c2","status":"active","start":"2026-01-05"}`},
		{"sessions", `{"key":"s2","client":"c2","episode":"e2","status":"finished","start":"2026-01-12"}`},
		{"goals", `{"key":"g2","client":"c2","description":"To sing again","status":"active"}`},
		{"plans", `{"key":"p2","client":"c2","status":"active","title":"Plan"}`},
	} {
		o.post(r.kinds, r.body)
	}
	return o
}

func TestARecordThatRefersToNothingIsRefusedWhereItDoes(t *testing.T) {
	o := newOffice(t).settle()
	before := o.count()
	hidden := o.mapper.ID("Patient", "urn:practice:test", "c1")
	for name, c := range map[string]struct {
		kinds, body string
		at          []string
	}{
		"a client by its key":   {"sessions", strings.Replace(session, `"c1"`, `"nobody"`, 1), []string{"/client"}},
		"a client as stored":    {"sessions", strings.Replace(session, `"c1"`, `{"reference":"Patient/0815"}`, 1), []string{"/client"}},
		"another system's key":  {"sessions", strings.Replace(session, `"c1"`, `{"system":"urn:elsewhere","key":"c1"}`, 1), []string{"/client"}},
		"one in a list":         {"sessions", strings.Replace(session, `{"practitioner":"t1"}`, `{"practitioner":"t1"},{"practitioner":"t2"}`, 1), []string{"/practitioners/1/practitioner"}},
		"two at once":           {"responses", strings.NewReplacer(`"s1"`, `"s9"`, `"t1"`, `"t9"`).Replace(phq9("r1", "2026-02-02", "1111111111")), []string{"/session", "/therapist"}},
		"the client, hidden":    {"goals", `{"key":"g1","client":"c1","description":"Sleep","status":"active"}`, []string{"/client"}},
		"what goes with it":     {"referrals", `{"key":"f1","client":"c1","direction":"in","status":"requested","supporting":[{"reference":"Goal/none"}]}`, []string{"/supporting/0"}},
		"the other way of both": {"plans", `{"key":"p1","client":"c1","status":"active","summary":"x","goals":["g9"],"adjusts":"p0"}`, []string{"/adjusts", "/goals/0"}},
	} {
		t.Run(name, func(t *testing.T) {
			o.front.T = t
			o.hides[hidden] = strings.HasSuffix(name, "hidden")
			var at []string
			for _, i := range o.outcome(o.send(http.MethodPost, "/practice/"+c.kinds, c.body), http.StatusUnprocessableEntity) {
				at = append(at, i.Get("expression").Index(0).Text())
			}
			slices.Sort(at)
			if !slices.Equal(at, c.at) {
				t.Errorf("told at %v, want %v", at, c.at)
			}
		})
	}
	if o.count() != before {
		t.Error("something of them was stored")
	}
}

func TestARecordThatRefersToAnotherClientsIsRefusedWhereItDoes(t *testing.T) {
	o := newOffice(t).settle().anothers()
	before := o.count()
	for name, c := range map[string]struct {
		kinds, body string
		at          []string
	}{
		"the course of a session":     {"sessions", `{"key":"n","client":"c1","episode":"e2","status":"finished","start":"2026-02-02"}`, []string{"/episode"}},
		"the course of a no-show":     {"sessions", `{"key":"n","client":"c1","episode":"e2","status":"noshow","start":"2026-02-02"}`, []string{"/episode"}},
		"course and session both":     {"responses", strings.NewReplacer(`"e1"`, `"e2"`, `"s1"`, `"s2"`).Replace(phq9("n", "2026-02-02", "1111111111")), []string{"/episode", "/session"}},
		"the goal of a plan":          {"plans", `{"key":"n","client":"c1","status":"active","title":"Plan","goals":["g2"]}`, []string{"/goals/0"}},
		"the goal of a phase":         {"plans", `{"key":"n","client":"c1","status":"active","title":"Plan","phases":[{"phase":"acute","status":"active","goals":["g2"]}]}`, []string{"/phases/0/goals/0"}},
		"the goal of both":            {"plans", `{"key":"n","client":"c1","status":"active","title":"Plan","goals":["g2"],"phases":[{"phase":"acute","status":"active","goals":["g2"]}]}`, []string{"/goals/0", "/phases/0/goals/0"}},
		"the goal that is rated":      {"goal-ratings", `{"key":"n","client":"c1","goal":"g2","by":"client","rating":3}`, []string{"/goal"}},
		"plan, session of a practice": {"exercises", `{"key":"n","client":"c1","plan":"p2","session":"s2","status":"requested","exercise":"body"}`, []string{"/plan", "/session"}},
		"what a referral brings":      {"referrals", `{"key":"n","client":"c1","direction":"in","status":"requested","supporting":[{"reference":"` + o.mapper.ID("Goal", ofPractice, "g2").String() + `"}]}`, []string{"/supporting/0"}},
		"the second of a workshop": {"workshops", `{"key":"n","start":"2026-02-02","clients":[{"client":"c2","episode":"e2","status":"finished"},{"client":"c1","episode":"e2","status":"finished"}]}`,
			[]string{"/clients/1/episode"}},
		"that of each other": {"workshops", `{"key":"n","start":"2026-02-02","clients":[{"client":"c2","episode":"e1","status":"finished"},{"client":"c1","episode":"e2","status":"noshow"}]}`,
			[]string{"/clients/0/episode", "/clients/1/episode"}},
	} {
		t.Run(name, func(t *testing.T) {
			o.front.T = t
			r := o.send(http.MethodPost, "/practice/"+c.kinds, c.body)
			var at []string
			for _, i := range o.outcome(r, http.StatusUnprocessableEntity) {
				at = append(at, i.Get("expression").Index(0).Text())
			}
			slices.Sort(at)
			if !slices.Equal(at, c.at) || !strings.Contains(string(r.body), "another client") {
				t.Errorf("told at %v, want %v: %s", at, c.at, r.body)
			}
		})
	}
	if o.count() != before {
		t.Error("something of them was stored")
	}
}

func TestWhatMayNotBeSeenOfAnotherClientIsToldAsNotThere(t *testing.T) {
	o := newOffice(t).settle().anothers()
	told := func(episode string) string {
		t.Helper()
		r := o.send(http.MethodPost, "/practice/sessions", `{"key":"n","client":"c1","episode":"`+episode+`","status":"finished","start":"2026-02-02"}`)
		o.outcome(r, http.StatusUnprocessableEntity)
		return string(r.body)
	}
	seen, none := told("e2"), told("e9")
	o.hides[o.mapper.ID("EpisodeOfCare", ofPractice, "e2")] = true
	if hidden := told("e2"); hidden != none || hidden == seen {
		t.Errorf("hidden: %s\nnone: %s\nseen: %s", hidden, none, seen)
	}
	// What is deleted is not there.
	k := o.mapper.ID("EpisodeOfCare", ofPractice, "e2")
	o.hides[k] = false
	o.versions[k] = append(o.versions[k], fhir.Resource{})
	if gone := told("e2"); gone != none {
		t.Errorf("deleted: %s", gone)
	}
}

// A client answers before the session, and may then not come.
func TestASessionThatHasNotTakenPlaceMayBeNamed(t *testing.T) {
	o := newOffice(t).settle()
	booked := `{"key":"s3","client":"c1","episode":"e1","practitioners":[{"practitioner":"t1"}],"status":"booked","start":"2026-02-02T10:00:00+01:00"}`
	o.post("sessions", booked)
	before := strings.NewReplacer(`"episode":"e1",`, "", `"s1"`, `"s3"`).Replace(phq9("r1", "2026-02-01T20:00:00+01:00", "000000000"))
	told := func(status int) string {
		r := o.send(http.MethodPost, "/practice/responses", before)
		if r.StatusCode != status {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		receipt, err := fhir.ParseNode(r.body)
		if err != nil {
			t.Fatal(err)
		}
		for i := range receipt.Get("issues").Elements() {
			if i.Get("expression").Index(0).Text() == "/session" {
				return i.Get("severity").Text()
			}
		}
		return ""
	}
	if got := told(http.StatusCreated); got != "warning" {
		t.Errorf("it is told as %q", got)
	}
	course := func() string {
		for _, r := range o.of("Observation") {
			return instrument.Course(r).ID
		}
		return "no score"
	}
	if got := course(); got != "" {
		t.Errorf("before the session it is of the course %s", got)
	}
	for _, step := range []struct {
		status, course, told string
	}{
		{"finished", o.mapper.ID("EpisodeOfCare", ofPractice, "e1").ID, ""},
		{"noshow", "", "warning"},
		{"finished", o.mapper.ID("EpisodeOfCare", ofPractice, "e1").ID, ""},
	} {
		o.post("sessions", strings.Replace(booked, "booked", step.status, 1))
		if got := course(); got != step.course {
			t.Errorf("%s: it is of the course %q, want %q", step.status, got, step.course)
		}
		if got := told(http.StatusOK); got != step.told {
			t.Errorf("%s: the same again is told %q", step.status, got)
		}
	}
	other := strings.Replace(booked, `"s3","client":"c1","episode":"e1"`, `"s4","client":"c2","episode":"e2"`, 1)
	o.anothers().post("sessions", other)
	r := o.send(http.MethodPost, "/practice/responses", strings.Replace(phq9("r2", "2026-02-01", "000000000"), `"s1"`, `"s4"`, 1))
	if is := o.outcome(r, http.StatusUnprocessableEntity); len(is) != 1 || is[0].Get("expression").Index(0).Text() != "/session" {
		t.Errorf("another client's: %s", r.body)
	}
}
