package mapping

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/fhir"
	"rapport/mapping/practice"
)

const (
	consentScopeSystem    = "http://terminology.hl7.org/CodeSystem/consentscope"
	consentCategorySystem = "http://terminology.hl7.org/CodeSystem/consentcategorycodes"
	observationValue      = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
	resourceTypes         = "http://hl7.org/fhir/resource-types"
	recipientRole         = "IRCP"
	reporting             = "HPRGRP"  // v3-ActReason: health program reporting
	anonymised            = "ANONYED" // v3-ObservationValue
)

// policyBase is where the policies are named that consents of records without one
// of their own are given under.
const policyBase = Canonical + "/policy/"

// consent → Consent in the dialect of HRex and IHE PCF: the provision says which
// way it goes and whom and what it is about; what it does not cover, it does not
// speak of. Agreement to be treated grants nobody any data.
//
// Statistics are a permission for what is anonymised, for reporting on programmes
// alone. A judge of identified data never finds such a permission to hold.
//
// A later consent takes the place of an earlier one under the same policy. So the
// policy of a record that names none is what it covers: a consent to one recipient
// says nothing about another, and a denial stands until that very thing is allowed.
//
// Source: HL7 HRex consent, IHE ITI PCF 1.1.
func (w *writer) consent(r *practice.Consent) {
	subject := w.target("client", r.Client, "/client")
	if subject.IsZero() {
		w.fail("/client", fhir.Errorf(fhir.Required, "/client", "is missing"))
	}
	scope, category := w.aboutConsent(r.About)
	by := subject
	if !r.GivenBy.IsZero() {
		if ks := w.stored([]practice.Ref{r.GivenBy}, "/givenBy"); len(ks) == 1 {
			by = ks[0]
		}
	}
	covered := w.covers(r)
	c := r4.Consent{
		Id:           of(w.key("Consent").ID),
		Meta:         administrative.meta(),
		Extension:    w.consentExtensions(r),
		Identifier:   w.identifier(),
		Status:       enum[r4.ConsentState](w, "/status", r.Status),
		Scope:        concept4(consentScopeSystem, scope, ""),
		Category:     category,
		Patient:      reference(subject),
		DateTime:     text(r.Date),
		Performer:    references(by),
		Organization: references(w.target("organisation", r.Organisation, "/organisation")),
		Policy:       []r4.ConsentPolicy{{Uri: of(policyOf(r, covered))}},
		Provision:    w.provision(r, covered),
	}
	if r.Text != "" {
		c.SourceAttachment = &r4.Attachment{ContentType: of("text/plain;charset=utf-8"), Data: of(base64.StdEncoding.EncodeToString([]byte(r.Text)))}
	}
	if r.Verified != nil {
		c.Verification = []r4.ConsentVerification{{Verified: *r.Verified}}
	}
	w.add(c)
}

// aboutConsent gives the scope and the category of what a consent is about.
func (w *writer) aboutConsent(about string) (string, []r4.CodeableConcept) {
	switch about {
	case "framing":
		return "treatment", []r4.CodeableConcept{
			{Coding: []r4.Coding{w.code("consent-about", about, "/about")}},
			concept4(loinc, "59284-0", "Consent Document"),
		}
	case "treatment":
		return "treatment", []r4.CodeableConcept{concept4(loinc, "59284-0", "Consent Document")}
	case "privacy":
		return "patient-privacy", []r4.CodeableConcept{concept4(actCodeSystem, "IDSCL", "")}
	case "research":
		return "research", []r4.CodeableConcept{concept4(consentCategorySystem, "research", "")}
	case "statistics":
		return "patient-privacy", []r4.CodeableConcept{{Coding: []r4.Coding{w.code("consent-about", about, "/about")}}}
	}
	w.fail("/about", fhir.Errorf(fhir.CodeInvalid, "/about", "is none of the words that are known here"))
	return "", nil
}

// covered is what a consent is about, in the words of the resource.
type covered struct {
	recipients                []fhir.Key
	purposes, labels, classes []string
}

// covers reads it. A permission to pass data on that names nobody and nothing
// would be one for everybody and everything, which nobody means.
func (w *writer) covers(r *practice.Consent) (c covered) {
	for i, to := range r.Recipients {
		at := fmt.Sprintf("/recipients/%d", i)
		if !to.Stored.IsZero() {
			if !slices.Contains([]string{"Organization", "Practitioner", "PractitionerRole", "CareTeam"}, to.Stored.Type) {
				w.fail(at, fhir.Errorf(fhir.Value, at, "must refer to an organisation, a practitioner or a care team"))
			}
			c.recipients = append(c.recipients, to.Stored)
			continue
		}
		c.recipients = append(c.recipients, w.target("organisation", to, at))
	}
	c.purposes, c.labels, c.classes = r.Purposes, r.Labels, r.Types
	if r.About == "statistics" && len(c.purposes) == 0 {
		c.purposes = []string{reporting}
	}
	if r.About == "privacy" && r.Decision == "permit" && len(c.recipients)+len(c.purposes)+len(c.labels)+len(c.classes) == 0 {
		w.fail("/recipients", fhir.Errorf(fhir.Required, "/recipients", "are missing: a permission says to whom, or for which purposes, labels or types"))
	}
	return c
}

