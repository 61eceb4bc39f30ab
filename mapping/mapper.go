package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
)

// Config is what a Mapper needs. All fields are required.
type Config struct {
	// IDKey is the tenant's key for ids. With another key the same records get
	// other ids.
	IDKey [32]byte
	// System is the URI of the practice itself: that of records which name none.
	System      string
	Instruments *instrument.Library
}

// Mapper turns practice records into FHIR resources and back, for one tenant. It
// is immutable and safe for concurrent use.
type Mapper struct {
	key         [32]byte
	system      string
	instruments *instrument.Library
	codes       *tables
}

// New makes a Mapper.
func New(c Config) (*Mapper, error) {
	switch {
	case c.IDKey == [32]byte{}:
		return nil, errors.New("mapping: IDKey is needed: without one, ids could be guessed")
	case !strings.Contains(c.System, ":"):
		return nil, errors.New("mapping: System must be a URI: that of the practice's own record numbers")
	case c.Instruments == nil:
		return nil, errors.New("mapping: Instruments is needed")
	}
	t, err := loadTables()
	if err != nil {
		return nil, err
	}
	return &Mapper{key: c.IDKey, system: c.System, instruments: c.Instruments, codes: t}, nil
}

// ToFHIR makes the resources that a record stands for; the first is the record
// itself. The same record always gives the same bytes.
//
// Errors, as issues with the record's JSON Pointer in At: [fhir.Value] for a
// reference to what cannot be meant there; [fhir.NotSupported] for a record that
// never becomes FHIR, a process note above all; what package instrument says of
// answers.
func (m *Mapper) ToFHIR(rec practice.Record) ([]fhir.Resource, error) {
	return m.toFHIR(rec, func(fhir.Key) bool { return false })
}

// toFHIR is ToFHIR where it is known which resources of the record are there.
func (m *Mapper) toFHIR(rec practice.Record, there func(fhir.Key) bool) ([]fhir.Resource, error) {
	w := &writer{m: m, kind: rec.Kind(), origin: *practice.OriginOf(rec), there: there}
	w.origin.System = m.systemOf(w.origin.System)
	switch r := rec.(type) {
	case *practice.Organisation:
		w.organisation(r)
	case *practice.Practitioner:
		w.practitioner(r)
	case *practice.Client:
		w.client(r)
	case *practice.Referral:
		w.referral(r)
	case *practice.Episode:
		w.episode(r)
	case *practice.Goal:
		w.goal(r)
	case *practice.Plan:
		w.plan(r)
	case *practice.Session:
		w.session(r)
	case *practice.Response:
		w.response(r)
	case *practice.Consent:
		w.consent(r)
	case *practice.Workshop:
		w.workshop(r)
	case *practice.Exercise:
		w.exercise(r)
	case *practice.NotebookEntry:
		w.notebookEntry(r)
	case *practice.GoalRating:
		w.goalRating(r)
	case *practice.Supervision:
		w.supervision(r)
	default:
		return nil, fhir.Errorf(fhir.NotSupported, "", "a record of the kind %s never becomes a FHIR resource", rec.Kind())
	}
	if len(w.issues) > 0 {
		return nil, w.issues
	}
	return w.out, nil
}

// FromFHIR reads the record for which resources stand: those that [Mapper.ToFHIR]
// made, perhaps changed since. The first whose type stands for a kind is the record;
// the others are its parts. References come back as what is stored under them.
//
// Errors: [fhir.NotSupported] when none of the resources is a record;
// [fhir.Required] for one without a business key among its identifiers.
func (m *Mapper) FromFHIR(rs []fhir.Resource) (practice.Record, error) {
	for _, r := range rs {
		d := &reader{m: m, n: r.Root(), key: r.Key, all: rs}
		rec := d.record(r.Type)
		if rec == nil {
			continue
		}
		if d.err != nil {
			return nil, d.err
		}
		return rec, d.origin(rec)
	}
	return nil, fhir.Errorf(fhir.NotSupported, "", "none of these resources stands for a record of the practice")
}

// record reads the resource as the record that its type and content stand for; nil
// for none.
func (d *reader) record(typ string) practice.Record {
	switch typ {
	case "Organization":
		return d.organisation()
	case "Practitioner":
		return d.practitioner()
	case "Patient":
		return d.client()
	case "ServiceRequest":
		return d.referral()
	case "Task":
		if r := d.exercise(); r != nil {
			return r
		}
	case "EpisodeOfCare":
		return d.episode()
	case "Goal":
		return d.goal()
	case "CarePlan":
		if !d.n.Get("partOf").Exists() {
			return d.plan()
		}
	case "Encounter":
		if r := d.workshop(); r != nil {
			return r
		}
		return d.session()
	case "Appointment":
		if r := d.workshop(); r != nil {
			return r
		}
		if r := d.supervision(); r != nil {
			return r
		}
		return d.appointment()
	case "QuestionnaireResponse":
		if r := d.notebookEntry(); r != nil {
			return r
		}
		if !exerciseReport().answers(d.n) {
			return d.response()
		}
	case "Observation":
		if !d.n.Get("category").Index(0).HasCoding(observationCategory, "survey") {
			return nil
		}
		if r := d.goalRating(); r != nil {
			return r
		}
		if r := d.score(); r != nil {
			return r
		}
	case "Consent":
		return d.consent()
	}
	return nil
}

