package mapping

import (
	"encoding/json"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/mapping/practice"
)

func TestWhatAClientSaidOfAnExerciseIsNotTakenBackByItsRecord(t *testing.T) {
	m := newMapper(t)
	exercise := func(status, because string, report bool) *practice.Exercise {
		e := &practice.Exercise{Origin: practice.Origin{BusinessKey: "X1"}, Client: practice.Ref{Key: "LH-01"}, Exercise: "breathing", Status: status, Because: because}
		if report {
			e.Report = &practice.Report{Outcome: "done"}
		}
		return e
	}
	task := func(e *practice.Exercise) fhir.Resource {
		rs, err := m.ToFHIR(e)
		if err != nil {
			t.Fatal(err)
		}
		return rs[0]
	}
	const theirs = `{"type":{"text":"How it went"},"valueReference":{"reference":"QuestionnaireResponse/of-the-client"}}`
	const own = "Report of the client"
	// said is the Task after the client changed it: elements in place of those that are there.
	said := func(e *practice.Exercise, change string) fhir.Resource {
		var all map[string]json.RawMessage
		for _, text := range []string{string(task(e).Body()), change} {
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				t.Fatal(err)
			}
		}
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for name, c := range map[string]struct {
		stored               fhir.Resource
		again                *practice.Exercise
		status, reason, left string
		outputs              []string // what each contains
	}{
		"done and reported meanwhile": {
			said(exercise("requested", "", false), `{"status":"completed","output":[`+theirs+`]}`),
			exercise("requested", "", false), "completed", "", "completed", []string{"of-the-client"},
		},
		"not wanted, with the client's reason": {
			said(exercise("requested", "", false), `{"status":"rejected","statusReason":{"text":"It frightens me."}}`),
			exercise("requested", "as agreed", false), "rejected", "It frightens me.", "rejected", nil,
		},
		"accepted meanwhile, and done by the record": {
			said(exercise("requested", "", false), `{"status":"accepted"}`),
			exercise("completed", "", true), "completed", "", "", []string{own},
		},
		"reported by both": {
			said(exercise("requested", "", false), `{"status":"completed","output":[`+theirs+`]}`),
			exercise("completed", "", true), "completed", "", "", []string{own, "of-the-client"},
		},
		"cancelled by the record after a report": {
			said(exercise("requested", "", false), `{"status":"in-progress","output":[`+theirs+`]}`),
			exercise("cancelled", "moved away", false), "cancelled", "moved away", "", []string{"of-the-client"},
		},
		"an error, though it was done": {
			said(exercise("requested", "", false), `{"status":"completed"}`),
			exercise("entered-in-error", "", false), "entered-in-error", "", "", nil,
		},
		"a report that the record itself gave and takes back": {
			task(exercise("completed", "", true)),
			exercise("requested", "", false), "requested", "", "", nil,
		},
		"asked for again after it was cancelled": {
			task(exercise("cancelled", "ill", false)),
			exercise("requested", "", false), "requested", "", "", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := task(c.again)
			got, left, err := m.told(c.again, c.stored, now)
			if err != nil {
				t.Fatal(err)
			}
			n := got.Root()
			if s, r := n.Get("status").Text(), n.Get("statusReason").Get("text").Text(); s != c.status || r != c.reason || left != c.left {
				t.Errorf("status %q, reason %q, left %q", s, r, left)
			}
			if n.Get("output").Len() != len(c.outputs) {
				t.Fatalf("%s", n.Get("output").Raw())
			}
			for i, want := range c.outputs {
				if o := n.Get("output").Index(i).Raw(); !strings.Contains(string(o), want) {
					t.Errorf("output %d is %s", i, o)
				}
			}
			if again, _, err := m.told(c.again, got, now); err != nil || !fhir.SameContent(again, got) {
				t.Errorf("written once more it is %s, %v", again.Body(), err)
			}
		})
	}
}
