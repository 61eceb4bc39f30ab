package questionnaire

import (
	"encoding/base64"
	"regexp"
	"strings"
	"unicode/utf8"

	"rapport/fhir"
	"rapport/fhir/spec"
)

const sdcExt = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"

// bounds judges lengths, least and greatest values, places, units, patterns.
func (v *visit) bounds(d *definition, val fhir.Node, kind, at string) {
	switch kind {
	case "String", "Uri":
		v.length(d, val, at)
	case "Attachment":
		v.attachment(d, val, at)
	case "Quantity":
		v.quantity(d, val, at)
		return
	case "Decimal":
		_, places, _ := strings.Cut(val.Decimal(), ".")
		if most, ok := d.extension(hl7 + "maxDecimalPlaces").Get("valueInteger").Int(); ok && int64(len(places)) > most {
			v.say(fhir.Value, at, "item %q takes at most %d decimal places", d.link, most)
		}
	}
	if least, k := valueOf(d.extension(hl7 + "minValue")); least.Exists() {
		if n, known := compare(kindOf(kind, k), val, least); known && n < 0 {
			v.say(fhir.Value, at, "the answer to item %q is below the least value", d.link)
		}
	}
	if most, k := valueOf(d.extension(hl7 + "maxValue")); most.Exists() {
		if n, known := compare(kindOf(kind, k), val, most); known && n > 0 {
			v.say(fhir.Value, at, "the answer to item %q is above the greatest value", d.link)
		}
	}
}

// kindOf compares a value and a bound of related types as the wider of the two.
func kindOf(value, bound string) string {
	if value == "Date" && bound == "DateTime" {
		return bound
	}
	return value
}

func (v *visit) length(d *definition, val fhir.Node, at string) {
	n := int64(utf8.RuneCountInString(val.Text()))
	if most, ok := d.node.Get("maxLength").Int(); ok && n > most {
		v.say(fhir.TooLong, at, "the answer to item %q is longer than %d characters", d.link, most)
	}
	if least, ok := d.extension(hl7 + "minLength").Get("valueInteger").Int(); ok && n < least {
		v.say(fhir.Value, at, "the answer to item %q is shorter than %d characters", d.link, least)
	}
	pattern := d.extension(hl7 + "regex").Get("valueString").Text()
	if pattern == "" {
		return
	}
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		v.say(fhir.NotSupported, at, "the pattern of item %q cannot be used; its answer was not checked", d.link).Warn = true
	} else if !re.MatchString(val.Text()) {
		v.say(fhir.Value, at, "the answer to item %q has not the form that is asked for", d.link)
	}
}

func (v *visit) attachment(d *definition, val fhir.Node, at string) {
	var types []string
	for e := range d.node.Get("extension").Elements() {
		if e.Get("url").Text() == hl7+"mimeType" {
			types = append(types, e.Get("valueCode").Text())
		}
	}
	if got := val.Get("contentType").Text(); len(types) > 0 && !anyFold(types, got) {
		v.say(fhir.Value, at, "item %q takes attachments of type %s", d.link, strings.Join(types, ", "))
	}
	limit, ok := number(d.extension(hl7 + "maxSize").Get("valueDecimal"))
	if !ok {
		return
	}
	size, stated := val.Get("size").Int()
	if data := val.Get("data").Text(); data != "" {
		size, stated = max(size, int64(base64.RawStdEncoding.DecodedLen(len(strings.TrimRight(data, "="))))), true
	}
	if f, _ := limit.Float64(); stated && float64(size) > f {
		v.say(fhir.TooLong, at, "the attachment of item %q is larger than allowed", d.link)
	}
}

func anyFold(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}

func (v *visit) quantity(d *definition, val fhir.Node, at string) {
	for _, b := range []struct {
		url, kind string
		sign      int
	}{
		{sdcExt + "minQuantity", "below the least", -1}, {sdcExt + "maxQuantity", "above the greatest", 1},
		{hl7 + "minValue", "below the least", -1}, {hl7 + "maxValue", "above the greatest", 1},
	} {
		bound, kind := valueOf(d.extension(b.url))
		if kind != "Quantity" {
			continue
		}
		n, known := compareQuantities(val, bound)
		if !known {
			v.say(fhir.Value, at, "the answer to item %q has a unit that its bounds cannot be compared with", d.link)
		} else if n == b.sign {
			v.say(fhir.Value, at, "the answer to item %q is %s quantity", d.link, b.kind)
		}
	}
	v.units(d, val, at)
}

// units judges the unit by the options of the form.
func (v *visit) units(d *definition, val fhir.Node, at string) {
	offered, found := false, false
	for e := range d.node.Get("extension").Elements() {
		if e.Get("url").Text() != hl7+"questionnaire-unitOption" {
			continue
		}
		offered = true
		u := e.Get("valueCoding")
		found = found || u.Get("code").Text() == val.Get("code").Text() && u.Get("system").Text() == val.Get("system").Text()
	}
	if offered && !found {
		v.say(fhir.CodeInvalid, at, "the unit of the answer to item %q is none of its options", d.link)
	}
	set := d.extension(hl7 + "questionnaire-unitValueSet").Get("valueCanonical").Text()
	if set == "" {
		return
	}
	if !val.Get("code").Exists() {
		v.say(fhir.CodeInvalid, at, "the unit of the answer to item %q needs a code", d.link)
		return
	}
	in, known := v.member(set, val)
	if !known {
		v.say(fhir.NotSupported, at, "the value set of the units of item %q is not known here; the unit was not checked", d.link).Warn = true
	} else if !in {
		v.say(fhir.CodeInvalid, at, "the unit of the answer to item %q is not in its value set", d.link)
	}
}

func isResource(typ string) bool { return spec.R4().IsResource(typ) }
