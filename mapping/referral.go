package mapping

import (
	"fmt"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/fhir"
	"rapport/mapping/practice"
)

const taskCodeSystem = "http://hl7.org/fhir/CodeSystem/task-code"

// requestStatus is the status of the request itself, which is the sender's alone:
// that somebody has not begun yet or pauses does not change what was asked for.
var requestStatus = map[string]string{
	"draft": "draft", "requested": "active", "accepted": "active", "in-progress": "active", "on-hold": "active",
	"completed": "completed", "rejected": "revoked", "failed": "revoked", "cancelled": "revoked", "entered-in-error": "entered-in-error",
}

// referral → ServiceRequest and, for one that goes out, the Task that asks the
// receiver to fulfil it. What comes in needs no Task of ours: a partner's brings
// its own, and of an intake's nobody is asked.
//
// Source: US Core ServiceRequest; Gravity SDOH Clinical Care, Task for referral
// management.
func (w *writer) referral(r *practice.Referral) {
	subject := w.must("client", r.Client, "/client")
	from := w.target("organisation", r.From, "/from")
	requester := w.target("practitioner", r.Requester, "/requester")
	status, ok := requestStatus[r.Status]
	if !ok {
		w.fail("/status", fhir.Errorf(fhir.CodeInvalid, "/status", "is none of the words that are known here"))
		return
	}
	level := administrative
	if r.Reason != "" || r.Note != "" || len(r.ReasonCodes) > 0 || len(r.Supporting) > 0 {
		level = clinical
	}
	s := r4.ServiceRequest{
		Id:         of(w.key("ServiceRequest").ID),
		Meta:       level.meta(claim("servicerequest", !r.Service.IsZero())),
		Extension:  w.referralExtensions(r, from, requester),
		Identifier: w.identifier(),
		Status:     enum[r4.RequestStatus](w, "/status", status),
		Intent:     r4.RequestIntentOrder,
		Code:       conceptOf(r.Service),
		Subject:    subject,
		AuthoredOn: text(r.Date),
		Requester:  reference(requester),
		ReasonCode: reasons(r),
	}
	if s.Requester == nil {
		s.Requester = reference(from)
	}
	if r.Urgency != "" {
		s.Priority = of(enum[r4.RequestPriority](w, "/urgency", r.Urgency))
	}
	if r.Due != "" {
		s.OccurrencePeriod = &r4.Period{End: of(r.Due)}
	}
	to := w.target("organisation", r.To, "/to")
	s.Performer = references(to)
	for i, c := range r.Consents {
		s.SupportingInfo = append(s.SupportingInfo, w.must("consent", c, fmt.Sprintf("/consents/%d", i)))
	}
	s.SupportingInfo = append(s.SupportingInfo, references(w.stored(r.Supporting, "/supporting")...)...)
	if r.Note != "" {
		s.Note = []r4.Annotation{{Text: r.Note}}
	}
	w.add(s)
	if r.Direction == "out" {
		asker := from
		if asker.IsZero() {
			asker = requester
		}
		w.asks(r, asker, to)
	}
}

// reasons puts the reason in words first; further ones follow.
func reasons(r *practice.Referral) (out []r4.CodeableConcept) {
	if r.Reason != "" {
		out = append(out, r4.CodeableConcept{Text: of(r.Reason)})
	}
	return append(out, conceptsOf(r.ReasonCodes)...)
}

func (w *writer) referralExtensions(r *practice.Referral, from, requester fhir.Key) []r4.Extension {
	var x extensions
	x.episode("ServiceRequest", w.target("episode", r.Episode, "/episode"))
	x.code("referral-direction", r.Direction)
	x.concept("referral-requester-role", r.RequesterRole)
	if !requester.IsZero() {
		x.reference(extensionURL("referral-from"), from)
	}
	if r.Direction == "in" {
		x.code("referral-status", r.Status)
		x.text("referral-status-reason", r.StatusReason)
		for _, k := range w.stored(r.Outcomes, "/outcomes") {
			x.reference(extensionURL("referral-outcome"), k)
		}
	}
	x.details(r.Details)
	return x
}

