package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

func TestAResponseIsAnsweredWithWhatWasStoredOfIt(t *testing.T) {
	o := newOffice(t).settle()
	first := o.post("responses", phq9("r1", "2026-01-12T10:40:00+01:00", "2222222202"))
	if f := first.Feedback; f == nil || f.SinceFirst != nil || len(f.Risks) != 0 || f.Scores[0].Score != "16" {
		t.Fatalf("the first response: %+v", first)
	}
	got := o.post("responses", phq9("r2", "2026-02-02T10:40:00+01:00", "1111111111"))
	if !slices.Equal(got.types(), []string{"QuestionnaireResponse created", "Observation created", "Flag created", "Task created"}) {
		t.Errorf("%v", got.types())
	}
	f := got.Feedback
	if f == nil || len(f.Scores) == 0 || f.Scores[0].Band == nil || f.SinceFirst == nil || len(f.Risks) != 1 {
		t.Fatalf("%+v", f)
	}
	if f.Instrument != "phq-9" || f.Scores[0].Score != "9" || f.Scores[0].Band.Label != "Mild" && f.Scores[0].Band.Code != "phq-9-total-mild" {
		t.Errorf("scores %+v", f.Scores[0])
	}
	if f.SinceFirst.Change != "-7" || f.SinceFirst.Score != "16" || f.SinceFirst.Observation != first.Feedback.Observation || f.SinceFirst.Date != "2026-01-12T10:40:00+01:00" {
		t.Errorf("since the first: %+v", f.SinceFirst)
	}
	// Each is there as it is told.
	at := func(ref string) fhir.Node {
		k, ok := fhir.ParseKey(ref)
		if !ok || o.get(k).IsZero() {
			t.Fatalf("%q is told and not stored", ref)
		}
		return o.get(k).Root()
	}
	score := at(f.Observation)
	if v := score.At("valueQuantity", "value").Decimal(); v != string(f.Scores[0].Score) {
		t.Errorf("stored is %s", v)
	}
	change := ""
	for c := range score.Get("component").Elements() {
		if c.Get("code").HasCoding(instrument.ChangeCodes, "since-first") {
			change = c.At("valueQuantity", "value").Decimal()
		}
	}
	if change != string(f.SinceFirst.Change) {
		t.Errorf("stored is a change of %s", change)
	}
	if s := at(f.Risks[0].Flag).Get("status").Text(); s != "active" {
		t.Errorf("the flag is %s", s)
	}
	if k, _ := at(f.Risks[0].Task).Get("focus").Ref(); k.String() != f.Risks[0].Flag {
		t.Errorf("the task is about %s", k)
	}
	// The same again tells the same, though nothing is made any more.
	again := o.post("responses", phq9("r2", "2026-02-02T10:40:00+01:00", "1111111111"))
	a, b := must(json.Marshal(again.Feedback)), must(json.Marshal(got.Feedback))
	if again.Outcome != "unchanged" || string(a) != string(b) {
		t.Errorf("told first %s\nand then %s", b, a)
	}
}

func TestAChangeIsToldAsItIsStored(t *testing.T) {
	o := newOffice(t).settle()
	second := phq9("r2", "2026-02-02T10:40:00+01:00", "1111111100")
	third := phq9("r3", "2026-03-02T10:40:00+01:00", "0000000000")
	if f := o.post("responses", second).Feedback; f.SinceFirst != nil || f.SinceLast != nil {
		t.Fatalf("%+v", f)
	}
	f := o.post("responses", third).Feedback
	if f.SinceFirst == nil || f.SinceLast == nil || f.SinceFirst.Change != "-8" || f.SinceLast.Change != "-8" {
		t.Fatalf("one earlier score is the first and the last: %+v", f)
	}
	// An older one comes in late: the others are told against it, in its transaction.
	late := o.post("responses", phq9("r1", "2026-01-12T10:40:00+01:00", "3333333300"))
	moved := 0
	for _, r := range late.Resources {
		if strings.HasPrefix(r.Reference, "Observation/") && r.Outcome == "updated" {
			moved++
		}
	}
	if moved != 2 {
		t.Errorf("%d scores moved: %+v", moved, late.Resources)
	}
	again := o.post("responses", second)
	if f := again.Feedback; again.Outcome != "unchanged" || f.SinceFirst == nil || f.SinceFirst.Change != "-16" || f.Scores[0].Score != "8" {
		t.Errorf("%+v", f)
	}
	fourth := o.post("responses", phq9("r4", "2026-03-05T10:40:00+01:00", "1000000000")).Feedback
	if fourth.SinceFirst == nil || fourth.SinceLast == nil || fourth.SinceFirst.Change != "-23" || fourth.SinceLast.Change != "1" {
		t.Errorf("%+v", fourth)
	}
}

