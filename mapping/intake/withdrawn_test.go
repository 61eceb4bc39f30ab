package intake_test

import (
	"testing"

	"rapport/mapping/instrument"
)

func TestAResponseThatBecomesAMereScoreLeavesNothingThatFollowedFromIt(t *testing.T) {
	m := newMemory()
	imported(t, m, "pmhc-v4", treatmentWith(t), "PHN999")
	response := keyed(t, m, "response", "K5M401")
	score := instrument.Derived("Observation", response.Key, "score")
	if response.Type != "QuestionnaireResponse" || m.now[score].IsZero() {
		t.Fatalf("%s and its score are not there", response)
	}
	sum := imported(t, m, "pmhc-v4", treatmentWith(t, "k5.csv", "CO404,2,3,3,1,5,14", "CO404,9,9,9,9,9,14"), "PHN999")
	if !sum.Complete() {
		t.Fatal(sum)
	}
	for k := range m.now {
		if k == response.Key || k == score {
			t.Errorf("%s is left", k)
		}
	}
	if stated := keyed(t, m, "response", "K5M401"); stated.Type != "Observation" || text(stated.Root(), "status") != "final" {
		t.Errorf("%s stands for it", stated)
	}
	if n := sum.Resource("Observation").Removed; n != 1 {
		t.Errorf("%d scores are told as removed", n)
	}
}
