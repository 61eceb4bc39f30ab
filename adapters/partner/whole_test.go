package partner_test

import (
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rapport/fhir/exchange"
)

// heedless takes transactions and no condition: whatever is sent twice is there twice.
var heedless = []string{
	"Patient: create update search-type identifier _id", "Organization: create search-type identifier", "Practitioner: create search-type identifier",
	"Condition: create update search-type identifier _id", "Observation: create update search-type identifier _id", "Goal: create search-type identifier",
	"QuestionnaireResponse: create search-type identifier", "ServiceRequest: create update search-type identifier _id", "Task: create search-type identifier _id", "DocumentReference: create update search-type identifier _id",
}

func TestTwoReferralsInTransactionsBringWhatTheyShareOnceThoughNoConditionIsHeeded(t *testing.T) {
	p := newParts(t)
	want := map[string]int{"Patient": 2, "Organization": 2, "Practitioner": 1, "Condition": 1, "Observation": 3, "Goal": 1, "QuestionnaireResponse": 1, "ServiceRequest": 1, "Task": 2, "DocumentReference": 2}
	statement := declares(t, `{"interaction":[{"code":"transaction"}]}`, heedless...)
	rapid.Check(t, func(r *rapid.T) {
		to := newPeer(t, statement)
		defer to.Close()
		// The partner's own organisation is there, as it is everywhere.
		to.has(`{"resourceType":"Organization","id":"own","identifier":[{"system":"` + registry + `","value":"peer"}],"name":"Peer"}`)
		to.has(`{"resourceType":"Patient","id":"somebody-else","identifier":[{"system":"urn:peer:mrn","value":"8"}],"name":[{"family":"Berg"}]}`)
		to.deaf = rapid.Bool().Draw(r, "deaf")
		to.faults = rapid.SliceOfN(rapid.SampledFrom([]fault{fine, lostBefore, lostAfter, brokenAfter, throttled, unavailable}), 0, 4).Draw(r, "faults")
		c := newClinic(t, p, to, exchange.Auto)
		c.courier.Feed = c.store
		c.refer()
		if rapid.Bool().Draw(r, "one after the other") {
			c.settle()
		} else {
			c.courier.Parallel = rapid.IntRange(1, 2).Draw(r, "at once")
		}
		c.task("t2", "requested")
		if dead := c.settle(); len(dead) > 0 {
			r.Fatalf("given up: %q\n%q", dead, to.requests)
		}
		if got := to.counts(); !maps.Equal(got, want) {
			r.Fatalf("it has %v, want %v\n%q", got, want, to.requests)
		}
		kept := map[string]bool{}
		for typ := range want {
			for _, x := range to.of(typ) {
				kept[x.Key.String()] = true
			}
		}
		for typ := range want {
			for _, x := range to.of(typ) {
				if strings.Contains(string(x.Body()), `"Patient/somebody-else"`) {
					r.Fatalf("%s is about somebody else", x.Key)
				}
				for _, ref := range strings.Split(string(x.Body()), `"reference":"`)[1:] {
					if k, _, _ := strings.Cut(ref, `"`); !kept[k] {
						r.Fatalf("%s refers to %s, which is not there", x.Key, k)
					}
				}
			}
		}
		c.put(score("o1", "2026-02-26", 5))
		if dead := c.settle(); len(dead) > 0 {
			r.Fatalf("given up: %q", dead)
		}
		values := map[string]int{}
		for _, o := range to.of("Observation") {
			values[o.Root().At("valueQuantity", "value").Decimal()]++
		}
		if !maps.Equal(values, map[string]int{"5": 1, "17": 1, "12": 1}) {
			r.Fatalf("it has the scores %v\n%q", values, to.requests)
		}
	})
}
