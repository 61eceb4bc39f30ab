package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/policy"
)

// feedback posts a response and returns what is told of it.
func (o *office) feedback(t *testing.T, body string) (f instrument.Feedback) {
	t.Helper()
	r := o.send(http.MethodPost, "/practice/responses", body)
	var answer struct{ Feedback *instrument.Feedback }
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.Feedback == nil {
		t.Fatalf("%d %s, %v", r.StatusCode, r.body, err)
	}
	return *answer.Feedback
}

func TestAnAllianceDropIsToldAtOnceAndPutBeforeTheTherapist(t *testing.T) {
	o := newOffice(t).settle()
	check := func(n, rating int) instrument.Feedback {
		return o.feedback(t, fmt.Sprintf(`{"key":"a%d","instrument":"alliance","client":"c1","episode":"e1","therapist":"t1","answeredBy":"client",
			"authored":"2026-02-0%dT10:50:00+01:00","answers":{"alliance-1":%d,"alliance-2":%d,"alliance-3":%d,"alliance-4":%d}}`, n, n, rating, rating, rating, rating))
	}
	for n := 1; n <= 3; n++ {
		if f := check(n, 9); f.OwnMean == nil || f.OwnMean.Earlier != n-1 || f.OwnMean.Drop || f.Scores[1].Score.String() != "9" {
			t.Errorf("check %d: %+v", n, f)
		}
	}
	f := check(4, 5)
	if m := f.OwnMean; m == nil || !m.Drop || m.Change.String() != "-16" || m.Source == "" || f.First.Class != instrument.Unclassified {
		t.Fatalf("%+v", f)
	}
	if !strings.Contains(f.ForClinician, "a drop") || !strings.Contains(f.ForClient, "a better number on average") || f.Safety != "" {
		t.Errorf("%q, %q, %q", f.ForClinician, f.ForClient, f.Safety)
	}
	tasks, flags := o.of("Task"), o.of("Flag")
	if len(tasks) != 1 || tasks[0].Key.String() != f.OwnMean.Task || len(flags) != 1 || flags[0].Key.String() != f.OwnMean.Flag {
		t.Fatalf("%v, %v: %+v", tasks, flags, f.OwnMean)
	}
	root := tasks[0].Root()
	owner, _ := root.Get("owner").Ref()
	if root.Get("priority").Text() != "urgent" || owner != o.of("Practitioner")[0].Key {
		t.Errorf("%s", tasks[0].Body())
	}
	if next := check(5, 5); next.OwnMean.Task != f.OwnMean.Task || len(o.of("Task")) != 1 {
		t.Errorf("asked twice: %+v", next.OwnMean)
	}
}

func TestASafetyTextIsToldWhereARiskFiresAndNowhereElse(t *testing.T) {
	o := newOffice(t).settle()
	if f := o.feedback(t, phq9("r1", "2026-02-02T11:00:00+01:00", "1111111100")); f.Safety != "" || f.ForClient == "" {
		t.Errorf("%+v", f)
	}
	f := o.feedback(t, phq9("r2", "2026-02-09T11:00:00+01:00", "1111111110"))
	if f.Safety == "" || !strings.HasPrefix(f.ForClinician, "Needs a clinician's review today") {
		t.Errorf("%q, %q", f.Safety, f.ForClinician)
	}
	broken := strings.Replace(phq9("r3", "2026-02-16T11:00:00+01:00", "1111111110"), `"answeredBy"`, `"status":"stopped","answeredBy"`, 1)
	if f := o.feedback(t, broken); f.Safety == "" || strings.Contains(f.ForClient, "0 to 27") {
		t.Errorf("%q, %q", f.Safety, f.ForClient)
	}
	for _, by := range []string{"parent", "practitioner"} {
		if f := o.feedback(t, strings.Replace(phq9("r-"+by, "2026-02-23T11:00:00+01:00", "1111111110"), `"answeredBy":"client"`, `"answeredBy":"`+by+`"`, 1)); f.Safety != "" || len(f.Risks) != 1 || f.Risks[0].Task == "" {
			t.Errorf("by a %s: %+v", by, f)
		}
	}
}

func TestEachTenantSpeaksWithItsOwnVoice(t *testing.T) {
	l, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	own, err := l.With(instrument.Voice{Safety: "Ring the house bell."})
	if err != nil {
		t.Fatal(err)
	}
	c := &Config{Gates: newMemory(t), Practice: &Practice{
		Mapper:  func(string) (*mapping.Mapper, error) { return nil, nil },
		Follow:  func(string) ([]fhir.Follow, error) { return nil, nil },
		Library: l,
	}}
	for _, voiced := range []func(string) *instrument.Library{nil, func(tenant string) *instrument.Library {
		return map[string]*instrument.Library{"one": own, "two": l}[tenant]
	}} {
		c.Practice.Voiced = voiced
		for tenant, want := range map[string]*instrument.Library{"one": own, "two": l} {
			if voiced == nil {
				want = l
			}
			if d, err := c.clerkOf(policy.Principal{Tenant: tenant}); err != nil || d.voiced != want {
				t.Errorf("%s: %v", tenant, err)
			}
		}
	}
}

