package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	r4 "github.com/samply/golang-fhir-models/fhir-models/fhir"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// session → Encounter with a Procedure for each technique, or an Appointment where
// none took place.
func (w *writer) session(r *practice.Session) {
	switch r.Status {
	case "entered-in-error":
		if w.there(w.key("Appointment")) { // see Mapper.Mistaken
			w.appointment(r)
			return
		}
		w.encounter(r)
	case "finished", "amended":
		w.encounter(r)
	case "noshow", "cancelled", "booked":
		w.appointment(r)
	default:
		w.fail("/status", fhir.Errorf(fhir.CodeInvalid, "/status", "is none of the words that are known here"))
	}
}

func (w *writer) encounter(r *practice.Session) {
	subject := w.must("client", r.Client, "/client")
	types := w.types(r)
	e := r4.Encounter{
		Id:              of(w.key("Encounter").ID),
		Meta:            clinical.meta(claim("encounter", len(types) > 0)),
		Extension:       w.sessionExtensions(r),
		Identifier:      w.identifier(),
		Status:          r4.EncounterStatusFinished,
		Class:           classOf(r),
		Type:            types,
		Subject:         &subject,
		Period:          period(r.Start, r.End),
		ServiceProvider: w.ref("organisation", r.Organisation, "/organisation"),
	}
	if r.Status == "entered-in-error" {
		e.Status = r4.EncounterStatusEnteredInError
	}
	if w.topic != "" {
		e.ServiceType = &r4.CodeableConcept{Text: text(w.topic)}
	}
	if k := w.target("episode", r.Episode, "/episode"); !k.IsZero() {
		e.EpisodeOfCare = references(k)
	}
	if c := conceptOf(r.Reason); c != nil {
		e.ReasonCode = []r4.CodeableConcept{*c}
	}
	if r.Minutes > 0 {
		e.Length = &r4.Duration{Value: of(json.Number(strconv.Itoa(r.Minutes))), Unit: of("min"), System: of(ucum), Code: of("min")}
	}
	var performers []r4.ProcedurePerformer
	for i, p := range r.Practitioners {
		who := w.must("practitioner", p.Practitioner, fmt.Sprintf("/practitioners/%d/practitioner", i))
		performers = append(performers, r4.ProcedurePerformer{Actor: who})
		e.Participant = append(e.Participant, r4.EncounterParticipant{Type: part(p.Primary), Individual: &who})
	}
	w.add(e)
	for _, t := range r.Techniques {
		status := r4.EventStatusCompleted
		if r.Status == "entered-in-error" {
			status = r4.EventStatusEnteredInError
		}
		p := r4.Procedure{
			Id:         of(w.key("Procedure", t).ID),
			Meta:       clinical.meta(claim("procedure", r.Start != "")),
			Identifier: w.identifier("technique", t),
			Status:     status,
			Code:       w.technique(t, r.Format),
			Subject:    subject,
			Encounter:  reference(w.key("Encounter")),
			Performer:  performers,
		}
		if r.End != "" {
			p.PerformedPeriod = period(r.Start, r.End)
		} else {
			p.PerformedDateTime = text(r.Start)
		}
		w.add(p)
	}
}

// part is the part that a practitioner had.
func part(primary *bool) []r4.CodeableConcept {
	switch {
	case primary == nil:
		return []r4.CodeableConcept{concept4(participationSystem, "PART", "")}
	case *primary:
		return []r4.CodeableConcept{concept4(participationSystem, "PPRF", "")}
	}
	return []r4.CodeableConcept{concept4(participationSystem, "SPRF", "")}
}

// classOf says where the client was. Unknown is told as such: Encounter.class is
// required, but no place is made up.
func classOf(r *practice.Session) r4.Coding {
	switch {
	case r.Modality == "phone" || r.Modality == "video" || r.Modality == "online":
		return code4(actCodeSystem, "VR", "")
	case r.Place == "home":
		return code4(actCodeSystem, "HH", "")
	case r.Place == "elsewhere":
		return code4(actCodeSystem, "FLD", "")
	case r.Modality == "in-person" || r.Place == "practice":
		return code4(actCodeSystem, "AMB", "")
	}
	return r4.Coding{Extension: []r4.Extension{absent("unknown")}}
}

// types is the format in our words, then what the source says.
func (w *writer) types(r *practice.Session) []r4.CodeableConcept {
	var out []r4.CodeableConcept
	if r.Format != "" {
		out = append(out, r4.CodeableConcept{Coding: []r4.Coding{w.code("session-format", r.Format, "/format")}})
	}
	return append(out, conceptsOf(r.Types)...)
}

