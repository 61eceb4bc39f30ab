package bulk_test

import (
	"fmt"
)

func setting() []string {
	return []string{
		`{"resourceType":"Organization","id":"clinic","name":"Clinic"}`,
		`{"resourceType":"Practitioner","id":"mira","name":[{"family":"Lindqvist"}]}`,
		`{"resourceType":"Questionnaire","id":"phq-9","url":"http://q/phq-9","status":"active"}`,
	}
}

// client is the record of one client.
func client(name string) []string {
	about := fmt.Sprintf(`"subject":{"reference":"Patient/%s"}`, name)
	return []string{
		fmt.Sprintf(`{"resourceType":"Patient","id":%q,"name":[{"family":"Family-%s"}],"managingOrganization":{"reference":"Organization/clinic"}}`, name, name),
		fmt.Sprintf("{\n  \"resourceType\":\"Goal\",\r\n  \"id\":\"%s-goal\",%s,\"lifecycleStatus\":\"active\",\"description\":{\"text\":\"sleep\"}}", name, about),
		fmt.Sprintf(`{"resourceType":"Observation","id":"%s-score",%s,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]},"effectiveDateTime":"2026-02-01","valueInteger":12}`, name, about),
		fmt.Sprintf(`{"resourceType":"Observation","id":"%s-finding",%s,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"75275-8"}]}}`, name, about),
		fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","id":"%s-response",%s,"status":"completed","questionnaire":"http://q/phq-9","source":{"reference":"Patient/%s"},"author":{"reference":"Patient/%s"},"authored":"2026-02-01T08:00:00Z"}`, name, about, name, name),
	}
}

// agreed is a consent of a client's, to sharing or to research.
func agreed(name, scope, effect string) string {
	return fmt.Sprintf(`{"resourceType":"Consent","id":"%s-%s","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":%q}]},"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/%s"},"dateTime":"2026-01-01","policy":[{"uri":"urn:p:%s"}],"provision":{"type":%q}}`,
		name, scope, scope, name, scope, effect)
}

// practice: Anna lets others read and agreed to research, Bert to nothing, Cara to
// research alone. The Group holds Anna and Bert.
func practice() (bodies []string) {
	bodies = setting()
	for _, n := range []string{"anna", "bert", "cara"} {
		bodies = append(bodies, client(n)...)
	}
	return append(bodies, agreed("anna", "patient-privacy", "permit"), agreed("anna", "research", "permit"), agreed("cara", "research", "permit"),
		`{"resourceType":"Appointment","id":"couple","status":"booked","start":"2026-03-05T09:00:00Z","end":"2026-03-05T10:00:00Z","participant":[{"actor":{"reference":"Patient/anna"},"status":"accepted"},{"actor":{"reference":"Patient/bert"},"status":"accepted"}]}`,
		`{"resourceType":"Group","id":"arm","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/anna"}},{"entity":{"reference":"Patient/bert"}}]}`)
}
