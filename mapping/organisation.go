package mapping

import (
	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/mapping/practice"
)

const organizationPeriodURL = "http://hl7.org/fhir/StructureDefinition/organization-period"

// organisation → Organization.
func (w *writer) organisation(r *practice.Organisation) {
	var x extensions
	if p := period(r.Start, r.End); p != nil {
		x = append(x, r4.Extension{Url: organizationPeriodURL, ValuePeriod: p})
	}
	x.details(r.Details)
	w.add(r4.Organization{
		Id:         of(w.key("Organization").ID),
		Meta:       administrative.meta(claim("organization", r.Name != "" && r.Active != nil)),
		Extension:  x,
		Identifier: w.identifiers(r.Identifiers),
		Active:     r.Active,
		Type:       conceptsOf(r.Types),
		Name:       text(r.Name),
		Alias:      r.Alias,
		Telecom:    w.telecom(r.Telecom),
		Address:    address(r.Address),
		PartOf:     w.ref("organisation", r.PartOf, "/partOf"),
	})
}

func (d *reader) organisation() *practice.Organisation {
	p := extensionAt(d.n, organizationPeriodURL).Get("valuePeriod")
	return &practice.Organisation{
		Name:        d.n.Get("name").Text(),
		Alias:       textsIn(d.n.Get("alias")),
		Active:      yesIn(d.n.Get("active")),
		Types:       conceptsIn(d.n.Get("type")),
		PartOf:      refIn(d.n.Get("partOf")),
		Identifiers: identifiersIn(d.n, "organisation"),
		Telecom:     telecomIn(d.n),
		Address:     addressIn(d.n.Get("address").Index(0)),
		Start:       p.Get("start").Text(),
		End:         p.Get("end").Text(),
		Details:     detailsIn(d.n),
	}
}
