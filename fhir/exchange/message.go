package exchange

import (
	"context"
	"fmt"

	"rapport/fhir"
)

// The event of a referral that is sent as a message.
//
// Source: BSeR 2.0, message event of a referral request; HL7 v2 table 0003
const (
	eventSystem  = "http://terminology.hl7.org/CodeSystem/v2-0003"
	eventCode    = "I12"
	eventDisplay = "REF/RRI - Patient referral"
)

// message sends the package as one message. Sent again it has the same id, by which
// its receiver knows that it has it.
func (c *Courier) message(ctx context.Context, to Partner, p *pack, task fhir.Head) (theirs string, err error) {
	bundle, err := p.message(task, fhir.Instant(c.Clock()))
	if err != nil {
		return "", err
	}
	answer, err := c.Channel.Message(ctx, to, bundle)
	if err != nil || answer.IsZero() {
		return "", err
	}
	header := answer.Root().Get("entry").Index(0).Get("resource")
	if answer.Type != "Bundle" || header.Get("resourceType").Text() != "MessageHeader" {
		return "", &fhir.Error{Code: fhir.Invalid, Detail: "the partner answered a message with something else"}
	}
	switch header.At("response", "code").Text() {
	case "ok":
	case "transient-error":
		return "", &fhir.Error{Code: fhir.Transient, Detail: "the partner could not take the message now"}
	default:
		return "", &fhir.Error{Code: fhir.Invalid, Detail: "the partner refused the message"}
	}
	for f := range header.Get("focus").Elements() {
		if s := keyIn(f.Get("reference").Text(), "Task"); s != "" {
			return s, nil
		}
	}
	return "", nil
}

// message writes the package as a message Bundle: what a transaction holds, behind a
// header in place of requests.
//
// Source: https://hl7.org/fhir/R4/messaging.html
func (p *pack) message(task fhir.Head, at string) (fhir.Resource, error) {
	id := uuid(fmt.Sprintf("message %s %s@%d", p.base, task.Key, task.Version))
	header := fhir.NewResource(fhir.Key{Type: "MessageHeader", ID: id}).
		Set("eventCoding", fhir.Coding(eventSystem, eventCode, eventDisplay)).
		Set("destination", []*fhir.Object{fhir.NewObject().Set("name", p.to.Name).Set("endpoint", p.to.Base)}).
		Set("source", fhir.NewObject().Set("name", "Rapport").Set("endpoint", p.base))
	entries := []*fhir.Object{nil}
	var focus []*fhir.Object
	for _, r := range p.sent {
		o, err := p.resource(r)
		if err != nil {
			return fhir.Resource{}, err
		}
		entries = append(entries, fhir.NewObject().Set("fullUrl", urn(r.Key)).Set("resource", o))
		if r.Type == "Task" || r.Type == "ServiceRequest" {
			focus = append(focus, fhir.NewObject().Set("reference", urn(r.Key)))
		}
	}
	entries[0] = fhir.NewObject().Set("fullUrl", "urn:uuid:"+id).Set("resource", header.Set("focus", focus))
	return fhir.NewResource(fhir.Key{Type: "Bundle"}).
		Set("identifier", fhir.NewObject().Set("system", "urn:ietf:rfc:3986").Set("value", "urn:uuid:"+id)).
		Set("type", "message").
		Set("timestamp", at).
		Set("entry", entries).Resource()
}
