package mapping

import (
	"fmt"
	"html"
	"slices"
	"strconv"

	"rapport/fhir"
	"rapport/mapping/practice"
)

const carePlanCategory = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"

// activityStatus is a phase's status as that of what is planned in it.
var activityStatus = map[string]string{
	"draft": "not-started", "active": "in-progress", "on-hold": "on-hold", "revoked": "cancelled", "completed": "completed",
	"entered-in-error": "entered-in-error", "unknown": "unknown",
}

// plan → CarePlan, and one that is part of it for each phase. They are built as
// Objects, since the models escape what a narrative is made of.
//
// Source: US Core CarePlan.
func (w *writer) plan(r *practice.Plan) {
	var x extensions
	x.episode("CarePlan", w.target("episode", r.Episode, "/episode"))
	x.text("plan-adjustment-reason", r.Because)
	x.details(r.Details)
	told := narrative(r.Title, r.Summary)
	category := []*fhir.Object{fhir.Concept(carePlanCategory, "assess-plan", "")}
	if r.Approach != "" {
		category = append(category, w.concept("therapy-approach", r.Approach, "/approach"))
	}
	o := fhir.NewResource(w.key("CarePlan")).
		Set("meta", clinical.object(claim("careplan", told != nil))).
		Set("text", told).
		Set("extension", x.objects()).
		Set("identifier", objects(w.identifier())).
		Set("replaces", some(w.target("plan", r.Adjusts, "/adjusts"))).
		Set("status", w.planned(r.Status, "/status")).
		Set("intent", "plan").
		Set("category", category).
		Set("title", r.Title).
		Set("description", r.Summary).
		Set("subject", w.planFor(r)).
		Set("period", fhir.NewObject().Set("start", r.Start).Set("end", r.End)).
		Set("created", r.Created).
		Set("author", w.target("practitioner", r.Author, "/author")).
		Set("goal", w.goals(r.Goals, "/goals")).
		Set("note", w.adjustments(r))
	w.add(o)
	times := map[string]int{}
	for i, p := range r.Phases {
		if times[p.Phase]++; times[p.Phase] > maxRepeats {
			at := fmt.Sprintf("/phases/%d/phase", i)
			w.fail(at, fhir.Errorf(fhir.Value, at, "comes more than %d times; make it a plan of its own", maxRepeats))
			continue
		}
		w.phase(r, p, strconv.Itoa(times[p.Phase]), i)
	}
}

func (w *writer) phase(r *practice.Plan, p practice.Phase, nth string, i int) {
	at := fmt.Sprintf("/phases/%d", i)
	status := activityStatus[p.Status]
	var activities []*fhir.Object
	plan := func(detail *fhir.Object) {
		activities = append(activities, fhir.NewObject().Set("detail", detail))
	}
	if f := p.Frequency; f != nil {
		every := max(f.Every, 1)
		plan(fhir.NewObject().
			Set("kind", "Appointment").
			Set("status", status).
			Set("scheduledTiming", fhir.NewObject().
				Set("repeat", fhir.NewObject().Set("frequency", f.Times).Set("period", every).Set("periodUnit", f.Unit))))
	}
	for j, t := range p.Techniques {
		plan(fhir.NewObject().Set("code", w.concept("technique", t, fmt.Sprintf("%s/techniques/%d", at, j))).Set("status", status))
	}
	for j, m := range p.Monitoring {
		at := fmt.Sprintf("%s/monitoring/%d/instrument", at, j)
		in := w.m.instruments.Find(m.Instrument)
		if in == nil {
			w.fail(at, fhir.Errorf(fhir.NotSupported, at, "is none of the instruments that are known here"))
			continue
		}
		plan(fhir.NewObject().
			Set("kind", "Task").
			Set("instantiatesCanonical", []string{in.Canonical()}).
			Set("code", w.concept("measure", "monitoring", at)).
			Set("status", status).
			Set("scheduledTiming", fhir.NewObject().
				Set("repeat", fhir.NewObject().Set("frequency", 1).Set("period", m.Every).Set("periodUnit", m.Unit))).
			Set("description", in.Title))
	}
	var x extensions
	x = append(x, indexed("plan-phase-position", i+1)...)
	x.episode("CarePlan", w.target("episode", r.Episode, "/episode"))
	w.add(fhir.NewResource(w.key("CarePlan", p.Phase, nth)).
		Set("meta", clinical.object()).
		Set("extension", x.objects()).
		Set("identifier", objects(w.identifier(p.Phase, nth))).
		Set("partOf", some(w.key("CarePlan"))).
		Set("status", w.planned(p.Status, at+"/status")).
		Set("intent", "plan").
		Set("category", []*fhir.Object{w.concept("therapy-phase", p.Phase, at+"/phase")}).
		Set("description", p.Focus).
		Set("subject", w.planFor(r)).
		Set("period", fhir.NewObject().Set("start", p.Start).Set("end", p.End)).
		Set("author", w.target("practitioner", r.Author, "/author")).
		Set("goal", w.goals(p.Goals, at+"/goals")).
		Set("activity", activities))
}