func TestAResponseDatedInTheFutureIsRefusedWhereItSaysSo(t *testing.T) {
	o := newOffice(t).settle()
	for name, c := range map[string]struct {
		change [2]string // of what is posted
		status int
	}{
		"a year too late":            {[2]string{"2026-03-02T11:00:00+01:00", "2027-03-02T11:00:00+01:00"}, http.StatusUnprocessableEntity},
		"two days from now":          {[2]string{"2026-03-02T11:00:00+01:00", "2026-03-07"}, http.StatusUnprocessableEntity},
		"next month":                 {[2]string{"2026-03-02T11:00:00+01:00", "2026-04"}, http.StatusUnprocessableEntity},
		"this month":                 {[2]string{"2026-03-02T11:00:00+01:00", "2026-03"}, http.StatusCreated},
		"today":                      {[2]string{"2026-03-02T11:00:00+01:00", "2026-03-05"}, http.StatusCreated},
		"tomorrow, where it is that": {[2]string{"2026-03-02T11:00:00+01:00", "2026-03-06T01:00:00+14:00"}, http.StatusCreated},
		"no date":                    {[2]string{`"authored":"2026-03-02T11:00:00+01:00",`, ""}, http.StatusCreated},
		"one that is taken back":     {[2]string{`"authored":"2026-03-02T11:00:00+01:00"`, `"status":"entered-in-error","authored":"2027-03-02"`}, http.StatusCreated},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(phq9("f-"+strings.ReplaceAll(name, " ", "-"), "2026-03-02T11:00:00+01:00", "1111111100"), c.change[0], c.change[1], 1)
			for _, at := range []string{"/practice/responses?dryRun=true", "/practice/responses"} {
				r := o.send(http.MethodPost, at, body)
				want := c.status
				if want == http.StatusCreated && strings.HasSuffix(at, "true") {
					want = http.StatusOK
				}
				if r.StatusCode != want || want == http.StatusUnprocessableEntity && !strings.Contains(string(r.body), `"/authored"`) {
					t.Errorf("%s: %d %s", at, r.StatusCode, r.body)
				}
			}
		})
	}
}

func TestScoresWithoutAnswersAreToldAndAskForAReviewToo(t *testing.T) {
	o := newOffice(t).settle()
	post := func(key, authored, more string) string {
		return fmt.Sprintf(`{"key":%q,"instrument":"phq-9","client":"c1","episode":"e1","therapist":"t1","authored":%q%s}`, key, authored, more)
	}
	if f := o.feedback(t, post("b1", "2026-02-02", `,"scores":{"total":6}`)); f.Scores[0].Score.String() != "6" || f.Scores[0].Band.Label != "Mild" || f.First != nil || f.Response != "" || !f.Bare || len(o.of("Task")) != 0 {
		t.Errorf("%+v", f)
	}
	f := o.feedback(t, post("b2", "2026-03-02", `,"scores":{"total":17}`))
	tasks := o.of("Task")
	if f.First == nil || f.First.Class != instrument.ReliableDeterioration || len(tasks) != 1 || f.First.Task != tasks[0].Key.String() {
		t.Fatalf("%+v, %v", f, tasks)
	}
	focus, _ := tasks[0].Root().Get("focus").Ref()
	if owner, _ := tasks[0].Root().Get("owner").Ref(); focus.Type != "Observation" || owner != o.of("Practitioner")[0].Key {
		t.Errorf("%s", tasks[0].Body())
	}
	if !strings.Contains(f.ForClinician, "its items were not seen") || !strings.Contains(f.ForClient, "The therapist is told") || f.Safety != "" || len(f.Risks) != 0 {
		t.Errorf("%q, %q", f.ForClinician, f.ForClient)
	}
	// The same again is no version more, and what is stored is what was sent.
	if r := o.send(http.MethodPost, "/practice/responses", post("b2", "2026-03-02", `,"scores":{"total":17}`)); !strings.Contains(string(r.body), `"outcome":"unchanged"`) || !strings.Contains(string(r.body), f.First.Task) {
		t.Errorf("%s", r.body)
	}
	if f := o.feedback(t, post("b3", "2026-03-03", `,"status":"in-progress","scores":{"total":3}`)); len(f.Scores) != 0 || f.First != nil {
		t.Errorf("it is not complete: %+v", f)
	}
	// It is amended by its answers; the task of the bare score goes with it.
	f = o.feedback(t, post("b2", "2026-03-02", `,"answers":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":0,"8":0,"9":0}`))
	if f.First == nil || f.First.Change.String() != "0" || f.Bare {
		t.Errorf("%+v", f)
	}
	for _, task := range o.of("Task") {
		t.Errorf("waits yet: %s", task.Body())
	}
	var told struct{ Feedback *instrument.Feedback }
	r := o.send(http.MethodPost, "/practice/responses", post("b1", "2026-02-02", `,"status":"entered-in-error","scores":{"total":6}`))
	if err := json.Unmarshal(r.body, &told); err != nil || told.Feedback != nil {
		t.Errorf("%s, %v", r.body, err)
	}
}
