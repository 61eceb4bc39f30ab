package partner_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rapport/fhir/rest"
)

// remove deletes what is in the file.
func (c *clinic) remove(key string) {
	c.t.Helper()
	a := c.router.Serve(context.Background(), &rest.Request{Method: http.MethodDelete, Path: key, Header: http.Header{}, Gate: c.staff})
	if a.Status/100 != 2 {
		c.t.Fatalf("DELETE %s: %d %s", key, a.Status, a.Body)
	}
}

// scored lists the statuses of the scores of a value that a peer keeps.
func (p *peer) scored(value string) (out []string) {
	for _, o := range p.of("Observation") {
		if o.Root().At("valueQuantity", "value").Decimal() == value {
			out = append(out, o.Root().Get("status").Text())
		}
	}
	return out
}

func TestWhatIsDeletedHereIsAnErrorWhereItIsKeptOrGoneFromTheNoteOrAPersonTells(t *testing.T) {
	p := newParts(t)
	for name, told := range map[string][]string{
		"epic": { // which lets nobody change these two
			"a Condition that the partner has of us was deleted here, and it lets nobody change it there",
			"a QuestionnaireResponse that the partner has of us was deleted here, and it lets nobody change it there",
			"a Patient that the partner has of us was deleted here, and none can say of itself that it is an error",
		},
		"oracle": {"a Patient that the partner has of us was deleted here, and none can say of itself that it is an error"},
	} {
		t.Run(name, func(t *testing.T) {
			to := newPeer(t, recorded(t, name))
			to.has(theirs)
			c := newClinic(t, p, to, "")
			c.courier.Feed = c.store
			c.refer()
			c.settle()
			before := to.counts()
			for _, k := range []string{"Condition/c1", "QuestionnaireResponse/q1", "Observation/o3", "Goal/g1"} {
				c.remove(k)
			}
			c.settle()
			if got := to.scored("12"); !slices.Equal(got, []string{"entered-in-error"}) || !slices.Equal(to.scored("17"), []string{"final", "final"}) {
				t.Errorf("the scores are %q and %q", got, to.scored("17"))
			}
			if cond := to.of("Condition")[0].Root(); name == "oracle" && !cond.Get("verificationStatus").HasCoding("http://terminology.hl7.org/CodeSystem/condition-ver-status", "entered-in-error") {
				t.Errorf("the condition is %s", cond.Raw())
			}
			if notes := to.of("DocumentReference"); len(notes) != 1 || strings.Contains(page(t, notes[0]), "F32.1") || strings.Contains(page(t, notes[0]), "Sleep") || !strings.Contains(page(t, notes[0]), "Look") {
				t.Errorf("%d notes: %s", len(notes), page(t, notes[0]))
			}
			c.remove("Patient/p1")
			dead := c.settle()
			for _, want := range told {
				if !slices.ContainsFunc(dead, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("nobody is told that %s", want)
				}
			}
			if len(dead) != len(told) {
				t.Errorf("given up: %q", dead)
			}
			for typ, n := range to.counts() {
				if n != before[typ] {
					t.Errorf("it has %d of %s, had %d", n, typ, before[typ])
				}
			}
		})
	}
}

// A create of which nobody knows what became of it is not forgotten with what it was of.
func TestWhatIsDeletedWhileItGoesByItselfIsAnErrorIfItIsThere(t *testing.T) {
	p := newParts(t)
	for name, before := range map[string]int{"epic": 4, "oracle": 3} { // a questionnaire response, a condition, the younger scores
		for _, f := range []fault{lostBefore, lostAfter} {
			for _, forgetful := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, forgetful %v", name, f, forgetful), func(t *testing.T) {
					to := newPeer(t, recorded(t, name))
					to.forgetful = forgetful
					to.has(theirs)
					to.faults = append(slices.Repeat([]fault{fine}, before), f)
					c := newClinic(t, p, to, "")
					c.courier.Feed = c.store
					c.refer()
					if _, err := c.courier.Once(t.Context()); err != nil || len(to.faults) > 0 {
						t.Fatal(err, to.requests)
					}
					c.remove("Observation/o3")
					if dead := c.settle(); len(dead) > 0 {
						t.Fatalf("given up: %q\n%q", dead, to.requests)
					}
					there := []string{"entered-in-error"}
					if f == lostBefore {
						there = nil
					}
					if got := to.scored("12"); !slices.Equal(got, there) {
						t.Errorf("the scores are %q, want %q\n%q", got, there, to.requests)
					}
					c.put(score("o3", "2026-01-12", 12))
					if f == lostAfter {
						there = []string{"final"}
					}
					if dead := c.settle(); len(dead) > 0 || !slices.Equal(to.scored("12"), there) {
						t.Errorf("given up: %q; the scores are %q, want %q\n%q", dead, to.scored("12"), there, to.requests)
					}
				})
			}
		}
	}
}

func TestWhateverIsLostWhatIsDeletedIsNotLeftStandingThere(t *testing.T) {
	p := newParts(t)
	for name := range want {
		statement := recorded(t, name)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				to := newPeer(t, statement)
				defer to.Close()
				to.forgetful = rapid.Bool().Draw(r, "forgetful")
				to.has(theirs)
				to.faults = rapid.SliceOfN(rapid.SampledFrom([]fault{fine, lostBefore, lostAfter, brokenAfter, throttled}), 0, 8).Draw(r, "faults")
				for i := range to.faults {
					if i%3 == 2 {
						to.faults[i] = fine
					}
				}
				c := newClinic(t, p, to, "")
				c.courier.Feed = c.store
				c.refer()
				for range rapid.IntRange(0, 5).Draw(r, "looks before") {
					if _, err := c.courier.Once(t.Context()); err != nil {
						t.Fatal(err)
					}
					c.now = c.now.Add(time.Minute)
				}
				c.remove("Observation/o3")
				if dead := c.settle(); len(dead) > 0 {
					r.Fatalf("given up: %q\n%q", dead, to.requests)
				}
				if got := to.scored("12"); len(got) > 1 || len(got) == 1 && got[0] != "entered-in-error" {
					r.Fatalf("the scores are %q\n%q", got, to.requests)
				}
				if n := len(to.of("DocumentReference")); n != 1 {
					r.Fatalf("%d notes\n%q", n, to.requests)
				}
			})
		})
	}
}
