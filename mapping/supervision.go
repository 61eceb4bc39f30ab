package mapping

import (
	"fmt"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// supervision → Appointment of therapists with each other. It is about no patient:
// nothing in the record can name one, and its references are to practitioners alone.
func (w *writer) supervision(r *practice.Supervision) {
	var people []*fhir.Object
	part := func(ref practice.Ref, role, at string) {
		k := w.target("practitioner", ref, at)
		if k.IsZero() {
			return
		}
		people = append(people, fhir.NewObject().
			Set("type", []*fhir.Object{w.concept("supervision-role", role, at)}).
			Set("actor", k).
			Set("status", "accepted"))
	}
	part(r.Supervisor, "supervisor", "/supervisor")
	for i, s := range r.Supervisees {
		part(s, "supervisee", fmt.Sprintf("/supervisees/%d", i))
	}
	var x extensions
	x.code("session-modality", r.Modality)
	x.reference(extensionURL("session-organisation"), w.target("organisation", r.Organisation, "/organisation"))
	kind := []*fhir.Object{w.concept("measure", "supervision", "/format")}
	o := fhir.NewResource(w.key("Appointment")).
		Set("meta", administrative.object()).
		Set("extension", x.objects()).
		Set("identifier", objects(w.identifier())).
		Set("status", r.Status).
		Set("serviceCategory", kind)
	if r.Format != "" {
		o.Set("serviceType", []*fhir.Object{w.concept("supervision-format", r.Format, "/format")})
	}
	times(o, &practice.Session{Status: r.Status, Start: r.Start, Minutes: r.Minutes}, people)
	w.add(o)
}

// supervision reads an Appointment; nil for one of something else.
func (d *reader) supervision() *practice.Supervision {
	if !d.n.Get("serviceCategory").Index(0).HasCoding(systemURL("measure"), "supervision") {
		return nil
	}
	a := d.appointment()
	out := &practice.Supervision{
		Organisation: a.Organisation, Status: a.Status, Start: a.Start, Minutes: a.Minutes, Modality: a.Modality,
		Format: codeIn(d.n.Get("serviceType").Index(0), systemURL("supervision-format")),
	}
	for p := range d.n.Get("participant").Elements() {
		switch ref := refIn(p.Get("actor")); codeIn(p.Get("type").Index(0), systemURL("supervision-role")) {
		case "supervisor":
			out.Supervisor = ref
		case "supervisee":
			out.Supervisees = append(out.Supervisees, ref)
		}
	}
	return out
}
