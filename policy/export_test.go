package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/policy"
)

// study is a client's consent to research.
func study(name, id, effect, provision string) string {
	return fmt.Sprintf(`{"resourceType":"Consent","id":"%s-%s","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"research"}]},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentcategorycodes","code":"rsdid"}]}],"patient":{"reference":"Patient/%s"},"dateTime":"2026-01-01","policy":[{"uri":"urn:study:%s"}],"provision":{"type":%q%s}}`,
		name, id, name, id, effect, provision)
}

// exported lists what an act of export finds of every type; forbidden are types
// refused before any look-up.
func exported(t *testing.T, p *practice, g fhir.Gate, how fhir.Interaction) (keys []string, forbidden int) {
	t.Helper()
	for _, typ := range spec.Capability().Types {
		var set fhir.Set
		err := g.View(t.Context(), fhir.Act{Interaction: how, Type: typ.Name, Operation: "$export"}, func(in fhir.Reader) (err error) {
			set, err = in.Search(t.Context(), fhir.Query{Type: typ.Name, Count: 1000})
			return err
		})
		switch {
		case fhir.Is(err, fhir.Forbidden):
			forbidden++
		case err != nil:
			t.Fatal(err)
		}
		got, _ := keysIn(set)
		keys = append(keys, got...)
	}
	slices.Sort(keys)
	return keys, forbidden
}

func TestAnExportHoldsWhatItsCallerReadsAndOthersExportNothing(t *testing.T) {
	p := open(t)
	p.load(world()...)
	p.load(study("bert", "study", "permit", ""))
	for _, name := range names {
		g := p.gate(name)
		var reads []string
		for _, key := range append(idsOf(world()), "Consent/bert-study") {
			if _, err := read(t.Context(), g, k(key)); err == nil {
				reads = append(reads, key)
			}
		}
		slices.Sort(reads)
		for _, how := range []fhir.Interaction{fhir.Export, fhir.Study} {
			got, forbidden := exported(t, p, g, how)
			whole := g.View(t.Context(), fhir.Act{Interaction: how, Operation: "$export"}, func(fhir.Reader) error { return nil })
			switch {
			case how == fhir.Export && slices.Contains([]string{"ehr", "other-ehr", "import"}, name):
				if !slices.Equal(got, reads) || whole != nil {
					t.Errorf("%s exports %q (%v), reads %q", name, got, whole, reads)
				}
			case how == fhir.Study && name == "researcher":
				want := []string{"Appointment/bert-appointment", "Condition/bert-condition", "Consent/bert-study", "Encounter/bert-session", "EpisodeOfCare/bert-episode", "Goal/bert-goal",
					"Observation/bert-finding", "Observation/bert-score", "Observation/bert-withheld", "Organization/clinic", "Organization/elsewhere", "Organization/hospital",
					"Patient/bert", "Practitioner/jon", "Practitioner/mira", "Questionnaire/phq-9", "QuestionnaireResponse/bert-response"}
				if !slices.Equal(got, want) || whole != nil {
					t.Errorf("the researcher gets %q (%v)", got, whole)
				}
			default:
				if len(got) > 0 || forbidden != len(spec.Capability().Types) {
					t.Errorf("%s, %s: %q, %d types refused", name, how, got, forbidden)
				}
				refused(t, name+" "+string(how), whole, fhir.Forbidden)
			}
		}
	}
}

// Only a consent to research permits research; whatever denies wins.
func TestWhoseDataLeaveForResearch(t *testing.T) {
	const hresch = `,"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HRESCH"}]`
	for _, c := range []struct {
		name     string
		consents []string
		agreed   bool
		waived   bool // where the project rests on a waiver
	}{
		{"silence", nil, false, true},
		{"a consent to research", []string{study("anna", "s", "permit", "")}, true, true},
		{"a refusal", []string{study("anna", "s", "deny", "")}, false, false},
		{"a consent and a refusal", []string{study("anna", "s", "permit", ""), study("anna", "r", "deny", "")}, false, false},
		{"a consent to sharing only", []string{consent("anna", "c", "OPTIN", "")}, false, true},
		{"a consent to sharing for research, of another scope", []string{consent("anna", "c", "OPTOUT", `{"provision":[{"type":"permit"`+hresch+`}]}`)}, false, true},
		{"a consent to research, and a refusal to share", []string{study("anna", "s", "permit", ""), consent("anna", "c", "OPTOUT", "")}, false, false},
		{"a consent to research, and a refusal to share for research", []string{study("anna", "s", "permit", ""), consent("anna", "c", "OPTIN", `{"provision":[{"type":"deny"`+hresch+`}]}`)}, false, false},
		{"a consent to research that has ended", []string{study("anna", "s", "permit", `,"period":{"end":"2026-02-01"}`)}, false, true},
		{"a consent to statistics on programmes", []string{strings.Replace(study("anna", "s", "permit", `,"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HPRGRP"}]`), `"research"`, `"patient-privacy"`, 1)}, false, true},
		{"a consent that cannot be understood", []string{study("anna", "s", "permit", `,"modifierExtension":[{"url":"urn:x","valueBoolean":true}]`)}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := open(t)
			p.load(setting()...)
			p.load(client("anna", "mira", "clinic")...)
			p.load(c.consents...)
			researcher := who("researcher")
			for basis, want := range map[policy.Basis]bool{policy.OnConsent: c.agreed, policy.OnWaiver: c.waived} {
				researcher.Basis = basis
				got, _ := exported(t, p, p.guard.For(researcher), fhir.Study)
				if slices.Contains(got, "Patient/anna") != want || slices.Contains(got, "Observation/anna-score") != want {
					t.Errorf("on basis %q: %q", basis, got)
				}
			}
		})
	}
}

