package bulk

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/fhir/spec"
)

// parameters are those of the specification, served or not: the router refuses others,
// and what of these is not served can be left out when the caller is lenient.
var parameters = []string{"_outputFormat", "_since", "_until", "_type", "_elements", "patient", "includeAssociatedData",
	"_typeFilter", "organizeOutputBy", "allowPartialManifests"}

// order is a kick-off request as it was understood.
type order struct {
	level    Level
	group    string
	types    []string
	named    bool
	since    time.Time
	patients []fhir.Key // nil: all
	notes    []note     // what a lenient caller is told of
	request  string
}

// asking reads one request.
type asking struct {
	e       *Exports
	lenient bool
	order
}

func (e *Exports) ask(r *rest.Request, level Level, group string) (order, error) {
	a := &asking{e: e, order: order{level: level, group: group}}
	async := false
	for part := range strings.FieldsFuncSeq(strings.Join(r.Header.Values("Prefer"), ","), func(c rune) bool { return c == ',' || c == ';' }) {
		switch strings.ToLower(strings.ReplaceAll(strings.TrimSpace(part), " ", "")) {
		case "respond-async":
			async = true
		case "handling=lenient":
			a.lenient = true
		}
	}
	if !async {
		return order{}, &fhir.Error{Code: fhir.Invalid, Detail: "An export runs apart from its request: send Prefer: respond-async."}
	}
	if !accepts(r.Header.Values("Accept")) {
		return order{}, &fhir.Error{Code: fhir.NotSupported, Detail: "The answer is FHIR JSON: send Accept: application/fhir+json. _outputFormat says in which format the files are."}
	}
	path := map[Level]string{System: "/$export", Patients: "/Patient/$export", Group: "/Group/" + group + "/$export"}[level]
	a.request = e.Base + path
	if r.Method == http.MethodPost {
		if len(r.Query) > 0 {
			return order{}, &fhir.Error{Code: fhir.Invalid, Detail: "Parameters of a POST stand in the Parameters resource, not in the URL."}
		}
		if err := a.posted(r); err != nil {
			return order{}, err
		}
	} else {
		if err := a.query(r.Query); err != nil {
			return order{}, err
		}
		if q := r.Query.Encode(); q != "" {
			a.request += "?" + q
		}
	}
	return a.order, a.choose()
}

// accepts reports whether a caller takes FHIR JSON.
func accepts(headers []string) bool {
	named := false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		named = true
		t, _, err := mime.ParseMediaType(part)
		if err == nil && slices.Contains([]string{"application/fhir+json", "application/json", "application/*", "*/*"}, t) {
			return true
		}
	}
	return !named
}

