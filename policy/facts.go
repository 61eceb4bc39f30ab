package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/store"
)

// Indexer makes the search index of a resource; fhir/search has it.
type Indexer func(fhir.Resource) ([]fhir.Index, error)

// Submitter is the party that brought a resource here: the Organization of the
// partner that created it. It stands in no body, so the guard keeps it from
// version to version.
const Submitter fhir.PartyRole = "submitter"

// Factor computes what is kept with each version besides its body: facts,
// relations, index. It is immutable and safe for concurrent use.
type Factor struct {
	served *spec.Served
	index  Indexer
	about  map[string][][]string // type → element paths whose Patient references make it about a patient
}

// NewFactor reads from the definitions which elements say whom a resource is
// about: those of the Patient compartment, and the same of types that R4 forgot
// there.
//
// Source: https://hl7.org/fhir/R4/compartmentdefinition-patient.html
func NewFactor(d *spec.Definitions, served *spec.Served, index Indexer) (*Factor, error) {
	f := &Factor{served: served, index: index, about: map[string][][]string{}}
	for typ, codes := range d.Compartment("Patient") {
		for _, code := range codes {
			if code == "{def}" || typ == "Patient" { // Patient.link joins persons, it is not about the other one
				continue
			}
			p, ok := d.Param(typ, code)
			if !ok {
				return nil, fmt.Errorf("compartment of Patient: %s has no parameter %s", typ, code)
			}
			for _, alternative := range strings.Split(p.Expression, " | ") {
				path, err := elementPath(typ, alternative)
				if err != nil {
					return nil, err
				}
				f.about[typ] = append(f.about[typ], path)
			}
		}
	}
	for typ, name := range map[string]string{
		"Task": "for", "Device": "patient", "Contract": "subject", "GuidanceResponse": "subject",
		"EnrollmentRequest": "candidate", "Media": "subject", "MeasureReport": "subject",
	} {
		f.about[typ] = append(f.about[typ], []string{name})
	}
	return f, nil
}

// elementPath reads the only form that compartment parameters have: a path,
// perhaps with a restriction to Patient, which the reference itself shows.
func elementPath(typ, expression string) ([]string, error) {
	e := strings.TrimSuffix(strings.TrimSpace(expression), ".where(resolve() is Patient)")
	parts := strings.Split(e, ".")
	if len(parts) < 2 || parts[0] != typ || strings.ContainsAny(e, "() ") {
		return nil, fmt.Errorf("compartment of Patient: the expression %q is none that is understood", expression)
	}
	return parts[1:], nil
}

// RecordOf computes what a store keeps with r. at is when it is written: the end of
// what a resource says is over without saying since when.
func (f *Factor) RecordOf(r fhir.Resource, at time.Time) (store.Record, error) {
	rec := store.Record{Facts: f.FactsOf(r), Relations: relationsOf(r, at)}
	if f.index == nil {
		return rec, nil
	}
	var err error
	rec.Index, err = f.index(r)
	return rec, err
}

// FactsOf computes what the rules need to know of r.
func (f *Factor) FactsOf(r fhir.Resource) fhir.Facts {
	return fhir.Facts{
		Class:    f.class(r).text(),
		Patients: f.patients(r),
		Parties:  parties(r.Root()),
		When:     clinicalTime(r.Root()),
	}
}

// patients returns everyone r is about. Only literal relative references count
// (attack case A21); what is contained or bundled counts for the whole (A25).
func (f *Factor) patients(r fhir.Resource) []fhir.Key {
	var ks []fhir.Key
	if r.Type == "Patient" && r.ID != "" {
		ks = append(ks, r.Key)
	}
	inside(r.Root(), func(n fhir.Node) {
		typ := n.Get("resourceType").Text()
		if typ == "Patient" && n.Get("id").Exists() && r.Type == "Bundle" {
			if k, ok := fhir.ParseKey("Patient/" + n.Get("id").Text()); ok {
				ks = append(ks, k)
			}
		}
		for _, path := range f.about[typ] {
			references(n, path, func(k fhir.Key) {
				if k.Type == "Patient" {
					ks = append(ks, k)
				}
			})
		}
	})
	slices.SortFunc(ks, fhir.Key.Compare)
	return slices.Compact(ks)
}

// naming returns the elements of r, as FHIRPath, that name one of some patients.
func (f *Factor) naming(r fhir.Resource, patients []fhir.Key) (at []string) {
	for _, path := range f.about[r.Type] {
		named := false
		references(r.Root(), path, func(k fhir.Key) { named = named || slices.Contains(patients, k) })
		if named {
			at = append(at, r.Type+"."+strings.Join(path, "."))
		}
	}
	return at
}

// references visits the literal relative references at a path.
func references(n fhir.Node, path []string, f func(fhir.Key)) {
	if len(path) == 0 {
		for m := range n.Elements() {
			if k, ok := m.Ref(); ok {
				f(k)
			}
		}
		return
	}
	for m := range n.Elements() {
		references(m.Get(path[0]), path[1:], f)
	}
}

// named says in which role elements name an actor, for every type alike.
var named = []struct {
	role  fhir.PartyRole
	paths [][]string
}{
	{fhir.Author, [][]string{{"author"}, {"recorder"}, {"asserter"}, {"sender"}, {"source"}, {"assessor"}, {"expressedBy"}}},
	{fhir.Owner, [][]string{{"owner"}}},
	{fhir.Requester, [][]string{{"requester"}}},
	{fhir.Performer, [][]string{{"performer"}, {"performer", "actor"}, {"participant", "individual"}, {"participant", "actor"}, {"careManager"}}},
	{fhir.Recipient, [][]string{{"recipient"}}},
	{fhir.Agent, [][]string{{"agent", "who"}}},
}

func parties(root fhir.Node) (ns []fhir.Named) {
	for _, n := range named {
		for _, path := range n.paths {
			references(root, path, func(k fhir.Key) {
				if p := (fhir.Named{Role: n.role, Actor: k}); !slices.Contains(ns, p) {
					ns = append(ns, p)
				}
			})
		}
	}
	return ns
}

// times are the elements that say when something happened, the most telling first.
var times = [][]string{
	{"effectiveDateTime"}, {"effectiveInstant"}, {"effectivePeriod", "start"}, {"performedDateTime"}, {"performedPeriod", "start"},
	{"occurrenceDateTime"}, {"occurrencePeriod", "start"}, {"authored"}, {"period", "start"}, {"start"}, {"startDate"}, {"onsetDateTime"},
	{"sent"}, {"date"}, {"dateTime"}, {"recordedDate"}, {"authoredOn"}, {"issued"}, {"created"}, {"recorded"},
}

func clinicalTime(root fhir.Node) time.Time {
	for _, path := range times {
		if from, _, ok := moments(root.At(path...).Text()); ok {
			return from
		}
	}
	return time.Time{}
}

// moments returns the first moment of what a FHIR date, dateTime or instant means
// and the first moment behind it. Without a zone it is read in UTC.
func moments(s string) (from, behind time.Time, ok bool) {
	for _, l := range []struct {
		layout              string
		years, months, days int
		resolution          time.Duration
	}{
		{"2006", 1, 0, 0, 0}, {"2006-01", 0, 1, 0, 0}, {"2006-01-02", 0, 0, 1, 0}, {time.RFC3339Nano, 0, 0, 0, time.Second},
	} {
		if t, err := time.Parse(l.layout, s); err == nil {
			t = t.UTC()
			return t, t.AddDate(l.years, l.months, l.days).Add(l.resolution), true
		}
	}
	return time.Time{}, time.Time{}, false
}
