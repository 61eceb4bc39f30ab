package mapping

import (
	"encoding/json"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// client → Patient. It is built as an Object, since the models have no room for
// what is said about a missing birth date.
func (w *writer) client(r *practice.Client) {
	var x extensions
	x.concept("birth-country", r.BirthCountry)
	x.concept("indigenous-status", r.Indigenous)
	x.details(r.Details)

	o := fhir.NewResource(w.key("Patient")).
		Set("meta", administrative.object(claim("patient", isUSCorePatient(r)))).
		Set("extension", x.objects()).
		Set("identifier", objects(w.identifiers(r.Identifiers)))
	if r.Active != nil {
		o.Set("active", *r.Active)
	}
	if r.Name.IsZero() {
		o.Set("name", []*fhir.Object{fhir.NewObject().Set("extension", extensions{absent("unknown")}.objects())})
	} else {
		o.Set("name", []json.RawMessage{object(humanName(r.Name))})
	}
	o.Set("telecom", objects(w.telecom(r.Telecom)))
	o.Set("gender", r.Gender)
	o.Set("birthDate", r.BirthDate)
	var sure extensions
	sure.code("birth-date-accuracy", r.BirthDateAccuracy)
	if r.BirthDate == "" && r.BirthDateAccuracy != "" {
		sure = append(sure, absent("unknown"))
	}
	o.Set("_birthDate", fhir.NewObject().Set("extension", sure.objects()))
	o.Set("deceasedDateTime", r.Deceased)
	var addresses []json.RawMessage
	for _, a := range r.Addresses {
		addresses = append(addresses, objects(address(a))...)
	}
	o.Set("address", addresses)
	if c := conceptOf(r.MaritalStatus); c != nil {
		o.Set("maritalStatus", object(c))
	}
	o.Set("communication", languages(r.Languages))
	var gps []fhir.Key
	for _, g := range r.GeneralPractice {
		gps = append(gps, w.target("organisation", g, "/generalPractice"))
	}
	o.Set("generalPractitioner", gps)
	o.Set("managingOrganization", w.target("organisation", r.Organisation, "/organisation"))
	w.add(o)
}

// isUSCorePatient: US Core asks for the parts of a name or the reason why there are
// none (a name that is known only as one text is neither), for a gender, and for
// the system of every identifier.
func isUSCorePatient(r *practice.Client) bool {
	for _, i := range r.Identifiers {
		if i.System == "" {
			return false
		}
	}
	return r.Gender != "" && (r.Name.IsZero() || r.Name.Family != "" || len(r.Name.Given) > 0)
}

func languages(ls []practice.Language) (out []*fhir.Object) {
	for _, l := range ls {
		var x extensions
		x.concept("language-proficiency", l.Proficiency)
		c := fhir.NewObject().Set("extension", x.objects()).Set("language", object(conceptOf(l.Concept)))
		if l.Preferred != nil {
			c.Set("preferred", *l.Preferred)
		}
		out = append(out, c)
	}
	return out
}

// object and objects bring elements of the models into an Object.
func object(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil { // strings, numbers and lists of them
		panic(err)
	}
	return b
}

func objects[T any](vs []T) (out []json.RawMessage) {
	for _, v := range vs {
		out = append(out, object(v))
	}
	return out
}

func (d *reader) client() *practice.Client {
	out := &practice.Client{
		Name:              nameIn(d.n.Get("name").Index(0)),
		Gender:            d.n.Get("gender").Text(),
		BirthDate:         d.n.Get("birthDate").Text(),
		BirthDateAccuracy: extension(d.n.Get("_birthDate"), "birth-date-accuracy").Get("valueCode").Text(),
		Deceased:          d.n.Get("deceasedDateTime").Text(),
		Active:            yesIn(d.n.Get("active")),
		Organisation:      refIn(d.n.Get("managingOrganization")),
		GeneralPractice:   refsIn(d.n.Get("generalPractitioner")),
		Identifiers:       identifiersIn(d.n, "client"),
		Telecom:           telecomIn(d.n),
		MaritalStatus:     conceptIn(d.n.Get("maritalStatus")),
		BirthCountry:      conceptIn(extension(d.n, "birth-country").Get("valueCodeableConcept")),
		Indigenous:        conceptIn(extension(d.n, "indigenous-status").Get("valueCodeableConcept")),
		Details:           detailsIn(d.n),
	}
	for a := range d.n.Get("address").Elements() {
		out.Addresses = append(out.Addresses, addressIn(a))
	}
	for l := range d.n.Get("communication").Elements() {
		out.Languages = append(out.Languages, practice.Language{
			Concept:     conceptIn(l.Get("language")),
			Preferred:   yesIn(l.Get("preferred")),
			Proficiency: conceptIn(extension(l, "language-proficiency").Get("valueCodeableConcept")),
		})
	}
	return out
}
