package validate_test

import (
	"strconv"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
)

// phq9 is a response of the size that practices send: nine answered items and a
// total, about 4.4 KB.
func phq9() []byte {
	var items []*fhir.Object
	for i := range 10 {
		items = append(items, fhir.NewObject().
			Set("linkId", "/44250-9/"+strconv.Itoa(44250+i)).
			Set("definition", "http://rapport.example/fhir/Questionnaire/phq-9#item-"+strconv.Itoa(i)).
			Set("text", "Over the last two weeks, how often have you been bothered by problem number "+strconv.Itoa(i)+"?").
			Set("answer", []*fhir.Object{fhir.NewObject().Set("valueCoding", fhir.NewObject().
				Set("extension", []*fhir.Object{fhir.NewObject().Set("url", "http://hl7.org/fhir/StructureDefinition/ordinalValue").Set("valueDecimal", fhir.Decimal("2"))}).
				Set("system", "http://loinc.org").Set("code", "LA6570-1").Set("display", "More than half the days"))}))
	}
	return fhir.NewResource(fhir.Key{Type: "QuestionnaireResponse", ID: "phq9-17"}).
		Set("meta", fhir.NewObject().Set("versionId", "3").Set("lastUpdated", "2026-03-01T09:30:00.123456Z").Set("profile", []string{"http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaireresponse"})).
		Set("questionnaire", "http://rapport.example/fhir/Questionnaire/phq-9|1.0").
		Set("status", "completed").
		Set("subject", fhir.Key{Type: "Patient", ID: "p-17"}).
		Set("encounter", fhir.Key{Type: "Encounter", ID: "e-9"}).
		Set("authored", "2026-03-01T10:30:00+01:00").
		Set("author", fhir.Key{Type: "Patient", ID: "p-17"}).
		Set("item", items).JSON()
}

// observation is a score with components and a narrative, about 4 KB.
func observation() []byte {
	var parts []*fhir.Object
	for i := range 9 {
		parts = append(parts, fhir.NewObject().
			Set("code", fhir.Concept("http://loinc.org", "4425"+strconv.Itoa(i)+"-9", "Item "+strconv.Itoa(i))).
			Set("valueQuantity", fhir.NewObject().Set("value", fhir.Decimal("2.0")).Set("unit", "{score}").Set("system", "http://unitsofmeasure.org").Set("code", "{score}")))
	}
	return fhir.NewResource(fhir.Key{Type: "Observation", ID: "o-17"}).
		Set("text", fhir.NewObject().Set("status", "generated").
			Set("div", `<div xmlns="http://www.w3.org/1999/xhtml"><p>Total <b>18</b></p><table>`+strings.Repeat(`<tr><td class="n">Item</td><td>2</td></tr>`, 9)+`</table></div>`)).
		Set("status", "final").
		Set("category", []*fhir.Object{fhir.Concept("http://terminology.hl7.org/CodeSystem/observation-category", "survey", "Survey")}).
		Set("code", fhir.Concept("http://loinc.org", "44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score")).
		Set("subject", fhir.Key{Type: "Patient", ID: "p-17"}).
		Set("effectiveDateTime", "2026-03-01T10:30:00+01:00").
		Set("performer", []fhir.Key{{Type: "Practitioner", ID: "t-1"}}).
		Set("valueInteger", 18).
		Set("component", parts).JSON()
}

func BenchmarkValidate(b *testing.B) {
	for name, body := range map[string][]byte{"PHQ-9 response": phq9(), "Observation": observation()} {
		b.Run(name, func(b *testing.B) {
			r, err := fhir.Parse(body)
			if err != nil {
				b.Fatal(err)
			}
			v := validate.New(spec.R4())
			if es := v.Resource(b.Context(), r); len(es) > 0 {
				b.Fatal(es)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				v.Resource(b.Context(), r)
			}
		})
	}
}
