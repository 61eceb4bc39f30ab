package research_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping/deid"
	"rapport/mapping/research"
)

func profiled(name string) func(*research.Config) {
	return func(c *research.Config) { c.Profile = name }
}

func of(rs []fhir.Resource, typ string) (out []fhir.Resource) {
	for _, r := range rs {
		if r.Type == typ {
			out = append(out, r)
		}
	}
	return out
}

// released is the practice's release by a profile, made once.
var released = map[string]*outcome{}

func practiceRelease(t testing.TB, profile string) outcome {
	t.Helper()
	if o := released[profile]; o != nil {
		return *o
	}
	rs, _ := consenting(t, practice(t))
	o := must(t)(run(t, newDesk().release(t, profiled(profile)), rs))
	released[profile] = &o
	return o
}

// rows reads a table: by column name.
func rows(t testing.TB, o outcome, name string) (out []map[string]string) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(o.files[name+".csv"]))
	header, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for i, h := range header {
			m[h] = row[i]
		}
		out = append(out, m)
	}
}

func TestOfThePracticeNearlyAllRemainAndNobodyIsAlone(t *testing.T) {
	_, people := consenting(t, practice(t))
	if people < 36 {
		t.Fatalf("%d clients of the practice consent to research", people)
	}
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		o := practiceRelease(t, profile)
		classes := map[[4]string]int{}
		for _, r := range rows(t, o, "people") {
			classes[[4]string{r["gender"], r["birth_years"], r["state"], r["start_years"]}]++
		}
		kept := 0
		for c, n := range classes {
			kept += n
			if n < 11 {
				t.Errorf("%s: %v is told of %d people", profile, c, n)
			}
		}
		if kept < 30 || kept != len(of(o.resources, "Patient")) {
			t.Errorf("%s: of %d people %d remain in the table, %d in the resources", profile, people, kept, len(of(o.resources, "Patient")))
		}
		// The resources tell no more of a person than the table.
		told := map[[4]string]int{}
		for _, r := range of(o.resources, "Patient") {
			n := r.Root()
			told[[4]string{n.Get("gender").Text(), n.At("_birthDate", "extension", "valueString").Text(), n.At("address", "state").Text(), n.At("extension", "valueString").Text()}]++
			for name := range n.Members() {
				if !slices.Contains([]string{"resourceType", "id", "meta", "extension", "gender", "_birthDate", "address"}, name) {
					t.Errorf("%s: a Patient tells %s", profile, name)
				}
			}
		}
		for c, n := range classes {
			if told[c] != n {
				t.Errorf("%s: %v: %d people in the table, %d in the resources", profile, c, n, told[c])
			}
		}
		// Nor does the year in which a course of therapy begins, as its date is told.
		begins := map[string]string{}
		for _, r := range of(o.resources, "EpisodeOfCare") {
			who := r.Root().At("patient", "reference").Text()
			if start := r.Root().At("period", "start").Text(); start != "" && (begins[who] == "" || start < begins[who]) {
				begins[who] = start
			}
		}
		dated := map[[3]string]int{}
		for _, r := range of(o.resources, "Patient") {
			n := r.Root()
			dated[[3]string{n.Get("gender").Text(), n.At("_birthDate", "extension", "valueString").Text(), fmt.Sprintf("%.4s", begins[r.Key.String()])}]++
		}
		for c, n := range dated {
			if n < 11 {
				t.Errorf("%s: by the dates of their courses %d people are %v", profile, n, c)
			}
		}
		if dir := os.Getenv("RESEARCH_DIR"); dir != "" { // to look at what a researcher gets
			for name, b := range o.files {
				p := filepath.Join(dir, profile, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, b, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestWhatLeavesIsValid(t *testing.T) {
	v := validate.New(spec.R4())
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		o := practiceRelease(t, profile)
		if len(o.resources) < 500 {
			t.Errorf("only %d resources", len(o.resources))
		}
		for _, r := range o.resources {
			if err := v.Check(t.Context(), r); err != nil {
				t.Fatalf("%s: %v\n%s", profile, err, r.Body())
			}
			if body := string(r.Body()); !strings.Contains(body, `"code":"PSEUDED"`) || !strings.Contains(body, `"code":"REDACTED"`) {
				t.Fatalf("%s does not say what was done to it", r)
			}
		}
		ids := map[fhir.Key]bool{}
		for _, r := range o.resources {
			if ids[r.Key] {
				t.Errorf("%s comes twice", r.Key)
			}
			ids[r.Key] = true
		}
		for _, r := range o.resources {
			for k := range references(r.Root()) {
				if !ids[k] && k.Type != "CareTeam" {
					t.Errorf("%s refers to %s, which is not there", r, k)
				}
			}
		}
	}
}

func references(n fhir.Node) map[fhir.Key]bool {
	out := map[fhir.Key]bool{}
	var walk func(fhir.Node)
	walk = func(n fhir.Node) {
		if k, ok := n.Ref(); ok {
			out[k] = true
		}
		for _, m := range n.Members() {
			walk(m)
		}
		if n.Kind() == fhir.Arr {
			for m := range n.Elements() {
				walk(m)
			}
		}
	}
	walk(n)
	return out
}

// TestScoresAndIntervalsAreThoseOfTheSource compares what is told of each person with
// what is recorded: totals as the gateway derived them, and days between answers.
func TestScoresAndIntervalsAreThoseOfTheSource(t *testing.T) {
	rs, _ := consenting(t, practice(t))
	// A person is recognised by the answers, as anybody could who knows them.
	source := map[fhir.Key]map[string]string{} // patient → "instrument date" → total
	first := map[fhir.Key]string{}
	for _, r := range of(rs, "EpisodeOfCare") {
		k, _ := r.Root().Get("patient").Ref()
		if s := r.Root().At("period", "start").Text(); first[k] == "" || s < first[k] {
			first[k] = s
		}
	}
	for _, r := range of(rs, "Observation") {
		n := r.Root()
		q, ok := n.Get("derivedFrom").Index(0).Ref()
		if !ok || q.Type != "QuestionnaireResponse" || n.Get("status").Text() == "entered-in-error" {
			continue
		}
		k, _ := n.Get("subject").Ref()
		base, _ := deid.Day(first[k])
		day, ok := deid.Day(n.Get("effectiveDateTime").Text())
		if !ok {
			t.Fatal("a score without a day")
		}
		if source[k] == nil {
			source[k] = map[string]string{}
		}
		line := n.Get("code").Get("coding").Index(0).Get("code").Text() + " " + itoa(deid.Days(base, day)) + " " + n.At("valueQuantity", "value").Decimal()
		source[k][q.ID] = line
	}
	known := map[string]bool{}
	for _, lines := range source {
		known[joinSorted(lines)] = true
	}
	codes := map[string]string{"phq-9": "44261-6", "gad-7": "70274-6", "k10p": "k10p-total", "alliance": "alliance-total"}
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		o := practiceRelease(t, profile)
		told := map[string]map[string]string{}
		for _, r := range rows(t, o, "scores") {
			if told[r["pid"]] == nil {
				told[r["pid"]] = map[string]string{}
			}
			told[r["pid"]][r["administration_id"]] = codes[r["instrument"]] + " " + r["day_from_baseline"] + " " + r["total"]
		}
		if len(told) < 30 {
			t.Fatalf("scores of %d people", len(told))
		}
		for pid, lines := range told {
			if !known[joinSorted(lines)] {
				t.Errorf("%s: the scores and days of %s are nobody's:\n%s", profile, pid, joinSorted(lines))
			}
		}
	}
	// In the resources the days between two sessions are the same, and so are weekdays.
	weekdays := map[string]int{}
	for _, r := range of(rs, "Encounter") {
		if d, ok := deid.Day(r.Root().At("period", "start").Text()); ok {
			weekdays[d.Weekday().String()]++
		}
	}
	o := practiceRelease(t, deid.Expert)
	byEncounter := map[string]string{}
	for _, r := range rows(t, o, "sessions") {
		byEncounter[r["session_id"]] = r["day_from_baseline"]
	}
	base := map[string]string{}
	for _, r := range of(o.resources, "EpisodeOfCare") {
		k, _ := r.Root().Get("patient").Ref()
		if s := r.Root().At("period", "start").Text(); base[k.ID] == "" || s < base[k.ID] {
			base[k.ID] = s
		}
	}
	seen := 0
	for _, r := range of(o.resources, "Encounter") {
		k, _ := r.Root().Get("subject").Ref()
		from, _ := deid.Day(base[k.ID])
		to, ok := deid.Day(r.Root().At("period", "start").Text())
		if !ok {
			continue
		}
		if seen++; itoa(deid.Days(from, to)) != byEncounter[r.ID] {
			t.Errorf("%s is on day %d in the resources, on day %s in the table", r, deid.Days(from, to), byEncounter[r.ID])
		}
		if weekdays[to.Weekday().String()] == 0 {
			t.Errorf("%s is on a %s, on which nobody works", r, to.Weekday())
		}
	}
	if seen < 300 {
		t.Errorf("%d sessions were compared", seen)
	}
}

var pseudonyms = regexp.MustCompile(`\b[a-z2-7]{32}\b`)

func TestTwoProjectsShareNoIDAndOneReleasesTheSameAgain(t *testing.T) {
	rs, _ := consenting(t, practice(t))
	d := newDesk() // one desk: the same people with the same secrets
	one := must(t)(run(t, d.release(t), rs))
	again := must(t)(run(t, d.release(t), rs))
	other := must(t)(run(t, d.release(t, func(c *research.Config) { c.Project = "grief-study" }), rs))
	for name, b := range one.files {
		if !bytes.Equal(b, again.files[name]) {
			t.Errorf("%s is another one the second time", name)
		}
	}
	for i, r := range one.resources {
		if !bytes.Equal(r.Body(), again.resources[i].Body()) {
			t.Fatalf("%s is another one the second time", r)
		}
	}
	mine := map[string]bool{}
	for _, id := range pseudonyms.FindAllString(one.text(), -1) {
		mine[id] = true
	}
	if len(mine) < 1000 {
		t.Fatalf("only %d pseudonyms", len(mine))
	}
	for _, id := range pseudonyms.FindAllString(other.text(), -1) {
		if mine[id] {
			t.Fatalf("%s is in both projects", id)
		}
	}
}

func TestAReleaseThatDiffersByFewIsRefused(t *testing.T) {
	rs, people := consenting(t, practice(t))
	loose := func(c *research.Config) { c.K = 5 } // so that generalising does not hide who is missing
	without := func(n int) []fhir.Resource {
		gone := map[fhir.Key]bool{}
		for _, r := range of(rs, "Patient")[:n] {
			gone[r.Key] = true
		}
		return slices.DeleteFunc(slices.Clone(rs), func(r fhir.Resource) bool { return gone[r.Key] })
	}
	pids := func(o outcome) map[string]bool {
		out := map[string]bool{}
		for _, r := range rows(t, o, "people") {
			out[r["pid"]] = true
		}
		return out
	}
	more := func(a, b map[string]bool) (n int) {
		for pid := range a {
			if !b[pid] {
				n++
			}
		}
		return n
	}
	d := newDesk()
	first := pids(must(t)(run(t, d.release(t, loose), without(4))))
	must(t)(run(t, d.release(t, loose, profiled(deid.SafeHarbor)), without(4))) // the same people may be told otherwise
	refused := 0
	for n := range 8 {
		// Whoever came or went may be left out with others: then it is a release.
		o, err := run(t, d.release(t, loose), without(n))
		if err == nil {
			now := pids(o)
			if came, went := more(now, first), more(first, now); came > 0 && came < 5 || went > 0 && went < 5 {
				t.Errorf("%d of %d people less than at first 4: %d came, %d went", n, people, came, went)
			}
			continue
		}
		refused++
		if !fhir.Is(err, fhir.BusinessRule) || !strings.Contains(err.Error(), "differ from those of the project's release of 2026-11-02 by fewer than 5") {
			t.Errorf("%d of %d people less than at first 4: %v", n, people, err)
		}
	}
	if refused == 0 {
		t.Error("none is refused")
	}
	must(t)(run(t, d.release(t, loose, func(c *research.Config) { c.Project = "another" }), without(3)))
}

func TestTooFewPeopleAreNoRelease(t *testing.T) {
	rs, _ := consenting(t, practice(t))
	few := slices.DeleteFunc(slices.Clone(rs), func(r fhir.Resource) bool { return r.Type == "Patient" && r.Key != of(rs, "Patient")[0].Key })
	if _, err := run(t, newDesk().release(t), few); !fhir.Is(err, fhir.BusinessRule) || !strings.Contains(err.Error(), "11 or more") {
		t.Errorf("%v", err)
	}
	none := slices.DeleteFunc(slices.Clone(rs), func(r fhir.Resource) bool { return r.Type == "Patient" })
	if _, err := run(t, newDesk().release(t), none); !fhir.Is(err, fhir.BusinessRule) || !strings.Contains(err.Error(), "_type") {
		t.Errorf("%v", err)
	}
}

func TestTheReportTellsNoSmallCount(t *testing.T) {
	o := practiceRelease(t, deid.Expert)
	var report struct {
		K, People, SmallestClass int
		Counts                   []struct {
			Title string
			Cells [][]*int
		}
		Diversity struct{ Classes, WithTwoOrMoreValues, WithOneValue int }
	}
	if err := json.Unmarshal(o.files["disclosure.json"], &report); err != nil {
		t.Fatal(err)
	}
	if report.K != 11 || report.SmallestClass < 11 || report.People < 30 || len(report.Counts) < 4 {
		t.Errorf("%+v", report)
	}
	if d := report.Diversity; d.Classes == 0 || d.WithTwoOrMoreValues+d.WithOneValue != d.Classes {
		t.Errorf("%+v", d)
	}
	blank := 0
	for _, c := range report.Counts {
		for _, row := range c.Cells {
			for _, v := range row {
				if v == nil {
					blank++
				} else if *v > 0 && *v < 11 {
					t.Errorf("%s tells %d", c.Title, *v)
				}
			}
		}
	}
	if blank == 0 {
		t.Error("nothing is blank: the practice is too small for that")
	}
	page := string(o.files["disclosure.html"])
	for _, want := range []string{"<h1>Disclosure report: sleep-study</h1>", "A dash stands for a count of 1 to 10", "<td class=\"n\">–</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %s", want)
		}
	}
	readme := string(o.files["README.md"])
	for _, want := range []string{"Answer patterns stay linkable", "at least 11 people", "SHA-256", "not Safe Harbor", "disclosure.html"} {
		if !strings.Contains(readme, want) {
			t.Errorf("the readme does not say %s", want)
		}
	}
	if s := string(practiceRelease(t, deid.SafeHarbor).files["README.md"]); strings.Contains(s, "shifted") {
		t.Error("the readme of safe-harbor speaks of shifted dates")
	}
}