func TestAResponseThatIsBrokenOffTellsItsRiskAndNoScore(t *testing.T) {
	o := newOffice(t).settle()
	body := strings.Replace(phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130"), `"answeredBy"`, `"status":"stopped","answeredBy"`, 1)
	got := o.post("responses", body)
	f := got.Feedback
	if f == nil || len(f.Scores) != 0 || f.Observation != "" || len(f.Risks) != 1 || f.Risks[0].Flag == "" || f.Risks[0].Task == "" {
		t.Errorf("%+v", f)
	}
}

func TestAResponseTakenBackTakesItsFlagsAlong(t *testing.T) {
	o := newOffice(t).settle()
	o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130"))
	body := strings.Replace(phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130"), `"answeredBy"`, `"status":"entered-in-error","answeredBy"`, 1)
	got := o.post("responses", body)
	if got.Outcome != "updated" || got.Feedback != nil {
		t.Errorf("%+v", got)
	}
	for _, typ := range []string{"QuestionnaireResponse", "Observation", "Flag", "Task"} {
		if rs := o.of(typ); len(rs) != 1 || rs[0].Root().Get("status").Text() != "entered-in-error" {
			t.Errorf("%s: %d", typ, len(rs))
		}
	}
}

func TestAnswersThatBecomeMereScoresLeaveNoResponseThatStands(t *testing.T) {
	o := newOffice(t).settle()
	o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "1111111130"))
	got := o.post("responses", `{"key":"r1","instrument":"phq-9","client":"c1","authored":"2026-02-02T11:00:00+01:00","scores":{"total":9}}`)
	if f := got.Feedback; got.Outcome != "updated" || f == nil || f.Scores[0].Score != "9" || len(f.Risks) != 0 || f.SinceFirst != nil {
		t.Errorf("%+v", got)
	}
	for _, typ := range []string{"QuestionnaireResponse", "Flag", "Task"} {
		if rs := o.of(typ); len(rs) != 0 {
			t.Errorf("a %s is left", typ)
		}
	}
	standing := 0
	for _, r := range o.of("Observation") {
		if r.Root().Get("status").Text() == "final" {
			standing++
		}
	}
	if standing != 1 {
		t.Errorf("%d scores stand", standing)
	}
}

// A client who stops half-way may have said the worst first.
func TestAResponseThatIsStoppedIsNoLongerScoredAndStillHeard(t *testing.T) {
	o := newOffice(t).settle()
	stopped := func(answers string) string {
		return strings.Replace(phq9("r1", "2026-02-02T11:00:00+01:00", answers), `"answeredBy"`, `"status":"stopped","answeredBy"`, 1)
	}
	o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "111111110"))
	for _, answers := range []string{"111111113", "111111110"} {
		f := o.feedback(t, stopped(answers))
		if len(f.Scores) > 0 {
			t.Errorf("%s: a score is told that does not stand: %+v", answers, f.Scores)
		}
	}
	if flags, tasks := o.of("Flag"), o.of("Task"); len(flags) != 1 || len(tasks) != 1 {
		t.Errorf("of item 9: %d flags, %d tasks", len(flags), len(tasks))
	}
}

func TestAResponseToAnotherInstrumentPutsTheFlagOfTheFirstToRest(t *testing.T) {
	o := newOffice(t).settle()
	o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "111111113"))
	if flags := o.of("Flag"); len(flags) != 1 || flags[0].Root().Get("status").Text() != "active" {
		t.Fatalf("item 9 raised %d flags", len(flags))
	}
	o.post("responses", `{"key":"r1","instrument":"gad-7","client":"c1","episode":"e1","session":"s1","authored":"2026-02-02T11:00:00+01:00","answeredBy":"client","therapist":"t1","answers":{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1}}`)
	if flags := o.of("Flag"); len(flags) != 1 || flags[0].Root().Get("status").Text() != "inactive" {
		t.Errorf("the response holds no item 9, its flag is %s", flags[0].Body())
	}
}

