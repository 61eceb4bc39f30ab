package trajectory

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
	"rapport/mapping/instrument"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
)

// clinic is a practice behind its guard.
type clinic struct {
	*testing.T
	guard *policy.Guard
}

// silent keeps no records.
type silent struct{}

func (silent) InTx(context.Context, store.Tx, ...policy.Record) error { return nil }
func (silent) Before(context.Context, string, ...policy.Record) error { return nil }

func noon() time.Time { return time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC) }

func newClinic(t *testing.T) *clinic {
	t.Helper()
	rules := &opa.Engine{}
	if err := rules.Load(t.Context(), opa.Embedded()); err != nil {
		t.Fatal(err)
	}
	index, err := search.New(spec.R4(), spec.Capability())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	var ids atomic.Int64
	kept := storetest.NewMemory(noon)
	c := &clinic{T: t}
	c.guard, err = policy.NewGuard(policy.Config{
		Store: func(string) (store.Store, error) { return kept, nil }, Engine: rules, Recorder: silent{}, Index: index.Index, Keys: ring,
		Clock: noon, IDs: func() string { return fmt.Sprintf("id-%d", ids.Add(1)) }, Alarm: func(what string) { t.Errorf("alarm: %s", what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"ida mira", "roth jon"} {
		client, therapist, _ := strings.Cut(who, " ")
		c.put(fmt.Sprintf(`{"resourceType":"Practitioner","id":%q}`, therapist), fmt.Sprintf(`{"resourceType":"Patient","id":%q}`, client),
			fmt.Sprintf(`{"resourceType":"EpisodeOfCare","id":"course-%s","status":"active","patient":{"reference":"Patient/%[1]s"},"careManager":{"reference":"Practitioner/%s"},"period":{"start":"2026-01-05"}}`, client, therapist))
	}
	return c
}

func (c *clinic) gate(role policy.Role, user string) fhir.Gate {
	p := policy.Principal{Tenant: "one", Issuer: "test", Subject: string(role) + user, Role: role, Purpose: "TREAT",
		Scopes: []policy.Scope{{Context: "user", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}}}
	switch {
	case role == policy.Integration:
		p.Scopes[0].Context = "system"
	case user != "":
		p.User = fhir.Key{Type: "Practitioner", ID: user}
	}
	return c.guard.For(p)
}

func (c *clinic) put(bodies ...string) {
	c.Helper()
	for _, b := range bodies {
		r, err := fhir.Parse([]byte(b))
		if err != nil {
			c.Fatalf("%v: %s", err, b)
		}
		if err := c.gate(policy.Integration, "").Update(c.Context(), fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
			w, err := tx.Put(c.Context(), r, fhir.Condition{})
			if err != nil {
				return err
			}
			return fhir.Deriving(instrument.NewDeriver(library(c)))(c.Context(), tx, w)
		}); err != nil {
			c.Fatalf("%s: %v", r.Key, err)
		}
	}
}

// answered stores a response to the PHQ-9 with this score, and its score.
func (c *clinic) answered(id, client, authored, status string, score int) {
	c.Helper()
	c.put(string(c.response(id, client, authored, status, score).Body()))
}

// within is answered of a course of therapy, and by somebody.
func (c *clinic) within(id, authored string, score int, course, answeredBy string) {
	c.Helper()
	r := c.response(id, "ida", authored, "completed", score)
	says := `{"url":"http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare","valueReference":{"reference":"EpisodeOfCare/` + course + `"}}`
	if answeredBy != "" {
		says += `,{"url":"https://rapport.example/fhir/StructureDefinition/response-answered-by","valueCode":"` + answeredBy + `"}`
	}
	r, err := r.Apply(fhir.Add(r.Root(), []byte(`"extension":[`+says+`]`)))
	if err != nil {
		c.Fatal(err)
	}
	c.put(string(r.Body()))
}

func (c *clinic) response(id, client, authored, status string, score int) fhir.Resource {
	c.Helper()
	in := library(c).BySlug("phq-9")
	answers := instrument.Answers{}
	for i := range 9 {
		n := min(score, 3)
		if i == 8 {
			n = 0 // item 9
		}
		answers[fmt.Sprint(i+1)] = fmt.Sprint(n)
		score -= n
	}
	r, err := in.Response(answers, instrument.Occasion{ID: id, Status: status, Subject: fhir.Key{Type: "Patient", ID: client}, Authored: authored})
	if err != nil {
		c.Fatal(err)
	}
	return r
}

func (c *clinic) read(g fhir.Gate, client string, a Ask) (t *Trajectory, err error) {
	c.Helper()
	a.Now = noon()
	err = g.View(c.Context(), fhir.Act{Interaction: fhir.SearchType, Type: "Observation"}, func(r fhir.Reader) (err error) {
		t, err = Read(c.Context(), r, library(c), fhir.Key{Type: "Patient", ID: client}, a)
		return err
	})
	return t, err
}

// settled has a client with scores, a plan and missed sessions.
func settled(t *testing.T) *clinic {
	c := newClinic(t)
	c.answered("r1", "ida", "2026-01-12T23:30:00Z", "completed", 18)
	c.answered("r2", "ida", "2026-02-02", "completed", 15)
	c.answered("r3", "ida", "2026-03-02", "completed", 8)
	c.answered("r9", "ida", "2026-02-20", "entered-in-error", 24)
	c.put(`{"resourceType":"CarePlan","id":"old","status":"revoked","intent":"plan","subject":{"reference":"Patient/ida"},"created":"2026-01-05"}`,
		`{"resourceType":"CarePlan","id":"plan","extension":[{"url":"https://rapport.example/fhir/StructureDefinition/plan-adjustment-reason","valueString":"Too fast."}],"replaces":[{"reference":"CarePlan/old"}],"status":"active","intent":"plan","subject":{"reference":"Patient/ida"},"created":"2026-01-26","note":[`+
			`{"extension":[{"url":"https://rapport.example/fhir/StructureDefinition/adjustment-agreed","valueCode":"client"},{"url":"https://rapport.example/fhir/StructureDefinition/adjustment-changed","valueCode":"frequency"}],"time":"2026-02-16T10:00:00Z","text":"Weekly again."},{"time":"2026-02-17T10:00:00Z","text":"A mere note."}]}`,
		`{"resourceType":"CarePlan","id":"draft","status":"draft","intent":"plan","category":[{"coding":[{"system":"https://rapport.example/fhir/CodeSystem/therapy-phase","code":"closing"}]}],"subject":{"reference":"Patient/ida"},"period":{"start":"2026-05-01"}}`,
		`{"resourceType":"Appointment","id":"missed","status":"noshow","start":"2026-02-09T10:00:00Z","end":"2026-02-09T11:00:00Z","participant":[{"actor":{"reference":"Patient/ida"},"status":"accepted"}]}`,
		`{"resourceType":"Appointment","id":"kept","status":"booked","start":"2026-03-09T10:00:00Z","end":"2026-03-09T11:00:00Z","participant":[{"actor":{"reference":"Patient/ida"},"status":"accepted"}]}`)
	for _, p := range []string{"acute 2026-01-26 active", "assessment 2026-01-05 completed"} {
		var name, from, status string
		_, _ = fmt.Sscan(p, &name, &from, &status)
		c.put(fmt.Sprintf(`{"resourceType":"CarePlan","id":%q,"partOf":[{"reference":"CarePlan/plan"}],"status":%q,"intent":"plan","category":[{"coding":[{"system":"https://rapport.example/fhir/CodeSystem/therapy-phase","code":%[1]q}]}],"subject":{"reference":"Patient/ida"},"period":{"start":%[3]q}}`, name, status, from))
	}
	return c
}

func TestATrajectoryTellsScoresPhasesAdjustmentsAndNoShows(t *testing.T) {
	c := settled(t)
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Series) != 1 || len(got.Series[0].Points) != 3 || got.AsOf != "2026-03-05" {
		t.Fatalf("%+v", got)
	}
	s := got.Series[0]
	last := s.Points[2]
	if s.Instrument != "phq-9" || s.Baseline != s.Points[0].Observation || last.Response != "QuestionnaireResponse/r3" || last.Score.String() != "8" || last.Band != "Mild" ||
		last.SinceFirst == nil || last.SinceFirst.String() != "-10" || last.SinceLast.String() != "-7" || strings.Join(last.Marks, " ") != "reliable-improvement reliable-recovery" ||
		s.Case.String() != "10" || s.Reliable.String() != "6" || s.Points[0].SinceFirst != nil {
		t.Errorf("%+v", s)
	}
	if len(got.Phases) != 2 || got.Phases[0].Phase != "assessment" || got.Phases[1].Plan != "CarePlan/acute" {
		t.Errorf("%+v", got.Phases)
	}
	if len(got.Adjustments) != 2 || got.Adjustments[0].Reason != "Too fast." || got.Adjustments[1].Reason != "Weekly again." || strings.Join(got.Adjustments[1].Changed, "") != "frequency" {
		t.Errorf("%+v", got.Adjustments)
	}
	if strings.Join(got.NoShows, " ") != "2026-02-09" {
		t.Errorf("%v", got.NoShows)
	}
	want := "Patient Health Questionnaire 9 (PHQ-9), range 0 to 27, higher is worse: 3 scores from 12 January 2026 to 2 March 2026. Baseline 18 (moderately severe) on 12 January 2026. " +
		"Highest 18 on 12 January 2026, lowest 8 on 2 March 2026. Latest 8 (mild) on 2 March 2026: 10 below the first of the course, reliable improvement, reliable recovery: a case at first, none now. " +
		"The cut-off is 10; the latest score is on the side of the cut-off where none is counted. Phases: Assessment from 5 January 2026; Acute from 26 January 2026. " +
		"The plan was adjusted on 26 January 2026: Too fast. The plan was adjusted on 16 February 2026: Weekly again. Did not come on 9 February 2026."
	if got.Story != want {
		t.Errorf("told:\n%s\nwant:\n%s", got.Story, want)
	}
	if d := read(t, got.SVG("")); d.desc != want || !d.says("plan adjusted") {
		t.Error("the picture does not say so")
	}
}

func TestDaysAreThoseOfThePractice(t *testing.T) {
	c := settled(t)
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{Zone: vienna})
	if err != nil || !strings.Contains(got.Story, "3 scores from 13 January 2026 to 2 March 2026") {
		t.Errorf("%v %s", err, got.Story)
	}
}

