package partner_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// theirs is the client as a hospital knows it, by an identifier of its own.
const theirs = `{"resourceType":"Patient","id":"their-7","identifier":[{"system":"urn:peer:mrn","value":"7"}],"name":[{"family":"ROTH","given":["Eva"]}],"gender":"female","birthDate":"1990-01-01"}`

// want is what each peer has after one referral: what its statement lets us create.
var want = map[string]map[string]int{
	"epic":   {"Patient": 1, "Condition": 1, "Observation": 3, "QuestionnaireResponse": 1, "ServiceRequest": 1, "DocumentReference": 1},
	"oracle": {"Patient": 1, "Condition": 1, "Observation": 3, "DocumentReference": 1},
}

func TestARealPeerGetsWhatItsStatementDeclaresOnceEachWhateverIsLost(t *testing.T) {
	p := newParts(t)
	for name, want := range want {
		statement := recorded(t, name)
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				to := newPeer(t, statement)
				defer to.Close()
				to.forgetful = rapid.Bool().Draw(r, "forgetful")
				to.has(theirs)
				to.faults = rapid.SliceOfN(rapid.SampledFrom([]fault{fine, fine, lostBefore, lostAfter, brokenAfter, unavailable, throttled, forgottenSign}), 0, 8).Draw(r, "faults")
				for i := range to.faults { // five in a row would shut the door for half a minute of real time
					if i%3 == 2 {
						to.faults[i] = fine
					}
				}
				c := newClinic(t, p, to, "")
				c.refer()
				if dead := c.settle(); len(dead) > 0 {
					r.Fatalf("given up: %q\n%q", dead, to.requests)
				}
				if got := to.counts(); !maps.Equal(got, want) {
					r.Fatalf("it has %v, want %v\n%q", got, want, to.requests)
				}
				if n := to.asked("POST  "); n != 0 {
					r.Fatal("a transaction was tried")
				}
				for _, x := range to.kept {
					if ref := x.Root().At("subject", "reference").Text(); x.Type != "Patient" && ref != "Patient/their-7" {
						r.Fatalf("%s is about %s", x, ref)
					}
					if s := string(x.Body()); x.Type != "DocumentReference" && (strings.Contains(s, `"Patient/p1"`) || strings.Contains(s, "urn:uuid") || strings.Contains(s, "Practitioner/mira")) {
						r.Fatalf("%s leads to what is not there: %s", x, s)
					}
				}
			})
		})
	}
}

// A new Task after a rejection, or another referral of the same client: what both carry
// is there once, whichever comes first and whatever is lost, and a correction reaches it.
func TestTwoReferralsOfOneClientBringWhatTheyShareOnce(t *testing.T) {
	p := newParts(t)
	for name, want := range want {
		statement := recorded(t, name)
		want := maps.Clone(want)
		want["DocumentReference"] = 2 // each has its note
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				to := newPeer(t, statement)
				defer to.Close()
				to.has(theirs)
				to.faults = rapid.SliceOfN(rapid.SampledFrom([]fault{fine, fine, lostBefore, lostAfter, throttled}), 0, 8).Draw(r, "faults")
				for i := range to.faults {
					if i%3 == 2 {
						to.faults[i] = fine
					}
				}
				c := newClinic(t, p, to, "")
				c.courier.Feed = c.store
				c.refer()
				if rapid.Bool().Draw(r, "one after the other") {
					c.settle()
				}
				c.task("t2", "requested")
				if dead := c.settle(); len(dead) > 0 {
					r.Fatalf("given up: %q\n%q", dead, to.requests)
				}
				if got := to.counts(); !maps.Equal(got, want) {
					r.Fatalf("it has %v, want %v\n%q", got, want, to.requests)
				}
				c.put(score("o1", "2026-02-26", 5))
				if dead := c.settle(); len(dead) > 0 {
					r.Fatalf("given up: %q", dead)
				}
				values := map[string]int{}
				for _, o := range to.of("Observation") {
					values[o.Root().At("valueQuantity", "value").Decimal()]++
				}
				if name == "epic" && !maps.Equal(values, map[string]int{"5": 1, "17": 1, "12": 1}) { // Oracle takes no later version
					r.Fatalf("it has the scores %v\n%q", values, to.requests)
				}
			})
		})
	}
}

