package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"rapport/fhir"
)

// plan stores a CarePlan that asks for an instrument every week from a day.
func (c *clinic) plan(id, client, slug, from string) {
	c.Helper()
	in := c.library.BySlug(slug)
	c.put(fmt.Sprintf(`{"resourceType":"CarePlan","id":%q,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]},`+
		`"status":"active","intent":"plan","subject":{"reference":%q},"period":{"start":%q},"activity":[{"detail":{"instantiatesCanonical":[%q],"status":"in-progress","scheduledTiming":{"repeat":{"frequency":1,"period":1,"periodUnit":"wk"}}}}]}`,
		id, c.mapper.ID("Patient", ofPractice, client), from, in.Canonical()))
}

// put stores a resource as the import does.
func (c *clinic) put(body string) {
	c.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		c.Fatal(err)
	}
	err = c.guard.For(c.people["import"]).Update(c.Context(), fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
		_, err := tx.Put(c.Context(), r, fhir.Condition{})
		return err
	})
	if err != nil {
		c.Fatalf("%s: %v", r.Key, err)
	}
}

func TestWhatIsDueIsListedToWhoMaySeeIt(t *testing.T) {
	c := newClinic(t) // 5 March
	c.plan("mine", "c1", "phq-9", "2026-03-01")
	c.plan("mine-too", "c1", "gad-7", "2026-03-04")
	c.plan("other", "c2", "phq-9", "2026-02-01")
	list := func(who, query string) string {
		got := decode[dueList](t, c.as(who, http.MethodGet, "/practice/due"+query, "", http.StatusOK))
		if got.AsOf != "2026-03-05" {
			t.Errorf("as of %s", got.AsOf)
		}
		var out []string
		for _, it := range got.Items {
			out = append(out, fmt.Sprintf("%s %s %s %d", it.Instrument, it.Due, it.State, it.Days))
		}
		return strings.Join(out, ", ")
	}
	me := c.mapper.ID("Practitioner", ofPractice, "t1").ID
	for _, x := range []struct{ who, query, want string }{
		{"mira", "", "phq-9 2026-03-01 overdue 4, gad-7 2026-03-04 due 1"},
		{"mira", "?state=due", "gad-7 2026-03-04 due 1"},
		{"mira", "?state=overdue&instrument=phq-9", "phq-9 2026-03-01 overdue 4"},
		{"mira", "?instrument=k10p", ""},
		{"mira", "?client=" + c.mapper.ID("Patient", ofPractice, "c2").ID, ""},
		{"mira", "?client=Patient/nobody", ""},
		{"mira", "?therapist=me", ""}, // these plans name no therapist
		{"mira", "?therapist=Practitioner/" + me, ""},
		{"jon", "", "phq-9 2026-02-01 overdue 32"},
		{"import", "", "phq-9 2026-02-01 overdue 32, phq-9 2026-03-01 overdue 4, gad-7 2026-03-04 due 1"},
		{"ida", "", "phq-9 2026-03-01 overdue 4, gad-7 2026-03-04 due 1"},
	} {
		if got := list(x.who, x.query); got != x.want {
			t.Errorf("%s%s: %s", x.who, x.query, got)
		}
	}
	for query, status := range map[string]int{
		"?x=1": 400, "?instrument=none": 400, "?state=later": 422, "?count=0": 422, "?count=many": 422, "?state=due&state=due": 422,
		"?client=Goal/1": 422, "?client=a%20b": 422, "?after=made-up": 404, "?therapist=": 422, "?%zz": 400,
	} {
		c.as("mira", http.MethodGet, "/practice/due"+query, "", status)
	}
	c.as("import", http.MethodGet, "/practice/due?therapist=me", "", http.StatusUnprocessableEntity)
	c.as("admin", http.MethodGet, "/practice/due", "", http.StatusForbidden)
	c.as("nobody", http.MethodGet, "/practice/due", "", http.StatusUnauthorized)
}

func TestTheNextPageIsAtItsLinkAndForItsReceiverAlone(t *testing.T) {
	c := newClinic(t)
	for i := range 3 {
		c.plan(fmt.Sprint("plan-", i), "c1", []string{"phq-9", "gad-7", "k10p"}[i], "2026-02-01")
	}
	seen := 0
	for path := "/practice/due?count=2&state=overdue"; path != ""; {
		got := decode[dueList](t, c.as("mira", http.MethodGet, path, "", http.StatusOK))
		seen += len(got.Items)
		if path = got.Next; path != "" {
			u, err := url.Parse(path)
			if err != nil || u.Query().Get("state") != "overdue" {
				t.Fatalf("%s: %v", path, err)
			}
			c.as("jon", http.MethodGet, path, "", http.StatusNotFound)
		}
	}
	if seen != 3 {
		t.Errorf("%d items on all pages", seen)
	}
}
