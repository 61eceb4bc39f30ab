package policy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/policy"
)

// rules answer every question alike.
type rules struct {
	said policy.Judgement
	err  error
}

func (r rules) Judge(context.Context, policy.Question) (policy.Judgement, error) {
	return r.said, r.err
}
func (r rules) Digest() string { return "test" }

func TestWithoutAnAnswerOfTheRulesNothingIsAllowed(t *testing.T) {
	for what, c := range map[string]struct {
		rules policy.Rules
		want  fhir.Code
	}{
		"no policy is loaded":       {nil, fhir.Transient},
		"the rules cannot be asked": {rules{err: errors.New("broken")}, fhir.Transient},
		"the rules say nothing":     {rules{}, fhir.Forbidden},
	} {
		t.Run(what, func(t *testing.T) {
			full := open(t)
			full.load(world()...)
			p := open(t, func(cfg *policy.Config) {
				cfg.Engine = engine{c.rules}
				cfg.Store = func(string) (store.Store, error) { return full.store, nil }
			})
			ctx := t.Context()
			for _, name := range names {
				before := p.log.count()
				g := p.gate(name)
				_, err := read(ctx, g, k("Patient/anna"))
				refused(t, name+" reads", err, c.want)
				_, err = find(ctx, g, p.query("Patient?_total=accurate"))
				refused(t, name+" searches", err, c.want)
				_, err = history(ctx, g, k("Patient/anna"))
				refused(t, name+" reads a history", err, c.want)
				_, err = put(ctx, g, resource(t, world()[6]), fhir.Condition{})
				refused(t, name+" writes", err, c.want)
				if got := p.log.count() - before; got != 4 {
					t.Errorf("%s: %d records of four attempts", name, got)
				}
				if last := p.log.last(); last.Outcome != policy.Failure || len(last.Touched) > 0 || c.want == fhir.Forbidden && last.Decision != policy.Deny {
					t.Errorf("%s: recorded as %+v", name, last)
				}
			}
		})
	}
}

func TestARoleThatNobodyKnowsMayDoNothing(t *testing.T) {
	p := open(t)
	p.load(world()...)
	for _, role := range []policy.Role{"", "superuser"} {
		x := who("import")
		x.Role = role
		_, err := read(t.Context(), p.guard.For(x), k("Questionnaire/phq-9"))
		refused(t, "role «"+string(role)+"»", err, fhir.Forbidden)
	}
}

func TestAnExpiredTokenIsAskedToLogInWhateverItMayOtherwise(t *testing.T) {
	p := open(t)
	p.load(world()...)
	x := who("import")
	x.Expires = began.Add(time.Minute)
	g := p.guard.For(x)
	if _, err := read(t.Context(), g, k("Patient/anna")); err != nil {
		t.Fatalf("before: %v", err)
	}
	p.move(time.Minute)
	_, err := read(t.Context(), g, k("Patient/anna"))
	refused(t, "read", err, fhir.Login)
	_, err = put(t.Context(), g, resource(t, world()[6]), fhir.Condition{})
	refused(t, "write", err, fhir.Login)
	if r := p.log.last(); r.Decision != policy.Deny {
		t.Errorf("recorded as %+v", r)
	}
}

func TestThereIsNoAnswerAndNoWriteWithoutARecord(t *testing.T) {
	p := open(t)
	p.load(world()...)
	p.log.fail = true
	ctx := t.Context()
	r, err := read(ctx, p.gate("mira"), k("Patient/anna"))
	refused(t, "read", err, fhir.Transient)
	_ = r
	_, err = put(ctx, p.gate("mira"), resource(t, `{"resourceType":"Goal","id":"anna-goal","subject":{"reference":"Patient/anna"},"lifecycleStatus":"completed"}`), fhir.Condition{})
	refused(t, "write", err, fhir.Transient)
	p.log.fail = false
	got, err := read(ctx, p.gate("mira"), k("Goal/anna-goal"))
	if err != nil || got.Version != 1 {
		t.Errorf("after the write without a record there is %s, %v", got, err)
	}
}

func TestARecordSaysWhoDidWhatAndWhyItWasAllowed(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	if _, err := read(ctx, p.gate("mira"), k("Goal/anna-goal")); err != nil {
		t.Fatal(err)
	}
	r := p.log.last()
	if r.Who.User != k("Practitioner/mira") || r.Interaction != fhir.Read || r.Target != "anna-goal" || r.Decision != policy.Permit || r.Outcome != policy.Success ||
		len(r.Touched) != 1 || r.Touched[0].Key != k("Goal/anna-goal") || r.Touched[0].Version != 1 || len(r.Patients) != 1 || r.Patients[0] != k("Patient/anna") ||
		len(r.Reasons) == 0 || r.Policy == "" || r.Request == "" || r.ID == "" {
		t.Errorf("recorded as %+v", r)
	}
	if _, err := read(ctx, p.gate("jon"), k("Goal/anna-goal")); err == nil {
		t.Fatal("another's client was read")
	}
	r = p.log.last()
	if r.Decision != policy.Deny || r.Outcome != policy.Failure || len(r.Touched) != 0 || len(r.Patients) != 1 {
		t.Errorf("the denial is recorded as %+v", r)
	}
	if _, err := find(ctx, p.gate("mira"), p.query("Observation?_include=Observation:subject")); err != nil {
		t.Fatal(err)
	}
	if r = p.log.last(); len(r.Touched) != 4 {
		t.Errorf("a search that answered with four resources is recorded with %d", len(r.Touched))
	}
	if _, err := put(ctx, p.gate("mira"), resource(t, `{"resourceType":"Goal","id":"anna-goal","subject":{"reference":"Patient/anna"},"lifecycleStatus":"completed"}`), fhir.Condition{}); err != nil {
		t.Fatal(err)
	}
	if r = p.log.last(); r.Interaction != fhir.Update || len(r.Touched) != 1 || r.Touched[0].How != policy.WasUpdated || r.Touched[0].Version != 2 {
		t.Errorf("the write is recorded as %+v", r)
	}
}

func TestADisclosureAnEmergencyAndANoteAreOnDiskBeforeTheAnswer(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	_, _ = read(ctx, p.gate("mira"), k("Goal/anna-goal"))
	if p.log.last().Synced {
		t.Error("an ordinary read waits for the disk")
	}
	x := who("mira")
	x.Purpose = "BTG"
	_, _ = read(ctx, p.guard.For(x), k("Goal/anna-goal"))
	if !p.log.last().Synced {
		t.Error("an emergency does not wait for the disk")
	}
	_, _ = p.guard.Notes(who("mira")).Read(ctx, "none")
	if !p.log.last().Synced {
		t.Error("a note that was asked for does not wait for the disk")
	}
	if _, err := p.guard.Release(who("import"))(ctx, k("Organization/hospital"), nil); err != nil {
		t.Fatal(err)
	}
	if r := p.log.last(); !r.Synced || r.Recipient != k("Organization/hospital") {
		t.Errorf("a disclosure is recorded as %+v", r)
	}
}
