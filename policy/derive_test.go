package policy_test

import (
	"fmt"
	"slices"
	"testing"

	"rapport/fhir"
	"rapport/policy"
)

func TestWhatFollowsFromAResponse(t *testing.T) {
	response := `{"resourceType":"QuestionnaireResponse","id":"new","status":"completed","subject":{"reference":"Patient/anna"},"source":{"reference":"Patient/anna"}}`
	score := `{"resourceType":"Observation","id":"new-score","status":"final",` + survey + `,"subject":{"reference":"Patient/%s"}%s}`
	for _, c := range []struct {
		what, body, want string
	}{
		{"a score", fmt.Sprintf(score, "anna", ""), "ok"},
		{"a flag", `{"resourceType":"Flag","id":"f","status":"active","subject":{"reference":"Patient/anna"}}`, "ok"},
		{"a task", `{"resourceType":"Task","id":"t","status":"requested","intent":"order","for":{"reference":"Patient/anna"}}`, "ok"},
		{"a provenance", `{"resourceType":"Provenance","id":"p","target":[{"reference":"QuestionnaireResponse/new"}]}`, "ok"},
		{"a score of somebody else", fmt.Sprintf(score, "bert", ""), "exception"},
		{"a score that is also about somebody else", fmt.Sprintf(score, "anna", `,"contained":[{"resourceType":"Observation","id":"x","subject":{"reference":"Patient/bert"}}]`), "exception"},
		{"a score about nobody", `{"resourceType":"Observation","id":"new-score","status":"final"}`, "exception"},
		{"a type that does not follow", `{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/anna"}}`, "exception"},
		{"a consent", `{"resourceType":"Consent","id":"c","status":"active","patient":{"reference":"Patient/anna"}}`, "exception"},
		{"what overwrites somebody else's", `{"resourceType":"Observation","id":"bert-score","status":"final","subject":{"reference":"Patient/anna"}}`, "exception"},
		{"a process note", fmt.Sprintf(score, "anna", `,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSYTHPN"}]}`), "exception"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := open(t)
			p.load(world()...)
			ctx := t.Context()
			derived := resource(t, c.body)
			// The patient may write the response and none of what follows.
			err := p.gate("anna").Update(ctx, fhir.Act{Interaction: fhir.Create, Type: "QuestionnaireResponse"}, func(tx fhir.Tx) error {
				w, err := tx.Put(ctx, resource(t, response), fhir.Condition{})
				if err != nil {
					return err
				}
				ws, err := tx.Derive(ctx, w.Head, derived)
				if err == nil && (len(ws) != 1 || ws[0].Key != derived.Key) {
					t.Errorf("written: %+v", ws)
				}
				return err
			})
			if c.want == "ok" {
				if err != nil {
					t.Fatal(err)
				}
				if r := p.log.last(); r.Derived != k("QuestionnaireResponse/new") || len(r.Touched) != 1 || r.Touched[0].Key != derived.Key || r.Who.User != k("Patient/anna") {
					t.Errorf("recorded as %+v", r)
				}
				return
			}
			refused(t, c.what, err, fhir.Exception)
			_, err = read(ctx, p.gate("import"), k("QuestionnaireResponse/new"))
			refused(t, "the response beside it", err, fhir.NotFound)
		})
	}
}

// A response that is moved leaves what followed where it stands, and its mover is told;
// that it was moved opens nobody else's record to what follows.
func TestWhatFollowedDoesNotMoveToAnotherClient(t *testing.T) {
	response := func(who string) fhir.Resource {
		return resource(t, fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":"moved","status":"completed","subject":{"reference":"Patient/%s"}}`, who))
	}
	score := func(id, who string) fhir.Resource {
		return resource(t, fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":"final",%s,"subject":{"reference":"Patient/%s"}}`, id, survey, who))
	}
	for _, c := range []struct {
		what    string
		to      string
		follows fhir.Resource
		want    fhir.Code
	}{
		{"the score that stands", "bert", score("moved-score", "bert"), fhir.BusinessRule},
		{"the score, marked", "bert", score("moved-score", "anna"), fhir.BusinessRule},
		{"the score, taken back", "bert", fhir.Tombstone(k("Observation/moved-score"), 0), fhir.BusinessRule},
		{"a score of its own that is a third one's", "bert", score("carl-score", "bert"), fhir.Exception},
		{"a third one's", "bert", score("new-score", "carl"), fhir.Exception},
		{"the score, of a response that stays", "anna", score("bert-score", "anna"), fhir.Exception},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := open(t)
			p.load(append(world(), client("carl", "jon", "clinic")...)...)
			ctx := t.Context()
			write := func(r, follows fhir.Resource) error {
				return p.gate("import").Update(ctx, fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
					w, err := tx.Put(ctx, r, fhir.Condition{})
					if err == nil {
						_, err = tx.Derive(ctx, w.Head, follows)
					}
					return err
				})
			}
			if err := write(response("anna"), score("moved-score", "anna")); err != nil {
				t.Fatal(err)
			}
			err := write(response(c.to), c.follows)
			refused(t, c.what, err, c.want)
			if at := fhir.IssuesOf(err)[0].At; c.want == fhir.BusinessRule && !slices.Equal(at, []string{"QuestionnaireResponse.subject"}) {
				t.Errorf("told at %v", at)
			}
			if r := p.log.last(); c.want == fhir.BusinessRule && (r.Decision != policy.Deny || !slices.Equal(r.Reasons, []string{"derived-moved"})) {
				t.Errorf("recorded as %+v", r)
			}
			for _, key := range []string{"QuestionnaireResponse/moved", "Observation/moved-score"} {
				r, err := read(ctx, p.gate("import"), k(key))
				if subject, _ := r.Root().Get("subject").Ref(); err != nil || subject != k("Patient/anna") || r.Version != 1 {
					t.Errorf("%s is about %s: %v", r, subject, err)
				}
			}
		})
	}
}

