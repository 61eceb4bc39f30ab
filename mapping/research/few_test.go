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
			c.people = append(c.people, &person{key: fhir.Key{Type: "Patient", ID: fmt.Sprint(who)}, in: true})
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

const icd = "http://hl7.org/fhir/sid/icd-10-cm"

// given makes a tally of codes, each held by n people from one on.
func given(element string, vital bool, codes map[string][2]int) *tally {
	t := newTally()
	for code, v := range codes {
		for i := v[0]; i < v[0]+v[1]; i++ {
			t.note(i, []deid.Said{{Type: "Condition", Element: element, System: icd, Code: code, Vital: vital}})
		}
	}
	t.decide(11)
	return t
}

func TestADiagnosisThatFewHaveIsToldAsWhatMoreHave(t *testing.T) {
	c := given("Condition.code", false, map[string][2]int{
		"F32.1": {0, 12},  // enough as it is
		"F33.0": {12, 6},  // with the next one enough as F33
		"F33.1": {18, 6},  //
		"F40.1": {24, 5},  // with the next one enough as a block
		"F41.0": {29, 6},  //
		"F50.0": {35, 10}, // alone in its block
		"Z63.0": {45, 3},  // of another chapter
	})
	for code, want := range map[string]string{"F32.1": "F32.1", "F33.0": "F33", "F33.1": "F33", "F40.1": "F40-F48", "F41.0": "F40-F48", "F50.0": "", "Z63.0": "", "F99": ""} {
		as, ok := c.code(deid.Said{Type: "Condition", Element: "Condition.code", System: icd, Code: code})
		if as != want || ok != (want != "") {
			t.Errorf("%s is told as %q, not %q", code, as, want)
		}
	}
}

func TestACodeThatFewHaveIsNotToldNorByWhatIsMissing(t *testing.T) {
	for name, v := range map[string]struct {
		vital bool
		codes map[string][2]int
		told  []string
	}{
		"all have enough": {false, map[string][2]int{"F32": {0, 11}, "F41": {20, 30}}, []string{"F32", "F41"}},
		"one has few: the next is withheld with it":           {false, map[string][2]int{"Z63": {0, 3}, "F32": {3, 12}, "F41": {20, 30}}, []string{"F41"}},
		"those who have it are those who have another":        {false, map[string][2]int{"Z63": {0, 3}, "F32": {0, 12}, "F41": {20, 30}}, []string{"F41"}},
		"two have few and together enough":                    {false, map[string][2]int{"Z63": {0, 6}, "Z56": {6, 7}, "F32": {13, 12}}, []string{"F32"}},
		"where nothing shows that it is missing, it is alone": {true, map[string][2]int{"Z63": {0, 3}, "F32": {3, 12}, "F41": {20, 30}}, []string{"F32", "F41"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := given("Condition.code", v.vital, v.codes)
			if len(c.told) != len(v.told) {
				t.Errorf("told is %v", c.told)
			}
			for _, code := range v.told {
				if _, ok := c.code(deid.Said{Type: "Condition", Element: "Condition.code", System: icd, Code: code, Vital: v.vital}); !ok {
					t.Errorf("%s is not told", code)
				}
			}
		})
	}
}
