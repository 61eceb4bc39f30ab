package exchange_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

func TestTheServiceRequestEndsWithItsTask(t *testing.T) {
	p := newParts(t)
	for name, c := range map[string]struct {
		clinic, hospital string // steps, one after the other; the clinic's come last
		want             string
	}{
		"sent":                      {"", "", "active"},
		"accepted":                  {"", "accepted", "active"},
		"completed":                 {"", "accepted completed", "completed"},
		"cancelled by the sender":   {"cancelled", "accepted", "revoked"},
		"given up by the receiver":  {"", "accepted cancelled", "active"}, // another may be asked
		"rejected":                  {"", "rejected", "active"},
		"failed":                    {"", "accepted failed", "active"},
		"an error after its end":    {"entered-in-error", "accepted completed", "completed"},
		"cancelled before it began": {"cancelled", "", "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := joined(t, p)
			task := w.clinic.referral("1", "draft")
			sr := w.clinic.get("ServiceRequest/sr1")
			w.clinic.put(strings.Replace(string(sr.Body()), `"active"`, `"draft"`, 1))
			w.clinic.step(task, "requested", "")
			if got := w.clinic.get("ServiceRequest/sr1").Root().Get("status").Text(); got != "active" {
				t.Errorf("once sent it is %s", got)
			}
			w.settle()
			for _, s := range strings.Fields(c.hospital) {
				out := ""
				if s == "completed" {
					out = "DocumentReference/d1"
				}
				if a := w.hospital.step(w.copyOf(task)[0].Key, s, out); a.Status != http.StatusOK {
					t.Fatalf("%s: %d %s", s, a.Status, a.Body)
				}
			}
			w.settle()
			for _, s := range strings.Fields(c.clinic) {
				if a := w.clinic.step(task, s, ""); a.Status != http.StatusOK {
					t.Fatalf("%s: %d %s", s, a.Status, a.Body)
				}
			}
			w.settle()
			if got := w.clinic.get("ServiceRequest/sr1").Root().Get("status").Text(); got != c.want {
				t.Errorf("it is %s, want %s; dead: %+v", got, c.want, w.clinic.works(true))
			}
			for _, there := range w.hospital.find("ServiceRequest", "", "") {
				if got := there.Root().Get("status").Text(); got != c.want {
					t.Errorf("at the hospital it is %s, want %s", got, c.want)
				}
			}
		})
	}
}

func TestARequestThatAnotherTaskStillAsksForIsNotRevoked(t *testing.T) {
	w, _ := joined(t, newParts(t))
	first := w.clinic.referral("1", "requested")
	w.clinic.put(strings.Replace(string(w.clinic.get(first.String()).Body()), `"id":"t1"`, `"id":"t2"`, 1))
	w.clinic.step(first, "cancelled", "")
	if got := w.clinic.get("ServiceRequest/sr1").Root().Get("status").Text(); got != "active" {
		t.Errorf("with one Task cancelled it is %s", got)
	}
	w.clinic.step(fhir.Key{Type: "Task", ID: "t2"}, "cancelled", "")
	if got := w.clinic.get("ServiceRequest/sr1").Root().Get("status").Text(); got != "revoked" {
		t.Errorf("with both cancelled it is %s", got)
	}
}

// scheduled says of a Task when its first session is.
func scheduled(r fhir.Resource, code string) []byte {
	o := fhir.NewObject()
	for name, v := range r.Root().Members() {
		if name != "businessStatus" && name != "executionPeriod" {
			o.Set(name, v)
		}
	}
	return o.Set("businessStatus", fhir.Concept(exchange.BusinessStatus, code, "")).
		Set("executionPeriod", fhir.NewObject().Set("start", "2026-03-20T10:00:00Z")).JSON()
}

func TestScheduledIsSaidBesideTheStatusAndReachesTheSender(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	theirs := w.copyOf(task)[0].Key
	say := func(s *side, k fhir.Key, code string) (int, string) {
		a := s.serve(s.staff, http.MethodPut, k.String(), nil, scheduled(s.get(k.String()), code))
		return a.Status, said(a)
	}
	if status, why := say(w.hospital, theirs, exchange.Scheduled); status != http.StatusUnprocessableEntity || !strings.Contains(why, "can take the business status 5.2 from") {
		t.Errorf("scheduled before it was accepted: %d %s", status, why)
	}
	w.hospital.step(theirs, "accepted", "")
	if status, why := say(w.hospital, theirs, exchange.Scheduled); status != http.StatusOK {
		t.Fatalf("%d %s", status, why)
	}
	w.settle()
	got := w.clinic.get(task.String()).Root()
	if exchange.BusinessOf(got) != exchange.Scheduled || got.At("executionPeriod", "start").Text() != "2026-03-20T10:00:00Z" || got.Get("status").Text() != "accepted" {
		t.Errorf("the clinic reads %s", got.Raw())
	}
	if status, why := say(w.clinic, task, exchange.Unattended); status != http.StatusUnprocessableEntity || !strings.Contains(why, "5.2") {
		t.Errorf("the sender says how it goes there: %d %s", status, why)
	}
	// What is old when the work ends is no hindrance.
	if a := w.clinic.step(task, "cancelled", ""); a.Status != http.StatusOK {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestOfAcceptAndCancelAtOnceOneWins(t *testing.T) {
	p := newParts(t)
	for range 20 {
		w, _ := joined(t, p)
		task := w.clinic.referral("1", "requested")
		w.settle()
		at := w.clinic.get(task.String())
		as := func(status string) []byte {
			return []byte(strings.Replace(string(at.Body()), `"requested"`, `"`+status+`"`, 1))
		}
		got := make([]int, 2)
		var wg sync.WaitGroup
		for i, who := range []struct {
			gate   fhir.Gate
			status string
		}{{w.clinic.staff, "cancelled"}, {w.clinic.partner, "accepted"}} {
			wg.Go(func() {
				got[i] = w.clinic.serve(who.gate, http.MethodPut, task.String(), nil, as(who.status), "If-Match", `W/"`+strconv.FormatInt(at.Version, 10)+`"`).Status
			})
		}
		wg.Wait()
		slices.Sort(got)
		if !slices.Equal(got, []int{http.StatusOK, http.StatusPreconditionFailed}) {
			t.Fatalf("they got %v", got)
		}
		if v := w.clinic.get(task.String()).Version; v != at.Version+1 {
			t.Errorf("%d versions were written", v-at.Version)
		}
	}
}