// Superseded lists resources that an earlier version of a record may have given
// and this one does not: the Encounter of a session that is now a no-show, the
// Procedure of a technique that was taken back. now is what ToFHIR made of this one.
// Whoever stores a changed record withdraws those of them that are there.
func (m *Mapper) Superseded(rec practice.Record, now []fhir.Resource) []fhir.Key {
	o := practice.OriginOf(rec)
	id := func(typ string, sub ...string) fhir.Key {
		return m.idOf(rec.Kind(), typ, m.systemOf(o.System), o.BusinessKey, sub...)
	}
	var ks []fhir.Key
	switch r := rec.(type) {
	case *practice.Session:
		ks = append(ks, id("Encounter"), id("Appointment"))
		for _, c := range m.codes.concepts("technique") {
			ks = append(ks, id("Procedure", c))
		}
	case *practice.Referral:
		ks = append(ks, id("Task"))
	case *practice.Plan:
		for _, c := range m.codes.concepts("therapy-phase") {
			for n := range maxRepeats {
				ks = append(ks, id("CarePlan", c, fmt.Sprint(n+1)))
			}
		}
	case *practice.Episode:
		ks = append(ks, id("CareTeam"))
		for i := range len(r.Diagnoses) + maxDiagnoses {
			ks = append(ks, id("Condition", fmt.Sprint(i+1)))
		}
	case *practice.Response:
		ks = append(ks, id("QuestionnaireResponse"), id("Observation"))
	case *practice.Workshop:
		w := &writer{m: m, kind: rec.Kind(), origin: practice.Origin{System: m.systemOf(o.System)}}
		for i, a := range r.Clients {
			client := w.target("client", a.Client, fmt.Sprintf("/clients/%d/client", i)).ID
			ks = append(ks, id("Encounter", client), id("Appointment", client))
			for _, c := range m.codes.concepts("technique") {
				ks = append(ks, id("Procedure", client, c))
			}
		}
	case *practice.Exercise:
		ks = append(ks, id("QuestionnaireResponse", "report"))
	}
	return slices.DeleteFunc(ks, func(k fhir.Key) bool {
		return slices.ContainsFunc(now, func(r fhir.Resource) bool { return r.Key == k })
	})
}

// maxRepeats is how often a phase may come in one plan.
const maxRepeats = 8

// maxDiagnoses is how many diagnoses an earlier version of an episode may have had
// beyond those of the present one.
const maxDiagnoses = 16

// writer makes the resources of one record.
type writer struct {
	m      *Mapper
	kind   string
	origin practice.Origin // with its system
	of     string          // the client whose part of a record about several is written
	topic  string          // of a session, where it has one
	there  func(fhir.Key) bool
	out    []fhir.Resource
	issues fhir.Errors
}

// fail notes what is wrong at a JSON Pointer.
func (w *writer) fail(at string, err error) {
	for _, e := range fhir.IssuesOf(err) {
		c := *e
		if len(c.At) == 0 {
			c.At = []string{at}
		}
		w.issues = append(w.issues, &c)
	}
}

// add takes a resource that the models or an Object built.
func (w *writer) add(v any) {
	var b []byte
	switch v := v.(type) {
	case fhir.Resource:
		w.out = append(w.out, v)
		return
	case *fhir.Object:
		b = v.JSON()
	default:
		var err error
		if b, err = json.Marshal(v); err != nil {
			w.fail("/", fmt.Errorf("mapping: %s: %w", w.kind, err))
			return
		}
	}
	r, err := fhir.Parse(b)
	if err != nil {
		w.fail("/", fmt.Errorf("mapping: %s: %w", w.kind, err))
		return
	}
	w.out = append(w.out, r)
}

// key is that of a resource of this record.
func (w *writer) key(typ string, sub ...string) fhir.Key {
	if w.of != "" {
		sub = append([]string{w.of}, sub...)
	}
	return w.m.idOf(w.kind, typ, w.origin.System, w.origin.BusinessKey, sub...)
}

// target resolves a reference to a record of a kind.
func (w *writer) target(kind string, r practice.Ref, at string) fhir.Key {
	if r.IsZero() {
		return fhir.Key{}
	}
	want := types[kind]
	if r.Stored.IsZero() {
		system := r.System
		if system == "" {
			system = w.origin.System
		}
		return w.m.idOf(kind, want, system, r.Key)
	}
	if r.Stored.Type != want {
		w.fail(at, fhir.Errorf(fhir.Value, at, "must refer to a %s, not a %s", want, r.Stored.Type))
	}
	return r.Stored
}

// reader reads one record.
type reader struct {
	m   *Mapper
	n   fhir.Node // of the resource that is the record
	key fhir.Key
	all []fhir.Resource
	err error
}

// origin finds the business key.
func (d *reader) origin(rec practice.Record) error {
	o := practice.OriginOf(rec)
	for id := range d.n.Get("identifier").Elements() {
		if s, ok := systemIn(id.Get("system").Text(), rec.Kind()); ok && id.Get("value").Text() != "" {
			o.System, o.BusinessKey = s, id.Get("value").Text()
			return nil
		}
	}
	return fhir.Errorf(fhir.Required, d.key.Type+".identifier", "no identifier is the business key of a %s; such a resource does not come from a practice record", rec.Kind())
}

// of yields the other resources of a type.
func (d *reader) of(typ string) (out []fhir.Node) {
	for _, r := range d.all {
		if r.Type == typ && r.Key != d.key {
			out = append(out, r.Root())
		}
	}
	return out
}