func TestTheDocumentStandsWhereEveryPeerTakesIt(t *testing.T) {
	p := newParts(t)
	for name := range want {
		to := newPeer(t, recorded(t, name))
		to.has(theirs)
		c := newClinic(t, p, to, "")
		c.refer()
		if dead := c.settle(); len(dead) > 0 {
			t.Fatal(dead)
		}
		doc := to.of("DocumentReference")[0].Root()
		kinds := []string{}
		for a := range doc.Get("content").Elements() {
			b, err := base64.StdEncoding.DecodeString(a.At("attachment", "data").Text())
			if err != nil || !strings.Contains(string(b), "Worse") {
				t.Errorf("%s: %v: %.80s", name, err, b)
			}
			kinds = append(kinds, a.At("attachment", "contentType").Text())
		}
		if !slices.Equal(kinds, []string{"text/html", "application/fhir+json"}) || !doc.Get("type").HasCoding("http://loinc.org", "57133-1") {
			t.Errorf("%s: %q", name, kinds)
		}
		// Goals and flags go nowhere else.
		b, _ := base64.StdEncoding.DecodeString(doc.At("content", "attachment", "data").Text())
		for _, s := range []string{"Sleep", "Look"} {
			if !strings.Contains(string(b), s) {
				t.Errorf("%s: the note lacks %s", name, s)
			}
		}
		if n := to.asked("GET /metadata"); n != 1 {
			t.Errorf("%s: its statement was read %d times", name, n)
		}
	}
}

func TestWhoIsNotCertainlyTheClientIsNotTaken(t *testing.T) {
	p := newParts(t)
	reads := []string{"Patient: search-type identifier family given birthdate", "DocumentReference: create search-type patient date"}
	creates := slices.Concat([]string{"Patient: create search-type identifier family given birthdate"}, reads[1:])
	patient := func(id, identifier, name, born, gender string) string {
		return fmt.Sprintf(`{"resourceType":"Patient","id":%q,"identifier":[%s],"name":[{"family":%q,"given":["Eva"]}],"birthDate":%q,"gender":%q}`, id, identifier, name, born, gender)
	}
	ours := `{"system":"urn:example:insurance","value":"X-1"}`
	for _, c := range []struct {
		what     string
		declares []string
		has      []string
		takes    string // the patient that is taken
		says     string
	}{
		{"nobody, and it creates none", reads, nil, "", "no such patient"},
		{"nobody, and it creates them", creates, nil, "pat-0", ""},
		{"one of the identifier, under another name", reads, []string{patient("a", ours, "Married", "1990-01-01", "female")}, "a", ""},
		{"one of the name and the day", reads, []string{patient("a", "", "Roth", "1990-01-01", "female"), patient("b", "", "Roth", "1991-01-01", "female")}, "a", ""},
		{"two of the name and the day", creates, []string{patient("a", "", "Roth", "1990-01-01", "female"), patient("b", "", "Roth", "1990-01-01", "female")}, "", "several"},
		{"the identifier, and another day of birth", creates, []string{patient("a", ours, "Roth", "1991-01-01", "female")}, "", "differs"},
		{"name and day, and another gender", creates, []string{patient("a", "", "Roth", "1990-01-01", "male")}, "", "differs"},
		{"a longer name only", reads, []string{patient("a", "", "Rothschild", "1990-01-01", "female")}, "", "no such patient"},
		{"no search at all", []string{"Patient: create", reads[1]}, nil, "", "cannot be looked for"},
	} {
		t.Run(c.what, func(t *testing.T) {
			to := newPeer(t, declares(t, "", c.declares...))
			for _, r := range c.has {
				to.has(r)
			}
			at := newClinic(t, p, to, "")
			at.refer()
			dead := at.settle()
			docs := to.of("DocumentReference")
			if c.takes == "" {
				if len(docs) != 0 || len(dead) != 1 || !strings.Contains(dead[0], c.says) || len(to.of("Patient")) != len(c.has) {
					t.Errorf("%v, given up: %q", to.counts(), dead)
				}
				return
			}
			if len(docs) != 1 || docs[0].Root().At("subject", "reference").Text() != "Patient/"+c.takes {
				t.Errorf("%v, given up: %q", to.counts(), dead)
			}
		})
	}
}

