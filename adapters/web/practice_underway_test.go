package web

import (
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
)

func TestAReferralThatIsUnderWayIsNotSetBack(t *testing.T) {
	o := newOffice(t).settle()
	referral := `{"key":"f1","client":"c1","direction":"out","from":"home","to":"hospital","requester":"t1","status":"requested","service":{"text":"Assessment"}}`
	o.post("referrals", referral)
	task := o.of("Task")[0]
	// The hospital answers.
	answered, err := task.Apply(fhir.Replace(task.Root().Get("status"), []byte(`"completed"`)),
		fhir.Add(task.Root(), []byte(`"output":[{"type":{"text":"Report"},"valueString":"done"}],"businessStatus":{"text":"seen"},"statusReason":{"text":"all well"}`)))
	if err != nil {
		t.Fatal(err)
	}
	o.versions[task.Key] = append(o.versions[task.Key], must(answered.Stamp(task.ID, 2, noon())))
	got := o.post("referrals", referral)
	if got.Outcome != "unchanged" || len(got.Issues) != 1 || got.Issues[0].Severity != "warning" || got.Issues[0].Code != "business-rule" {
		t.Errorf("the same again: %+v", got)
	}
	// Another wording of the request changes the request, and the Task alone where it is the sender's.
	got = o.post("referrals", strings.Replace(referral, `"requester"`, `"urgency":"urgent","requester"`, 1))
	if got.Outcome != "updated" || !slices.Equal(got.types(), []string{"ServiceRequest updated", "Task updated"}) {
		t.Errorf("another urgency: %+v", got)
	}
	now := o.get(task.Key).Root()
	if now.Get("status").Text() != "completed" || now.Get("output").Len() != 1 || now.At("statusReason", "text").Text() != "all well" || now.Get("priority").Text() != "urgent" {
		t.Errorf("%s", now.Raw())
	}
	// A step of the sender's is one.
	got = o.post("referrals", strings.Replace(referral, "requested", "entered-in-error", 1))
	if now = o.get(task.Key).Root(); got.Outcome != "updated" || now.Get("status").Text() != "entered-in-error" || now.Get("output").Len() != 1 || len(got.Issues) != 0 {
		t.Errorf("%+v: %s", got, now.Raw())
	}
}

func TestAnExerciseThatTheClientReportedOnIsNotSetBack(t *testing.T) {
	o := newOffice(t).settle()
	exercise := `{"key":"x1","client":"c1","episode":"e1","therapist":"t1","status":"requested","exercise":"breathing","instructions":"Ten minutes a day."}`
	o.post("exercises", exercise)
	task := o.of("Task")[0]
	// The client reports.
	reported, err := task.Apply(fhir.Replace(task.Root().Get("status"), []byte(`"completed"`)),
		fhir.Add(task.Root(), []byte(`"output":[{"type":{"text":"Report"},"valueReference":{"reference":"QuestionnaireResponse/of-the-client"}}]`)))
	if err != nil {
		t.Fatal(err)
	}
	o.versions[task.Key] = append(o.versions[task.Key], must(reported.Stamp(task.ID, 2, noon())))
	got := o.post("exercises", exercise)
	if got.Outcome != "unchanged" || len(got.Issues) != 1 || got.Issues[0].Severity != "warning" || got.Issues[0].Code != "business-rule" {
		t.Errorf("the same again: %+v", got)
	}
	got = o.post("exercises", strings.Replace(exercise, "Ten", "Twenty", 1))
	now := o.get(task.Key).Root()
	if got.Outcome != "updated" || now.Get("status").Text() != "completed" || now.Get("output").Len() != 1 || now.Get("description").Text() != "Twenty minutes a day." {
		t.Errorf("another wording: %+v: %s", got, now.Raw())
	}
}
