package questionnaire

import (
	"slices"
	"strings"

	"rapport/fhir"
)

// kinds are the value types that an item of a type takes.
//
// Source: https://hl7.org/fhir/R4/valueset-item-type.html
var kinds = map[string][]string{
	"boolean": {"Boolean"}, "decimal": {"Decimal"}, "integer": {"Integer"}, "date": {"Date"}, "dateTime": {"DateTime"},
	"time": {"Time"}, "string": {"String"}, "text": {"String"}, "url": {"Uri"}, "choice": {"Coding"},
	"open-choice": {"Coding", "String"}, "attachment": {"Attachment"}, "reference": {"Reference"}, "quantity": {"Quantity"},
}

// answer judges one answer.
func (v *visit) answer(d *definition, a fhir.Node, at string) {
	val, kind := valueOf(a)
	if !val.Exists() {
		return // an extension says why there is none
	}
	takes := kinds[d.typ]
	if d.typ == "choice" { // its options may be of other types
		for o := range d.node.Get("answerOption").Elements() {
			if _, k := valueOf(o); k != "" && !slices.Contains(takes, k) {
				takes = append(slices.Clone(takes), k)
			}
		}
	}
	if !slices.Contains(takes, kind) {
		v.say(fhir.Value, at, "item %q is a %s and takes value%s", d.link, d.typ, strings.Join(takes, " or value"))
		return
	}
	if bad := malformed(kind, val); bad != "" {
		v.say(fhir.Value, at, "item %q: %s", d.link, bad)
		return
	}
	v.options(d, val, kind, at)
	v.bounds(d, val, kind, at)
	v.reference(d, val, kind, at)
}

// malformed says what is wrong with a value by itself.
func malformed(kind string, val fhir.Node) string {
	want := fhir.Str
	switch kind {
	case "Boolean":
		if _, ok := val.Bool(); !ok {
			return "a boolean is true or false"
		}
		return ""
	case "Integer":
		if _, ok := val.Int(); !ok {
			return "an integer is a whole number"
		}
		return ""
	case "Decimal":
		want = fhir.Num
	case "Coding", "Quantity", "Reference", "Attachment":
		want = fhir.Obj
	}
	if val.Kind() != want {
		return "the value is not of its type"
	}
	switch kind {
	case "Date", "DateTime", "Time":
		if _, known := compareMoments(kind, val.Text(), val.Text()); !known {
			return "this is no " + strings.ToLower(kind)
		}
	case "Uri":
		return malformedURI(val.Text())
	}
	return ""
}

func malformedURI(s string) string {
	if strings.ContainsAny(s, "\\ \t\r\n<>\"{}|^`") {
		return "this is no URI"
	}
	if id, ok := strings.CutPrefix(s, "urn:uuid:"); ok && !isUUID(id) {
		return "urn:uuid is followed by a UUID"
	}
	return ""
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}

// options judges membership in answerOption or answerValueSet.
func (v *visit) options(d *definition, val fhir.Node, kind, at string) {
	if d.typ == "open-choice" && kind == "String" {
		return
	}
	if options := d.node.Get("answerOption"); options.Len() > 0 {
		for o := range options.Elements() {
			if want, k := valueOf(o); k == kind && equal(kind, val, want) {
				return
			}
		}
		v.say(fhir.CodeInvalid, at, "the answer to item %q is none of its options", d.link)
		return
	}
	set := d.node.Get("answerValueSet").Text()
	if set == "" || kind != "Coding" {
		if set != "" { // of a string, it is not said whether it is a code or a display
			v.say(fhir.NotSupported, at, "the answer to item %q is no coding; it was not checked against its value set", d.link).Warn = true
		}
		return
	}
	in, known := v.member(set, val)
	if !known {
		v.say(fhir.NotSupported, at, "the value set of item %q is not known here; its answer was not checked", d.link).Warn = true
	} else if !in {
		v.say(fhir.CodeInvalid, at, "the answer to item %q is not in its value set", d.link)
	}
}

// member tells whether a coding is in a contained or a known value set.
func (v *visit) member(set string, coding fhir.Node) (in, known bool) {
	if id, ok := strings.CutPrefix(set, "#"); ok {
		for c := range v.q.Get("contained").Elements() {
			if c.Get("resourceType").Text() == "ValueSet" && c.Get("id").Text() == id {
				return listed(c, coding)
			}
		}
		return false, false
	}
	if v.checker.ValueSet == nil {
		return false, false
	}
	return v.checker.ValueSet(set, coding.Get("system").Text(), coding.Get("code").Text())
}

// listed looks into a value set that enumerates its codes.
func listed(set, coding fhir.Node) (in, known bool) {
	system, code := coding.Get("system").Text(), coding.Get("code").Text()
	if x := set.Get("expansion"); x.Exists() {
		return contains(x, system, code), true
	}
	compose := set.Get("compose")
	if compose.Get("exclude").Exists() || !compose.Get("include").Exists() {
		return false, false
	}
	for i := range compose.Get("include").Elements() {
		if i.Get("concept").Len() == 0 || i.Get("filter").Exists() || i.Get("valueSet").Exists() {
			return false, false
		}
		for c := range i.Get("concept").Elements() {
			if i.Get("system").Text() == system && c.Get("code").Text() == code {
				return true, true
			}
		}
	}
	return false, true
}

func contains(n fhir.Node, system, code string) bool {
	for c := range n.Get("contains").Elements() {
		if c.Get("system").Text() == system && c.Get("code").Text() == code || contains(c, system, code) {
			return true
		}
	}
	return false
}

// exclusive reports whether an answer is an option that excludes the others.
func (d *definition) exclusive(a fhir.Node) bool {
	val, kind := valueOf(a)
	for o := range d.node.Get("answerOption").Elements() {
		want, k := valueOf(o)
		if k != kind || !equal(kind, val, want) {
			continue
		}
		for e := range o.Get("extension").Elements() {
			if b, _ := e.Get("valueBoolean").Bool(); b && e.Get("url").Text() == hl7+"questionnaire-optionExclusive" {
				return true
			}
		}
	}
	return false
}

// reference judges what type of resource a reference names.
func (v *visit) reference(d *definition, val fhir.Node, kind, at string) {
	if kind != "Reference" {
		return
	}
	ref := val.Get("reference").Text()
	if ref == "" || strings.HasPrefix(ref, "#") || strings.HasPrefix(ref, "urn:") {
		return
	}
	typ := typeOf(ref)
	if !isResource(typ) {
		v.say(fhir.Value, at, "item %q: the reference names no FHIR resource", d.link)
		return
	}
	var allowed []string
	for e := range d.node.Get("extension").Elements() {
		if e.Get("url").Text() == hl7+"questionnaire-referenceResource" {
			allowed = append(allowed, e.Get("valueCode").Text())
		}
	}
	if len(allowed) > 0 && !slices.Contains(allowed, typ) {
		v.say(fhir.Value, at, "item %q takes references to %s", d.link, strings.Join(allowed, ", "))
	}
}

// typeOf returns the resource type in a literal reference, absolute or not, with
// or without a version.
func typeOf(ref string) string {
	parts := strings.Split(strings.TrimRight(ref, "/"), "/")
	for i, p := range parts {
		if p == "_history" {
			parts = parts[:i]
			break
		}
	}
	if len(parts) < 2 {
		return ""
	}
	return parts[len(parts)-2]
}
