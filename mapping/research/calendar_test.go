package research_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/mapping/deid"
	"rapport/mapping/research"
)

// asOf makes what is known on a day of somebody who comes every week from start on, for a
// number of weeks.
func asOf(t testing.TB, day time.Time, n int, start time.Time, weeks int) (out []fhir.Resource) {
	t.Helper()
	add := func(format string, args ...any) {
		r, err := fhir.Parse(fmt.Appendf(nil, format, args...))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	end := start.AddDate(0, 0, 7*weeks)
	over := !end.After(day)
	status, ends, clinical := "active", "", `"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"problem-list-item"}]}],`
	if over {
		status, clinical = "finished", `"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"encounter-diagnosis"}]}],`
		ends = fmt.Sprintf(`,"end":%q`, end.Format(time.DateOnly))
	}
	add(`{"resourceType":"Patient","id":"p%d","gender":"female"}`, n)
	add(`{"resourceType":"Condition","id":"c%d",%s"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-gm","code":"F32.1"}]},"subject":{"reference":"Patient/p%d"},"recordedDate":%q}`, n, clinical, n, start.Format(time.DateOnly))
	reason := ""
	if over {
		reason = `,"extension":[{"url":"https://rapport.example/fhir/StructureDefinition/episode-end-reason","valueCodeableConcept":{"coding":[{"system":"urn:au:pmhc-mds:completion","code":"1"}]}}]`
	}
	add(`{"resourceType":"EpisodeOfCare","id":"e%d","status":%q,"patient":{"reference":"Patient/p%d"},"period":{"start":%q%s},"diagnosis":[{"condition":{"reference":"Condition/c%d"}}]%s}`,
		n, status, n, start.Format(time.DateOnly), ends, n, reason)
	for i := range weeks + 1 {
		at := start.AddDate(0, 0, 7*i)
		if at.After(day) {
			add(`{"resourceType":"Appointment","id":"a%d","status":"booked","start":%q,"end":%q,"participant":[{"status":"accepted","actor":{"reference":"Patient/p%d"}}]}`, n, at.Format(time.RFC3339), at.Add(time.Hour).Format(time.RFC3339), n)
			break
		}
		add(`{"resourceType":"Encounter","id":"s%d-%d","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/p%d"},"episodeOfCare":[{"reference":"EpisodeOfCare/e%d"}],"period":{"start":%q}}`,
			n, i, n, n, at.Format(time.DateOnly))
	}
	return out
}

// Whoever has a release, or all of a project however close together, may not learn from
// what they tell, nor from what is new in one, on which days of the year a therapy was.
func TestReleasesOfAllDaysTellTheSameOfAllWhoBeganInTheSameHalfOfAYear(t *testing.T) {
	begin := time.Date(2025, 7, 7, 0, 0, 0, 0, time.UTC)
	if testing.Short() {
		t.Skip("many releases")
	}
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		d := newDesk()
		ended := 0
		for day := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC); day.Before(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)); day = day.AddDate(0, 0, 9) {
			var rs []fhir.Resource
			for n := range 12 { // every two weeks another begins
				rs = append(rs, asOf(t, day, n, begin.AddDate(0, 0, 14*n), 30)...)
			}
			o := must(t)(run(t, d.release(t, profiled(profile), func(c *research.Config) { c.Stamp = day }), rs))
			told := map[string]string{}
			for _, table := range []string{"people", "episodes", "sessions"} {
				for _, r := range rows(t, o, table) {
					told[r["pid"]] += fmt.Sprintln(table, r["status"], r["start_years"], r["start_day"], r["end_day"], r["end_reason"], r["n_sessions"], r["day_from_baseline"])
				}
			}
			for _, r := range o.resources {
				who := r.Root().At("subject", "reference").Text() + r.Root().At("patient", "reference").Text()
				var names []string
				for name := range r.Root().Members() {
					names = append(names, name)
				}
				for name := range r.Root().Get("period").Members() {
					names = append(names, "period."+name)
				}
				for _, x := range []string{"clinicalStatus", "category"} {
					names = append(names, r.Root().Get(x).Text()+string(r.Root().Get(x).Raw()))
				}
				slices.Sort(names)
				if pid := strings.TrimPrefix(who, "Patient/"); pid != "" {
					told[pid] += fmt.Sprintln(r.Type, names, r.Root().Get("status").Text())
				}
			}
			lines := map[string]int{}
			for _, s := range told {
				parts := strings.Split(s, "\n")
				slices.Sort(parts)
				lines[strings.Join(parts, "\n")]++
			}
			if len(told) != 12 || len(lines) != 1 {
				t.Fatalf("%s, %s: of %d people %d different courses are told", profile, day.Format(time.DateOnly), len(told), len(lines))
			}
			for s := range lines {
				ended += strings.Count(s, "episodes finished")
			}
		}
		if ended == 0 {
			t.Errorf("%s: no release tells of an end", profile)
		}
	}
}

// The half of a year in which somebody began is what remains to be known; see
// TestReleasesOfAllDaysTellTheSameOfAllWhoBeganInTheSameHalfOfAYear.
func TestTheLastDayThatIsToldFollowsFromTheHalfOfTheYearAlone(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for baseline, want := range map[string]int{"2025-01-01": 306, "2025-06-30": 306, "2025-07-01": 122, "2025-12-31": 122, "2024-02-29": 671} {
		if got := deid.Days(day(baseline), deid.Horizon(day(baseline), day("2026-05-02"))); got != want {
			t.Errorf("of who began on %s, %d days are told, not %d", baseline, got, want)
		}
	}
	if got := deid.Horizon(time.Time{}, day("2026-05-02")); got != day("2026-05-02") {
		t.Errorf("without a beginning: %s", got)
	}
}
