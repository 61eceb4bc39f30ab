package research_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/mapping/deid"
	"rapport/mapping/research"
)

// client makes a person whose course of therapy began on a day: weekly sessions from then
// until the end, which is zero for a course that goes on, when they run until the release
// and one is booked beyond.
func client(t testing.TB, n int, patient, modality string, start, end time.Time) (out []fhir.Resource) {
	t.Helper()
	add := func(format string, args ...any) {
		r, err := fhir.Parse(fmt.Appendf(nil, format, args...))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	add(`{"resourceType":"Patient","id":"p%d",%s}`, n, patient)
	status, ends, last := "active", "", still()
	if !end.IsZero() {
		status, ends, last = "finished", `,"end":"`+end.Format(time.DateOnly)+`"`, end
	}
	add(`{"resourceType":"EpisodeOfCare","id":"e%d","status":"%s","patient":{"reference":"Patient/p%d"},"period":{"start":"%s"%s}}`, n, status, n, start.Format(time.DateOnly), ends)
	for i := 0; ; i++ {
		at := start.AddDate(0, 0, 7*i)
		if at.After(last) {
			if end.IsZero() {
				add(`{"resourceType":"Appointment","id":"a%d","status":"booked","start":"%s","end":"%s","participant":[{"status":"accepted","actor":{"reference":"Patient/p%d"}}]}`, n, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339), n)
			}
			return out
		}
		add(`{"resourceType":"Encounter","id":"s%d-%d","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/p%d"},"episodeOfCare":[{"reference":"EpisodeOfCare/e%d"}],
			"extension":[{"url":"https://rapport.example/fhir/StructureDefinition/session-modality","valueCode":"%s"}],"period":{"start":"%s"}}`, n, i, n, n, modality, at.Format(time.DateOnly))
	}
}

// Whoever comes every week was last seen in the week before the release. If that session
// were told, the true calendar would lie open, and the day on which it all began.
func TestOfTherapyThatGoesOnTheLastWeeksAreNotTold(t *testing.T) {
	var rs []fhir.Resource
	for n := range 60 {
		start := still().AddDate(0, 0, -400-n)
		rs = append(rs, client(t, n, `"gender":"female"`, "video", start, time.Time{})...)
	}
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		o := must(t)(run(t, newDesk().release(t, profiled(profile)), rs))
		if n := len(of(o.resources, "Appointment")); n > 0 {
			t.Errorf("%s: %d booked appointments are told", profile, n)
		}
		last := map[string]int{}
		for _, r := range rows(t, o, "sessions") {
			var day int
			if _, err := fmt.Sscan(r["day_from_baseline"], &day); err != nil {
				t.Fatal(err)
			}
			last[r["pid"]] = max(last[r["pid"]], day)
		}
		// Of the 57 to 66 weeks of each course: all began in the second half of 2025, and are
		// told as if that had been on its last day, 306 days before the release.
		weeks := map[int]int{}
		for _, day := range last {
			weeks[day/7]++
		}
		if len(last) != 60 || weeks[43] != 60 {
			t.Errorf("%s: the courses of %d people are told for %v weeks", profile, len(last), weeks)
		}
		if n := len(of(o.resources, "Encounter")); n != len(rows(t, o, "sessions")) {
			t.Errorf("%s: %d sessions in the resources, %d in the table", profile, n, len(rows(t, o, "sessions")))
		}
		for _, e := range rows(t, o, "episodes") {
			if e["end_day"] != "" || e["status"] != "active" {
				t.Errorf("%s: a course that goes on is told as %v", profile, e)
			}
		}
	}
	over := slices.Clone(rs[:0])
	for n := range 60 {
		over = append(over, client(t, n, `"gender":"female"`, "video", still().AddDate(0, 0, -400-n), still().AddDate(0, 0, -200))...)
	}
	o := must(t)(run(t, newDesk().release(t), over))
	if n := len(of(o.resources, "Encounter")); n != len(of(over, "Encounter")) {
		t.Errorf("of courses that ended long ago %d of %d sessions are told", n, len(of(over, "Encounter")))
	}
}

// Two releases of a project have the same pseudonyms: whoever has both knows what the finer
// of the two tells.
func TestTwoReleasesTogetherLeaveNobodyAlone(t *testing.T) {
	person := func(n, birth, began int) []fhir.Resource {
		start := time.Date(began, 3, 1+n%28, 0, 0, 0, 0, time.UTC)
		return client(t, n, fmt.Sprintf(`"gender":"female","birthDate":"%d-05-05"`, birth), "video", start, start.AddDate(0, 1, 0))
	}
	// The first may tell the decade of birth, and no year of start; the second no decade of
	// birth, and a year of start.
	var few, many []fhir.Resource
	for n := range 40 {
		few = append(few, person(n, 1980+10*(n/20), 2022+n%4)...)
	}
	many = append(many, few...)
	for n := 40; n < 90; n++ {
		many = append(many, person(n, 1930+n%5*10, 2024+n%2)...)
	}
	d := newDesk()
	first := must(t)(run(t, d.release(t), few))
	second := must(t)(run(t, d.release(t), many))
	told := map[string]string{}
	for _, o := range []outcome{first, second} {
		for _, r := range rows(t, o, "people") {
			told[r["pid"]] += fmt.Sprint(" | ", r["gender"], r["birth_years"], r["state"], r["start_years"])
		}
	}
	classes := map[string]int{}
	for _, r := range rows(t, second, "people") {
		classes[told[r["pid"]]]++
	}
	for what, n := range classes {
		if n < 11 {
			t.Errorf("of %d people the releases tell%s", n, what)
		}
	}
	if len(rows(t, second, "people")) < 75 || len(classes) < 3 {
		t.Errorf("only %d people are in the second", len(rows(t, second, "people")))
	}
}