func TestWhatCannotBeDecidedWaitsForAPerson(t *testing.T) {
	p := newParts(t)
	for _, arrived := range []bool{true, false} {
		to := newPeer(t, declares(t, "", "Patient: search-type identifier birthdate family", "DocumentReference: create"))
		to.has(theirs)
		to.faults = []fault{lostBefore}
		if arrived {
			to.faults = []fault{lostAfter}
		}
		c := newClinic(t, p, to, "")
		c.refer()
		dead := c.settle()
		if len(dead) != 1 || !strings.Contains(dead[0], "cannot be decided") || to.asked("POST /DocumentReference") != 1 {
			t.Fatalf("given up: %q, %q", dead, to.requests)
		}
		// Tried again without an answer it waits again.
		c.revive()
		if dead = c.settle(); len(dead) != 1 || to.asked("POST /DocumentReference") != 1 {
			t.Fatalf("given up: %q, %q", dead, to.requests)
		}
		open, err := c.courier.Undecided(context.Background(), "t1")
		if err != nil || len(open) != 1 || open[0].Type != "DocumentReference" {
			t.Fatal(open, err)
		}
		found := fhir.Key{}
		if arrived {
			found = to.of("DocumentReference")[0].Key
		}
		if err := c.courier.Settle(context.Background(), "t1", open[0], found); err != nil {
			t.Fatal(err)
		}
		if err := c.courier.Settle(context.Background(), "t1", open[0], found); !fhir.Is(err, fhir.NotFound) {
			t.Errorf("settled twice: %v", err)
		}
		c.revive()
		if dead := c.settle(); len(dead) != 0 || len(to.of("DocumentReference")) != 1 {
			t.Errorf("given up: %q, %v", dead, to.counts())
		}
	}
}

func TestAPackageOfWhichNobodyCanTellWhetherItArrivedWaitsForAPerson(t *testing.T) {
	p := newParts(t)
	task := fhir.Key{Type: "Task", ID: "t1"}
	for _, arrived := range []bool{true, false} {
		to := newPeer(t, declares(t, `{"interaction":[{"code":"transaction"}]}`, "Patient: create search-type identifier", "ServiceRequest: create search-type identifier", "Task: create", "DocumentReference: create"))
		to.has(theirs)
		to.faults = []fault{lostBefore}
		c := newClinic(t, p, to, "")
		c.refer()
		if dead := c.settle(); len(dead) != 1 || !strings.Contains(dead[0], "cannot be decided") {
			t.Fatalf("given up: %q, %q", dead, to.requests)
		}
		if open, err := c.courier.Undecided(t.Context(), "t1"); err != nil || !slices.Equal(open, []fhir.Key{task}) {
			t.Fatal(open, err)
		}
		found, sent := fhir.Key{}, 2
		if arrived {
			found, sent = fhir.Key{Type: "Task", ID: "their-1"}, 1
		}
		if err := c.courier.Settle(t.Context(), "t1", task, found); err != nil {
			t.Fatal(err)
		}
		if err := c.courier.Settle(t.Context(), "t1", task, found); !fhir.Is(err, fhir.NotFound) {
			t.Errorf("settled twice: %v", err)
		}
		c.revive()
		if c.settle(); to.asked("POST  ") != sent {
			t.Errorf("arrived %v: %q", arrived, to.requests)
		}
	}
}