func (w *writer) sessionExtensions(r *practice.Session) []r4.Extension {
	var x extensions
	x.code("session-modality", r.Modality)
	x.code("session-place", r.Place)
	x.concept("session-venue", r.Venue)
	x.code("therapy-phase", r.Phase)
	if r.MinutesFrom > 0 {
		v := r4.Range{Low: quantity(json.Number(strconv.Itoa(r.MinutesFrom)), "min", "min")}
		if r.MinutesTo > 0 {
			v.High = quantity(json.Number(strconv.Itoa(r.MinutesTo)), "min", "min")
		}
		x = append(x, r4.Extension{Url: extensionURL("session-duration"), ValueRange: &v})
	}
	x.yes("session-interpreter", r.Interpreter)
	x.yes("session-client-present", r.ClientPresent)
	x.yes("session-final", r.Final)
	if r.Status == "amended" {
		x.yes("session-amended", of(true))
	}
	x.text("correction-reason", r.CorrectedBecause)
	x.details(r.Details)
	return x
}

// code is one of our own codes with its display.
func (w *writer) code(system, code, at string) r4.Coding {
	display, ok := w.m.codes.display(system, code)
	if !ok {
		w.fail(at, fhir.Errorf(fhir.CodeInvalid, at, "is none of the words that are known here"))
	}
	return code4(systemURL(system), code, display)
}

// technique is our code and, where the free ICD-10-PCS has one that fits, that.
func (w *writer) technique(t, format string) *r4.CodeableConcept {
	c := r4.CodeableConcept{Coding: []r4.Coding{w.code("technique", t, "/techniques")}}
	for _, to := range w.m.codes.mapped("technique", t, map[string]string{systemURL("session-format"): format}) {
		c.Coding = append(c.Coding, code4(to.System, to.Code, to.Display))
	}
	return &c
}

// appointment is built as an Object, since the models have no room for the reason
// why a time is missing. What is clinical does not go into it: who only makes
// appointments sees it.
func (w *writer) appointment(r *practice.Session) {
	var x extensions
	x.code("session-modality", r.Modality)
	x.code("session-place", r.Place)
	x.concept("session-venue", r.Venue)
	x.yes("session-interpreter", r.Interpreter)
	x.episode("Appointment", w.target("episode", r.Episode, "/episode"))
	if r.Status != "cancelled" { // app-4 lets no other status have a reason, and misspells noshow
		x.concept("session-absence-reason", r.CancelledBecause)
	}
	x.details(r.Details)
	client, org := w.target("client", r.Client, "/client"), w.target("organisation", r.Organisation, "/organisation")
	if client.IsZero() {
		w.fail("/client", fhir.Errorf(fhir.Required, "/client", "is missing"))
	}
	if !org.IsZero() {
		x.reference(extensionURL("session-organisation"), org)
	}
	people := []*fhir.Object{attends(client, nil)}
	for i, p := range r.Practitioners {
		people = append(people, attends(w.target("practitioner", p.Practitioner, fmt.Sprintf("/practitioners/%d/practitioner", i)), part(p.Primary)))
	}
	o := fhir.NewResource(w.key("Appointment")).
		Set("meta", administrative.object()).
		Set("extension", x.objects()).
		Set("identifier", objects(w.identifier())).
		Set("status", r.Status)
	if c := conceptOf(r.CancelledBecause); c != nil && r.Status == "cancelled" {
		o.Set("cancelationReason", object(c))
	}
	o.Set("serviceType", objects(w.types(r)))
	times(o, r, people)
	w.add(o)
}

// times says when an Appointment is, and who takes part.
func times(o *fhir.Object, r *practice.Session, people []*fhir.Object) {
	end := plannedEnd(r)
	switch {
	case timed(r.Start) && end != "":
		o.Set("start", r.Start).Set("end", end)
	case timed(r.Start):
		// app-2 wants both or neither, and there is no end.
		o.Set("start", r.Start).Set("_end", fhir.NewObject().Set("extension", extensions{absent("unknown")}.objects()))
	case r.Status != "cancelled" || r.Start != "":
		// app-3 wants a time of whatever was arranged; the day alone has a place of
		// its own.
		unknown := fhir.NewObject().Set("extension", extensions{absent("unknown")}.objects())
		o.Set("_start", unknown).Set("_end", unknown)
	}
	if r.Minutes > 0 {
		o.Set("minutesDuration", r.Minutes)
	}
	o.Set("participant", people)
	if r.Start != "" && !timed(r.Start) {
		last := r.End
		if last == "" {
			last = r.Start
		}
		o.Set("requestedPeriod", []*fhir.Object{fhir.NewObject().Set("start", r.Start).Set("end", last)})
	}
}

// attends: an appointment stands because both sides agreed to it.
func attends(k fhir.Key, part []r4.CodeableConcept) *fhir.Object {
	return fhir.NewObject().Set("type", objects(part)).Set("actor", k).Set("status", "accepted")
}

// timed reports whether a moment has a time of day.
func timed(s string) bool { return strings.Contains(s, "T") }

