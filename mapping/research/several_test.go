package research_test

import (
	"fmt"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/mapping/research"
)

// Pseudonyms stay the same in a project, so whoever has two releases sees who is new in the
// second, and who was away for one.
func TestWhoIsNewIsNotAloneAmongThoseWhoAre(t *testing.T) {
	person := func(n int) []fhir.Resource {
		return client(t, n, fmt.Sprintf(`"gender":%q,"birthDate":"%d-05-05"`, []string{"female", "male"}[n%2], 1960+n/2%3*10), "video",
			still().AddDate(-2, 0, 0), still().AddDate(-2, 1, 0))
	}
	people := func(from, to int) (out []fhir.Resource) {
		for n := from; n < to; n++ {
			out = append(out, person(n)...)
		}
		return out
	}
	for name, v := range map[string]struct {
		exports [][]fhir.Resource
		stay    int // of the last, at least
	}{
		"of a few who are new, by their gender and decade": {[][]fhir.Resource{people(0, 120), people(0, 132)}, 120},
		"of many who are new":                              {[][]fhir.Resource{people(0, 120), people(0, 240)}, 240},
		"who was away for one release":                     {[][]fhir.Resource{people(0, 120), people(12, 120), append(people(11, 120), people(120, 132)...)}, 100},
	} {
		d := newDesk()
		in := map[string]string{}
		var last outcome
		for n, rs := range v.exports {
			last = must(t)(run(t, d.release(t, func(c *research.Config) { c.Stamp = still().Add(time.Duration(n) * 24 * time.Hour) }), rs))
			for _, r := range rows(t, last, "people") {
				in[r["pid"]] += fmt.Sprint(n, " ", r["gender"], r["birth_years"], "; ")
			}
		}
		classes := map[string]int{}
		for _, r := range rows(t, last, "people") {
			classes[in[r["pid"]]]++
		}
		kept := 0
		for what, n := range classes {
			if kept += n; n < 11 {
				t.Errorf("%s: of %d people the releases tell %s", name, n, what)
			}
		}
		if kept < v.stay {
			t.Errorf("%s: only %d people remain", name, kept)
		}
	}
}

// What is known of somebody is corrected, or changes, between two releases: whoever has both
// sees of whom they tell two things.
func TestWhoMovedBetweenTwoReleasesIsNotAloneAmongThoseWhoDid(t *testing.T) {
	for _, moved := range []int{0, 3, 11, 20} {
		d := newDesk()
		told := map[string]string{}
		var last outcome
		for n, gone := range []int{0, moved} {
			var rs []fhir.Resource
			for i := range 60 {
				state := "MA"
				if i >= 30 || i < gone {
					state = "ZH"
				}
				rs = append(rs, client(t, i, fmt.Sprintf(`"gender":"female","address":[{"state":%q}]`, state), "video", still().AddDate(-2, 0, 0), still().AddDate(-2, 1, 0))...)
			}
			last = must(t)(run(t, d.release(t), rs))
			for _, r := range rows(t, last, "people") {
				told[r["pid"]] += fmt.Sprint(n, " ", r["state"], "; ")
			}
		}
		classes := map[string]int{}
		for _, r := range rows(t, last, "people") {
			classes[told[r["pid"]]]++
		}
		for what, n := range classes {
			if n < 11 {
				t.Errorf("%d moved: of %d people the releases tell %s", moved, n, what)
			}
		}
		if n := len(rows(t, last, "people")); n < 60 {
			t.Errorf("%d moved: only %d people remain", moved, n)
		}
	}
}