// asks makes the Task, on which exchange acts. The organisation asks where it is
// named, since it is the organisation that an answer goes to; the reason stays in
// the request, since those who run the practice read Tasks too.
func (w *writer) asks(r *practice.Referral, asker, to fhir.Key) {
	if to.IsZero() {
		w.fail("/to", fhir.Errorf(fhir.Required, "/to", "is missing: a referral that goes out names the organisation that is asked"))
	}
	if asker.IsZero() {
		w.fail("/from", fhir.Errorf(fhir.Required, "/from", "is missing: a referral that goes out names the organisation or the requester who refers"))
	}
	o := fhir.NewResource(w.key("Task")).
		Set("meta", administrative.object()).
		Set("identifier", objects(w.identifier("task"))).
		Set("status", r.Status)
	if r.StatusReason != "" {
		o.Set("statusReason", fhir.NewObject().Set("text", r.StatusReason))
	}
	o.Set("intent", "order").
		Set("priority", r.Urgency).
		Set("code", fhir.Concept(taskCodeSystem, "fulfill", "Fulfill the focal request")).
		Set("focus", w.key("ServiceRequest")).
		Set("for", w.target("client", r.Client, "/client")).
		Set("authoredOn", r.Date).
		Set("requester", asker).
		Set("owner", to)
	if r.Due != "" {
		o.Set("restriction", fhir.NewObject().Set("period", fhir.NewObject().Set("end", r.Due)))
	}
	var outputs []*fhir.Object
	for _, k := range w.stored(r.Outcomes, "/outcomes") {
		outputs = append(outputs, fhir.NewObject().
			Set("type", fhir.NewObject().Set("text", "Outcome of the referral")).
			Set("valueReference", k))
	}
	w.add(o.Set("output", outputs))
}

// stored are references to resources of whatever type. A business key would not
// say of which kind, so only what is stored can be meant.
func (w *writer) stored(rs []practice.Ref, at string) (out []fhir.Key) {
	for i, r := range rs {
		if r.Stored.IsZero() {
			p := fmt.Sprintf("%s/%d", at, i)
			w.fail(p, fhir.Errorf(fhir.Value, p, `must be of the form {"reference": "Type/id"}`))
			continue
		}
		out = append(out, r.Stored)
	}
	return out
}

func (d *reader) referral() *practice.Referral {
	out := &practice.Referral{
		Client:        refIn(d.n.Get("subject")),
		Episode:       episodeIn(d.n),
		Direction:     extension(d.n, "referral-direction").Get("valueCode").Text(),
		From:          refIn(extension(d.n, "referral-from").Get("valueReference")),
		RequesterRole: conceptIn(extension(d.n, "referral-requester-role").Get("valueCodeableConcept")),
		To:            refIn(d.n.Get("performer").Index(0)),
		Status:        extension(d.n, "referral-status").Get("valueCode").Text(),
		StatusReason:  extension(d.n, "referral-status-reason").Get("valueString").Text(),
		Urgency:       d.n.Get("priority").Text(),
		Service:       conceptIn(d.n.Get("code")),
		Date:          d.n.Get("authoredOn").Text(),
		Due:           d.n.Get("occurrencePeriod").Get("end").Text(),
		Note:          d.n.Get("note").Index(0).Get("text").Text(),
		ReasonCodes:   conceptsIn(d.n.Get("reasonCode")),
		Details:       detailsIn(d.n),
	}
	switch by := refIn(d.n.Get("requester")); by.Stored.Type {
	case "Organization":
		out.From = by
	case "Practitioner":
		out.Requester = by
	}
	if cs := out.ReasonCodes; len(cs) > 0 && cs[0].Coding.IsZero() && len(cs[0].Also) == 0 {
		out.Reason, out.ReasonCodes = cs[0].Text, cs[1:]
	}
	if len(out.ReasonCodes) == 0 {
		out.ReasonCodes = nil
	}
	for _, r := range refsIn(d.n.Get("supportingInfo")) {
		if r.Stored.Type == "Consent" {
			out.Consents = append(out.Consents, r)
		} else {
			out.Supporting = append(out.Supporting, r)
		}
	}
	for e := range d.n.Get("extension").Elements() {
		if e.Get("url").Text() == extensionURL("referral-outcome") {
			out.Outcomes = append(out.Outcomes, refIn(e.Get("valueReference")))
		}
	}
	d.answered(out)
	return out
}

// answered reads what the Task says of how far it is; without it, what the request
// says.
func (d *reader) answered(out *practice.Referral) {
	for _, n := range d.of("Task") {
		if k, ok := n.Get("focus").Ref(); !ok || k != d.key || !n.Get("code").HasCoding(taskCodeSystem, "fulfill") {
			continue
		}
		out.Status = n.Get("status").Text()
		out.StatusReason = conceptIn(n.Get("statusReason")).Text
		if by := refIn(n.Get("requester")); by.Stored.Type == "Organization" {
			out.From = by
		}
		for o := range n.Get("output").Elements() {
			if r := refIn(o.Get("valueReference")); !r.IsZero() {
				out.Outcomes = append(out.Outcomes, r)
			}
		}
	}
	if out.Direction == "" {
		out.Direction = "out"
	}
	if out.Status != "" {
		return
	}
	switch s := d.n.Get("status").Text(); s {
	case "active", "on-hold":
		out.Status = "requested"
	case "revoked":
		out.Status = "cancelled"
	case "unknown":
		out.Status = "draft"
	default:
		out.Status = s
	}
}
