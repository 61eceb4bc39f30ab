package exchange

import (
	"testing"

	"rapport/fhir"
)

func TestWhatASendersSystemWritesAgainTakesNothingBack(t *testing.T) {
	const task = `"intent":"order","code":{"coding":[{"system":"http://hl7.org/fhir/CodeSystem/task-code","code":"fulfill"}]},"focus":{"reference":"ServiceRequest/s"}`
	for name, c := range map[string]struct{ stored, posted, want, left string }{
		"accepted meanwhile": {
			`{"resourceType":"Task","id":"t","status":"accepted","businessStatus":{"text":"on the list"},` + task + `}`,
			`{"resourceType":"Task","id":"t","status":"requested","priority":"urgent",` + task + `}`,
			`{"resourceType":"Task","id":"t","status":"accepted","priority":"urgent",` + task + `,"businessStatus":{"text":"on the list"}}`, "accepted"},
		"a step of the sender's": {
			`{"resourceType":"Task","id":"t","status":"accepted","output":[{"type":{"text":"r"}}],` + task + `}`,
			`{"resourceType":"Task","id":"t","status":"cancelled","statusReason":{"text":"moved away"},` + task + `}`,
			`{"resourceType":"Task","id":"t","status":"cancelled","statusReason":{"text":"moved away"},` + task + `,"output":[{"type":{"text":"r"}}]}`, ""},
		"a request that was completed": {
			`{"resourceType":"ServiceRequest","id":"s","status":"completed","intent":"order"}`,
			`{"resourceType":"ServiceRequest","id":"s","status":"active","intent":"order","priority":"asap"}`,
			`{"resourceType":"ServiceRequest","id":"s","status":"completed","intent":"order","priority":"asap"}`, "completed"},
		"a request that was an error": {
			`{"resourceType":"ServiceRequest","id":"s","status":"completed","intent":"order"}`,
			`{"resourceType":"ServiceRequest","id":"s","status":"entered-in-error","intent":"order"}`,
			`{"resourceType":"ServiceRequest","id":"s","status":"entered-in-error","intent":"order"}`, ""},
		"a Task that is no referral": {
			`{"resourceType":"Task","id":"t","status":"accepted","intent":"order"}`,
			`{"resourceType":"Task","id":"t","status":"requested","intent":"order"}`,
			`{"resourceType":"Task","id":"t","status":"requested","intent":"order"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, left, err := UnderWay(parsed(t, c.stored), parsed(t, c.posted))
			if err != nil || left != c.left || !fhir.SameContent(got, parsed(t, c.want)) {
				t.Errorf("%s, left %q, %v", got.Body(), left, err)
			}
		})
	}
}

func parsed(t *testing.T, s string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
