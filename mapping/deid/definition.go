package deid

import (
	"strings"

	"rapport/fhir"
)

// Definitions returns the StructureDefinitions of the extensions that are written
// here, for servers and validators. They are the same at every call.
func Definitions() ([]fhir.Resource, error) {
	var out []fhir.Resource
	for _, x := range []struct {
		url, typ, says string
		on             []string
	}{
		{daysURL, "integer", "How many days after the first day of the person's course of therapy; negative before it.", []string{"date", "dateTime", "instant"}},
		{birthURL, "string", "The years in one of which the person was born, as far as a release tells them.", []string{"Patient.birthDate"}},
		{startURL, "string", "The years in one of which the course of therapy began, as far as a release tells them.", []string{"Patient"}},
	} {
		slug := x.url[strings.LastIndexByte(x.url, '/')+1:]
		var context []*fhir.Object
		for _, e := range x.on {
			context = append(context, fhir.NewObject().Set("type", "element").Set("expression", e))
		}
		name := ""
		for _, word := range strings.Split(slug, "-") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		element := func(path string) *fhir.Object { return fhir.NewObject().Set("id", path).Set("path", path) }
		r, err := fhir.NewResource(fhir.Key{Type: "StructureDefinition", ID: slug}).
			Set("url", x.url).Set("version", "1.0.0").Set("name", name).Set("status", "active").Set("experimental", false).
			Set("description", x.says).Set("fhirVersion", "4.0.1").Set("kind", "complex-type").Set("abstract", false).
			Set("context", context).
			Set("type", "Extension").Set("baseDefinition", "http://hl7.org/fhir/StructureDefinition/Extension").Set("derivation", "constraint").
			Set("differential", fhir.NewObject().Set("element", []*fhir.Object{
				element("Extension").Set("short", x.says).Set("definition", x.says),
				element("Extension.extension").Set("max", "0"),
				element("Extension.url").Set("fixedUri", x.url),
				element("Extension.value[x]").Set("min", 1).Set("type", []*fhir.Object{fhir.NewObject().Set("code", x.typ)}),
			})).Resource()
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
