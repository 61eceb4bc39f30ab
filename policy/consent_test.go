package policy_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/policy"
)

// may tells what a caller reads of one client.
func may(p *practice, g fhir.Gate, client string) string {
	var b []byte
	for _, key := range []string{"Patient/" + client, "EpisodeOfCare/" + client + "-episode", "Observation/" + client + "-score", "Goal/" + client + "-goal", "Condition/" + client + "-condition"} {
		_, err := read(p.t.Context(), g, k(key))
		set, serr := find(p.t.Context(), g, p.query(k(key).Type+"?_id="+k(key).ID+"&_total=accurate"))
		found := serr == nil && len(set.Entries) == 1 && *set.Total == 1
		switch {
		case err == nil && found:
			b = append(b, key[0])
		case fhir.Is(err, fhir.NotFound) && !found && serr == nil:
			b = append(b, '-')
		default:
			p.t.Errorf("%s: read %v, search %v of %d", key, err, serr, len(set.Entries))
		}
	}
	return string(b)
}

const (
	readers = `"actor":[{"role":{"coding":[{"code":"IRCP"}]},"reference":{"reference":%q}}]`
	goals   = `"class":[{"system":"http://hl7.org/fhir/resource-types","code":"Goal"}]`
)

func TestConsentsDecideAtOnceWhatABackendSees(t *testing.T) {
	clinic := fmt.Sprintf(readers, "Organization/clinic")
	for _, step := range []struct{ what, consent, ehr, therapist string }{
		{"nothing is said", ``, "-----", "PEOGC"},
		{"permitted", consent("bert", "c", "OPTIN", ""), "PEOGC", "PEOGC"},
		{"denied", consent("bert", "c", "OPTOUT", ""), "-----", "PEOGC"},
		{"permitted but for goals", consent("bert", "c", "OPTIN", `{"provision":[{"type":"deny",`+goals+`}]}`), "PEO-C", "PEOGC"},
		{"denied but for goals", consent("bert", "c", "OPTOUT", `{"provision":[{"type":"permit",`+goals+`}]}`), "---G-", "PEOGC"},
		{"permitted, denied to the clinic's vendor by name", consent("bert", "c", "OPTIN", `{"provision":[{"type":"deny",`+clinic+`}]}`), "-----", "PEOGC"},
		{"permitted to another one alone", consent("bert", "c", "OPTOUT", `{"provision":[{"type":"permit",`+fmt.Sprintf(readers, "Organization/elsewhere")+`}]}`), "-----", "PEOGC"},
		{"the therapist is shut out by name", consent("bert", "c", "OPTIN", `{"provision":[{"type":"deny",`+fmt.Sprintf(readers, "Practitioner/jon")+`}]}`), "PEOGC", "-----"},
		{"what cannot be understood", `{"resourceType":"Consent","id":"bert-c","status":"active","modifierExtension":[{"url":"urn:x"}],"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"patient":{"reference":"Patient/bert"}}`, "-----", "PEOGC"},
		{"for something else than treatment", consent("bert", "c", "OPTOUT", `{"provision":[{"type":"permit","purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HRESCH"}]}]}`), "-----", "PEOGC"},
		{"entered in error", `{"resourceType":"Consent","id":"bert-c","status":"entered-in-error","scope":{"coding":[{"code":"patient-privacy"}]},"patient":{"reference":"Patient/bert"}}`, "-----", "PEOGC"},
	} {
		t.Run(step.what, func(t *testing.T) {
			p := open(t)
			p.load(world()...)
			if step.consent != "" {
				p.load(step.consent)
			}
			if got := may(p, p.gate("ehr"), "bert"); got != step.ehr {
				t.Errorf("the vendor sees %s, want %s", got, step.ehr)
			}
			if got := may(p, p.gate("jon"), "bert"); got != step.therapist {
				t.Errorf("the therapist sees %s, want %s", got, step.therapist)
			}
		})
	}
}