func TestOnlyASystemScopeThatIsNotNarrowedCoversAnExport(t *testing.T) {
	p := open(t)
	p.load(world()...)
	for name, c := range map[string]struct {
		scopes []policy.Scope
		want   bool
	}{
		"system":              {[]policy.Scope{{Context: "system", Type: "*", Read: true, Search: true}}, true},
		"system, of one type": {[]policy.Scope{{Context: "system", Type: "Observation", Read: true, Search: true}}, true},
		"system, read alone":  {[]policy.Scope{{Context: "system", Type: "*", Read: true}}, false},
		"user":                {[]policy.Scope{{Context: "user", Type: "*", Read: true, Search: true}}, false},
		"patient":             {[]policy.Scope{{Context: "patient", Type: "*", Read: true, Search: true}}, false},
		"narrowed":            {[]policy.Scope{{Context: "system", Type: "Observation", Read: true, Search: true, Where: []policy.Param{{Name: "category", Value: "survey"}}}}, false},
	} {
		ehr := who("ehr")
		ehr.Scopes, ehr.Patient = c.scopes, k("Patient/anna")
		err := p.guard.For(ehr).View(t.Context(), fhir.Act{Interaction: fhir.Export, Type: "Observation"}, func(in fhir.Reader) error {
			_, err := in.Search(t.Context(), fhir.Query{Type: "Observation", Count: 1})
			return err
		})
		if (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAGroupShowsItsExportThoseMembersThatTheCallerMayHave(t *testing.T) {
	p := open(t)
	p.load(world()...)
	p.load(client("cara", "jon", "elsewhere")...)
	p.load(`{"resourceType":"Group","id":"g","type":"person","actual":true,"name":"study arm","member":[
		{"entity":{"reference":"Patient/anna"}},{"entity":{"reference":"Patient/bert"}},{"entity":{"reference":"Patient/cara"},"inactive":true}]}`)
	cohort := func(who policy.Principal, how fhir.Interaction) (string, error) {
		var r fhir.Resource
		err := p.guard.For(who).View(t.Context(), fhir.Act{Interaction: how, Type: "Group", ID: "g", Operation: "$export"}, func(in fhir.Reader) (err error) {
			r, err = in.Read(t.Context(), k("Group/g"))
			return err
		})
		return string(r.Body()), err
	}
	of := func(ids ...string) string {
		var ms []string
		for _, id := range ids {
			ms = append(ms, fmt.Sprintf(`{"entity":{"reference":"Patient/%s"}}`, id))
		}
		if len(ms) == 0 {
			return `{"resourceType":"Group","id":"g","type":"person","actual":true}`
		}
		return `{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[` + strings.Join(ms, ",") + `]}`
	}
	granted := who("ehr")
	granted.Grants = []fhir.Key{k("Group/g")}
	for name, c := range map[string]struct {
		who  policy.Principal
		how  fhir.Interaction
		want string
	}{
		"import":                         {who("import"), fhir.Export, of("anna", "bert")},
		"a backend that is granted it":   {granted, fhir.Export, of("anna")}, // Bert says nothing
		"a backend that is not":          {who("ehr"), fhir.Export, ""},
		"a researcher who is granted it": {func() policy.Principal { r := who("researcher"); r.Grants = granted.Grants; return r }(), fhir.Study, of()},
	} {
		got, err := cohort(c.who, c.how)
		if c.want == "" {
			refused(t, name, err, fhir.NotFound)
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	// Outside an export, the Group stays out of sight.
	_, err := read(t.Context(), p.guard.For(granted), k("Group/g"))
	refused(t, "a plain read", err, fhir.NotFound)
}

func TestAdministrationMakesTheGroupsOfExportsAndExportsNone(t *testing.T) {
	p := open(t)
	p.load(world()...)
	group := resource(t, `{"resourceType":"Group","id":"arm","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/anna"}},{"entity":{"reference":"Patient/bert"}}]}`)
	for name, may := range map[string]bool{"admin": true, "ehr": false, "researcher": false, "auditor": false, "intake": false, "anna": false} {
		_, err := create(t.Context(), p.gate(name), resource(t, strings.Replace(string(group.Body()), `"arm"`, `"arm-`+name+`"`, 1)), fhir.Condition{MustCreate: true})
		if (err == nil) != may {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := p.gate("admin").View(t.Context(), fhir.Act{Interaction: fhir.Export, Type: "Group", ID: "arm-admin"}, func(in fhir.Reader) error {
		_, err := in.Read(t.Context(), k("Group/arm-admin"))
		return err
	})
	refused(t, "administration's own export", err, fhir.Forbidden)
}

func TestAnExportIsRecordedOnDiskBeforeItIsAnswered(t *testing.T) {
	p := open(t)
	p.load(world()...)
	exported(t, p, p.gate("ehr"), fhir.Export)
	var touched int
	for _, r := range p.log.kept {
		if r.Interaction == fhir.Export {
			touched += len(r.Touched)
			if !r.Synced || r.Operation != "$export" || r.Who.Role != policy.EHR {
				t.Errorf("%+v", r)
			}
		}
	}
	if touched == 0 {
		t.Error("nothing says what was exported")
	}
}

// A consent that is withdrawn ends an export at its next page.
func TestAWithdrawnConsentCountsFromTheNextPage(t *testing.T) {
	p := open(t)
	p.load(world()...)
	before, _ := exported(t, p, p.gate("ehr"), fhir.Export)
	p.load(consent("anna", "consent", "OPTOUT", ""))
	p.move(time.Second)
	after, _ := exported(t, p, p.gate("ehr"), fhir.Export)
	if !slices.Contains(before, "Patient/anna") || slices.Contains(after, "Patient/anna") {
		t.Errorf("%q, then %q", before, after)
	}
}
