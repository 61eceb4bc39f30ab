package exchange_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/adapters/sqlstore"
	"rapport/fhir"
	"rapport/fhir/exchange"
)

// remove deletes a resource as the staff.
func (s *side) remove(key string) {
	s.t.Helper()
	if a := s.serve(s.staff, http.MethodDelete, key, nil, nil); a.Status/100 != 2 {
		s.t.Fatalf("%s: DELETE %s: %d %s", s.name, key, a.Status, a.Body)
	}
}

// deletable holds one of each type that is corrected, and the element by which its copy
// is an error.
var deletable = map[string]string{
	`{"resourceType":"Encounter","id":"e1","status":"finished","_status":{"extension":[{"url":"https://example.org/seen","valueBoolean":true}]},"class":{"code":"AMB"},"subject":{"reference":"Patient/p1"}}`: "status",
	`{"resourceType":"EpisodeOfCare","id":"ep1","status":"active","patient":{"reference":"Patient/p1"}}`:                                                                                                      "status",
	`{"resourceType":"Condition","id":"c1","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},` +
		`"code":{"text":"Low mood"},"subject":{"reference":"Patient/p1"}}`: "verificationStatus",
	`{"resourceType":"Goal","id":"g2","lifecycleStatus":"active","description":{"text":"Walk"},"subject":{"reference":"Patient/p1"}}`:                                                  "lifecycleStatus",
	`{"resourceType":"CarePlan","id":"cp1","status":"active","intent":"plan","subject":{"reference":"Patient/p1"}}`:                                                                    "status",
	`{"resourceType":"Flag","id":"f1","status":"active","code":{"text":"Look"},"subject":{"reference":"Patient/p1"}}`:                                                                  "status",
	`{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"Score"},"subject":{"reference":"Patient/p1"},"valueInteger":3}`:                                          "status",
	`{"resourceType":"QuestionnaireResponse","id":"q1","status":"completed","subject":{"reference":"Patient/p1"}}`:                                                                     "status",
	`{"resourceType":"Procedure","id":"pr1","status":"completed","code":{"text":"Exposure"},"subject":{"reference":"Patient/p1"}}`:                                                     "status",
	`{"resourceType":"Communication","id":"cm1","status":"completed","subject":{"reference":"Patient/p1"}}`:                                                                            "status",
	`{"resourceType":"DocumentReference","id":"d1","status":"current","subject":{"reference":"Patient/p1"},"content":[{"attachment":{"contentType":"text/plain","data":"SGVyZQ=="}}]}`: "status",
	`{"resourceType":"ServiceRequest","id":"sr1","status":"active","intent":"order","subject":{"reference":"Patient/p1"},"requester":{"reference":"Practitioner/mira"},"reasonCode":[{"text":"Worse"}],"supportingInfo":[` +
		`{"reference":"Encounter/e1"},{"reference":"EpisodeOfCare/ep1"},{"reference":"Observation/o1"},{"reference":"QuestionnaireResponse/q1"},{"reference":"Procedure/pr1"},{"reference":"Communication/cm1"},{"reference":"DocumentReference/d1"}]}`: "status",
}