func (w *writer) planFor(r *practice.Plan) fhir.Key {
	k := w.target("client", r.Client, "/client")
	if k.IsZero() {
		w.fail("/client", fhir.Errorf(fhir.Required, "/client", "is missing"))
	}
	return k
}

func (w *writer) planned(status, at string) string {
	if activityStatus[status] == "" {
		w.fail(at, fhir.Errorf(fhir.CodeInvalid, at, "is none of the words that are known here"))
	}
	return status
}

func (w *writer) goals(rs []practice.Ref, at string) (out []fhir.Key) {
	for i, r := range rs {
		out = append(out, w.target("goal", r, fmt.Sprintf("%s/%d", at, i)))
	}
	return out
}

// concept is one of our own codes as a CodeableConcept.
func (w *writer) concept(system, code, at string) *fhir.Object {
	c := w.code(system, code, at)
	o := fhir.Coding(*c.System, code, "")
	if c.Display != nil {
		o.Set("display", *c.Display)
	}
	return fhir.NewObject().Set("coding", []*fhir.Object{o})
}

func some(k fhir.Key) []fhir.Key {
	if k.IsZero() {
		return nil
	}
	return []fhir.Key{k}
}

// narrative tells title and summary to people; nil for neither.
func narrative(parts ...string) *fhir.Object {
	div := ""
	for _, p := range said(parts) {
		div += "<p>" + html.EscapeString(p) + "</p>"
	}
	if div == "" {
		return nil
	}
	return fhir.NewObject().Set("status", "generated").Set("div", `<div xmlns="http://www.w3.org/1999/xhtml">`+div+`</div>`)
}

func (d *reader) plan() *practice.Plan {
	out := &practice.Plan{
		Client:  refIn(d.n.Get("subject")),
		Episode: episodeIn(d.n),
		Author:  refIn(d.n.Get("author")),
		Status:  d.n.Get("status").Text(),
		Title:   d.n.Get("title").Text(),
		Created: d.n.Get("created").Text(),
		Start:   d.n.Get("period").Get("start").Text(),
		End:     d.n.Get("period").Get("end").Text(),
		Goals:   refsIn(d.n.Get("goal")),
		Summary: d.n.Get("description").Text(),
		Details: detailsIn(d.n),
		Adjusts: refIn(d.n.Get("replaces").Index(0)),
		Because: extension(d.n, "plan-adjustment-reason").Get("valueString").Text(),

		Adjustments: adjustmentsIn(d.n),
	}
	for c := range d.n.Get("category").Elements() {
		if a := codeIn(c, systemURL("therapy-approach")); a != "" {
			out.Approach = a
		}
	}
	var parts []fhir.Node
	for _, n := range d.of("CarePlan") {
		if k, ok := n.Get("partOf").Index(0).Ref(); ok && k == d.key {
			parts = append(parts, n)
		}
	}
	slices.SortStableFunc(parts, func(a, b fhir.Node) int {
		return positionIn(a, "plan-phase-position") - positionIn(b, "plan-phase-position")
	})
	for _, n := range parts {
		out.Phases = append(out.Phases, d.phaseIn(n))
	}
	return out
}

func (d *reader) phaseIn(n fhir.Node) practice.Phase {
	p := practice.Phase{
		Phase:  codeIn(n.Get("category").Index(0), systemURL("therapy-phase")),
		Status: n.Get("status").Text(),
		Start:  n.Get("period").Get("start").Text(),
		End:    n.Get("period").Get("end").Text(),
		Focus:  n.Get("description").Text(),
		Goals:  refsIn(n.Get("goal")),
	}
	for a := range n.Get("activity").Elements() {
		detail := a.Get("detail")
		if codeIn(detail.Get("code"), systemURL("measure")) == "monitoring" {
			p.Monitoring = append(p.Monitoring, d.monitoringIn(detail))
			continue
		}
		if t := codeIn(detail.Get("code"), systemURL("technique")); t != "" {
			p.Techniques = append(p.Techniques, t)
		}
		if r := detail.Get("scheduledTiming").Get("repeat"); r.Exists() {
			times, _ := r.Get("frequency").Int()
			every, _ := r.Get("period").Int()
			if every == 1 {
				every = 0
			}
			p.Frequency = &practice.Frequency{Times: int(times), Every: int(every), Unit: r.Get("periodUnit").Text()}
		}
	}
	return p
}

// monitoringIn reads what is due how often. An instrument that is not known here is
// called what the plan calls it.
func (d *reader) monitoringIn(detail fhir.Node) practice.Monitoring {
	name := detail.Get("instantiatesCanonical").Index(0).Text()
	if in := d.m.instruments.ByURL(name); in != nil {
		name = in.Slug
	}
	repeat := detail.Get("scheduledTiming").Get("repeat")
	every, _ := repeat.Get("period").Int()
	return practice.Monitoring{Instrument: name, Every: int(every), Unit: repeat.Get("periodUnit").Text()}
}