func TestTheScoresOfADayStandInTheOrderOfTime(t *testing.T) {
	for name, dates := range map[string][2]string{
		"told in two zones, the later as the earlier hour": {"2026-02-13T09:00:00+01:00", "2026-02-13T08:30:00Z"},
		"told to the second and to a part of it":           {"2026-02-13T08:30:00Z", "2026-02-13T08:30:00.5Z"},
		"the day alone, which begins before its hours":     {"2026-02-13", "2026-02-13T08:30:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t)
			c.answered("r1", "ida", "2026-01-13", "completed", 18)
			c.answered("r2", "ida", dates[0], "completed", 5)
			c.answered("r3", "ida", dates[1], "completed", 20)
			got, err := c.read(c.gate(policy.Integration, ""), "ida", Ask{})
			if err != nil {
				t.Fatal(err)
			}
			if last := got.Series[0].Points[2]; last.Date != dates[1] || last.SinceLast == nil || last.SinceLast.String() != "15" {
				t.Errorf("the latest is %+v", last)
			}
			if !strings.Contains(got.Story, "Latest 20 (severe) on 13 February 2026: 2 above the first of the course") {
				t.Error(got.Story)
			}
		})
	}
}

func TestACorrectedScoreChangesWhatIsTold(t *testing.T) {
	c := settled(t)
	c.answered("r1", "ida", "2026-01-12T23:30:00Z", "amended", 12)
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{})
	if err != nil || !strings.Contains(got.Story, "Baseline 12 (moderate)") {
		t.Errorf("%v %s", err, got.Story)
	}
	c.answered("r1", "ida", "2026-01-12T23:30:00Z", "entered-in-error", 12)
	if got, err = c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{}); err != nil || len(got.Series[0].Points) != 2 || got.Series[0].Baseline != got.Series[0].Points[0].Observation {
		t.Errorf("%v %+v", err, got.Series)
	}
}