// plannedEnd is the end as it was said, or as it follows from start and minutes.
func plannedEnd(r *practice.Session) string {
	if r.End != "" || r.Minutes == 0 || !timed(r.Start) {
		return r.End
	}
	return endOf(r.Start, r.Minutes)
}

func endOf(start string, minutes int) string {
	t, err := time.Parse(time.RFC3339Nano, start)
	if err != nil {
		return ""
	}
	return t.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339Nano)
}

func (d *reader) session() *practice.Session {
	out := &practice.Session{
		Client:        refIn(d.n.Get("subject")),
		Episode:       refIn(d.n.Get("episodeOfCare").Index(0)),
		Organisation:  refIn(d.n.Get("serviceProvider")),
		Status:        d.n.Get("status").Text(),
		Start:         d.n.Get("period").Get("start").Text(),
		End:           d.n.Get("period").Get("end").Text(),
		Phase:         extension(d.n, "therapy-phase").Get("valueCode").Text(),
		Reason:        conceptIn(d.n.Get("reasonCode").Index(0)),
		ClientPresent: yesIn(extension(d.n, "session-client-present").Get("valueBoolean")),
		Final:         yesIn(extension(d.n, "session-final").Get("valueBoolean")),

		CorrectedBecause: extension(d.n, "correction-reason").Get("valueString").Text(),
	}
	if amended, _ := extension(d.n, "session-amended").Get("valueBoolean").Bool(); amended && out.Status == "finished" {
		out.Status = "amended"
	}
	d.arrangement(out, d.n.Get("type"))
	if v, ok := d.n.Get("length").Get("value").Int(); ok {
		out.Minutes = int(v)
	}
	band := extension(d.n, "session-duration").Get("valueRange")
	if v, ok := band.Get("low").Get("value").Int(); ok {
		out.MinutesFrom = int(v)
	}
	if v, ok := band.Get("high").Get("value").Int(); ok {
		out.MinutesTo = int(v)
	}
	for p := range d.n.Get("participant").Elements() {
		if ref := refIn(p.Get("individual")); ref.Stored.Type == "Practitioner" {
			out.Practitioners = append(out.Practitioners, practice.Participant{Practitioner: ref, Primary: primaryIn(p)})
		}
	}
	for _, n := range d.of("Procedure") {
		if k, ok := n.Get("encounter").Ref(); !ok || k != d.key {
			continue
		}
		if t := codeIn(n.Get("code"), systemURL("technique")); t != "" && !slices.Contains(out.Techniques, t) {
			out.Techniques = append(out.Techniques, t)
		}
	}
	return out
}

// arrangement reads what Encounter and Appointment have in common.
func (d *reader) arrangement(out *practice.Session, types fhir.Node) {
	out.Modality = extension(d.n, "session-modality").Get("valueCode").Text()
	out.Place = extension(d.n, "session-place").Get("valueCode").Text()
	out.Venue = conceptIn(extension(d.n, "session-venue").Get("valueCodeableConcept"))
	out.Interpreter = yesIn(extension(d.n, "session-interpreter").Get("valueBoolean"))
	out.Details = detailsIn(d.n)
	for t := range types.Elements() {
		if f := codeIn(t, systemURL("session-format")); f != "" {
			out.Format = f
		} else {
			out.Types = append(out.Types, conceptIn(t))
		}
	}
}

func primaryIn(p fhir.Node) *bool {
	switch codeIn(p.Get("type").Index(0), participationSystem) {
	case "PPRF":
		return of(true)
	case "SPRF":
		return of(false)
	}
	return nil
}

func (d *reader) appointment() *practice.Session {
	out := &practice.Session{
		Status:           d.n.Get("status").Text(),
		Episode:          episodeIn(d.n),
		Organisation:     refIn(extension(d.n, "session-organisation").Get("valueReference")),
		CancelledBecause: conceptIn(d.n.Get("cancelationReason")),
		Start:            d.n.Get("start").Text(),
		End:              d.n.Get("end").Text(),
	}
	if out.CancelledBecause.IsZero() {
		out.CancelledBecause = conceptIn(extension(d.n, "session-absence-reason").Get("valueCodeableConcept"))
	}
	d.arrangement(out, d.n.Get("serviceType"))
	if v, ok := d.n.Get("minutesDuration").Int(); ok {
		out.Minutes = int(v)
		if out.End == endOf(out.Start, out.Minutes) {
			out.End = ""
		}
	}
	if p := d.n.Get("requestedPeriod").Index(0); out.Start == "" && p.Exists() {
		out.Start, out.End = p.Get("start").Text(), p.Get("end").Text()
		if out.End == out.Start {
			out.End = ""
		}
	}
	for p := range d.n.Get("participant").Elements() {
		switch ref := refIn(p.Get("actor")); ref.Stored.Type {
		case "Patient":
			out.Client = ref
		case "Practitioner":
			out.Practitioners = append(out.Practitioners, practice.Participant{Practitioner: ref, Primary: primaryIn(p)})
		}
	}
	return out
}
