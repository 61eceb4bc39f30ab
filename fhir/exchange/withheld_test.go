package exchange_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// second puts a second client with a referral at the clinic, beside that of
// [side.referral]: Patient/p2, Goal/g2 and Task/t2.
func (s *side) second() {
	s.t.Helper()
	for _, k := range []string{"Patient/p1", "Goal/g1", "ServiceRequest/sr1", "Task/t1"} {
		s.put(strings.NewReplacer(`"p1"`, `"p2"`, `"g1"`, `"g2"`, `"sr1"`, `"sr2"`, `"t1"`, `"t2"`, "Patient/p1", "Patient/p2", "ServiceRequest/sr1", "ServiceRequest/sr2").
			Replace(string(s.get(k).Body())))
	}
}

// goals returns what the hospital's copies of two goals of the clinic's say.
func (w *world) goals() (texts [2]string) {
	for i, k := range []string{"Goal/g1", "Goal/g2"} {
		for _, r := range w.theirsOf(k) {
			texts[i] += r.Root().At("description", "text").Text()
		}
	}
	return texts
}

// Of two clients the clinic has changed a goal that consent keeps back.
func TestAConsentThatChangesSetsGoingWhatIsKeptBackOfAllWhomItIsOrWasAbout(t *testing.T) {
	p := newParts(t)
	const denied = "Sleep"
	both := [2]string{"Rest well", "Rest well"}
	about := func(consent, patient, also string) string {
		if also != "" {
			also = `"contained":[{"resourceType":"QuestionnaireResponse","id":"qr","status":"completed","subject":{"reference":"` + also + `"}}],"sourceReference":{"reference":"#qr"},`
		}
		return strings.NewReplacer("Patient/p1", patient, `"id":"k1"`, also+`"id":"`+consent+`"`).Replace(says("OPTOUT", ""))
	}
	for what, c := range map[string]struct {
		consents []string
		change   func(w *world)
		want     [2]string
	}{
		"it is about one of them alone": {
			[]string{about("k1", "Patient/p1", ""), about("k2", "Patient/p2", "")},
			func(w *world) { w.clinic.amend("Consent/k1", `"active"`, `"inactive"`) }, [2]string{"Rest well", denied},
		},
		// The other one's own consent has run out by the clock, of which nobody hears.
		"it is about both": {
			[]string{about("k1", "Patient/p1", "Patient/p2"), strings.Replace(about("k2", "Patient/p2", ""), `"dateTime"`, `"provision":{"period":{"end":"2026-03-03T00:00:00Z"}},"dateTime"`, 1)},
			func(w *world) {
				w.now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
				if n, err := w.clinic.guard.Refresh(t.Context(), w.clinic.tenant); n != 1 || err != nil {
					t.Fatal(n, err)
				}
				w.clinic.amend("Consent/k1", `"active"`, `"inactive"`)
			}, both,
		},
		"it was about the one, by mistake, and is about the other": {
			[]string{about("k1", "Patient/p1", "")},
			func(w *world) { w.clinic.amend("Consent/k1", "Patient/p1", "Patient/p2") }, both,
		},
		"it was about the one, and is gone": {
			[]string{about("k1", "Patient/p1", "")},
			func(w *world) { w.clinic.remove("Consent/k1") }, both,
		},
	} {
		t.Run(what, func(t *testing.T) {
			w, _ := joined(t, p)
			w.clinic.referral("1", "requested")
			w.clinic.second()
			w.settle()
			for _, body := range c.consents {
				w.clinic.put(body)
			}
			w.clinic.amend("Goal/g1", "Sleep", "Rest well")
			w.clinic.amend("Goal/g2", "Sleep", "Rest well")
			w.settle()
			kept := w.goals()
			if kept[0] != denied || (kept[1] == denied) != (len(c.consents) > 1) {
				t.Fatalf("consent keeps nothing back: %q", kept)
			}
			c.change(w)
			w.settle()
			if got := w.goals(); got != c.want {
				t.Errorf("the hospital has %q, want %q", got, c.want)
			}
			if dead := slices.Concat(w.clinic.works(true), w.hospital.works(true)); len(dead) > 0 {
				t.Errorf("given up: %+v", dead)
			}
		})
	}
}