func (a *asking) query(vs url.Values) error {
	for name, values := range vs {
		if name == "patient" {
			return &fhir.Error{Code: fhir.Invalid, Detail: "patient may be given in the Parameters resource of a POST alone: an id of a patient has no place in a URL."}
		}
		for _, v := range values {
			if err := a.parameter(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// posted reads a Parameters resource.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html#query-parameters
func (a *asking) posted(r *rest.Request) error {
	if len(r.Body) == 0 {
		return nil
	}
	p, err := fhir.Parse(r.Body)
	if err != nil {
		return err
	}
	if p.Type != "Parameters" {
		return fhir.Errorf(fhir.Invalid, "", "The body of an export's POST is a Parameters resource.")
	}
	for n := range p.Root().Get("parameter").Elements() {
		name := n.Get("name").Text()
		if name == "_format" || name == "_pretty" {
			continue
		}
		if !slices.Contains(parameters, name) {
			return &fhir.Error{Code: fhir.NotSupported, Detail: "Parameters holds one that an export does not have; leave it out.", At: []string{"Parameters.parameter"}}
		}
		if name == "patient" {
			k, ok := n.Get("valueReference").Ref()
			if !ok || k.Type != "Patient" {
				return &fhir.Error{Code: fhir.Invalid, Detail: "patient is a reference to a Patient here: {\"reference\": \"Patient/[id]\"}.", At: []string{"Parameters.parameter"}}
			}
			if a.level == System {
				return &fhir.Error{Code: fhir.Invalid, Detail: "patient goes with Patient/$export and Group/[id]/$export.", At: []string{"Parameters.parameter"}}
			}
			a.patients = append(a.patients, k)
			continue
		}
		value := ""
		for _, t := range []string{"valueString", "valueInstant", "valueCode", "valueUri", "valueDateTime"} {
			if v := n.Get(t); v.Exists() {
				value = v.Text()
			}
		}
		if b, ok := n.Get("valueBoolean").Bool(); ok && b {
			value = "true"
		}
		if err := a.parameter(name, value); err != nil {
			return err
		}
	}
	return nil
}

// ignore leaves something out for a lenient caller, or refuses it.
func (a *asking) ignore(format string, args ...any) error {
	err := fhir.Errorf(fhir.NotSupported, "", format, args...)
	if !a.lenient {
		return err
	}
	a.notes = append(a.notes, note{Code: err.Code, Detail: err.Detail, Info: true})
	return nil
}

func (a *asking) parameter(name, value string) error {
	switch name {
	case "_format", "_pretty":
	case "_outputFormat":
		// A plus in a URL that was not escaped reads as a blank.
		if !slices.Contains([]string{"application/fhir+ndjson", "application/ndjson", "ndjson"}, strings.ReplaceAll(value, " ", "+")) {
			return a.ignore("_outputFormat: files are application/fhir+ndjson alone.")
		}
	case "_since":
		t, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(value, " ", "+"))
		if err != nil || !a.since.IsZero() {
			return fhir.Errorf(fhir.Invalid, "", "_since is one instant with a time zone, such as 2026-01-31T09:00:00Z.")
		}
		a.since = t.UTC()
	case "_type":
		a.named = true
		for t := range strings.SplitSeq(value, ",") {
			t = strings.TrimSpace(t)
			if _, ok := a.e.Served.Type(t); !ok {
				if err := a.ignore("_type names a resource type that is not served; /metadata lists those that are."); err != nil {
					return err
				}
				continue
			}
			if a.level != System && !alongside(t) && !inCompartment(t) {
				if err := a.ignore("_type: %s is about no patient; export it from the system level.", t); err != nil {
					return err
				}
				continue
			}
			a.types = append(a.types, t)
		}
	case "_elements":
		return a.ignore("_elements is not served: resources are exported whole.")
	case "includeAssociatedData":
		return a.ignore("includeAssociatedData is not served: name Provenance in _type.")
	case "_typeFilter":
		return a.ignore("_typeFilter is not served: resources are exported by their type alone.")
	default:
		return a.ignore("%s is not served.", name)
	}
	return nil
}

// alongside are types about no patient that may be asked for with patients' resources.
func alongside(t string) bool {
	return slices.Contains([]string{"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Questionnaire"}, t)
}

func inCompartment(t string) bool {
	_, in := spec.R4().Compartment("Patient")[t]
	return in || t == "Patient"
}

// every lists the types that an export of a level reads when none is named.
func (e *Exports) every(level Level) (types []string) {
	for _, t := range e.Served.Types {
		if level == System || inCompartment(t.Name) {
			types = append(types, t.Name)
		}
	}
	slices.SortFunc(types, patientsFirst)
	return types
}

func patientsFirst(x, y string) int {
	if (x == "Patient") != (y == "Patient") {
		if x == "Patient" {
			return -1
		}
		return 1
	}
	return strings.Compare(x, y)
}

// choose settles which types are read, patients first: who reads the files in their
// order meets no reference before its target.
func (a *asking) choose() error {
	if a.named && len(a.types) == 0 {
		return fhir.Errorf(fhir.NotSupported, "", "_type names nothing that is exported here.")
	}
	if !a.named {
		a.types = a.e.every(a.level)
	}
	slices.SortFunc(a.types, patientsFirst)
	a.types = slices.Compact(a.types)
	slices.SortFunc(a.patients, fhir.Key.Compare)
	a.patients = slices.Compact(a.patients)
	return nil
}
