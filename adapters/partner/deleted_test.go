package partner_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

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
