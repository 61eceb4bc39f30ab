package rest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"rapport/fhir"
)

// everythingTypes are the parameters of $everything by the member that holds a value.
//
// Source: https://hl7.org/fhir/R4/patient-operation-everything.html
var everythingTypes = map[string]string{"start": "valueDate", "end": "valueDate", "_since": "valueInstant", "_type": "valueCode", "_count": "valueInteger"}

// parametersOf returns the parameters of $everything, those of the URL and those of a
// Parameters that was posted, as a URL would hold them.
func parametersOf(r *Request) (map[string][]string, error) {
	if r.Method != http.MethodPost || len(r.Body) == 0 {
		return r.Query, nil
	}
	p, err := fhir.Parse(r.Body)
	if err != nil {
		return nil, err
	}
	if p.Type != "Parameters" {
		return nil, fhir.Errorf(fhir.Invalid, "resourceType", "$everything takes a Parameters, or no body.")
	}
	out := maps.Clone(map[string][]string(r.Query))
	if out == nil {
		out = map[string][]string{}
	}
	i := 0
	for n := range p.Root().Get("parameter").Elements() {
		at := fmt.Sprintf("Parameters.parameter[%d]", i)
		name := n.Get("name").Text()
		member, ok := everythingTypes[name]
		if !ok {
			return nil, fhir.Errorf(fhir.NotSupported, at, "The parameter %s is not served on $everything; there are start, end, _since, _type and _count.", printable(name))
		}
		v := n.Get(member).Text() + n.Get(member).Decimal()
		if v == "" {
			return nil, fhir.Errorf(fhir.Invalid, at, "%s is given as %s.", name, member)
		}
		out[name] = append(slices.Clip(out[name]), v)
		i++
	}
	return out, nil
}