func TestARefusalStopsWhatIsVitalAndPassesOverTheRest(t *testing.T) {
	p := newParts(t)
	statement := recorded(t, "epic")
	for _, c := range []struct {
		typ    string
		status int
		has    map[string]int
		dead   bool
	}{
		{"Observation", 422, map[string]int{"Patient": 1, "Condition": 1, "QuestionnaireResponse": 1, "ServiceRequest": 1, "DocumentReference": 1}, false},
		{"Observation", 400, map[string]int{"Patient": 1, "Condition": 1, "QuestionnaireResponse": 1, "ServiceRequest": 1, "DocumentReference": 1}, false},
		{"ServiceRequest", 422, map[string]int{"Patient": 1, "Condition": 1, "Observation": 3, "QuestionnaireResponse": 1}, true},
		{"DocumentReference", 403, map[string]int{"Patient": 1, "Condition": 1, "Observation": 3, "QuestionnaireResponse": 1, "ServiceRequest": 1}, true},
	} {
		to := newPeer(t, statement)
		to.has(theirs)
		to.refuses = func(typ string, _ fhir.Resource) int {
			if typ == c.typ {
				return c.status
			}
			return 0
		}
		at := newClinic(t, p, to, "")
		at.refer()
		dead := at.settle()
		if (len(dead) > 0) != c.dead || !maps.Equal(to.counts(), c.has) {
			t.Errorf("%s refused with %d: %v, given up: %q", c.typ, c.status, to.counts(), dead)
		}
		if !c.dead {
			continue
		}
		// What was in the way is put right, and only what is missing goes.
		to.refuses = nil
		at.revive()
		if dead := at.settle(); len(dead) > 0 || !maps.Equal(to.counts(), want["epic"]) {
			t.Errorf("%s, put right: %v, given up: %q", c.typ, to.counts(), dead)
		}
	}
}

