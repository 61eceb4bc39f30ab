package exchange_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/fhir/rest"
	"rapport/fhir/spec"
	"rapport/policy"
)

// withOperations has both sides serve what this package serves.
func withOperations(w *world) {
	for _, s := range []*side{w.clinic, w.hospital} {
		c := s.router.Config
		c.Operations = []rest.Operation{
			exchange.Inbox{Base: s.base, Served: spec.Capability(), Clock: w.clock, Run: s.run}.Operation(),
			exchange.Summaries{Base: s.base, Clock: w.clock, Definition: "https://rapport.example/OperationDefinition/referral-summary"}.Operation(),
		}
		s.router = rest.New(c)
	}
}

// record is what the clinic knows of its client beside the referral.
var record = []string{
	`{"resourceType":"Condition","id":"c1","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"F32.1","display":"Moderate depressive episode"}]},"subject":{"reference":"Patient/p1"}}`,
	`{"resourceType":"Condition","id":"c2","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"42CFRPart2"}]},"code":{"text":"Alcohol dependence"},"subject":{"reference":"Patient/p1"}}`,
	`{"resourceType":"Flag","id":"f1","status":"active","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"SDV"}]},"code":{"text":"Violence at home"},"subject":{"reference":"Patient/p1"}}`,
	`{"resourceType":"Observation","id":"o1","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],"code":{"text":"PHQ-9 total"},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-02-26","valueQuantity":{"value":17},"interpretation":[{"text":"moderately severe"}]}`,
	`{"resourceType":"Observation","id":"o2","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],"code":{"text":"PHQ-9 total"},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-01-26","valueQuantity":{"value":12}}`,
}

// says is a Consent of the client; provision may be empty.
func says(rule, provision string) string {
	if provision != "" {
		provision = `,"provision":{"provision":[` + provision + `]}`
	}
	return `{"resourceType":"Consent","id":"k1","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/p1"},"dateTime":"2026-01-01","policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"` + rule + `"}]}` + provision + `}`
}

const toHospital = `"actor":[{"role":{"coding":[{"code":"IRCP"}]},"reference":{"reference":"Organization/hospital-here"}}]`

// held lists what a side has of the clinic's, by the clinic's own keys.
func held(w *world, s *side) map[string]fhir.Resource {
	out := map[string]fhir.Resource{}
	for _, typ := range []string{"Patient", "Practitioner", "Organization", "Condition", "Goal", "CarePlan", "Flag", "Observation", "DocumentReference", "ServiceRequest", "Task", "Consent"} {
		for _, r := range s.find(typ, "", "") {
			for id := range r.Root().Get("identifier").Elements() {
				if id.Get("system").Text() == w.clinic.base+"/"+typ {
					out[typ+"/"+id.Get("value").Text()] = r
				}
			}
		}
	}
	return out
}

// received returns what the hospital has after one referral under a consent.
func received(t *testing.T, p *parts, consent string) map[string]fhir.Resource {
	t.Helper()
	w, _ := joined(t, p)
	w.clinic.referral("1", "draft")
	for _, r := range record {
		w.clinic.put(r)
	}
	if consent != "" {
		w.clinic.put(consent)
	}
	if a := w.clinic.step(fhir.Key{Type: "Task", ID: "t1"}, "requested", ""); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	w.settle()
	if dead := w.clinic.works(true); len(dead) > 0 {
		t.Fatalf("given up: %+v", dead)
	}
	return held(w, w.hospital)
}

