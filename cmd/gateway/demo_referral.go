package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/mapping"
	"rapport/policy"
)

// refers is step c. The hospital's part is played by its own staff, at its own gateway.
func (s *story) refers(ctx context.Context) (t tale, err error) {
	hospital, err := s.admin.one(ctx, "Organization?identifier="+mapping.IdentifierSystem(s.practice.System, "organisation")+"|"+seespital)
	if err != nil {
		return t, err
	}
	own, err := s.admin.one(ctx, "Organization?identifier="+mapping.IdentifierSystem(s.practice.System, "organisation")+"|"+lindenhof)
	if err != nil {
		return t, err
	}
	var sent stored
	err = s.therapist.post(ctx, "/practice/referrals", object{
		"key": "demo-referral", "client": to(s.client), "episode": to(s.episode), "direction": "out", "status": "requested",
		"from": to(own.Key), "requester": to(s.doctor), "to": to(hospital.Key), "urgency": "urgent", "date": time.Now().Format(time.RFC3339),
		"service": object{"text": "Assessment of suicide risk, psychiatric outpatient care"},
		"reason":  "Thoughts of being better off dead on several days; depression has become worse.",
	}, &sent)
	if err != nil {
		return t, err
	}
	ours, err := sent.first("Task")
	if err != nil {
		return t, err
	}
	t.say("One transaction wrote the ServiceRequest, %s and the entry of the outbox.", ours)
	if s.hospitalDesk, err = s.speaks(ctx, s.hospital, "desk", issuer.Grant{Role: policy.Integration}); err != nil {
		return t, err
	}
	there := "Task?identifier=" + s.clinic.i.cfg.URL + fhirPath + "/Task|" + strings.TrimPrefix(ours, "Task/")
	var copied fhir.Resource
	err = eventually(ctx, 10*time.Second, func() (bool, error) {
		rs, err := s.hospitalDesk.find(ctx, there)
		if err != nil || len(rs) != 1 {
			return false, err
		}
		copied = rs[0]
		return true, nil
	})
	if err != nil {
		return t, fmt.Errorf("the referral at the hospital: %w", err)
	}
	t.say("The clinic's courier signed in at the hospital's issuer and brought the package; the hospital has its own %s.", copied.Key)
	t.see("%s", s.hospitalDesk.curl(there))
	page := fhirPath + "/" + copied.Key.String() + "/$referral-summary"
	if err := s.keep(ctx, s.hospitalDesk, page, "text/html", "referral.html", &t); err != nil {
		return t, err
	}
	if err := s.answers(ctx, copied.Key, ours, &t); err != nil {
		return t, err
	}
	return t, nil
}

// answers lets the hospital accept and complete its copy of the Task and waits until
// the clinic sees each.
func (s *story) answers(ctx context.Context, theirs fhir.Key, ours string, t *tale) error {
	step := func(status string, more ...string) error {
		task, err := s.hospitalDesk.get(ctx, theirs.String())
		if err != nil {
			return err
		}
		o := fhir.NewObject()
		for name, v := range task.Root().Members() {
			switch name {
			case "status":
				o.Set("status", status)
			case "output":
			default:
				o.Set(name, v)
			}
		}
		if len(more) > 0 {
			o.Set("output", []*fhir.Object{fhir.NewObject().
				Set("type", fhir.NewObject().Set("text", "Report")).Set("valueReference", fhir.NewObject().Set("reference", more[0]))})
		}
		if err := s.hospitalDesk.put(ctx, task, o.JSON()); err != nil {
			return err
		}
		return eventually(ctx, 10*time.Second, func() (bool, error) {
			back, err := s.therapist.get(ctx, ours)
			return err == nil && back.Root().Get("status").Text() == status, err
		})
	}
	if err := step("accepted"); err != nil {
		return fmt.Errorf("accepted: %w", err)
	}
	report, err := s.report(ctx, theirs)
	if err != nil {
		return err
	}
	for _, status := range []string{"in-progress", "completed"} {
		if err := step(status, report); err != nil {
			return fmt.Errorf("%s: %w", status, err)
		}
	}
	back, err := s.therapist.get(ctx, ours)
	if err != nil {
		return err
	}
	out, ok := back.Root().Get("output").Index(0).Get("valueReference").Ref()
	if !ok {
		return fmt.Errorf("%s is completed and names no report", ours)
	}
	if _, err := s.therapist.get(ctx, out.String()); err != nil {
		return err
	}
	t.say("It was accepted and completed there; the hospital's courier brought status and report back: %s, %s.", ours, out)
	t.see("%s", s.therapist.curl(ours))
	t.see("%s", s.therapist.curl(out.String()))
	return nil
}

// report is what the hospital writes about the client who was referred to it.
func (s *story) report(ctx context.Context, task fhir.Key) (string, error) {
	r, err := s.hospitalDesk.get(ctx, task.String())
	if err != nil {
		return "", err
	}
	doc := fhir.NewObject().Set("resourceType", "DocumentReference").Set("status", "current").
		Set("type", fhir.NewObject().Set("text", "Report of the psychiatric outpatient clinic")).
		Set("subject", r.Root().Get("for")).Set("date", fhir.Instant(time.Now())).
		Set("content", []*fhir.Object{fhir.NewObject().Set("attachment", fhir.NewObject().Set("contentType", "text/plain").
			Set("title", "Report").Set("data", "U2VlbiB0b2RheS4gTm8gaW50ZW50LCBubyBwbGFuLiBTYWZldHkgcGxhbiBhZ3JlZWQ7IG5leHQgYXBwb2ludG1lbnQgaW4gdGhyZWUgZGF5cy4="))})
	a, err := s.hospitalDesk.do(ctx, http.MethodPost, fhirPath+"/DocumentReference", doc.JSON())
	if err != nil {
		return "", err
	}
	if a.status != http.StatusCreated {
		return "", fmt.Errorf("the hospital's report: %d: %s", a.status, a.body)
	}
	made, err := fhir.Parse(a.body)
	return made.Key.String(), err
}
