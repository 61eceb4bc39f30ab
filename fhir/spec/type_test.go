package spec_test

import (
	"regexp"
	"slices"
	"sync"
	"testing"

	"rapport/fhir/spec"
)

func TestChildResolvesNamesAsJSONWritesThem(t *testing.T) {
	for _, c := range []struct {
		typ        string
		names      []string
		path, code string
	}{
		{"Observation", []string{"valueQuantity"}, "Observation.value[x]", "Quantity"},
		{"Observation", []string{"valueQuantity", "value"}, "Quantity.value", "decimal"},
		{"Observation", []string{"component", "referenceRange", "low", "unit"}, "Quantity.unit", "string"}, // content of referenceRange
		{"Questionnaire", []string{"item", "item", "item", "linkId"}, "Questionnaire.item.linkId", "string"},
		{"Patient", []string{"meta", "tag", "system"}, "Coding.system", "uri"},
		{"Patient", []string{"contact", "modifierExtension", "valueAge", "comparator"}, "Age.comparator", "code"},
		{"Patient", []string{"id"}, "Patient.id", "id"},
		{"Bundle", []string{"entry", "resource"}, "Bundle.entry.resource", "Resource"},
		{"Timing", []string{"repeat", "boundsPeriod", "start"}, "Period.start", "dateTime"},
	} {
		typ, ok := spec.R4().Type(c.typ)
		if !ok {
			t.Fatal(c.typ)
		}
		e, code := typ.Root(), ""
		for _, name := range c.names {
			if e, code, ok = e.As(code).Child(name); !ok {
				t.Fatalf("%s %v: no %s", c.typ, c.names, name)
			}
		}
		if e.Path != c.path || code != c.code {
			t.Errorf("%s %v: %s as %s", c.typ, c.names, e.Path, code)
		}
	}
	obs, _ := spec.R4().Type("Observation")
	for _, name := range []string{"value", "valuequantity", "valueMoney", "Status", "component.code", ""} {
		if e, _, ok := obs.Root().Child(name); ok {
			t.Errorf("%q is %s", name, e.Path)
		}
	}
}

func TestFieldResolvesNamesAsFHIRPathWritesThem(t *testing.T) {
	obs, _ := spec.R4().Type("Observation")
	e, ok := obs.Root().Field("value")
	if !ok || e.Name != "value[x]" || len(e.Types) != 11 || e.JSONName("Quantity") != "valueQuantity" || e.JSONName("dateTime") != "valueDateTime" {
		t.Errorf("%+v", e)
	}
	if _, ok := obs.Root().Field("valueQuantity"); ok {
		t.Error("valueQuantity is a name of JSON's alone")
	}
}

func TestIsFollowsDerivation(t *testing.T) {
	d := spec.R4()
	for _, c := range []struct {
		typ, base string
		want      bool
	}{
		{"Observation", "DomainResource", true}, {"Observation", "Resource", true}, {"Observation", "Observation", true},
		{"Bundle", "DomainResource", false}, {"Age", "Quantity", true}, {"Quantity", "Age", false}, {"Nothing", "Resource", false},
	} {
		if got := d.Is(c.typ, c.base); got != c.want {
			t.Errorf("%s is %s: %v", c.typ, c.base, got)
		}
	}
	if d.IsResource("DomainResource") || d.IsResource("Quantity") || d.IsResource("") || !d.IsResource("Patient") || len(d.ResourceTypes()) != 146 {
		t.Error("146 types of resources may exist, none of them abstract")
	}
}

func TestEachInvariantHasAnExpressionAndASeverity(t *testing.T) {
	d := spec.R4()
	seen := map[string]bool{}
	for _, name := range append(d.ResourceTypes(), "Element", "Extension", "Quantity", "SimpleQuantity", "Reference", "Narrative") {
		typ, _ := d.Type(name)
		for _, e := range typ.Elements {
			for _, c := range e.Constraints() {
				seen[c.Key] = true
				if c.Expression == "" || c.Human == "" || c.Severity != "error" && c.Severity != "warning" {
					t.Errorf("%s: %+v", e.Path, c)
				}
			}
		}
	}
	for _, key := range []string{"ele-1", "ext-1", "dom-2", "obs-6", "que-12", "ref-1", "sqty-1", "qty-3", "txt-1", "inv-1"} {
		if !seen[key] {
			t.Errorf("%s is nowhere", key)
		}
	}
	task, _ := d.Type("Task")
	params, _ := d.Type("Parameters")
	if a, b := rule(task, "inv-1"), rule(params, "inv-1"); a == "" || a == b {
		t.Error("Task and Parameters each have an inv-1 of their own")
	}
}

