package mapping

import (
	"fmt"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// practitioner → Practitioner, and a PractitionerRole for each organisation.
func (w *writer) practitioner(r *practice.Practitioner) {
	var x extensions
	x.details(r.Details)
	p := r4.Practitioner{
		Id:         of(w.key("Practitioner").ID),
		Meta:       administrative.meta(claim("practitioner", r.Name.Family != "")),
		Extension:  x,
		Identifier: w.identifiers(r.Identifiers),
		Active:     r.Active,
		Telecom:    w.telecom(r.Telecom),
		BirthDate:  text(r.BirthDate),
	}
	if !r.Name.IsZero() {
		p.Name = []r4.HumanName{humanName(r.Name)}
	}
	if r.Gender != "" {
		p.Gender = of(enum[r4.AdministrativeGender](w, "/gender", r.Gender))
	}
	w.add(p)
	seen := map[fhir.Key]bool{}
	for i, role := range r.Roles {
		at := fmt.Sprintf("/roles/%d/organisation", i)
		org := w.target("organisation", role.Organisation, at)
		if seen[org] {
			w.fail(at, fhir.Errorf(fhir.Value, at, "a practitioner has one role at each organisation; put its codes together"))
		}
		seen[org] = true
		w.add(r4.PractitionerRole{
			Id:           of(w.key("PractitionerRole", org.ID).ID),
			Meta:         administrative.meta(claim("practitionerrole", len(role.Telecom) > 0)),
			Identifier:   w.identifier(org.ID),
			Active:       role.Active,
			Period:       period(role.Start, role.End),
			Practitioner: reference(w.key("Practitioner")),
			Organization: reference(org),
			Code:         conceptsOf(role.Codes),
			Specialty:    conceptsOf(role.Specialties),
			Telecom:      w.telecom(role.Telecom),
		})
	}
}

func (d *reader) practitioner() *practice.Practitioner {
	out := &practice.Practitioner{
		Name:        nameIn(d.n.Get("name").Index(0)),
		Gender:      d.n.Get("gender").Text(),
		BirthDate:   d.n.Get("birthDate").Text(),
		Active:      yesIn(d.n.Get("active")),
		Identifiers: identifiersIn(d.n, "practitioner"),
		Telecom:     telecomIn(d.n),
		Details:     detailsIn(d.n),
	}
	for _, n := range d.of("PractitionerRole") {
		if k, ok := n.Get("practitioner").Ref(); !ok || k != d.key {
			continue
		}
		out.Roles = append(out.Roles, practice.Role{
			Organisation: refIn(n.Get("organization")),
			Codes:        conceptsIn(n.Get("code")),
			Specialties:  conceptsIn(n.Get("specialty")),
			Active:       yesIn(n.Get("active")),
			Telecom:      telecomIn(n),
			Start:        n.Get("period").Get("start").Text(),
			End:          n.Get("period").Get("end").Text(),
		})
	}
	return out
}