func TestNothingFollowsFromWhatWasNotWrittenHere(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	score := resource(t, `{"resourceType":"Observation","id":"new","status":"final","subject":{"reference":"Patient/bert"}}`)
	for _, parent := range []fhir.Head{{Key: k("QuestionnaireResponse/bert-response"), Version: 1}, {Key: k("QuestionnaireResponse/none"), Version: 1}, {}} {
		err := p.gate("mira").Update(ctx, fhir.Act{Interaction: fhir.Create, Type: "Observation"}, func(tx fhir.Tx) error {
			_, err := tx.Derive(ctx, parent, score)
			return err
		})
		refused(t, "from "+parent.Key.String(), err, fhir.Exception)
	}
}

func TestWhatFollowsAndDidNotChangeMakesNoVersion(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	score := resource(t, `{"resourceType":"Observation","id":"follows","status":"final","subject":{"reference":"Patient/anna"}}`)
	for i, status := range []string{"in-progress", "completed"} {
		r := resource(t, fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":"anna-response","status":%q,"questionnaire":"http://q/phq-9","subject":{"reference":"Patient/anna"},"source":{"reference":"Patient/anna"}}`, status))
		var ws []fhir.Written
		err := p.gate("mira").Update(ctx, fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
			w, err := tx.Put(ctx, r, fhir.Condition{})
			if err != nil {
				return err
			}
			ws, err = tx.Derive(ctx, w.Head, score)
			return err
		})
		if err != nil || ws[0].Version != 1 || ws[0].Effect != []fhir.Effect{fhir.Created, fhir.Unchanged}[i] {
			t.Errorf("time %d: %+v, %v", i, ws, err)
		}
	}
	if r := p.log.last(); r.Touched[0].How != policy.WasSame {
		t.Errorf("recorded as %+v", r)
	}
}

func TestWhatFollowedGoesWithWhatWasDeleted(t *testing.T) {
	for _, c := range []struct {
		what, key, want string
	}{
		{"its score", "Observation/follows", "ok"},
		{"what is not there", "Flag/none", "ok"},
		{"a score of somebody else", "Observation/bert-score", "exception"},
		{"a type that does not follow", "Goal/anna-goal", "exception"},
		{"who did what", "Provenance/p", "exception"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := open(t)
			p.load(world()...)
			ctx := t.Context()
			r := resource(t, `{"resourceType":"QuestionnaireResponse","id":"new","status":"completed","subject":{"reference":"Patient/anna"}}`)
			err := p.gate("mira").Update(ctx, fhir.Act{Interaction: fhir.Create, Type: r.Type}, func(tx fhir.Tx) error {
				w, err := tx.Put(ctx, r, fhir.Condition{})
				if err == nil {
					_, err = tx.Derive(ctx, w.Head, resource(t, `{"resourceType":"Observation","id":"follows","status":"final",`+survey+`,"subject":{"reference":"Patient/anna"}}`))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			var ws []fhir.Written
			err = p.gate("mira").Update(ctx, fhir.Act{Interaction: fhir.Delete, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
				w, err := tx.Delete(ctx, r.Key, fhir.Condition{})
				if err != nil {
					return err
				}
				ws, err = tx.Derive(ctx, w.Head, fhir.Tombstone(k(c.key), 0))
				return err
			})
			if c.want != "ok" {
				refused(t, c.what, err, fhir.Exception)
				if _, err := read(ctx, p.gate("mira"), r.Key); err != nil {
					t.Errorf("the response: %v", err)
				}
				return
			}
			if err != nil || len(ws) != 1 || ws[0].Key != k(c.key) {
				t.Fatalf("%+v, %v", ws, err)
			}
			if c.key != "Observation/follows" {
				if ws[0].Effect != fhir.Unchanged {
					t.Errorf("%+v", ws)
				}
				return
			}
			if rec := p.log.last(); ws[0].Effect != fhir.Removed || rec.Derived != r.Key || len(rec.Touched) != 1 || rec.Touched[0].How != policy.WasDeleted {
				t.Errorf("%+v, recorded as %+v", ws, rec)
			}
			_, err = read(ctx, p.gate("mira"), k(c.key))
			refused(t, c.what, err, fhir.Deleted)
		})
	}
}