func TestOneInstrumentIsToldOnRequestAndAnUnknownOneIsNone(t *testing.T) {
	c := settled(t)
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{Instrument: "gad-7"})
	if err != nil || len(got.Series) != 0 || !strings.HasPrefix(got.Story, "There are no scores.") {
		t.Errorf("%v %+v", err, got)
	}
	if d := read(t, got.SVG("gad-7")); !d.says("There are no scores to draw.") {
		t.Error("the picture is not empty")
	}
	if _, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{Instrument: "none"}); !fhir.Is(err, fhir.NotSupported) {
		t.Error(err)
	}
}

func TestWhoIsNotVisibleIsAsWhoIsNotThere(t *testing.T) {
	c := settled(t)
	var told []string
	for _, client := range []string{"ida", "nobody"} {
		_, err := c.read(c.gate(policy.Therapist, "jon"), client, Ask{})
		if !fhir.Is(err, fhir.NotFound) {
			t.Errorf("%s: %v", client, err)
		}
		told = append(told, fmt.Sprint(err))
	}
	if told[0] != told[1] {
		t.Errorf("%v", told)
	}
	// Who sees contacts and nothing clinical is told nothing of either.
	for _, client := range []string{"ida", "nobody"} {
		if _, err := c.read(c.gate(policy.Admin, ""), client, Ask{}); !fhir.Is(err, fhir.Forbidden) {
			t.Errorf("%s: %v", client, err)
		}
	}
	if got, err := c.read(c.gate(policy.Therapist, "jon"), "roth", Ask{}); err != nil || len(got.Series)+len(got.Phases)+len(got.NoShows) != 0 {
		t.Errorf("%v %+v", err, got)
	}
}

