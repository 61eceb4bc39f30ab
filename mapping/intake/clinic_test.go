package intake_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestTheWholePracticeImportsAndTellsTheCoursesItIsMeantTo holds the invented practice
// to what its README says of it.
func TestTheWholePracticeImportsAndTellsTheCoursesItIsMeantTo(t *testing.T) {
	m := newMemory()
	sum := imported(t, m, "practice-csv", wholePractice(t), "")
	if !sum.Complete() || sum.Loose > 0 {
		t.Fatalf("not all of it was stored:\n%s", sum)
	}
	valid(t, m)
	for kind, n := range map[string]int{
		"client": 54, "episode": 54, "session": 857, "goal": 108, "plan": 54, "response": 1224, "consent": 192,
		"exercise": 151, "notebook-entry": 122, "goal-rating": 310, "workshop": 3, "supervision": 6,
	} {
		if got := sum.Kind(kind).Created; got != n {
			t.Errorf("%d records of the kind %s, want %d", got, kind, n)
		}
	}
	for typ, n := range map[string]int{
		"Patient": 54, "Encounter": 813, "Appointment": 71, "CarePlan": 300, "QuestionnaireResponse": 1496, "Observation": 2022, "Task": 154, "Flag": 3,
	} {
		if got := len(m.of(typ)); got != n {
			t.Errorf("%d %s, want %d", got, typ, n)
		}
	}

	adjusted := 0
	for _, p := range m.of("Provenance") {
		if strings.HasPrefix(p.Root().Get("target").Index(0).Get("reference").Text(), "CarePlan/") && p.Root().Get("activity").Exists() {
			adjusted++
		}
	}
	if adjusted != 5 {
		t.Errorf("%d adjustments of plans have their Provenance, want 5", adjusted)
	}

	flagged := map[string]int{}
	for _, f := range m.of("Flag") {
		flagged[f.Root().Get("subject").Get("reference").Text()]++
	}
	if len(flagged) != 1 {
		t.Errorf("%d clients answered item 9 above 0, one is meant to", len(flagged))
	}

	research, groups := people(m)
	if len(research) < 36 {
		t.Errorf("%d clients permit research", len(research))
	}
	large, small := 0, 0
	for _, n := range groups {
		if n >= 11 {
			large += n
		} else {
			small++
		}
	}
	if large < 30 || small == 0 {
		t.Errorf("by gender and year of the start %d clients are in groups of 11 and more, and %d groups are smaller: %v", large, small, groups)
	}

	fell := map[string]bool{}
	for patient, totals := range scores(m, "http://loinc.org", "44261-6") {
		if last := totals[len(totals)-1]; last-totals[0] >= 6 && last >= 10 {
			fell[patient] = true
		}
	}
	if len(fell) != 1 {
		t.Errorf("%d clients end reliably worse on the PHQ-9, one is meant to", len(fell))
	}
	torn := map[string]bool{}
	for patient, totals := range scores(m, "https://rapport.example/fhir/CodeSystem/instrument-score", "alliance-total") {
		sum := 0
		for i, v := range totals {
			if i >= 3 && v*i <= sum-8*i {
				torn[patient] = true
			}
			sum += v
		}
	}
	if len(torn) != 1 {
		t.Errorf("the alliance of %d clients falls by 8 below their own mean, that of one is meant to", len(torn))
	}

	clients := 0
	for _, e := range slices.Concat(m.of("Encounter"), m.of("Appointment")) {
		about := strings.Count(string(e.Body()), `"Patient/`)
		clients += about
		supervised := strings.Contains(string(e.Body()), "/CodeSystem/supervision-role")
		if about > 1 || about == 0 != supervised {
			t.Errorf("%s is about %d clients", e, about)
		}
	}
	if clients == 0 || len(m.of("Group")) > 0 {
		t.Error("no meeting is about a client, or there are Groups")
	}
}

// people returns who permits research now, and how many of them there are by gender
// and by the year in which their therapy began.
func people(m *memory) (permit map[string]bool, groups map[string]int) {
	permit, groups = map[string]bool{}, map[string]int{}
	for _, c := range m.of("Consent") {
		n := c.Root()
		p := n.Get("provision")
		if n.Get("scope").HasCoding("http://terminology.hl7.org/CodeSystem/consentscope", "research") && n.Get("status").Text() == "active" &&
			p.Get("type").Text() == "permit" && !p.Get("period").Get("end").Exists() {
			permit[n.Get("patient").Get("reference").Text()] = true
		}
	}
	gender := map[string]string{}
	for _, p := range m.of("Patient") {
		gender[p.Key.String()] = p.Root().Get("gender").Text()
	}
	for _, e := range m.of("EpisodeOfCare") {
		if who := e.Root().Get("patient").Get("reference").Text(); permit[who] {
			groups[gender[who]+" "+e.Root().Get("period").Get("start").Text()[:4]]++
		}
	}
	return permit, groups
}

// scores are the values of a score by patient, in the order of their times.
func scores(m *memory, system, code string) map[string][]int {
	type told struct {
		at    string
		value int
	}
	all := map[string][]told{}
	for _, o := range m.of("Observation") {
		n := o.Root()
		v, ok := n.Get("valueQuantity").Get("value").Int()
		if !ok || !n.Get("code").HasCoding(system, code) {
			continue
		}
		who := n.Get("subject").Get("reference").Text()
		all[who] = append(all[who], told{n.Get("effectiveDateTime").Text(), int(v)})
	}
	out := map[string][]int{}
	for who := range maps.Keys(all) {
		slices.SortFunc(all[who], func(a, b told) int { return strings.Compare(a.at, b.at) })
		for _, s := range all[who] {
			out[who] = append(out[who], s.value)
		}
	}
	return out
}
