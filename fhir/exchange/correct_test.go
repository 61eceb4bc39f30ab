package exchange_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/policy"
)

// amend writes a resource anew with a piece of its text changed.
func (s *side) amend(key, old, new string) {
	s.t.Helper()
	r := s.get(key)
	if !strings.Contains(string(r.Body()), old) {
		s.t.Fatalf("%s does not say %s: %s", key, old, r.Body())
	}
	s.put(strings.Replace(string(r.Body()), old, new, 1))
}

// theirsOf returns the hospital's copies of a resource of the clinic's.
func (w *world) theirsOf(key string) []fhir.Resource {
	k, _ := fhir.ParseKey(key)
	return w.hospital.find(k.Type, "identifier", w.clinic.base+"/"+k.Type+"|"+k.ID)
}

func TestACorrectionReachesWhoGotTheEarlierVersion(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	// What the hospital adds to its copy is its own.
	theirs := w.theirsOf("Goal/g1")[0]
	w.hospital.amend(theirs.Key.String(), `"lifecycleStatus"`, `"note":[{"text":"Ask about shifts."}],"lifecycleStatus"`)
	w.clinic.amend("Goal/g1", "Sleep", "Sleep through the night")
	w.clinic.amend("Patient/p1", "Roth", "Rothe")
	w.settle()
	got := w.theirsOf("Goal/g1")
	if len(got) != 1 || got[0].Root().At("description", "text").Text() != "Sleep through the night" || got[0].Version != 3 ||
		got[0].Root().Get("note").Len() != 1 || got[0].Root().At("subject", "reference").Text() != theirs.Root().At("subject", "reference").Text() {
		t.Errorf("the hospital has %d: %s", len(got), got[0].Body())
	}
	if p := w.theirsOf("Patient/p1"); len(p) != 1 || !strings.Contains(string(p[0].Body()), "Rothe") {
		t.Errorf("the hospital's patient: %v", p)
	}
	w.clinic.amend("Goal/g1", `"active"`, `"entered-in-error"`)
	w.settle()
	if got := w.theirsOf("Goal/g1")[0]; got.Root().Get("lifecycleStatus").Text() != "entered-in-error" {
		t.Errorf("an error of ours stays there: %s", got.Body())
	}
	if n := len(w.clinic.works(true)); n != 0 {
		t.Errorf("given up: %+v", w.clinic.works(true))
	}
	if n := len(w.clinic.find("Provenance", "target", "Goal/g1")); n != 2 {
		t.Errorf("%d corrections are on record", n)
	}
}

func TestAReportThatIsCorrectedIsANewVersionOfTheSameOutput(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.copyOf(task)[0]
	w.hospital.step(theirs.Key, "accepted", "")
	w.hospital.put(`{"resourceType":"DocumentReference","id":"d1","status":"current","subject":` + string(theirs.Root().Get("for").Raw()) +
		`,"content":[{"attachment":{"contentType":"text/plain","data":"SGVyZQ=="}}]}`)
	w.hospital.step(theirs.Key, "completed", "DocumentReference/d1")
	w.settle()
	out := w.clinic.get(task.String()).Root().Get("output").Index(0).At("valueReference", "reference").Text()
	w.hospital.amend("DocumentReference/d1", "SGVyZQ==", "QmV0dGVy")
	w.settle()
	if r := w.clinic.get(out); r.Version != 2 || !strings.Contains(string(r.Body()), "QmV0dGVy") {
		t.Errorf("the clinic has %s: %s; dead: %+v", r, r.Body(), w.hospital.works(true))
	}
	w.hospital.amend("DocumentReference/d1", `"current"`, `"entered-in-error"`)
	// Its Task is told again, for another reason; the output stays the one it was.
	w.hospital.amend(theirs.Key.String(), `"status"`, `"businessStatus":{"text":"report withdrawn"},"status"`)
	w.settle()
	back := w.clinic.get(task.String()).Root()
	if r := w.clinic.get(out); r.Root().Get("status").Text() != "entered-in-error" {
		t.Errorf("the clinic has %s", r.Body())
	}
	if got := back.Get("output").Index(0).At("valueReference", "reference").Text(); got != out || back.At("businessStatus", "text").Text() != "report withdrawn" {
		t.Errorf("the output is %q, was %q: %s", got, out, back.Raw())
	}
	if n := len(w.clinic.find("DocumentReference", "status", "current,entered-in-error")); n != 1 {
		t.Errorf("%d reports", n)
	}
	if n := len(w.clinic.works(true)) + len(w.hospital.works(true)); n != 0 {
		t.Errorf("given up: %+v %+v", w.clinic.works(true), w.hospital.works(true))
	}
}