func TestScoresForAnotherClientTakeNothingBackFromTheFirst(t *testing.T) {
	o := newOffice(t).settle().anothers()
	o.post("responses", phq9("r1", "2026-02-02T11:00:00+01:00", "111111113"))
	body := `{"key":"r1","instrument":"phq-9","client":"c2","authored":"2026-02-02T11:00:00+01:00","scores":{"total":9}}`
	for _, at := range []string{"/practice/responses", "/practice/responses?dryRun=true"} {
		r := o.send(http.MethodPost, at, body)
		if r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(r.body), `"/client"`) {
			t.Errorf("%s: %d %s", at, r.StatusCode, r.body)
		}
	}
	for typ, n := range map[string]int{"QuestionnaireResponse": 1, "Observation": 1, "Flag": 1, "Task": 1} {
		if got := o.of(typ); len(got) != n {
			t.Errorf("%d of %s are left", len(got), typ)
		}
	}
}

func TestScoresFollowASessionIntoAnotherCourse(t *testing.T) {
	o := newOffice(t).settle()
	o.post("episodes", `{"key":"e2","client":"c1","organisation":"home","therapist":"t1","status":"active","start":"2026-02-01"}`)
	o.post("sessions", session)
	of := func(key, in, authored, answers string) string {
		return strings.NewReplacer(`"episode":"e1",`, "", `"session":"s1"`, `"session":"`+in+`"`).Replace(phq9(key, authored, answers))
	}
	o.post("responses", of("r1", "s1", "2026-01-12T10:40:00+01:00", "000000000"))
	f := o.feedback(t, of("r2", "s2", "2026-02-02T10:40:00+01:00", "333333110"))
	if f.First == nil || f.First.Task == "" {
		t.Fatalf("no change is told within one course: %+v", f)
	}
	course := func() string {
		for _, r := range o.of("Observation") {
			if r.Root().Get("effectiveDateTime").Text() == "2026-02-02T10:40:00+01:00" {
				return instrument.Course(r).ID
			}
		}
		return ""
	}
	before := course()
	o.post("sessions", strings.Replace(session, `"e1"`, `"e2"`, 1))
	if after := course(); after == before || after == "" {
		t.Errorf("the score stays in the course %q, it was %q", after, before)
	}
	if f = o.feedback(t, of("r2", "s2", "2026-02-02T10:40:00+01:00", "333333110")); f.First != nil {
		t.Errorf("a change since another course is told: %+v", f.First)
	}
	for _, r := range o.of("Task") {
		if s := r.Root().Get("status").Text(); s != "entered-in-error" {
			t.Errorf("a task asks for a review of what is no change: %s", r.Body())
		}
	}
	o.post("sessions", session)
	if course() != before {
		t.Error("the score does not come back with its session")
	}
	// A session that did not take place has no course; its response keeps its score.
	noshow := strings.Replace(session, `"status":"finished"`, `"status":"noshow"`, 1)
	o.post("sessions", noshow)
	if n := len(o.of("Encounter")); n != 1 {
		t.Fatalf("%d sessions are left", n)
	}
	if n := len(o.of("Observation")); n != 2 {
		t.Errorf("%d scores are left", n)
	}
}

func TestScoresThatNameNoCourseFollowTheDaysOfTheirCourse(t *testing.T) {
	o := newOffice(t).settle()
	course := func(start string) {
		o.post("episodes", `{"key":"e1","client":"c1","organisation":"home","therapist":"t1","status":"active","start":"`+start+`"}`)
	}
	of := func(key, authored, answers string) string {
		return strings.NewReplacer(`"episode":"e1",`, "", `"session":"s1",`, "").Replace(phq9(key, authored, answers))
	}
	course("2026-01-30")
	o.post("responses", of("r1", "2026-01-12T10:40:00+01:00", "000000000"))
	late := of("r2", "2026-02-02T10:40:00+01:00", "333333110")
	if f := o.feedback(t, late); f.First != nil || f.Undecided {
		t.Errorf("a change since before the course is told: %+v", f.First)
	}
	course("2026-01-20")
	if f := o.feedback(t, late); f.First == nil || f.First.Task == "" {
		t.Errorf("no change is told within the course: %+v", f)
	}
	course("2026-01-30")
	if f := o.feedback(t, late); f.First != nil {
		t.Errorf("a change since before the course is told: %+v", f.First)
	}
	for _, r := range o.of("Task") {
		if s := r.Root().Get("status").Text(); s != "entered-in-error" {
			t.Errorf("a task asks for a review of what is no change: %s", r.Body())
		}
	}
}