func TestARelapseIsToldAndMarkedAsCorrectionsHaveIt(t *testing.T) {
	c := newClinic(t)
	c.answered("r1", "ida", "2026-01-12", "completed", 20)
	c.answered("r2", "ida", "2026-02-02", "completed", 6)
	c.answered("r3", "ida", "2026-03-02", "completed", 17)
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{})
	if err != nil {
		t.Fatal(err)
	}
	last := got.Series[0].Points[2]
	if strings.Join(last.Marks, " ") != "no-reliable-change" || strings.Join(last.MarksLast, " ") != "reliable-deterioration" {
		t.Errorf("%+v", last)
	}
	if want := "Latest 17 (moderately severe) on 2 March 2026: 3 below the first of the course, no reliable change; 11 above the score before, reliable deterioration."; !strings.Contains(got.Story, want) {
		t.Errorf("told:\n%s\nwant:\n%s", got.Story, want)
	}
	if d := read(t, got.SVG("")); !d.says("reliably worse than the last") || !strings.Contains(d.desc, "Reliably worse than the score before on 2 March 2026.") {
		t.Errorf("the picture does not say so: %s", d.desc)
	}
	c.answered("r2", "ida", "2026-02-02", "amended", 18)
	if got, err = c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{}); err != nil || strings.Contains(got.Story, "Reliably worse") || read(t, got.SVG("")).says("reliably worse than the last") {
		t.Errorf("%v %s", err, got.Story)
	}
}

func TestCoursesSideBySideAreLinesOfTheirOwn(t *testing.T) {
	c := newClinic(t)
	c.put(`{"resourceType":"EpisodeOfCare","id":"group","status":"active","patient":{"reference":"Patient/ida"},"careManager":{"reference":"Practitioner/mira"},"period":{"start":"2026-01-05"}}`)
	c.within("r1", "2026-01-12", 20, "course-ida", "")
	c.within("r2", "2026-01-13", 9, "group", "")
	c.within("r3", "2026-02-12", 18, "course-ida", "")
	c.within("r4", "2026-02-13", 10, "group", "")
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{})
	if err != nil || len(got.Series) != 1 {
		t.Fatalf("%v %+v", err, got)
	}
	s := got.Series[0]
	last := s.Points[3]
	if s.Baseline != s.Points[1].Observation || last.Course != "EpisodeOfCare/group" || last.SinceFirst.String() != "1" || len(s.Points[1].Marks) != 0 {
		t.Errorf("%+v", s)
	}
	if want := "4 scores from 12 January 2026 to 13 February 2026, in 2 courses of therapy. Baseline 9 (mild) on 13 January 2026."; !strings.Contains(got.Story, want) {
		t.Errorf("told:\n%s\nwant:\n%s", got.Story, want)
	}
	if n := strings.Count(string(got.SVG("")), `fill="none" stroke="#111" stroke-width="1.75"`); n != 2 {
		t.Errorf("%d lines", n)
	}
}

