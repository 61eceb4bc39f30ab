package web

import (
	"net/http"
	"slices"
	"testing"
)

// moves are records under the keys of the first client's, each as one of the second's.
var moves = []struct{ name, kinds, first, second, at string }{
	{"a session", "sessions", `{"key":"m","client":"c1","episode":"e1","status":"finished","start":"2026-02-02"}`, `{"key":"m","client":"c2","episode":"e2","status":"finished","start":"2026-02-02"}`, "/client"},
	{"a no-show", "sessions", `{"key":"m2","client":"c1","status":"noshow","start":"2026-02-02"}`, `{"key":"m2","client":"c2","status":"noshow","start":"2026-02-02"}`, "/client"},
	{"a no-show that took place", "sessions", `{"key":"m3","client":"c1","status":"noshow","start":"2026-02-02"}`, `{"key":"m3","client":"c2","status":"finished","start":"2026-02-02"}`, "/client"},
	{"an error", "sessions", `{"key":"m4","client":"c1","status":"finished","start":"2026-02-02"}`, `{"key":"m4","client":"c2","status":"entered-in-error","start":"2026-02-02"}`, "/client"},
	{"a course of therapy", "episodes", `{"key":"m","client":"c1","status":"active","start":"2026-01-05"}`, `{"key":"m","client":"c2","status":"active","start":"2026-01-05"}`, "/client"},
	{"a goal", "goals", `{"key":"m","client":"c1","description":"Sleep","status":"active"}`, `{"key":"m","client":"c2","description":"Sleep","status":"active"}`, "/client"},
	{"a plan", "plans", `{"key":"m","client":"c1","status":"active","title":"Plan"}`, `{"key":"m","client":"c2","status":"active","title":"Plan"}`, "/client"},
	{"a response", "responses", `{"key":"m","instrument":"phq-9","client":"c1","authored":"2026-02-02","scores":{"total":9}}`, `{"key":"m","instrument":"phq-9","client":"c2","authored":"2026-02-02","scores":{"total":9}}`, "/client"},
	{"a consent", "consents", `{"key":"m","client":"c1","status":"active","about":"treatment","decision":"permit","date":"2026-01-05"}`, `{"key":"m","client":"c2","status":"active","about":"treatment","decision":"permit","date":"2026-01-05"}`, "/client"},
}

func TestWhatIsStoredForAClientIsNotMovedToAnother(t *testing.T) {
	o := newOffice(t).settle().anothers()
	for _, m := range moves {
		t.Run(m.name, func(t *testing.T) {
			o.front.T = t
			o.post(m.kinds, m.first)
			before := o.count()
			plain := o.send(http.MethodPost, "/practice/"+m.kinds, m.second)
			issues := o.outcome(plain, http.StatusUnprocessableEntity)
			if got := issues[0].Get("expression").Index(0).Text(); len(issues) != 1 || got != m.at {
				t.Errorf("told at %s, want %s: %s", got, m.at, plain.body)
			}
			tried := o.send(http.MethodPost, "/practice/"+m.kinds+"?dryRun=true", m.second)
			if o.outcome(tried, http.StatusUnprocessableEntity); string(tried.body) != string(plain.body) {
				t.Errorf("a dry run tells another thing: %s", tried.body)
			}
			if o.count() != before {
				t.Error("something of it was stored")
			}
			if got := o.post(m.kinds, m.first); got.Outcome != "unchanged" {
				t.Errorf("the first's, once more: %s", got.Outcome)
			}
		})
	}
}

func TestAKeyThatStandsForSomethingHiddenIsAnsweredAsOneThatStandsForAnothersInSight(t *testing.T) {
	o := newOffice(t).settle().anothers()
	const mine = `{"key":"s1","client":"c2","episode":"e2","status":"finished","start":"2026-02-02"}`
	seen := o.send(http.MethodPost, "/practice/sessions", mine)
	o.outcome(seen, http.StatusUnprocessableEntity)
	o.hides[o.mapper.ID("Encounter", "urn:practice:test", "s1")] = true
	for _, way := range []string{"", "?dryRun=true"} {
		hidden := o.send(http.MethodPost, "/practice/sessions"+way, mine)
		if o.outcome(hidden, http.StatusUnprocessableEntity); string(hidden.body) != string(seen.body) {
			t.Errorf("%q: hidden %s, seen %s", way, hidden.body, seen.body)
		}
	}
}

func TestAWorkshopGainsAndLosesClients(t *testing.T) {
	o := newOffice(t).settle().anothers()
	const workshop = `{"key":"w1","practitioners":[{"practitioner":"t1"}],"start":"2026-02-02T10:00:00+01:00","clients":[`
	const one, two = `{"client":"c1","status":"finished"}`, `{"client":"c2","status":"finished"}`
	o.post("workshops", workshop+one+`]}`)
	if got := o.post("workshops", workshop+one+","+two+`]}`).types(); !slices.Equal(got, []string{"Encounter unchanged", "Encounter created"}) {
		t.Errorf("one more: %v", got)
	}
	if got := o.post("workshops", workshop+two+`]}`).Outcome; got == "rejected" {
		t.Errorf("one less: %s", got)
	}
}
