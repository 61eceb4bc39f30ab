package mapping

import (
	"fmt"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// workshop → for each client what a session of that client alone gives, all of them
// with the workshop's key as their identifier. There is no Group and no Encounter of
// one: see doc.go.
func (w *writer) workshop(r *practice.Workshop) {
	seen := map[fhir.Key]bool{}
	for i, a := range r.Clients {
		at := fmt.Sprintf("/clients/%d", i)
		client := w.target("client", a.Client, at+"/client")
		if client.IsZero() || seen[client] {
			w.fail(at+"/client", fhir.Errorf(fhir.Value, at+"/client", "is missing, or named twice"))
			continue
		}
		seen[client] = true
		s := &practice.Session{
			Client: a.Client, Episode: a.Episode, Organisation: r.Organisation, Practitioners: r.Practitioners,
			Status: a.Status, Start: r.Start, End: r.End, Minutes: r.Minutes, Modality: r.Modality, Format: "group",
			Place: r.Place, Phase: a.Phase, Techniques: r.Techniques,
		}
		if a.Because != "" {
			s.CancelledBecause.Text = a.Because
		}
		one := *w
		one.of, one.topic, one.out = client.ID, r.Topic, nil
		one.session(s)
		w.out, w.issues = append(w.out, one.out...), one.issues
	}
}

// meeting finds the identifier of a workshop on an Encounter or Appointment.
func meeting(n fhir.Node) string {
	for id := range n.Get("identifier").Elements() {
		if _, ok := systemIn(id.Get("system").Text(), "workshop"); ok {
			return id.Get("system").Text() + "|" + id.Get("value").Text()
		}
	}
	return ""
}

// workshop reads what several clients have in common; nil where the first resource
// belongs to none.
func (d *reader) workshop() *practice.Workshop {
	key := meeting(d.n)
	if key == "" {
		return nil
	}
	out := &practice.Workshop{}
	for _, r := range d.all {
		if r.Type != "Encounter" && r.Type != "Appointment" || meeting(r.Root()) != key {
			continue
		}
		one := &reader{m: d.m, n: r.Root(), key: r.Key, all: d.all}
		s := one.appointment
		if r.Type == "Encounter" {
			s = one.session
		}
		v := s()
		out.Clients = append(out.Clients, practice.Attendance{
			Client: v.Client, Episode: v.Episode, Status: v.Status, Phase: v.Phase, Because: v.CancelledBecause.Text,
		})
		if topic := r.Root().Get("serviceType").Get("text").Text(); topic != "" {
			out.Topic = topic
		}
		if len(v.Techniques) > 0 {
			out.Techniques = v.Techniques
		}
		out.Organisation, out.Practitioners = v.Organisation, v.Practitioners
		out.Start, out.End, out.Minutes, out.Modality, out.Place = v.Start, v.End, v.Minutes, v.Modality, v.Place
	}
	return out
}