func TestAConsentWithdrawnSinceKeepsCorrectionsHereAndThatIsRecorded(t *testing.T) {
	w, ch := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	w.clinic.put(`{"resourceType":"Consent","id":"c1","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IDSCL"}]}],"patient":{"reference":"Patient/p1"},"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]},"provision":{"type":"deny"}}`)
	w.clinic.amend("Goal/g1", "Sleep", "Other")
	sent := 0
	ch.fault = func(bool) fault { sent++; return none }
	w.settle()
	if got := w.theirsOf("Goal/g1")[0]; got.Version != 1 || sent != 0 || len(w.clinic.works(true)) != 0 {
		t.Errorf("%d requests, the hospital has %s; dead: %+v", sent, got.Body(), w.clinic.works(true))
	}
	withheld := 0
	for _, r := range w.clinic.records.rs {
		if r.Operation == "release" && r.Target == "g1" && strings.Contains(strings.Join(r.Reasons, " "), "withheld Goal/g1") && r.Recipient.ID == "hospital-here" {
			withheld++
		}
	}
	if withheld == 0 {
		t.Errorf("no record says so: %+v", last(w.clinic.records.rs, 3))
	}
	// Once it permits again the partner learns what it did not meanwhile.
	w.clinic.amend("Consent/c1", `"active"`, `"inactive"`)
	w.settle()
	if got := w.theirsOf("Goal/g1"); len(got) != 1 || got[0].Root().At("description", "text").Text() != "Other" {
		t.Errorf("the hospital still has %v; dead: %+v", got, w.clinic.works(true))
	}
}

func last(rs []policy.Record, n int) []policy.Record { return rs[max(0, len(rs)-n):] }

func TestWhatChangesWhileItIsOnItsWayIsCorrectedBehindIt(t *testing.T) {
	w, ch := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	// The package goes, and nobody hears that it arrived.
	ch.fault = func(write bool) fault {
		if write {
			return lostOnTheWayBack
		}
		return none
	}
	if _, err := w.clinic.courier.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.clinic.amend("Goal/g1", "Sleep", "Sleep better")
	for range 3 { // sent again with what is so by now, and lost again
		w.now = w.now.Add(time.Hour)
		if _, err := w.clinic.courier.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ch.fault = nil
	w.settle()
	got := w.theirsOf("Goal/g1")
	if len(got) != 1 || got[0].Root().At("description", "text").Text() != "Sleep better" {
		t.Errorf("the hospital has %d: %s; dead: %+v", len(got), got[0].Body(), w.clinic.works(true))
	}
}

func TestACorrectionMeetsAnotherWriteAndIsBroughtAgain(t *testing.T) {
	w, ch := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	w.clinic.amend("Goal/g1", "Sleep", "Sleep better")
	ch.fault = func(write bool) fault {
		if write {
			ch.fault = nil
			w.hospital.amend(w.theirsOf("Goal/g1")[0].Key.String(), `"lifecycleStatus"`, `"note":[{"text":"Here."}],"lifecycleStatus"`)
		}
		return none
	}
	w.settle()
	got := w.theirsOf("Goal/g1")[0]
	if got.Root().Get("note").Len() != 1 || got.Root().At("description", "text").Text() != "Sleep better" {
		t.Errorf("%s; dead: %+v", got.Body(), w.clinic.works(true))
	}
}

// A correction that is late must not arrive behind the one that took it back.
func TestACorrectionThatIsLateIsOverWhenItIsTakenBack(t *testing.T) {
	p := newParts(t)
	for n, what := range []string{"the goal", "the note"} {
		t.Run(what, func(t *testing.T) {
			w, ch := joined(t, p)
			w.clinic.referral("1", "requested")
			w.settle()
			writes := 0
			ch.fault = func(write bool) fault {
				if !write {
					return none
				}
				if writes++; writes == n+1 {
					return delayed
				}
				return none
			}
			for _, to := range [][2]string{{"Sleep", "Rest well"}, {"Rest well", "Sleep"}} {
				w.clinic.amend("Goal/g1", to[0], to[1])
				for range 6 {
					if _, err := w.clinic.courier.Once(t.Context()); err != nil {
						t.Fatal(err)
					}
					if w.now = w.now.Add(30 * time.Second); len(ch.late) > 0 && to[0] == "Sleep" {
						break
					}
				}
			}
			if len(ch.late) != 1 {
				t.Fatalf("%d writes are late", len(ch.late))
			}
			ch.arrive(0)
			w.settle()
			if _, page, _ := w.noteAt(); strings.Contains(page, "Rest well") {
				t.Errorf("the note says %s", page)
			}
			if got := w.theirsOf("Goal/g1")[0].Root().At("description", "text").Text(); got != "Sleep" {
				t.Errorf("the hospital's goal is %q", got)
			}
			if dead := w.clinic.works(true); len(dead) > 0 {
				t.Errorf("given up: %+v", dead)
			}
		})
	}
}

func TestOnlyWhoBroughtAResourceCorrectsIt(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.theirsOf("Goal/g1")[0]
	ours := w.hospital.put(`{"resourceType":"Goal","id":"own","lifecycleStatus":"active","description":{"text":"Rest"},"subject":` + string(theirs.Root().Get("subject").Raw()) + `}`)
	a := w.hospital.serve(w.hospital.partner, http.MethodPut, ours.Key.String(), nil, []byte(strings.Replace(string(ours.Body()), "Rest", "Work", 1)))
	if a.Status/100 == 2 {
		t.Errorf("the clinic changed the hospital's own goal: %d", a.Status)
	}
}
