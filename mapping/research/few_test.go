package research

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"rapport/fhir"
	"rapport/mapping/deid"
	"rapport/mapping/instrument"
)

type drawn struct{}

func (drawn) Secret(_ context.Context, k fhir.Key) (deid.Secret, error) {
	return sha256.Sum256([]byte(k.String())), nil
}

// with makes a cohort in which each therapist has so many people.
func with(t *testing.T, counts map[string]int) *cohort {
	t.Helper()
	l, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	c := newCohort(l, func(string, string) bool { return true })
	for name, n := range counts {
		for range n {
			who := len(c.people)
			c.people = append(c.people, &person{key: fhir.Key{Type: "Patient", ID: fmt.Sprint(who)}, in: true, codes: map[dx]struct{}{}})
			c.sessions = append(c.sessions, &session{who: who, therapist: fhir.Key{Type: "Practitioner", ID: name}})
		}
	}
	return c
}

func TestATherapistWithFewPeopleIsNotToldNorByWhatIsMissing(t *testing.T) {
	for name, v := range map[string]struct {
		counts map[string]int
		told   []string
	}{
		"all have enough": {map[string]int{"a": 11, "b": 30}, []string{"a", "b"}},
		"one has few: the next is withheld with it": {map[string]int{"a": 3, "b": 12, "c": 30}, []string{"c"}},
		"two have few and together enough":          {map[string]int{"a": 6, "b": 7, "c": 12}, []string{"c"}},
		"there is no other":                         {map[string]int{"a": 3, "b": 30}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := with(t, v.counts)
			if err := c.settings(t.Context(), drawn{}, 11); err != nil {
				t.Fatal(err)
			}
			if len(c.secrets) != len(v.told) || c.few["Practitioner"] != len(v.counts)-len(v.told) {
				t.Errorf("%d are told, %d are not", len(c.secrets), c.few["Practitioner"])
			}
			for _, id := range v.told {
				if _, ok := c.secrets[fhir.Key{Type: "Practitioner", ID: id}]; !ok {
					t.Errorf("%s is not told", id)
				}
			}
		})
	}
}

func TestAnInstrumentThatFewAnsweredLeavesNothing(t *testing.T) {
	c := with(t, map[string]int{"a": 12})
	phq, gad := c.instruments.BySlug("phq-9"), c.instruments.BySlug("gad-7")
	for who := range 12 {
		c.given = append(c.given, &administration{who: who, in: phq, key: fhir.Key{Type: "QuestionnaireResponse", ID: fmt.Sprint("p", who)}})
		if who < 10 {
			c.given = append(c.given, &administration{who: who, in: gad, key: fhir.Key{Type: "QuestionnaireResponse", ID: fmt.Sprint("g", who)}})
		}
	}
	c.scarce(11)
	if c.rare != 1 || len(c.given) != 12 {
		t.Errorf("%d instruments are withheld, %d answerings are left", c.rare, len(c.given))
	}
	for body, withheld := range map[string]bool{
		`{"resourceType":"QuestionnaireResponse","id":"p1","questionnaire":"` + phq.Canonical() + `"}`:                       false,
		`{"resourceType":"QuestionnaireResponse","id":"g1","questionnaire":"` + gad.Canonical() + `"}`:                       true,
		`{"resourceType":"QuestionnaireResponse","id":"x","status":"in-progress","questionnaire":"` + gad.Canonical() + `"}`: true,
		`{"resourceType":"Observation","id":"o","derivedFrom":[{"reference":"QuestionnaireResponse/g1"}]}`:                   true,
		`{"resourceType":"Observation","id":"o","derivedFrom":[{"reference":"QuestionnaireResponse/p1"}]}`:                   false,
	} {
		r, err := fhir.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if c.withheld(r) != withheld {
			t.Errorf("%s: withheld is %v", body, !withheld)
		}
	}
}

func TestADiagnosisThatFewHaveIsToldAsWhatMoreHave(t *testing.T) {
	const icd = "http://hl7.org/fhir/sid/icd-10-cm"
	c := with(t, map[string]int{"a": 60})
	give := func(code string, from, n int) {
		for i := from; i < from+n; i++ {
			c.people[i].codes[dx{icd, code}] = struct{}{}
		}
	}
	give("F32.1", 0, 12)  // enough as it is
	give("F33.0", 12, 6)  // with the next one enough as F33
	give("F33.1", 18, 6)  //
	give("F40.1", 24, 5)  // with the next one enough as a block
	give("F41.0", 29, 6)  //
	give("F50.0", 35, 10) // alone in its block
	give("Z63.0", 45, 3)  // of another chapter
	c.diagnose(11)
	for code, want := range map[string]string{"F32.1": "F32.1", "F33.0": "F33", "F33.1": "F33", "F40.1": "F40-F48", "F41.0": "F40-F48", "F50.0": "", "Z63.0": "", "F99": ""} {
		if as, ok := c.diagnosis(icd, code); as != want || ok != (want != "") {
			t.Errorf("%s is told as %q, not %q", code, as, want)
		}
	}
}
