package policy_test

import (
	"testing"

	"rapport/fhir"
	"rapport/policy"
)

// scoped is a principal with other scopes.
func scoped(name string, ss ...policy.Scope) policy.Principal {
	x := who(name)
	x.Scopes = ss
	return x
}

func TestWhatNoScopeCoversIsNotAllowedWhateverTheRole(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	for what, c := range map[string]struct {
		scope              policy.Scope
		read, search, want bool
	}{
		"none":                     {policy.Scope{}, false, false, false},
		"another type":             {policy.Scope{Context: "user", Type: "Goal", Read: true, Search: true}, false, false, false},
		"reading alone":            {policy.Scope{Context: "user", Type: "Observation", Read: true}, true, false, true},
		"searching alone":          {policy.Scope{Context: "user", Type: "Observation", Search: true}, false, true, true},
		"writing alone":            {policy.Scope{Context: "user", Type: "Observation", Create: true, Update: true, Delete: true}, false, false, false},
		"an unknown context":       {policy.Scope{Context: "group", Type: "*", Read: true, Search: true}, false, false, false},
		"patient without a launch": {policy.Scope{Context: "patient", Type: "*", Read: true, Search: true}, false, false, false},
	} {
		g := p.guard.For(scoped("mira", c.scope))
		_, err := read(ctx, g, k("Observation/anna-score"))
		if (err == nil) != c.read || err != nil && !fhir.Is(err, fhir.Forbidden) {
			t.Errorf("%s: read: %v", what, err)
		}
		_, err = find(ctx, g, p.query("Observation"))
		if (err == nil) != c.search || err != nil && !fhir.Is(err, fhir.Forbidden) {
			t.Errorf("%s: search: %v", what, err)
		}
		_, err = put(ctx, g, goal(t, "anna-goal", "anna", "completed"), fhir.Condition{})
		refused(t, what+": a write of another type", err, fhir.Forbidden)
	}
}

func TestALaunchConfinesToItsPatient(t *testing.T) {
	p := open(t)
	p.load(world()...)
	p.load(`{"resourceType":"CareTeam","id":"bert-team","status":"active","subject":{"reference":"Patient/bert"},"participant":[{"member":{"reference":"Practitioner/mira"}}]}`)
	ctx := t.Context()
	x := scoped("mira", policy.Scope{Context: "patient", Type: "*", Read: true, Search: true})
	x.Patient = k("Patient/anna")
	g := p.guard.For(x)
	if _, err := read(ctx, g, k("Goal/anna-goal")); err != nil {
		t.Errorf("of the patient in context: %v", err)
	}
	_, err := read(ctx, g, k("Goal/bert-goal"))
	refused(t, "another client of hers", err, fhir.NotFound)
	set, err := find(ctx, g, p.query("Goal?_total=accurate"))
	if err != nil || *set.Total != 1 {
		t.Errorf("search: %+v, %v", set, err)
	}
	x.Patient = k("Patient/zed")
	if _, err := read(ctx, p.guard.For(x), k("Goal/anna-goal")); err == nil {
		t.Error("another patient in context was read")
	}
	jon := scoped("jon", policy.Scope{Context: "patient", Type: "*", Read: true, Search: true})
	jon.Patient = k("Patient/anna")
	_, err = read(ctx, p.guard.For(jon), k("Goal/anna-goal"))
	refused(t, "a launch for a patient who is not his", err, fhir.NotFound)
	anna := scoped("anna", policy.Scope{Context: "patient", Type: "*", Read: true, Search: true})
	anna.Patient = k("Patient/bert")
	_, err = read(ctx, p.guard.For(anna), k("Goal/bert-goal"))
	refused(t, "a patient in the context of another", err, fhir.NotFound)
}

func TestAGranularScopeNarrowsEveryWay(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	x := scoped("mira", policy.Scope{Context: "user", Type: "Observation", Read: true, Search: true, Update: true, Create: true, Where: []policy.Param{{Name: "category", Value: "http://terminology.hl7.org/CodeSystem/observation-category|survey"}}},
		policy.Scope{Context: "user", Type: "Patient", Read: true, Search: true})
	g := p.guard.For(x)
	if _, err := read(ctx, g, k("Observation/anna-score")); err != nil {
		t.Errorf("a score: %v", err)
	}
	for _, f := range []func() error{
		func() error { _, err := read(ctx, g, k("Observation/anna-finding")); return err },
		func() error { _, err := vread(ctx, g, k("Observation/anna-finding"), 1); return err },
		func() error { _, err := history(ctx, g, k("Observation/anna-finding")); return err },
	} {
		refused(t, "what it does not cover", f(), fhir.NotFound)
	}
	for _, q := range []string{"Observation?_total=accurate", "Observation?code=44261-6,75275-8&_total=accurate"} {
		set, err := find(ctx, g, p.query(q))
		if err != nil || len(set.Entries) != 1 || *set.Total != 1 {
			t.Errorf("%s: %d entries, %v", q, len(set.Entries), err)
		}
	}
	set, err := find(ctx, g, p.query("Patient?_revinclude=Observation:subject"))
	if err != nil || len(set.Entries) != 1 {
		t.Errorf("included in passing: %d entries, %v", len(set.Entries), err)
	}
	for what, body := range map[string]string{
		"a new one that it does not cover": `{"resourceType":"Observation","id":"new","status":"final","subject":{"reference":"Patient/anna"}}`,
		"a change of what it does not":     `{"resourceType":"Observation","id":"anna-finding","status":"final",` + survey + `,"subject":{"reference":"Patient/anna"}}`,
		"a change that leads out of it":    `{"resourceType":"Observation","id":"anna-score","status":"final","subject":{"reference":"Patient/anna"}}`,
	} {
		i := fhir.Update
		if what[2:5] == "new" {
			i = fhir.Create
		}
		_, err := write(ctx, g, i, resource(t, body), fhir.Condition{})
		if !fhir.Is(err, fhir.Forbidden) && !fhir.Is(err, fhir.NotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	x.Scopes[0].Where = []policy.Param{{Name: "no-such", Value: "x"}}
	_, err = read(ctx, p.guard.For(x), k("Observation/anna-score"))
	refused(t, "a scope that cannot be understood", err, fhir.Forbidden)
}