func TestHowFewMetIsToldNowhere(t *testing.T) {
	var rs []fhir.Resource
	for n := range 60 {
		how := "in-person"
		switch {
		case n < 4:
			how = "online"
		case n < 24:
			how = "video"
		}
		rs = append(rs, client(t, n, `"gender":"female"`, how, still().AddDate(-1, 0, 0), still().AddDate(0, -6, 0))...)
	}
	o := must(t)(run(t, newDesk().release(t), rs))
	text := o.text()
	for word, told := range map[string]bool{`"valueCode":"online"`: false, `"valueCode":"video"`: false, `"valueCode":"in-person"`: true, ",online,": false, ",video,": false, ",in-person,": true} {
		if strings.Contains(text, word) != told {
			t.Errorf("%s is told: %v", word, !told)
		}
	}
}

// Who has a code in a resource that does not leave does not count for those of whom it
// leaves.
func TestACodeIsCountedWhereItLeavesAlone(t *testing.T) {
	var rs []fhir.Resource
	for n := range 40 {
		start, end := still().AddDate(-1, 0, 0), still().AddDate(0, -6, 0)
		how := "in-person"
		if n < 12 {
			how = "video"
		}
		if n < 6 { // theirs lies in the weeks that are not told
			start, end = still().AddDate(0, 0, -2), time.Time{}
		}
		rs = append(rs, client(t, n, `"gender":"female"`, how, start, end)...)
	}
	text := must(t)(run(t, newDesk().release(t, func(c *research.Config) { c.Left = 0.5 }), rs)).text()
	if strings.Contains(text, `"valueCode":"video"`) || strings.Contains(text, ",video,") {
		t.Error("a code is told that 6 people have where it leaves")
	}
}

// The table tells who answered as the resources do: not where few people did not answer
// for themselves.
func TestWhoAnsweredForFewIsToldNowhere(t *testing.T) {
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	gad := l.BySlug("gad-2")
	var items []string
	for _, it := range gad.Items {
		list := gad.Answers[it.Answers]
		items = append(items, fmt.Sprintf(`{"linkId":%q,"answer":[{"valueCoding":{"system":%q,"code":%q}}]}`, it.Link, list.System, list.Options[1].Code))
	}
	const by = `"extension":[{"url":"https://rapport.example/fhir/StructureDefinition/response-answered-by","valueCode":%q}],`
	for name, v := range map[string]struct {
		who  func(n int) string
		want map[string]int // answerings by mode
	}{
		"a parent of one":      {func(n int) string { return fmt.Sprintf(by, []string{"parent", "client"}[min(n, 1)]) }, map[string]int{"": 40}},
		"parents of many":      {func(n int) string { return fmt.Sprintf(by, []string{"parent", "client"}[n%2]) }, map[string]int{"parent": 20, "self": 20}},
		"another client":       {func(n int) string { return fmt.Sprintf(`"source":{"reference":"Patient/p%d"},`, n/2*2) }, map[string]int{"self": 20, "": 20}},
		"a therapist of a few": {func(n int) string { return fmt.Sprintf(`"source":{"reference":"Practitioner/t%d"},`, n) }, map[string]int{"": 40}},
	} {
		var rs []fhir.Resource
		for n := range 40 {
			rs = append(rs, client(t, n, `"gender":"female"`, "video", still().AddDate(-2, 0, 0), still().AddDate(-2, 1, 0))...)
			r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"QuestionnaireResponse","id":"r%d",%s"status":"completed","questionnaire":%q,"subject":{"reference":"Patient/p%d"},"authored":%q,"item":[%s]}`,
				n, v.who(n), gad.URL, n, still().AddDate(-2, 0, 7).Format(time.DateOnly), strings.Join(items, ",")))
			if err != nil {
				t.Fatal(err)
			}
			rs = append(rs, r)
		}
		got := map[string]int{}
		for _, r := range rows(t, must(t)(run(t, newDesk().release(t), rs)), "scores") {
			got[r["mode"]]++
		}
		if !maps.Equal(got, v.want) {
			t.Errorf("%s: told are %v, not %v", name, got, v.want)
		}
	}
}

// What has no day of its own is of the day of its session.
func TestWhatBelongsToASessionThatIsNotToldIsNotToldEither(t *testing.T) {
	var rs []fhir.Resource
	for n := range 12 {
		rs = append(rs, client(t, n, `"gender":"female"`, "video", still().AddDate(0, 0, -400), time.Time{})...)
	}
	sessions := of(rs, "Encounter")
	for i, s := range sessions {
		r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Procedure","id":"t%d","status":"completed","subject":%s,"encounter":{"reference":%q},"code":{"coding":[{"system":"https://rapport.example/fhir/CodeSystem/technique","code":"exposure"}]}}`,
			i, s.Root().Get("subject").Raw(), s.Key))
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	o := must(t)(run(t, newDesk().release(t), rs))
	if told, did := len(of(o.resources, "Encounter")), len(of(o.resources, "Procedure")); did != told || told == 0 || told == len(sessions) {
		t.Errorf("of %d sessions %d are told, and %d techniques", len(sessions), told, did)
	}
}