func rule(t *spec.Type, key string) string {
	for _, e := range t.Elements {
		for _, c := range e.Constraints() {
			if c.Key == key {
				return c.Expression
			}
		}
	}
	return ""
}

func TestPrimitivesHaveExpressionsThatCompile(t *testing.T) {
	n := 0
	for _, name := range []string{"boolean", "integer", "decimal", "string", "code", "id", "uri", "url", "canonical", "oid", "uuid", "date", "dateTime", "instant", "time", "base64Binary", "positiveInt", "unsignedInt", "markdown"} {
		typ, ok := spec.R4().Type(name)
		if !ok || typ.Kind != spec.Primitive {
			t.Errorf("%s is no primitive", name)
			continue
		}
		if _, err := regexp.Compile(typ.Regex); err != nil || typ.Regex == "" {
			t.Errorf("%s: %q, %v", name, typ.Regex, err)
		}
		n++
	}
	if n != 19 {
		t.Error(n)
	}
}

func TestRequiredCodesAreListedOrOpen(t *testing.T) {
	d := spec.R4()
	status, ok := d.Codes("http://hl7.org/fhir/ValueSet/observation-status|4.0.1")
	if !ok || !status.Has("final") || status.Has("finished") || status.Open || len(status.Codes()) != 8 {
		t.Errorf("%+v", status)
	}
	if s, ok := status.System("final"); !ok || s != "http://hl7.org/fhir/observation-status" {
		t.Error(s)
	}
	if !status.HasCoding("http://hl7.org/fhir/observation-status", "final") || status.HasCoding("http://loinc.org", "final") || status.HasCoding("", "final") || status.HasCoding("", "nothing") {
		t.Error("a coding is its system and its code")
	}
	intent, _ := d.Codes("http://hl7.org/fhir/ValueSet/task-intent") // of two systems
	if !intent.Has("unknown") || !intent.Has("order") || intent.Has("") {
		t.Error(intent.Codes())
	}
	var open []string
	for _, name := range append(d.ResourceTypes(), "Attachment", "Money", "Signature") {
		typ, _ := d.Type(name)
		for _, e := range typ.Elements {
			url, ok := e.Required()
			if !ok {
				continue
			}
			set, ok := d.Codes(url)
			switch {
			case !ok:
				t.Errorf("%s: %s is missing", e.Path, url)
			case set.Open && !slices.Contains(open, url):
				open = append(open, url)
			case !set.Open && len(set.Codes()) == 0:
				t.Errorf("%s: %s is empty", e.Path, url)
			}
		}
	}
	slices.Sort(open)
	want := []string{"http://hl7.org/fhir/ValueSet/currencies", "http://hl7.org/fhir/ValueSet/mimetypes", "http://hl7.org/fhir/ValueSet/ucum-units", "http://loinc.org/vs/LL379-9"}
	if !slices.Equal(open, want) {
		t.Errorf("open are %v", open)
	}
	if _, ok := d.Codes("http://example.org/none"); ok {
		t.Error("a value set from nowhere")
	}
}

func TestCompartmentsNameParametersThatExist(t *testing.T) {
	d := spec.R4()
	for _, name := range []string{"Patient", "Practitioner", "RelatedPerson", "Encounter", "Device"} {
		m := d.Compartment(name)
		if len(m) == 0 {
			t.Errorf("%s is empty", name)
		}
		for typ, codes := range m {
			for _, code := range codes {
				if _, ok := d.Param(typ, code); !ok && code != "{def}" {
					t.Errorf("%s: %s has no parameter %s", name, typ, code)
				}
			}
		}
	}
	if got := d.Compartment("Patient")["Observation"]; !slices.Equal(got, []string{"subject", "performer"}) {
		t.Error(got)
	}
	if d.Compartment("Nothing") != nil || d.Compartment("Patient")["Medication"] != nil {
		t.Error("what is in no compartment has no parameters")
	}
}

func TestDefinitionsMayBeAskedByManyAtOnce(t *testing.T) {
	d := spec.R4()
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for _, name := range d.ResourceTypes() {
				typ, _ := d.Type(name)
				typ.Root().Child("id")
				d.Params(name)
			}
		})
	}
	g.Wait()
}