func TestAConsentThatFlipsIsFollowedAndItsEndByTheClock(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ehr := p.gate("ehr")
	check := func(what, want string) {
		t.Helper()
		if got := may(p, ehr, "bert"); got != want {
			t.Errorf("%s: the vendor sees %s, want %s", what, got, want)
		}
	}
	for range 2 {
		p.load(consent("bert", "c", "OPTIN", ""))
		check("permitted", "PEOGC")
		p.load(consent("bert", "c", "OPTOUT", ""))
		check("denied", "-----")
	}
	p.load(consent("bert", "c", "OPTIN", `{"period":{"end":"2026-03-02"}}`))
	check("permitted until tonight", "PEOGC")
	p.move(24 * time.Hour)
	check("a day later", "-----")
	if n, err := p.guard.Refresh(context.Background(), "t"); err != nil || n != 1 {
		t.Errorf("%d profiles made anew, %v", n, err)
	}
	check("made anew", "-----")
	if got := may(p, p.gate("jon"), "bert"); got != "PEOGC" {
		t.Errorf("the therapist sees %s", got)
	}
	p.load(consent("bert", "c", "OPTIN", `{"period":{"start":"2026-03-04"}}`))
	check("permitted from tomorrow", "-----")
	p.move(24 * time.Hour)
	if _, err := p.guard.Refresh(context.Background(), "t"); err != nil {
		t.Fatal(err)
	}
	check("tomorrow", "PEOGC")
	p.remove("Consent/bert-c")
	check("deleted", "-----")
}

func TestACaseloadEndsWithItsEpisodeAndItsGrace(t *testing.T) {
	p := open(t)
	p.load(world()...)
	jon := p.gate("jon")
	p.load(`{"resourceType":"EpisodeOfCare","id":"bert-episode","status":"finished","patient":{"reference":"Patient/bert"},"careManager":{"reference":"Practitioner/jon"},"managingOrganization":{"reference":"Organization/clinic"},"period":{"start":"2026-01-01","end":"2026-03-01"}}`)
	if got := may(p, jon, "bert"); got != "PEOGC" {
		t.Errorf("within grace: %s", got)
	}
	p.move(31 * 24 * time.Hour)
	if got := may(p, jon, "bert"); got != "-----" {
		t.Errorf("after grace: %s", got)
	}
	p.load(`{"resourceType":"EpisodeOfCare","id":"bert-episode","status":"active","patient":{"reference":"Patient/bert"},"careManager":{"reference":"Practitioner/mira"},"managingOrganization":{"reference":"Organization/clinic"},"period":{"start":"2026-01-01"}}`)
	if got := may(p, p.gate("mira"), "bert"); got != "PEOGC" {
		t.Errorf("the new therapist: %s", got)
	}
}

func TestAPackageHoldsWhatConsentsAndLabelsLetGo(t *testing.T) {
	label := func(code string) string {
		return `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"` + code + `"}]},`
	}
	condition := func(id, about, label string) string {
		return fmt.Sprintf(`{"resourceType":"Condition","id":%q,%s"subject":{"reference":"Patient/%s"}}`, id, label, about)
	}
	p := open(t)
	p.load(world()...)
	rs := []fhir.Resource{
		resource(t, condition("plain", "bert", "")), resource(t, condition("part2", "bert", label("42CFRPart2"))),
		resource(t, condition("never", "bert", label("NODSCLCD"))), resource(t, condition("note", "bert", label("PSYTHPN"))),
		resource(t, condition("odd", "bert", label("SOMETHING"))), resource(t, `{"resourceType":"Organization","id":"clinic"}`),
	}
	for _, c := range []struct{ what, consent, want string }{
		{"nothing is said", "", "plain clinic "},
		{"permitted", consent("bert", "c", "OPTIN", ""), "plain part2 clinic "},
		{"denied", consent("bert", "c", "OPTOUT", ""), "clinic "},
		{"denied to the hospital by name", consent("bert", "c", "OPTIN", `{"provision":[{"type":"deny",`+fmt.Sprintf(readers, "Organization/hospital")+`}]}`), "clinic "},
		{"denied to another one by name", consent("bert", "c", "OPTIN", `{"provision":[{"type":"deny",`+fmt.Sprintf(readers, "Organization/elsewhere")+`}]}`), "plain part2 clinic "},
	} {
		if c.consent != "" {
			p.load(c.consent)
		}
		out, err := p.guard.Release(who("import"))(t.Context(), k("Organization/hospital"), rs)
		got := ""
		for _, r := range out {
			got += r.ID + " "
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q goes, want %q (%v)", c.what, got, c.want, err)
		}
		if r := p.log.last(); !r.Synced || r.Interaction != fhir.Disclose || len(r.Touched) != len(out) || r.Decision != policy.Permit {
			t.Errorf("%s: recorded as %+v", c.what, r)
		}
	}
}
