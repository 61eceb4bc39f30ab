package policy_test

import (
	"fmt"
	"strings"
)

// The practice: Mira treats Anna, Jon treats Bert; Anna is referred to the hospital
// and lets the clinic's EHR vendor read; Bert says nothing.

func setting() []string {
	return []string{
		`{"resourceType":"Organization","id":"clinic","name":"Clinic"}`,
		`{"resourceType":"Organization","id":"hospital","name":"Hospital"}`,
		`{"resourceType":"Organization","id":"elsewhere","name":"Elsewhere"}`,
		`{"resourceType":"Practitioner","id":"mira","name":[{"family":"Lindqvist"}]}`,
		`{"resourceType":"Practitioner","id":"jon","name":[{"family":"Berg"}]}`,
		`{"resourceType":"Questionnaire","id":"phq-9","url":"http://q/phq-9","status":"active"}`,
	}
}

const (
	survey = `"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}]`
	code   = `"code":{"coding":[{"system":"http://loinc.org","code":%q}]}`
)

// client is the record of one client: everything about it bears its name.
func client(name, therapist, org string) []string {
	about := fmt.Sprintf(`"subject":{"reference":"Patient/%s"}`, name)
	r := func(typ, id, rest string) string {
		return fmt.Sprintf(`{"resourceType":%q,"id":"%s-%s",%s}`, typ, name, id, rest)
	}
	coded := func(c string) string { return fmt.Sprintf(code, c) }
	return []string{
		fmt.Sprintf(`{"resourceType":"Patient","id":%q,"identifier":[{"system":"urn:mrn","value":"mrn-%s"}],"name":[{"family":"Family-%s"}],"managingOrganization":{"reference":"Organization/%s"}}`, name, name, name, org),
		r("EpisodeOfCare", "episode", fmt.Sprintf(`"status":"active","patient":{"reference":"Patient/%s"},"careManager":{"reference":"Practitioner/%s"},"managingOrganization":{"reference":"Organization/%s"},"period":{"start":"2026-01-01"}`, name, therapist, org)),
		r("Encounter", "session", about+fmt.Sprintf(`,"status":"finished","class":{"code":"AMB"},"participant":[{"individual":{"reference":"Practitioner/%s"}}],"episodeOfCare":[{"reference":"EpisodeOfCare/%s-episode"}],"period":{"start":"2026-02-01T09:00:00Z","end":"2026-02-01T09:50:00Z"}`, therapist, name)),
		r("Observation", "score", about+`,"status":"final",`+survey+`,`+coded("44261-6")+`,"effectiveDateTime":"2026-02-01","valueInteger":12,"derivedFrom":[{"reference":"QuestionnaireResponse/`+name+`-response"}]`),
		r("Observation", "finding", about+`,"status":"final",`+coded("75275-8")+`,"encounter":{"reference":"Encounter/`+name+`-session"}`),
		r("Observation", "withheld", about+`,"status":"final",`+coded("75275-8")+`,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"NOPAT"}]}`),
		r("QuestionnaireResponse", "response", about+`,"status":"completed","questionnaire":"http://q/phq-9","source":{"reference":"Patient/`+name+`"},"authored":"2026-02-01T08:00:00Z"`),
		r("Goal", "goal", about+`,"lifecycleStatus":"active","description":{"text":"sleep"}`),
		r("Condition", "condition", about+`,"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"F32.1"}]}`),
		r("Appointment", "appointment", `"status":"booked","participant":[{"actor":{"reference":"Patient/`+name+`"},"status":"accepted"}],"start":"2026-03-05T09:00:00Z","end":"2026-03-05T10:00:00Z"`),
	}
}

// referred is a referral of a client from the clinic to the hospital.
func referred(name string) []string {
	return []string{
		fmt.Sprintf(`{"resourceType":"ServiceRequest","id":"%s-request","status":"active","intent":"order","subject":{"reference":"Patient/%s"},"requester":{"reference":"Organization/clinic"},"performer":[{"reference":"Organization/hospital"}],"reasonCode":[{"text":"crisis"}]}`, name, name),
		fmt.Sprintf(`{"resourceType":"Task","id":"%s-task","status":"requested","intent":"order","for":{"reference":"Patient/%s"},"focus":{"reference":"ServiceRequest/%s-request"},"requester":{"reference":"Organization/clinic"},"owner":{"reference":"Organization/hospital"}}`, name, name, name),
	}
}

// consent of a client: OPTIN or OPTOUT, with a provision or without.
func consent(name, id, rule, provision string) string {
	if provision != "" {
		provision = `,"provision":` + provision
	}
	return fmt.Sprintf(`{"resourceType":"Consent","id":"%s-%s","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/%s"},"dateTime":"2026-01-01","policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":%q}]}%s}`,
		name, id, name, rule, provision)
}

// world is the whole practice.
func world() (bodies []string) {
	bodies = append(bodies, setting()...)
	bodies = append(bodies, client("anna", "mira", "clinic")...)
	bodies = append(bodies, client("bert", "jon", "clinic")...)
	bodies = append(bodies, referred("anna")...)
	return append(bodies, consent("anna", "consent", "OPTIN", ""))
}

// idsOf lists the keys of bodies.
func idsOf(bodies []string) (keys []string) {
	for _, b := range bodies {
		typ := strings.Split(b, `"`)[3]
		id := strings.Split(b, `"`)[7]
		keys = append(keys, typ+"/"+id)
	}
	return keys
}