func TestWhatAnotherAnsweredIsASeriesOfItsOwn(t *testing.T) {
	c := newClinic(t)
	c.within("r1", "2026-01-12", 20, "course-ida", "")
	c.within("r2", "2026-01-13", 6, "course-ida", "parent")
	c.within("r3", "2026-02-12", 18, "course-ida", "client")
	c.within("r4", "2026-02-13", 17, "course-ida", "parent")
	c.within("r5", "2026-02-14", 17, "course-ida", "parent")
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{})
	if err != nil || len(got.Series) != 2 {
		t.Fatalf("%v %+v", err, got)
	}
	own, parents := got.Series[0], got.Series[1]
	if own.Informant != "" || len(own.Points) != 2 || own.Points[1].SinceFirst.String() != "-2" || parents.Informant != "parent" || parents.Points[1].SinceFirst.String() != "11" {
		t.Errorf("%+v\n%+v", own, parents)
	}
	told := "Patient Health Questionnaire 9 (PHQ-9), answered by a parent, range 0 to 27, higher is worse: 3 scores"
	if d := read(t, got.SVG("")); !strings.Contains(got.Story, told) || !strings.Contains(d.desc, told) || d.says("6") || !d.says("18") {
		t.Errorf("%s", d.desc)
	}
}

func TestAScoreDatedInTheFutureIsNotTheLatestBeforeItsDay(t *testing.T) {
	c := settled(t)
	c.answered("r9", "ida", "2027-03-02", "completed", 27)
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{})
	if err != nil || len(got.Series) != 1 || len(got.Series[0].Points) != 3 || len(got.Ahead) != 1 || got.Ahead[0].Date != "2027-03-02" || got.Ahead[0].Instrument != "phq-9" {
		t.Fatalf("%v %+v", err, got)
	}
	said := "Dated after 5 March 2026, and not counted before then: Patient Health Questionnaire 9 (PHQ-9) on 2 March 2027."
	if !strings.Contains(got.Story, "Latest 8 (mild) on 2 March 2026") || !strings.Contains(got.Story, said) {
		t.Error(got.Story)
	}
	if d := read(t, got.SVG("")); d.says("27") && d.says("Mar 2027") || !strings.Contains(d.desc, said) {
		t.Errorf("the picture reaches into the future: %s", d.desc)
	}
	if got, err = c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{Instrument: "gad-7"}); err != nil || len(got.Ahead) != 0 {
		t.Errorf("%v %+v", err, got.Ahead)
	}
	c.answered("r8", "roth", "2027-03-02", "completed", 27)
	if got, err = c.read(c.gate(policy.Therapist, "jon"), "roth", Ask{}); err != nil || len(got.Series) != 0 || len(got.Ahead) != 1 {
		t.Errorf("%v %+v", err, got)
	}
}

func TestScoresWithoutAnswersAreToldAsOthersAre(t *testing.T) {
	c := newClinic(t)
	state := func(id, date string, score int) {
		c.put(fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]},"subject":{"reference":"Patient/ida"},"effectiveDateTime":%q,"valueQuantity":{"value":%d}}`, id, date, score))
	}
	state("b1", "2026-01-12", 20)
	c.answered("r2", "ida", "2026-02-02", "completed", 6)
	state("b3", "2026-03-02", 17)
	got, err := c.read(c.gate(policy.Therapist, "mira"), "ida", Ask{})
	if err != nil || len(got.Series) != 1 || len(got.Series[0].Points) != 3 {
		t.Fatalf("%v %+v", err, got)
	}
	s := got.Series[0]
	last := s.Points[2]
	if s.Baseline != "Observation/b1" || last.SinceFirst == nil || last.SinceFirst.String() != "-3" || last.SinceLast.String() != "11" || strings.Join(last.MarksLast, " ") != "reliable-deterioration" {
		t.Errorf("%+v", last)
	}
	if svg := string(got.SVG("")); strings.Count(svg, `fill="none" stroke="#111" stroke-width="1.75"`) != 1 || !read(t, []byte(svg)).says("reliably worse than the last") {
		t.Error("it is not one line with its mark")
	}
}