// note returns the two forms of the referral note in a DocumentReference.
func note(t *testing.T, got map[string]fhir.Resource) (page string, bundle fhir.Resource) {
	t.Helper()
	for k, r := range got {
		if !strings.HasPrefix(k, "DocumentReference/") {
			continue
		}
		for c := range r.Root().Get("content").Elements() {
			b, err := base64.StdEncoding.DecodeString(c.At("attachment", "data").Text())
			if err != nil {
				t.Fatal(err)
			}
			if c.At("attachment", "contentType").Text() == "text/html" {
				page = string(b)
			} else if bundle, err = fhir.Parse(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	return page, bundle
}

func TestFlippingOneConsentFlipsExactlyThoseResourcesAtTheHospital(t *testing.T) {
	p := newParts(t)
	whole := received(t, p, says("OPTIN", ""))
	for _, c := range []struct {
		what, consent string
		gone          []string
		secret        []string // that neither form of the note may tell
	}{
		{"nothing is said: Part 2 needs a consent", "", []string{"Condition/c2"}, []string{"Alcohol"}},
		{"scores are denied to the hospital", says("OPTIN", `{"type":"deny",`+toHospital+`,"class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}]}`),
			[]string{"Observation/o1", "Observation/o2"}, []string{"PHQ-9", "moderately severe"}},
		{"what is about violence is denied", says("OPTIN", `{"type":"deny","securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"SDV"}]}`),
			[]string{"Flag/f1"}, []string{"Violence"}},
		{"the same is denied to somebody else", says("OPTIN", `{"type":"deny","actor":[{"role":{"coding":[{"code":"IRCP"}]},"reference":{"reference":"Organization/elsewhere"}}],"securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"SDV"}]}`), nil, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			got := received(t, p, c.consent)
			want := maps.Clone(whole)
			for _, k := range c.gone {
				if _, ok := want[k]; !ok {
					t.Fatalf("%s does not go in the first place", k)
				}
				delete(want, k)
			}
			if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
				t.Errorf("the hospital has %q\nwant %q", g, w)
			}
			page, bundle := note(t, got)
			for _, s := range c.secret {
				if strings.Contains(page, s) || strings.Contains(string(bundle.Body()), s) {
					t.Errorf("the note tells %q", s)
				}
				if first, _ := note(t, whole); !strings.Contains(first, s) {
					t.Errorf("the whole note does not tell %q either", s)
				}
			}
			if missing := len(c.gone) > 0; strings.Contains(page, "Not included") != missing {
				t.Errorf("that something is missing is said: %v", !missing)
			}
		})
	}
}

func TestOfTwoReferralsOfOneClientEachGoesByTheConsentOfItsTime(t *testing.T) {
	w, _ := joined(t, newParts(t))
	w.clinic.referral("1", "draft")
	for _, r := range record {
		w.clinic.put(r)
	}
	w.clinic.put(says("OPTIN", `{"type":"deny","class":[{"system":"http://hl7.org/fhir/resource-types","code":"Observation"}]}`))
	w.clinic.step(fhir.Key{Type: "Task", ID: "t1"}, "requested", "")
	w.settle()
	first := held(w, w.hospital)
	w.clinic.put(says("OPTIN", ""))
	w.clinic.referral("2", "requested")
	w.settle()
	second := held(w, w.hospital)
	var more []string
	for k := range second {
		if _, had := first[k]; !had && !strings.HasPrefix(k, "DocumentReference/") {
			more = append(more, k)
		}
	}
	slices.Sort(more)
	if want := []string{"Observation/o1", "Observation/o2", "ServiceRequest/sr2", "Task/t2"}; !slices.Equal(more, want) {
		t.Errorf("the second referral brought %q, want %q; given up: %+v", more, want, w.clinic.works(true))
	}
	if n := len(w.hospital.find("DocumentReference", "", "")); n != 2 {
		t.Errorf("%d notes", n)
	}
	if n := len(w.hospital.find("Patient", "", "")); n != 1 {
		t.Errorf("%d patients", n)
	}
}

func TestRecordsOfAProgrammeArriveWithTheirNotice(t *testing.T) {
	got := received(t, newParts(t), says("OPTIN", ""))
	labels := func(r fhir.Resource) (out []string) {
		for c := range r.Root().Get("meta").Get("security").Elements() {
			out = append(out, c.Get("code").Text())
		}
		return out
	}
	for _, want := range []string{"42CFRPart2", "NORDSCLCD", "R"} {
		if !slices.Contains(labels(got["Condition/c2"]), want) {
			t.Errorf("the condition arrives with %q", labels(got["Condition/c2"]))
		}
	}
	const notice = "42 CFR part 2 prohibits unauthorized disclosure of these records."
	page, bundle := note(t, got)
	if !strings.Contains(page, notice) || !strings.Contains(string(bundle.Body()), notice) {
		t.Error("the note has no notice")
	}
	for k, r := range got {
		if strings.HasPrefix(k, "DocumentReference/") && (!strings.Contains(r.Root().Get("description").Text(), notice) || !slices.Contains(labels(r), "42CFRPart2")) {
			t.Errorf("the note's entry: %q, %q", r.Root().Get("description").Text(), labels(r))
		}
	}
	// Without such a record there is no notice.
	page, _ = note(t, received(t, newParts(t), ""))
	if strings.Contains(page, "42 CFR") {
		t.Error("a notice that does not apply")
	}
}

func TestAReferralIsServedAsADocumentToWhoMaySeeIt(t *testing.T) {
	w, _ := joined(t, newParts(t))
	withOperations(w)
	task := w.clinic.referral("1", "draft")
	for _, r := range record {
		w.clinic.put(r)
	}
	w.clinic.step(task, "requested", "")
	w.settle()
	copied := w.copyOf(task)[0].Key
	// What the hospital adds of its own is no part of what it was sent.
	w.hospital.put(`{"resourceType":"Condition","id":"own","code":{"text":"Found here"},"subject":` + string(w.copyOf(task)[0].Root().Get("for").Raw()) + `}`)
	for _, c := range []struct {
		*side
		task fhir.Key
	}{{w.clinic, task}, {w.hospital, copied}} {
		a := c.serve(c.staff, http.MethodGet, c.task.String()+"/$referral-summary", nil, nil)
		b, err := fhir.Parse(a.Body)
		if err != nil || a.Status != http.StatusOK || b.Root().Get("type").Text() != "document" || !strings.Contains(string(a.Body), "moderately severe") || strings.Contains(string(a.Body), "Found here") {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Body)
		}
		a = c.serve(c.staff, http.MethodGet, c.task.String()+"/$referral-summary", nil, nil, "Accept", "text/html,application/fhir+json;q=0.5")
		if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(string(a.Body), "<!DOCTYPE html>") ||
			!strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", c.name, a.Header)
		}
	}
	// The same question of a therapist and of who runs the practice: each gets what
	// their gate shows.
	w.clinic.put(`{"resourceType":"EpisodeOfCare","id":"e1","status":"active","patient":{"reference":"Patient/p1"},"careManager":{"reference":"Practitioner/mira"}}`)
	for role, clinical := range map[policy.Role]bool{policy.Therapist: true, policy.Admin: false} {
		who := policy.Principal{Tenant: w.clinic.tenant, Issuer: "test", Subject: string(role), Client: "test", Role: role, User: fhir.Key{Type: "Practitioner", ID: "mira"}, Scopes: all("user"), Purpose: "TREAT"}
		a := w.clinic.serve(w.clinic.guard.For(who), http.MethodGet, task.String()+"/$referral-summary", nil, nil)
		if a.Status != http.StatusOK || strings.Contains(string(a.Body), "moderately severe") != clinical || strings.Contains(string(a.Body), "Moderate depressive episode") != clinical {
			t.Errorf("%s: %d %s", role, a.Status, a.Body)
		}
	}
	for path, want := range map[string]int{"Task/none/$referral-summary": 404, "Task/" + copied.ID + "/$referral-summary": 404} {
		if a := w.clinic.serve(w.clinic.staff, http.MethodGet, path, nil, nil); a.Status != want {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	w.clinic.put(`{"resourceType":"Task","id":"other","status":"requested","intent":"order","for":{"reference":"Patient/p1"}}`)
	if a := w.clinic.serve(w.clinic.staff, http.MethodGet, "Task/other/$referral-summary", nil, nil); a.Status/100 != 4 {
		t.Errorf("a Task that is no referral: %d", a.Status)
	}
	if a := w.clinic.serve(w.clinic.partner, http.MethodGet, task.String()+"/$referral-summary", nil, nil); a.Status == http.StatusOK && strings.Contains(string(a.Body), "Alcohol") {
		t.Error("the partner reads by the summary what it may not have")
	}
}

func TestTheAllianceStaysBetweenClientAndTherapistUnlessItIsNamed(t *testing.T) {
	const alliance = `{"resourceType":"Observation","id":"a1","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],` +
		`"code":{"coding":[{"system":"https://rapport.example/fhir/CodeSystem/instrument-score","code":"alliance-total"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-03-01","valueQuantity":{"value":21}}`
	p := newParts(t)
	for _, named := range []bool{false, true} {
		w, _ := joined(t, p)
		w.clinic.referral("1", "draft")
		w.clinic.put(record[3])
		w.clinic.put(alliance)
		if named {
			sr := w.clinic.get("ServiceRequest/sr1")
			w.clinic.put(strings.Replace(string(sr.Body()), `"status":"active"`, `"status":"active","supportingInfo":[{"reference":"Observation/a1"}]`, 1))
		}
		w.clinic.step(fhir.Key{Type: "Task", ID: "t1"}, "requested", "")
		w.settle()
		got := held(w, w.hospital)
		if _, told := got["Observation/a1"]; told != named || got["Observation/o1"].IsZero() {
			t.Errorf("named %v: told %v; %q", named, told, slices.Sorted(maps.Keys(got)))
		}
	}
}
