package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"rapport/fhir"
)

// Definitions returns what a server keeps, and a validator needs, so that codes
// and extensions of our own can be looked up: the code systems, ConceptMaps and
// unscored Questionnaires of this package, and the StructureDefinition of every extension that is written
// here. They are the same at every call.
func Definitions() ([]fhir.Resource, error) {
	t, err := loadTables()
	if err != nil {
		return nil, err
	}
	return append(t.resources, t.extensions...), nil
}

// extensionRow is a line of tables/extensions.json.
type extensionRow struct {
	Slug    string   `json:"slug"`
	On      []string `json:"on"`      // elements that it may stand on
	Value   string   `json:"value"`   // FHIR type
	Targets []string `json:"targets"` // of a Reference; none: any
	Says    string   `json:"says"`
}

func extensionDefinitions(b []byte) (out []fhir.Resource, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var rows []extensionRow
	if err := d.Decode(&rows); err != nil {
		return nil, err
	}
	for _, row := range rows {
		r, err := row.definition()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row.Slug, err)
		}
		out = append(out, r)
	}
	detail, err := detailDefinition()
	return append(out, detail), err
}

func (row extensionRow) definition() (fhir.Resource, error) {
	typ := fhir.NewObject().Set("code", row.Value)
	if len(row.Targets) > 0 {
		var targets []string
		for _, t := range row.Targets {
			targets = append(targets, "http://hl7.org/fhir/StructureDefinition/"+t)
		}
		typ.Set("targetProfile", targets)
	}
	return structure(row.Slug, row.Says, row.On,
		fhir.NewObject().Set("id", "Extension.extension").Set("path", "Extension.extension").Set("max", "0"),
		fixedURL("Extension.url", "Extension.url", extensionURL(row.Slug)),
		fhir.NewObject().Set("id", "Extension.value[x]").Set("path", "Extension.value[x]").Set("min", 1).Set("type", []*fhir.Object{typ}),
	)
}

// detailDefinition is that of the only extension with parts.
func detailDefinition() (fhir.Resource, error) {
	at := func(id string) *fhir.Object {
		path := strings.NewReplacer(":about", "", ":value", "").Replace(id)
		return fhir.NewObject().Set("id", id).Set("path", path)
	}
	part := func(name string, types ...string) []*fhir.Object {
		var ts []*fhir.Object
		for _, t := range types {
			ts = append(ts, fhir.NewObject().Set("code", t))
		}
		id := "Extension.extension:" + name
		return []*fhir.Object{
			at(id).Set("sliceName", name).Set("min", 1).Set("max", "1"),
			at(id+".extension").Set("max", "0"),
			fixedURL(id+".url", "Extension.extension.url", name),
			at(id+".value[x]").Set("min", 1).Set("type", ts),
		}
	}
	elements := append([]*fhir.Object{at("Extension.extension").Set("min", 2).Set("max", "2")}, part("about", "Coding")...)
	elements = append(elements, part("value", "Coding", "decimal", "boolean", "dateTime", "string")...)
	elements = append(elements, fixedURL("Extension.url", "Extension.url", extensionURL("source-detail")), at("Extension.value[x]").Set("max", "0"))
	return structure("source-detail", "What the source says and no element is for: what it is about, and one value.", []string{"DomainResource"}, elements...)
}

func fixedURL(id, path, url string) *fhir.Object {
	return fhir.NewObject().Set("id", id).Set("path", path).Set("fixedUri", url)
}

func structure(slug, says string, on []string, elements ...*fhir.Object) (fhir.Resource, error) {
	var context []*fhir.Object
	for _, e := range on {
		context = append(context, fhir.NewObject().Set("type", "element").Set("expression", e))
	}
	name := ""
	for _, word := range strings.Split(slug, "-") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	root := fhir.NewObject().Set("id", "Extension").Set("path", "Extension").Set("short", says).Set("definition", says)
	return fhir.NewResource(fhir.Key{Type: "StructureDefinition", ID: slug}).
		Set("url", extensionURL(slug)).
		Set("version", "1.0.0").
		Set("name", name).
		Set("status", "active").
		Set("experimental", false).
		Set("description", says).
		Set("fhirVersion", "4.0.1").
		Set("kind", "complex-type").
		Set("abstract", false).
		Set("context", context).
		Set("type", "Extension").
		Set("baseDefinition", "http://hl7.org/fhir/StructureDefinition/Extension").
		Set("derivation", "constraint").
		Set("differential", fhir.NewObject().Set("element", append([]*fhir.Object{root}, elements...))).
		Resource()
}
