package rest

import (
	"rapport/fhir"
	"rapport/fhir/spec"
)

// capabilities writes the CapabilityStatement from the data that the router and
// the index follow, so that it cannot say anything else than they do.
//
// Source: https://hl7.org/fhir/R4/http.html#capabilities
func (rt *Router) capabilities() []byte {
	var types []*fhir.Object
	for _, t := range rt.Served.Types {
		types = append(types, rt.resourceCapability(t))
	}
	var system []*fhir.Object
	for _, i := range rt.Served.System {
		system = append(system, fhir.NewObject().Set("code", string(i)))
	}
	rest := fhir.NewObject().Set("mode", "server")
	if rt.Security != nil {
		rest.Set("security", rt.Security())
	}
	rest.Set("resource", types).Set("interaction", system)
	if ops := rt.operations(""); len(ops) > 0 {
		rest.Set("operation", ops)
	}
	return fhir.NewObject().
		Set("resourceType", "CapabilityStatement").
		Set("status", "active").
		Set("date", rt.Clock().UTC().Format("2006-01-02")).
		Set("kind", "instance").
		Set("software", fhir.NewObject().Set("name", rt.Software)).
		Set("implementation", fhir.NewObject().Set("description", "Rapport, a FHIR gateway for psychotherapy").Set("url", rt.Base)).
		Set("fhirVersion", rt.Served.FHIRVersion).
		Set("format", []string{"application/fhir+json", "json"}).
		Set("patchFormat", []string{jsonPatchType}).
		Set("rest", []*fhir.Object{rest}).
		JSON()
}

func (rt *Router) resourceCapability(t *spec.ServedType) *fhir.Object {
	var interactions, params []*fhir.Object
	for _, i := range t.Interactions {
		interactions = append(interactions, fhir.NewObject().Set("code", string(i)))
	}
	for _, p := range t.Params {
		params = append(params, fhir.NewObject().Set("name", p.Code).Set("definition", p.URL).Set("type", p.Type))
	}
	o := fhir.NewObject().
		Set("type", t.Name).
		Set("interaction", interactions).
		Set("versioning", "versioned").
		Set("readHistory", t.Allows(fhir.HistoryInstance)).
		Set("updateCreate", t.Allows(fhir.Update)).
		Set("conditionalCreate", t.ConditionalCreate).
		Set("conditionalRead", "full-support").
		Set("conditionalUpdate", t.Allows(fhir.Update)).
		Set("conditionalDelete", conditionalDelete(t)).
		Set("referencePolicy", []string{"literal", "logical"}).
		Set("searchInclude", rt.followed(t.Includes)).
		Set("searchRevInclude", rt.followed(t.RevIncludes)).
		Set("searchParam", params)
	ops := []*fhir.Object{fhir.NewObject().Set("name", "validate").Set("definition", "http://hl7.org/fhir/OperationDefinition/Resource-validate")}
	if t.Name == "Patient" {
		ops = append(ops, fhir.NewObject().Set("name", "everything").Set("definition", "http://hl7.org/fhir/OperationDefinition/Patient-everything"))
	}
	return o.Set("operation", append(ops, rt.operations(t.Name)...))
}

func conditionalDelete(t *spec.ServedType) string {
	if t.Allows(fhir.Delete) {
		return "single"
	}
	return "not-supported"
}

// followed leaves out the includes that no search follows.
func (rt *Router) followed(includes []string) (out []string) {
	for _, name := range includes {
		if rt.Search.Follows(name) {
			out = append(out, name)
		}
	}
	return out
}
