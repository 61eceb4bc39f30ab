package partner_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rapport/fhir"
)

// page is what people read in a note.
func page(t *testing.T, note fhir.Resource) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(note.Root().At("content", "attachment", "data").Text())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// again writes a piece of the file anew, with a word of it changed.
func (c *clinic) again(id, old, new string) {
	c.t.Helper()
	i := slices.IndexFunc(file, func(r string) bool { return strings.Contains(r, `"id":"`+id+`"`) && strings.Contains(r, old) })
	if i < 0 {
		c.t.Fatalf("%s does not say %s", id, old)
	}
	c.put(strings.Replace(file[i], old, new, 1))
}

func TestWhatStandsInTheNoteAloneIsCorrectedInIt(t *testing.T) {
	p := newParts(t)
	for name := range want {
		t.Run(name, func(t *testing.T) {
			to := newPeer(t, recorded(t, name))
			to.has(theirs)
			c := newClinic(t, p, to, "")
			c.courier.Feed = c.store
			c.refer()
			c.settle()
			c.again("g1", "Sleep", "Rest well") // which neither keeps by itself
			if dead := c.settle(); len(dead) > 0 {
				t.Fatalf("given up: %q\n%q", dead, to.requests)
			}
			notes := to.of("DocumentReference")
			if len(notes) != 1 || !strings.Contains(page(t, notes[0]), "Rest well") || strings.Contains(page(t, notes[0]), "Sleep") {
				t.Errorf("%d notes: %s", len(notes), page(t, notes[0]))
			}
		})
	}
}

// Neither is asked for a note that is not there, by what it does not search by.
func TestACorrectionWhileTheReferralGoesWaitsForTheNote(t *testing.T) {
	p := newParts(t)
	for name := range want {
		t.Run(name, func(t *testing.T) {
			to := newPeer(t, recorded(t, name))
			to.has(theirs)
			to.faults = []fault{fine, lostBefore}
			c := newClinic(t, p, to, "")
			c.courier.Feed = c.store
			c.refer()
			if _, err := c.courier.Once(t.Context()); err != nil || len(to.of("DocumentReference")) > 0 {
				t.Fatal(err, to.requests)
			}
			c.again("g1", "Sleep", "Rest well")
			if dead := c.settle(); len(dead) > 0 {
				t.Fatalf("given up: %q\n%q", dead, to.requests)
			}
			notes := to.of("DocumentReference")
			if len(notes) != 1 || !strings.Contains(page(t, notes[0]), "Rest well") {
				t.Errorf("%d notes: %s", len(notes), page(t, notes[0]))
			}
		})
	}
}

// What is an error goes no more in a note that is tried again, which is the same note still.
func TestANoteThatReadsOtherwiseWhenItIsTriedAgainIsNotMadeTwice(t *testing.T) {
	p := newParts(t)
	for name, before := range map[string]int{"epic": 6, "oracle": 4} { // what is created by itself
		for what, act := range map[string]func(c *clinic){
			"in error": func(c *clinic) { c.again("g1", `"active"`, `"entered-in-error"`) },
			"deleted":  func(c *clinic) { c.remove("Goal/g1") },
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				to := newPeer(t, recorded(t, name))
				to.forgetful = true
				to.has(theirs)
				to.faults = append(slices.Repeat([]fault{fine}, before), lostAfter)
				c := newClinic(t, p, to, "")
				c.courier.Feed = c.store
				c.refer()
				if _, err := c.courier.Once(t.Context()); err != nil || len(to.of("DocumentReference")) != 1 {
					t.Fatal(err, to.requests)
				}
				act(c)
				if dead := c.settle(); len(dead) > 0 {
					t.Fatalf("given up: %q\n%q", dead, to.requests)
				}
				if notes := to.of("DocumentReference"); len(notes) != 1 || strings.Contains(page(t, notes[0]), "Sleep") {
					t.Errorf("%d notes: %s", len(notes), page(t, notes[0]))
				}
			})
		}
	}
}

