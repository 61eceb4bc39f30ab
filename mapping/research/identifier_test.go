package research_test

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode"

	"rapport/mapping/deid"
	"rapport/testdata"
)

// TestNoIdentifierOfThePracticeLeaves searches for everything that its tables tell of
// people, and for every id and identifier of the resources.
func TestNoIdentifierOfThePracticeLeaves(t *testing.T) {
	identifiers := map[string]bool{}
	take := func(s string) {
		if len([]rune(s)) >= 5 {
			identifiers[s] = true
		}
	}
	for file, columns := range map[string][]string{
		"clients.csv":       {"client", "family", "given", "birth_date", "email", "phone", "postal_code", "city"},
		"practitioners.csv": {"practitioner", "family", "given", "email"},
		"organisations.csv": {"organisation", "name", "phone", "email", "line", "city"},
		"episodes.csv":      {"episode", "diagnosis_text"}, "sessions.csv": {"session", "reason"},
		"goals.csv": {"goal", "description"}, "plans.csv": {"plan", "title", "summary"}, "responses.csv": {"response"}, "consents.csv": {"consent", "text"},
	} {
		b, err := fs.ReadFile(testdata.Practice(), file)
		if err != nil {
			t.Fatal(err)
		}
		table, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range columns {
			i := slices.Index(table[0], c)
			if i < 0 {
				t.Fatalf("%s has no column %s", file, c)
			}
			for _, row := range table[1:] {
				take(row[i])
			}
		}
	}
	for _, r := range practice(t) {
		if r.Type == "Questionnaire" { // public, as their names are
			continue
		}
		take(r.ID)
		for id := range r.Root().Get("identifier").Elements() {
			take(id.Get("value").Text())
		}
	}
	if len(identifiers) < 2000 {
		t.Fatalf("only %d identifiers are known", len(identifiers))
	}
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		for _, hit := range hits(practiceRelease(t, profile).text(), identifiers) {
			t.Errorf("%s: %q leaves", profile, hit)
		}
	}
}

// hits finds the identifiers that stand in a text as a whole, not as part of a word.
func hits(text string, identifiers map[string]bool) (out []string) {
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(text, apart) {
		words[w] = true
	}
	for id := range identifiers {
		parts := strings.FieldsFunc(id, apart)
		all := len(parts) > 0
		for _, p := range parts {
			all = all && words[p]
		}
		if all && whole(text, id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func apart(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

func whole(text, id string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], id)
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(id)
		before, after := []rune(text[max(0, from-4):from]), []rune(text[to:min(len(text), to+4)])
		if (len(before) == 0 || apart(before[len(before)-1])) && (len(after) == 0 || apart(after[0])) {
			return true
		}
		at = to
	}
}

func TestHitsAreFound(t *testing.T) {
	ids := map[string]bool{"Ahorn": true, "iris.ahorn@mail.example": true, "LH-01": true, "Birke": true}
	got := hits(`{"a":"Ahorn","b":"x iris.ahorn@mail.example","c":"LH-010","d":"Birkenau"}`, ids)
	if !slices.Equal(got, []string{"Ahorn", "iris.ahorn@mail.example"}) {
		t.Errorf("%q", got)
	}
}