// policyOf names the policy of a consent.
func policyOf(r *practice.Consent, c covered) string {
	if r.Policy != "" {
		return r.Policy
	}
	parts := slices.Concat(c.purposes, c.labels, c.classes)
	for _, k := range c.recipients {
		parts = append(parts, k.String())
	}
	slices.Sort(parts)
	if len(parts) == 0 {
		return policyBase + r.About
	}
	return policyBase + r.About + "#" + strings.Join(parts, ",")
}

func (w *writer) provision(r *practice.Consent, c covered) *r4.ConsentProvision {
	p := r4.ConsentProvision{
		Type:   of(enum[r4.ConsentProvisionType](w, "/decision", r.Decision)),
		Period: period(r.Start, r.End),
	}
	for _, k := range c.recipients {
		p.Actor = append(p.Actor, r4.ConsentProvisionActor{Role: concept4(participationSystem, recipientRole, ""), Reference: *reference(k)})
	}
	for _, l := range c.labels {
		system := actCodeSystem
		if len(l) == 1 {
			system = confidentialitySystem
		}
		p.SecurityLabel = append(p.SecurityLabel, code4(system, l, ""))
	}
	if r.About == "statistics" {
		p.SecurityLabel = append(p.SecurityLabel, code4(observationValue, anonymised, ""))
	}
	for _, s := range c.purposes {
		p.Purpose = append(p.Purpose, code4(actReasonSystem, s, ""))
	}
	for _, s := range c.classes {
		p.Class = append(p.Class, code4(resourceTypes, s, ""))
	}
	return &p
}

func (w *writer) consentExtensions(r *practice.Consent) []r4.Extension {
	var x extensions
	x.episode("Consent", w.target("episode", r.Episode, "/episode"))
	x.reference(extensionURL("consent-witness"), w.target("practitioner", r.Witness, "/witness"))
	for i, e := range r.Explained {
		w.code("framing-topic", e, fmt.Sprintf("/explained/%d", i))
		x.code("consent-explained", e)
	}
	x.details(r.Details)
	return x
}

func (d *reader) consent() *practice.Consent {
	p := d.n.Get("provision")
	out := &practice.Consent{
		Client:       refIn(d.n.Get("patient")),
		Episode:      episodeIn(d.n),
		Organisation: refIn(d.n.Get("organization").Index(0)),
		Status:       d.n.Get("status").Text(),
		Decision:     p.Get("type").Text(),
		Date:         d.n.Get("dateTime").Text(),
		Start:        p.Get("period").Get("start").Text(),
		End:          p.Get("period").Get("end").Text(),
		Witness:      refIn(extension(d.n, "consent-witness").Get("valueReference")),
		Policy:       d.n.Get("policy").Index(0).Get("uri").Text(),
		Verified:     yesIn(d.n.Get("verification").Index(0).Get("verified")),
		Explained:    codesIn(d.n, "consent-explained"),
		Details:      detailsIn(d.n),
	}
	if by := refIn(d.n.Get("performer").Index(0)); by != out.Client {
		out.GivenBy = by
	}
	if strings.HasPrefix(out.Policy, policyBase) {
		out.Policy = ""
	}
	if b, err := base64.StdEncoding.DecodeString(d.n.Get("sourceAttachment").Get("data").Text()); err == nil {
		out.Text = string(b)
	}
	switch codeIn(d.n.Get("scope"), consentScopeSystem) {
	case "treatment":
		out.About = "treatment"
		if d.n.Get("category").Index(0).HasCoding(systemURL("consent-about"), "framing") {
			out.About = "framing"
		}
	case "research":
		out.About = "research"
	case "patient-privacy":
		out.About = "privacy"
		if d.n.Get("category").Index(0).HasCoding(systemURL("consent-about"), "statistics") {
			out.About = "statistics"
		}
	}
	d.coversIn(out, p)
	return out
}

func (d *reader) coversIn(out *practice.Consent, p fhir.Node) {
	for a := range p.Get("actor").Elements() {
		if r := refIn(a.Get("reference")); !r.IsZero() && a.Get("role").HasCoding(participationSystem, recipientRole) {
			out.Recipients = append(out.Recipients, r)
		}
	}
	for l := range p.Get("securityLabel").Elements() {
		if l.Get("system").Text() != observationValue {
			out.Labels = append(out.Labels, l.Get("code").Text())
		}
	}
	for c := range p.Get("purpose").Elements() {
		out.Purposes = append(out.Purposes, c.Get("code").Text())
	}
	for c := range p.Get("class").Elements() {
		out.Types = append(out.Types, c.Get("code").Text())
	}
	if out.About == "statistics" && slices.Equal(out.Purposes, []string{reporting}) {
		out.Purposes = nil
	}
}
