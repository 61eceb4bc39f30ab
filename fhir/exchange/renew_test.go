package exchange_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
)

// noteAt returns the one referral note that the hospital has of the clinic's, and what
// people and programs read in it.
func (w *world) noteAt() (note fhir.Resource, page, bundle string) {
	w.t.Helper()
	var notes []fhir.Resource
	for _, r := range w.hospital.find("DocumentReference", "", "") {
		if r.Root().Get("type").HasCoding("http://loinc.org", "57133-1") {
			notes = append(notes, r)
		}
	}
	if len(notes) != 1 {
		w.t.Fatalf("the hospital has %d notes", len(notes))
	}
	read := func(i int) string {
		b, err := base64.StdEncoding.DecodeString(notes[0].Root().Get("content").Index(i).At("attachment", "data").Text())
		if err != nil {
			w.t.Fatal(err)
		}
		return string(b)
	}
	return notes[0], read(0), read(1)
}

func TestACorrectionReachesTheNoteAsWell(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	first, page, _ := w.noteAt()
	if !strings.Contains(page, "Sleep") {
		t.Fatalf("the note does not speak of the goal: %s", page)
	}

	// What came later was not asked for, and does not go along.
	w.clinic.put(`{"resourceType":"Goal","id":"g9","lifecycleStatus":"active","description":{"text":"Later goal"},"subject":{"reference":"Patient/p1"}}`)
	w.clinic.amend("Goal/g1", "Sleep", "Rest well")
	w.clinic.amend("Patient/p1", "Roth", "Rothe")
	w.settle()
	note, page, bundle := w.noteAt()
	for _, said := range []string{page, bundle} {
		if !strings.Contains(said, "Rest well") || !strings.Contains(said, "Rothe") || strings.Contains(said, "Sleep") || strings.Contains(said, "Later goal") {
			t.Errorf("it says %s", said)
		}
	}
	if note.Key != first.Key || note.Version != 2 || note.Root().Get("description").Text() != "Corrected referral note" {
		t.Errorf("two corrections of one minute made %s of %s: %s", note, first, note.Root().Get("description").Raw())
	}

	w.clinic.amend("Goal/g1", `"active"`, `"entered-in-error"`)
	w.settle()
	if note, page, _ = w.noteAt(); strings.Contains(page, "Rest well") || note.Version != 3 {
		t.Errorf("version %d still says what was an error: %s", note.Version, page)
	}

	// What nobody reads in it makes none: how the referral goes on, what stays here.
	w.hospital.step(w.copyOf(task)[0].Key, "accepted", "")
	w.settle()
	w.hospital.step(w.copyOf(task)[0].Key, "completed", "")
	w.clinic.amend("Patient/p1", `"resourceType":"Patient"`, `"resourceType":"Patient","language":"de"`)
	w.settle()
	if note, _, _ = w.noteAt(); note.Version != 3 {
		t.Errorf("version %d says the same", note.Version)
	}
	if n := len(w.clinic.works(true)) + len(w.hospital.works(true)); n != 0 {
		t.Errorf("given up: %+v %+v", w.clinic.works(true), w.hospital.works(true))
	}
	if p := w.clinic.find("Provenance", "target", task.String()); len(p) < 3 {
		t.Errorf("%d records of the referral's way", len(p))
	}
}

func TestANoteIsNotRenewedForAPartnerThatMayHaveItNoMore(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	w.clinic.put(says("OPTOUT", ""))
	w.clinic.amend("Goal/g1", "Sleep", "Rest well")
	w.settle()
	if note, page, _ := w.noteAt(); note.Version != 1 || strings.Contains(page, "Rest well") {
		t.Errorf("version %d: %s", note.Version, page)
	}
	if n := len(w.clinic.works(true)); n != 0 {
		t.Errorf("given up: %+v", w.clinic.works(true))
	}
}

func TestACorrectionThatIsTakenBackBeforeItIsHeardOfIsTakenBackInTheNote(t *testing.T) {
	w, ch := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	writes := 0
	ch.fault = func(write bool) fault {
		if !write {
			return none
		}
		if writes++; writes == 2 { // the goal, then the note
			return lostOnTheWayBack
		}
		return none
	}
	w.clinic.amend("Goal/g1", "Sleep", "Rest well")
	for range 5 {
		if _, err := w.clinic.courier.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if writes == 2 {
			break
		}
		w.now = w.now.Add(time.Minute)
	}
	if note, page, _ := w.noteAt(); writes != 2 || note.Version != 2 || !strings.Contains(page, "Rest well") {
		t.Fatalf("after %d writes the note has version %d: %s", writes, note.Version, page)
	}
	ch.fault = nil
	w.clinic.amend("Goal/g1", "Rest well", "Sleep")
	w.settle()
	if note, page, _ := w.noteAt(); note.Version != 3 || strings.Contains(page, "Rest well") {
		t.Errorf("version %d: %s", note.Version, page)
	}
}

func TestWhatThePartnerRemovedIsNotSentAndNotOnRecordAsSent(t *testing.T) {
	w, _ := joined(t, newParts(t))
	task := w.clinic.referral("1", "requested")
	w.settle()
	before := len(w.clinic.find("Provenance", "target", task.String()))
	note, _, _ := w.noteAt()
	if a := w.hospital.serve(w.hospital.staff, http.MethodDelete, note.Key.String(), nil, nil); a.Status/100 != 2 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	w.clinic.amend("Goal/g1", "Sleep", "Rest well")
	w.settle()
	if n := len(w.clinic.find("Provenance", "target", task.String())); n != before {
		t.Errorf("%d records say that something of the referral was sent", n-before)
	}
}

// Two processes share the works, and one clock is ahead: what changes after the one has
// done the work of a minute is not taken for done by the other, in whose eyes that minute
// goes on.
func TestACorrectionIsNotLostBetweenTwoClocks(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "requested")
	w.settle()
	once := func() {
		t.Helper()
		for range 3 {
			if _, err := w.clinic.courier.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	minute := w.now.Truncate(time.Minute)
	w.now = minute.Add(10 * time.Second)
	w.clinic.amend("Goal/g1", "Sleep", "Rest well")
	once()
	w.now = minute.Add(time.Minute)
	once()
	if _, page, _ := w.noteAt(); !strings.Contains(page, "Rest well") {
		t.Fatal("the first correction did not arrive")
	}
	w.now = minute.Add(40 * time.Second)
	w.clinic.amend("Goal/g1", "Rest well", "Work again")
	once()
	w.settle()
	if _, page, _ := w.noteAt(); !strings.Contains(page, "Work again") {
		t.Errorf("the note says %s", page)
	}
}