func TestWhatIsDeletedHereIsAnErrorAtWhoGotIt(t *testing.T) {
	p := newParts(t)
	db, err := sqlstore.OpenSQLite(t.Context(), ":memory:", sqlstore.Options{Clock: func() time.Time { return p.world.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p.db = db
	w, _ := joined(t, p)
	w.clinic.referral("1", "draft")
	var keys []string
	for body := range deletable {
		keys = append(keys, w.clinic.put(body).Key.String())
	}
	w.clinic.step(fhir.Key{Type: "Task", ID: "t1"}, "requested", "")
	w.settle()
	for _, k := range keys {
		if len(w.theirsOf(k)) != 1 {
			t.Fatalf("%s was not delivered", k)
		}
		if k != "ServiceRequest/sr1" { // without which there is no note
			w.clinic.remove(k)
		}
	}
	w.settle()
	if _, page, bundle := w.noteAt(); strings.Contains(page+bundle, "Low mood") || strings.Contains(page+bundle, "Exposure") || !strings.Contains(page, "Sleep") {
		t.Errorf("the note says %s", page)
	}
	w.clinic.step(fhir.Key{Type: "Task", ID: "t1"}, "cancelled", "") // before that, it stays
	w.settle()
	w.clinic.remove("ServiceRequest/sr1")
	w.settle()
	says := func(n fhir.Node) bool {
		return n.Text() == "entered-in-error" || n.HasCoding("http://terminology.hl7.org/CodeSystem/condition-ver-status", "entered-in-error")
	}
	for body, element := range deletable {
		r, _ := fhir.Parse([]byte(body))
		t.Run("a "+r.Type, func(t *testing.T) {
			version := int64(2)
			if r.Type == "ServiceRequest" {
				version++ // it was revoked
			}
			got := w.theirsOf(r.Key.String())
			if len(got) != 1 || !says(got[0].Root().Get(element)) || got[0].Version != version {
				t.Fatalf("the hospital has %d: %s", len(got), got[0].Body())
			}
			if n := got[0].Root(); n.Get("_status").Exists() || n.Get("clinicalStatus").Exists() || !got[0].Root().Get("identifier").Exists() {
				t.Errorf("the hospital has %s", got[0].Body())
			}
			if n := len(w.clinic.find("Provenance", "target", r.Key.String())); int64(n) != version-1 {
				t.Errorf("%d records say that it was told", n)
			}
		})
	}
	if dead := w.clinic.works(true); len(dead) != 0 {
		t.Errorf("given up: %+v", dead)
	}
}

func TestWhatIsThereAgainIsSentAgainAndStaysOneThing(t *testing.T) {
	p := newParts(t)
	for _, heard := range []bool{true, false} {
		w, _ := joined(t, p)
		w.clinic.referral("1", "requested")
		w.settle()
		body := string(w.clinic.get("Goal/g1").Body())
		w.clinic.remove("Goal/g1")
		if heard {
			w.settle()
			// What the hospital says of its copy is its own, be it of an error.
			w.hospital.amend(w.theirsOf("Goal/g1")[0].Key.String(), `"description":{"text":"Sleep"}`, `"note":[{"text":"Ask."}],"description":{"text":"Sleep, so they said"}`)
		}
		w.clinic.put(body)
		w.settle()
		got := w.theirsOf("Goal/g1")
		if len(got) != 1 || got[0].Root().Get("lifecycleStatus").Text() != "active" || heard && (got[0].Version != 4 || !strings.Contains(string(got[0].Body()), "so they said")) {
			t.Errorf("heard of it meanwhile: %v, the hospital has %d: %s", heard, len(got), got[0].Body())
		}
		w.clinic.amend("Goal/g1", "Sleep", "Rest well")
		w.settle()
		if _, page, _ := w.noteAt(); !strings.Contains(page, "Rest well") || w.theirsOf("Goal/g1")[0].Root().At("description", "text").Text() != "Rest well" {
			t.Errorf("heard of it meanwhile: %v, the hospital has %s, the note says %s", heard, w.theirsOf("Goal/g1")[0].Body(), page)
		}
		if n := len(w.clinic.works(true)); n != 0 {
			t.Errorf("given up: %+v", w.clinic.works(true))
		}
	}
}

// A Condition that is an error may have no clinicalStatus (con-5), be it the partner's.
func TestWhatIsAnErrorIsOneWhateverThePartnerHasAddedToIt(t *testing.T) {
	p := newParts(t)
	for what, act := range map[string]func(s *side){
		"deleted": func(s *side) { s.remove("Condition/c1") },
		"in error": func(s *side) {
			s.amend("Condition/c1", `"code"`, `"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"entered-in-error"}]},"code"`)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w, _ := joined(t, p)
			w.clinic.referral("1", "draft")
			w.clinic.put(record[0]) // which has none
			w.clinic.step(fhir.Key{Type: "Task", ID: "t1"}, "requested", "")
			w.settle()
			w.hospital.amend(w.theirsOf("Condition/c1")[0].Key.String(), `"code":{`,
				`"note":[{"text":"Seen."}],"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{`)
			act(w.clinic)
			w.settle()
			got := w.theirsOf("Condition/c1")[0].Root()
			if got.Get("clinicalStatus").Exists() || !got.Get("verificationStatus").Exists() || got.Get("note").Len() != 1 || len(w.clinic.works(true)) > 0 {
				t.Errorf("the hospital has %s; dead: %+v", got.Raw(), w.clinic.works(true))
			}
		})
	}
}

func TestThatSomethingWasDeletedIsKeptBackAsAnyCorrectionAndGoesOnceConsentPermitsIt(t *testing.T) {
	w, ch := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	w.clinic.put(says("OPTOUT", ""))
	w.clinic.remove("Goal/g1")
	sent := 0
	ch.fault = func(bool) fault { sent++; return none }
	w.settle()
	if got := w.theirsOf("Goal/g1")[0]; got.Version != 1 || sent != 0 || len(w.clinic.works(true)) != 0 {
		t.Errorf("%d requests, the hospital has %s; dead: %+v", sent, got.Body(), w.clinic.works(true))
	}
	w.clinic.remove("Consent/k1") // which permits by being gone
	w.settle()
	if got := w.theirsOf("Goal/g1"); len(got) != 1 || got[0].Root().Get("lifecycleStatus").Text() != "entered-in-error" {
		t.Errorf("the hospital has %v; dead: %+v", got, w.clinic.works(true))
	}
}

func TestWhatHasNoStatusThatSaysSoAPersonTells(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	w.clinic.remove("Patient/p1")
	w.settle()
	dead := w.clinic.works(true)
	if len(dead) != 1 || !strings.Contains(dead[0].Note, "a Patient that the partner has of us was deleted here") {
		t.Errorf("given up: %+v", dead)
	}
	if got := w.theirsOf("Patient/p1"); len(got) != 1 || got[0].Version != 1 {
		t.Errorf("the hospital has %v", got)
	}
	if open := w.clinic.find("Task", "code", exchange.NoticeCodes+"|"+exchange.GivenUp); len(open) != 1 || !strings.Contains(open[0].Root().Get("description").Text(), "tell them") {
		t.Errorf("the office is told %v", open)
	}
}

func TestWhatIsDeletedWhileItIsOnItsWayIsAnErrorBehindIt(t *testing.T) {
	p := newParts(t)
	when := map[string]func(w *world, ch *wire, act func()){
		"between the reading and the sending": func(w *world, ch *wire, act func()) {
			release := w.clinic.courier.Release
			w.clinic.courier.Release = func(ctx context.Context, to fhir.Key, rs []fhir.Resource) ([]fhir.Resource, error) {
				if act != nil {
					act()
					act = nil
				}
				return release(ctx, to, rs)
			}
		},
		"before anybody hears that it arrived": func(w *world, ch *wire, act func()) {
			ch.fault = func(write bool) fault {
				if !write {
					return none
				}
				ch.fault = nil
				act()
				return lostOnTheWayBack
			}
		},
		"before it is sent again, the first being late": func(w *world, ch *wire, act func()) {
			ch.fault = func(write bool) fault {
				if !write {
					return none
				}
				ch.fault = func(bool) fault {
					if len(ch.late) > 0 {
						ch.arrive(0)
					}
					return none
				}
				act()
				return delayed
			}
		},
	}
	for name, set := range when {
		t.Run(name, func(t *testing.T) {
			w, ch := joined(t, p)
			w.clinic.referral("1", "requested")
			set(w, ch, func() { w.clinic.remove("Goal/g1") })
			w.settle()
			if got := w.theirsOf("Goal/g1"); len(got) != 1 || got[0].Root().Get("lifecycleStatus").Text() != "entered-in-error" {
				t.Errorf("the hospital has %v; dead: %+v", got, w.clinic.works(true))
			}
			if _, page, bundle := w.noteAt(); strings.Contains(page+bundle, "Sleep") {
				t.Errorf("the note says %s", page)
			}
			if n := len(w.clinic.works(true)); n != 0 {
				t.Errorf("given up: %+v", w.clinic.works(true))
			}
		})
	}
}

func TestAReportThatIsDeletedIsAnErrorAtWhoWasAnswered(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.copyOf(task)[0]
	w.hospital.put(report("report-1", theirs.Root().Get("for"), 0))
	w.hospital.step(theirs.Key, "accepted", "")
	w.hospital.step(theirs.Key, "completed", "DocumentReference/report-1")
	w.settle()
	w.hospital.remove("DocumentReference/report-1")
	// What the clinic deletes of the hospital's is the clinic's affair.
	w.clinic.remove("Task/" + task.ID)
	w.settle()
	got := w.clinic.find("DocumentReference", "identifier", w.hospital.base+"/DocumentReference|report-1")
	if len(got) != 1 || got[0].Root().Get("status").Text() != "entered-in-error" {
		t.Errorf("the clinic has %v; dead: %+v", got, w.hospital.works(true))
	}
	w.clinic.remove(got[0].Key.String())
	w.settle()
	if n := len(slices.Concat(w.clinic.works(true), w.hospital.works(true))); n != 0 {
		t.Errorf("given up: %+v %+v", w.clinic.works(true), w.hospital.works(true))
	}
}
