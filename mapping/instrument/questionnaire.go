package instrument

import "rapport/fhir"

// The extensions that a Questionnaire of ours uses.
const (
	extOrdinal    = "http://hl7.org/fhir/StructureDefinition/ordinalValue"   // R4
	extWeight     = "http://hl7.org/fhir/StructureDefinition/itemWeight"     // SDC 4, R5
	extExpression = "http://hl7.org/fhir/StructureDefinition/cqf-expression" // R4
	extCalculated = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"
)

// Questionnaire makes the FHIR definition: the items with their options and
// scores, then one read-only item for each scale with the FHIRPath that works it
// out. Its id is the slug. An instrument whose text may not ship has linkIds and
// codes only. Its extensions are those of R4 and of HL7's extensions package; see
// [Instrument.Form] for software that fills in forms.
func (in *Instrument) Questionnaire() (fhir.Resource, error) { return in.questionnaire(extExpression) }

// Form makes the same definition with the extension by which Structured Data
// Capture names a calculated item. A validator needs SDC's definitions for it.
//
// Source: https://hl7.org/fhir/uv/sdc/StructureDefinition-sdc-questionnaire-calculatedExpression.html
func (in *Instrument) Form() (fhir.Resource, error) { return in.questionnaire(extCalculated) }

func (in *Instrument) questionnaire(calculated string) (fhir.Resource, error) {
	q := fhir.NewResource(fhir.Key{Type: "Questionnaire", ID: in.Slug}).
		Set("language", in.Lang).
		Set("url", in.URL).
		Set("version", in.Version).
		Set("name", in.Name).
		Set("title", in.Title).
		Set("status", "active").
		Set("subjectType", []string{"Patient"}).
		Set("date", in.Date).
		Set("description", in.description()).
		Set("copyright", in.Licence.Copyright).
		Set("code", []*fhir.Object{in.Panel.coding()})
	var items []*fhir.Object
	for _, it := range in.Items {
		items = append(items, in.questionItem(it))
	}
	for _, s := range in.Scales {
		items = append(items, in.scoreItem(s, calculated))
	}
	return q.Set("item", items).Resource()
}

func (in *Instrument) description() string {
	d := in.Title + "."
	if in.Period != "" {
		d += " Period: " + in.Period + "."
	}
	if !in.Text {
		d += " Without item texts: a site that holds a licence shows them from its own form."
	}
	return d
}

func (k Code) coding() *fhir.Object { return fhir.Coding(k.System, k.Code, k.Display) }

func (in *Instrument) questionItem(it *Item) *fhir.Object {
	o := fhir.NewObject().
		Set("linkId", it.Link).
		Set("code", []*fhir.Object{it.Code.coding()}).
		Set("prefix", it.Link).
		Set("text", it.Text)
	if it.list == nil {
		return o.Set("type", "integer").Set("enableWhen", in.enableWhen(it))
	}
	var options []*fhir.Object
	for _, opt := range it.list.Options {
		var ext []*fhir.Object
		if opt.Score != nil {
			ext = []*fhir.Object{
				fhir.NewObject().Set("url", extOrdinal).Set("valueDecimal", opt.Score.Decimal()),
				fhir.NewObject().Set("url", extWeight).Set("valueDecimal", opt.Score.Decimal()),
			}
		}
		options = append(options, fhir.NewObject().Set("extension", ext).Set("valueCoding", fhir.Coding(it.list.System, opt.Code, opt.Display)))
	}
	return o.Set("type", "choice").Set("enableWhen", in.enableWhen(it)).Set("answerOption", options)
}

func (in *Instrument) enableWhen(it *Item) []*fhir.Object {
	if it.Unless == nil {
		return nil
	}
	on := in.Item(it.Unless.Item)
	return []*fhir.Object{fhir.NewObject().
		Set("question", on.Link).
		Set("operator", "!=").
		Set("answerCoding", fhir.Coding(on.list.System, it.Unless.Is, ""))}
}

func (in *Instrument) scoreItem(s *Scale, calculated string) *fhir.Object {
	expr := fhir.NewObject().Set("language", "text/fhirpath").Set("expression", in.Expression(s))
	text := ""
	if in.Text {
		text = s.Code.Display
	}
	return fhir.NewObject().
		Set("extension", []*fhir.Object{fhir.NewObject().Set("url", calculated).Set("valueExpression", expr)}).
		Set("linkId", s.Slug).
		Set("code", []*fhir.Object{s.Code.coding()}).
		Set("text", text).
		Set("type", "decimal").
		Set("readOnly", true)
}