func TestANoteThatCannotBeChangedIsReplacedOnceWhateverIsLost(t *testing.T) {
	p := newParts(t)
	statement := declares(t, "", "Patient: search-type identifier family birthdate", "DocumentReference: create search-type patient date")
	rapid.Check(t, func(r *rapid.T) {
		to := newPeer(t, statement)
		defer to.Close()
		to.forgetful = rapid.Bool().Draw(r, "forgetful")
		to.has(theirs)
		c := newClinic(t, p, to, "")
		c.courier.Feed = c.store
		c.refer()
		c.settle()
		to.faults = rapid.SliceOfN(rapid.SampledFrom([]fault{fine, lostBefore, lostAfter, brokenAfter, unavailable, throttled, forgottenSign}), 0, 3).Draw(r, "faults")
		words := []string{"Sleep", "Rest well", "Work again"}
		for i, word := range words[1:] {
			c.again("g1", "Sleep", word)
			if dead := c.settle(); len(dead) > 0 {
				r.Fatalf("given up: %q\n%q", dead, to.requests)
			}
			notes := to.of("DocumentReference")
			if len(notes) != i+2 {
				r.Fatalf("%d notes after %d corrections\n%q", len(notes), i+1, to.requests)
			}
			note, before := notes[i+1], notes[i]
			if !strings.Contains(page(t, note), word) || strings.Contains(page(t, note), words[i]) {
				r.Fatalf("it says %s", page(t, note))
			}
			if rel := note.Root().Get("relatesTo").Index(0); rel.Get("code").Text() != "replaces" || rel.At("target", "reference").Text() != before.Key.String() {
				r.Fatalf("it relates to %s, the one before it is %s", rel.Raw(), before.Key)
			}
		}
	})
}

func TestThePartnersPatientIsItsOwnAndWhatCannotBeChangedThereAPersonTells(t *testing.T) {
	to := newPeer(t, declares(t, "", "Patient: search-type update _id identifier family birthdate", "Condition: create", "DocumentReference: create update search-type _id patient date"))
	to.has(theirs)
	c := newClinic(t, newParts(t), to, "")
	c.courier.Feed = c.store
	c.refer()
	c.settle()
	c.again("p1", "Roth", "Rothe")
	c.again("c1", "F32.1", "F33.1")
	dead := c.settle()
	if len(dead) != 1 || !strings.Contains(dead[0], "a Condition that the partner has of us has changed") {
		t.Errorf("given up: %q\n%q", dead, to.requests)
	}
	if got := to.of("Patient"); len(got) != 1 || !strings.Contains(string(got[0].Body()), "ROTH") || strings.Contains(string(got[0].Body()), "Rothe") {
		t.Errorf("its patient: %s", got[0].Body())
	}
	if notes := to.of("DocumentReference"); len(notes) != 1 || !strings.Contains(page(t, notes[0]), "Rothe") || !strings.Contains(page(t, notes[0]), "F33.1") {
		t.Errorf("%d notes: %s", len(notes), page(t, notes[0]))
	}
}

// dying is where a process ends: just before it notes that a second note has arrived.
type dying struct {
	fhir.Memos
	died bool
}

func (d *dying) SetMemo(ctx context.Context, m fhir.Memo) error {
	if !d.died && m.Space == "referral" && strings.Contains(string(m.Value), `"notes":1`) {
		d.died = true
		return &fhir.Error{Code: fhir.Transient, Detail: "the process ended"}
	}
	return d.Memos.SetMemo(ctx, m)
}

func TestANoteThatArrivedBeforeTheProcessEndedIsNotTakenForALaterOne(t *testing.T) {
	to := newPeer(t, declares(t, "", "Patient: search-type identifier family birthdate", "DocumentReference: create search-type patient date"))
	to.has(theirs)
	c := newClinic(t, newParts(t), to, "")
	end := &dying{Memos: c.store}
	c.courier.Feed, c.courier.Memos = c.store, end
	c.refer()
	c.settle()
	c.again("g1", "Sleep", "Rest well")
	for range 100 {
		if _, err := c.courier.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if end.died {
			break
		}
		c.now = c.now.Add(time.Minute)
	}
	c.again("g1", "Sleep", "Work again")
	if dead := c.settle(); len(dead) > 0 || !end.died {
		t.Fatalf("died: %v, given up: %q", end.died, dead)
	}
	notes := to.of("DocumentReference")
	if last := notes[len(notes)-1]; len(notes) != 3 || !strings.Contains(page(t, last), "Work again") {
		t.Errorf("%d notes, the last says %s", len(notes), page(t, last))
	}
}