func TestAPartnerThatAsksToWaitIsLeftAloneForThatLong(t *testing.T) {
	to := newPeer(t, recorded(t, "oracle"))
	to.has(theirs)
	to.faults = []fault{throttled}
	c := newClinic(t, newParts(t), to, "")
	c.refer()
	for range 20 {
		if _, err := c.courier.Once(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.now = c.now.Add(29 * time.Second) // not ten minutes
	}
	if n := to.asked("POST /Condition") + to.asked("POST /Observation"); n != 1 {
		t.Errorf("%d creates within ten minutes: %q", n, to.requests)
	}
	if dead := c.settle(); len(dead) > 0 || !maps.Equal(to.counts(), want["oracle"]) {
		t.Errorf("%v, given up: %q", to.counts(), dead)
	}
}

func TestWhatMeansSomethingElseWithoutItsModifierStaysInTheNote(t *testing.T) {
	to := newPeer(t, recorded(t, "oracle"))
	to.has(theirs)
	c := newClinic(t, newParts(t), to, "")
	c.refer(`{"resourceType":"Condition","id":"c2","modifierExtension":[{"url":"urn:example:not","valueBoolean":true}],"code":{"text":"Mania"},"subject":{"reference":"Patient/p1"}}`)
	if dead := c.settle(); len(dead) > 0 || !maps.Equal(to.counts(), want["oracle"]) {
		t.Errorf("%v, given up: %q", to.counts(), dead)
	}
	if n := to.asked("POST /Condition"); n != 1 {
		t.Errorf("%d creates", n)
	}
}

func TestThePartnersStatementChoosesTheWay(t *testing.T) {
	p := newParts(t)
	docs := "DocumentReference: create search-type patient"
	for _, c := range []struct {
		what, rest string
		way        exchange.Way
		asked      string
		says       string
	}{
		{"messages", `{"operation":[{"name":"process-message","definition":"http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"}]}`, "", "POST /$process-message 200", ""},
		{"transactions before messages", `{"interaction":[{"code":"transaction"}],"operation":[{"name":"process-message","definition":"x"}]}`, "", "POST  ", ""},
		{"batches are none", `{"interaction":[{"code":"batch"}]}`, "", "POST /Patient/_search", ""},
		{"configured", `{"interaction":[{"code":"transaction"}],"operation":[{"name":"process-message","definition":"x"}]}`, exchange.Message, "POST /$process-message 200", ""},
		{"configured as creates", `{"interaction":[{"code":"transaction"}]}`, exchange.Creates, "POST /Patient/_search", ""},
	} {
		to := newPeer(t, declares(t, c.rest, "Patient: search-type identifier family birthdate", docs))
		at := newClinic(t, p, to, c.way)
		at.refer()
		at.settle()
		if to.asked(c.asked) == 0 {
			t.Errorf("%s: %q", c.what, to.requests)
		}
		if len(to.messages) > 0 {
			m := to.messages[0].Root()
			if m.Get("type").Text() != "message" || m.Get("entry").Len() < 10 || m.Get("entry").Index(0).Get("resource").Get("eventCoding").Get("code").Text() != "I12" {
				t.Errorf("%s: %.300s", c.what, m.Raw())
			}
			if err := p.valid.Check(t.Context(), to.messages[0]); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
		}
	}
	to := newPeer(t, declares(t, "", "Patient: read"))
	at := newClinic(t, p, to, "")
	at.refer()
	if dead := at.settle(); len(dead) != 1 || !strings.Contains(dead[0], "declares none of") {
		t.Errorf("given up: %q", dead)
	}
}

func TestTheEndOfAReferralIsToldWhereThereIsNoTaskOrLeftToPeople(t *testing.T) {
	p := newParts(t)
	for _, c := range []struct {
		peer, status string
		request, doc string // their status in the end, "" where there is none
		dead         bool
	}{
		{"epic", "cancelled", "revoked", "current", false},
		{"epic", "entered-in-error", "entered-in-error", "entered-in-error", false},
		{"oracle", "cancelled", "", "current", true},
		{"oracle", "entered-in-error", "", "entered-in-error", false},
	} {
		to := newPeer(t, recorded(t, c.peer))
		to.has(theirs)
		at := newClinic(t, p, to, "")
		at.refer()
		at.settle()
		at.task("t1", c.status)
		dead := at.settle()
		if (len(dead) > 0) != c.dead || c.dead && !strings.Contains(dead[0], "tell its people") {
			t.Errorf("%s, %s: given up: %q %q", c.peer, c.status, dead, to.requests)
		}
		status := func(typ string) string {
			for _, r := range to.of(typ) {
				return r.Root().Get("status").Text()
			}
			return ""
		}
		if r, d := status("ServiceRequest"), status("DocumentReference"); r != c.request || d != c.doc {
			t.Errorf("%s, %s: request %q, note %q", c.peer, c.status, r, d)
		}
	}
	// What never went needs no recall.
	to := newPeer(t, recorded(t, "oracle"))
	at := newClinic(t, p, to, "")
	for _, r := range file {
		at.put(r)
	}
	at.task("t1", "requested")
	at.task("t1", "cancelled")
	if dead := at.settle(); len(dead) > 0 || len(to.requests) != 0 {
		t.Errorf("given up: %q %q", dead, to.requests)
	}
}

func TestAPatientIsCreatedOnceThoughTheAnswerWasLost(t *testing.T) {
	p := newParts(t)
	for _, f := range []fault{lostBefore, lostAfter, brokenAfter, unavailable} {
		for _, forgetful := range []bool{false, true} {
			to := newPeer(t, recorded(t, "oracle"))
			to.faults, to.forgetful = []fault{f}, forgetful
			c := newClinic(t, p, to, "")
			c.refer()
			if dead := c.settle(); len(dead) > 0 || !maps.Equal(to.counts(), want["oracle"]) {
				t.Errorf("%s, forgetful %v: %v, given up: %q", f, forgetful, to.counts(), dead)
			}
		}
	}
}
