package policy_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/policy"
)

func TestAPageIsForWhoAskedForIt(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	q := p.query("Observation?_count=1&subject:Patient.family=Family-anna&_sort=_id")
	set, err := find(ctx, p.gate("mira"), q)
	if err != nil || set.Next == "" {
		t.Fatalf("%+v, %v", set, err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(set.Next)
	for _, word := range []string{"Family", "anna", "Observation", "subject"} {
		if strings.Contains(set.Next, word) || strings.Contains(string(raw), word) {
			t.Errorf("the link tells %q", word)
		}
	}
	next := fhir.Query{Type: "Observation", After: set.Next}
	second, err := find(ctx, p.gate("mira"), next)
	if err != nil || len(second.Entries) != 1 || second.Entries[0].ID == set.Entries[0].ID {
		t.Fatalf("the next page: %+v, %v", second, err)
	}
	// Whatever stands beside the cursor is not asked.
	widened := next
	widened.Count = 100
	if got, err := find(ctx, p.gate("mira"), widened); err != nil || len(got.Entries) != 1 {
		t.Errorf("with another count beside it: %d entries, %v", len(got.Entries), err)
	}
	for what, change := range map[string]func(*policy.Principal){
		"another person":  func(x *policy.Principal) { x.User = k("Practitioner/jon") },
		"another subject": func(x *policy.Principal) { x.Subject = "other" },
		"another issuer":  func(x *policy.Principal) { x.Issuer = "https://other" },
		"another client":  func(x *policy.Principal) { x.Client = "other" },
		"another role":    func(x *policy.Principal) { x.Role = policy.Integration },
		"another tenant":  func(x *policy.Principal) { x.Tenant = "other" },
		"another purpose": func(x *policy.Principal) { x.Purpose = "HPAYMT" },
		"narrower scopes": func(x *policy.Principal) {
			x.Scopes = []policy.Scope{{Context: "user", Type: "Observation", Search: true}}
		},
		"a patient in launch": func(x *policy.Principal) { x.Patient = k("Patient/anna") },
	} {
		x := who("mira")
		change(&x)
		_, err := find(ctx, p.guard.For(x), next)
		refused(t, what, err, fhir.NotFound)
	}
	x := who("mira")
	x.TokenID, x.Expires = "renewed", began.Add(5)
	if _, err := find(ctx, p.guard.For(x), next); err != nil {
		t.Errorf("with a new token of the same kind: %v", err)
	}
	for what, after := range map[string]string{"made up": "AAAA", "a bit changed": flip(set.Next), "cut": set.Next[:len(set.Next)-4], "no base64": "%%%"} {
		_, err := find(ctx, p.gate("mira"), fhir.Query{Type: "Observation", After: after})
		refused(t, what, err, fhir.NotFound)
	}
	_, err = find(ctx, p.gate("mira"), fhir.Query{Type: "Goal", After: set.Next})
	refused(t, "on another type", err, fhir.NotFound)
}

func flip(s string) string {
	c := byte('A')
	if s[10] == 'A' {
		c = 'B'
	}
	return s[:10] + string(c) + s[11:]
}

func TestAPageIsDecidedAnewWhenItIsAskedFor(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	set, err := find(ctx, p.gate("mira"), p.query("Observation?_count=1"))
	if err != nil {
		t.Fatal(err)
	}
	p.load(`{"resourceType":"EpisodeOfCare","id":"anna-episode","status":"entered-in-error","patient":{"reference":"Patient/anna"}}`)
	second, err := find(ctx, p.gate("mira"), fhir.Query{Type: "Observation", After: set.Next})
	if err != nil || len(second.Entries) != 0 {
		t.Errorf("without the tie there are %d entries, %v", len(second.Entries), err)
	}
}

func TestEqualPagesHaveEqualLinks(t *testing.T) {
	p := open(t)
	p.load(world()...)
	q := p.query("Observation?_count=1")
	a, err := find(t.Context(), p.gate("mira"), q)
	if err != nil {
		t.Fatal(err)
	}
	b, err := find(t.Context(), p.gate("mira"), q)
	if err != nil || a.Next != b.Next {
		t.Errorf("%q and %q, %v", a.Next, b.Next, err)
	}
}

func TestAHistoryIsPagedLikeASearch(t *testing.T) {
	p := open(t)
	p.load(world()...)
	for range 3 {
		p.load(world()[13])
	}
	key := k(idsOf(world())[13])
	page := func(g fhir.Gate, key fhir.Key, span fhir.Span) (set fhir.Set, err error) {
		err = g.View(t.Context(), fhir.Act{Interaction: fhir.HistoryInstance, Type: key.Type, ID: key.ID}, func(in fhir.Reader) error {
			set, err = in.History(t.Context(), fhir.Scope(key), span)
			return err
		})
		return set, err
	}
	var seen []int64
	span := fhir.Span{Count: 1}
	for {
		set, err := page(p.gate("mira"), key, span)
		if err != nil || len(set.Entries) != 1 {
			t.Fatalf("%+v, %v", set, err)
		}
		seen = append(seen, set.Entries[0].Version)
		if set.Next == "" {
			break
		}
		span = fhir.Span{After: set.Next}
		_, err = page(p.gate("jon"), key, span)
		refused(t, "another's page", err, fhir.NotFound)
		_, err = page(p.gate("mira"), k("Goal/anna-goal"), span)
		if key != k("Goal/anna-goal") {
			refused(t, "another resource's page", err, fhir.NotFound)
		}
	}
	if len(seen) != 4 || seen[0] != 4 || seen[3] != 1 {
		t.Errorf("versions %v", seen)
	}
}
