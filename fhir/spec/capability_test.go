package spec

import (
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
)

func TestCapabilityAgreesWithTheDefinitions(t *testing.T) {
	s := Capability()
	if len(s.Types) < 28 {
		t.Fatalf("%d types", len(s.Types))
	}
	for _, typ := range s.Types {
		if !R4().IsResource(typ.Name) {
			t.Errorf("%s is no resource type", typ.Name)
		}
		for _, i := range []fhir.Interaction{fhir.Read, fhir.VRead, fhir.Create, fhir.Update, fhir.Patch, fhir.Delete, fhir.HistoryInstance, fhir.HistoryType, fhir.SearchType} {
			if !typ.Allows(i) {
				t.Errorf("%s: %s is not served", typ.Name, i)
			}
		}
		if !typ.ConditionalCreate {
			t.Errorf("%s: %v", typ.Name, typ.Interactions)
		}
		for _, p := range typ.Params {
			if want, ok := R4().Param(typ.Name, p.Code); !ok || want.URL != p.URL || p.Expression == "" {
				t.Errorf("%s.%s: %+v", typ.Name, p.Code, p)
			}
			switch p.Kind {
			case fhir.Token, fhir.Reference, fhir.Date, fhir.String, fhir.URI, fhir.Special:
			default:
				t.Errorf("%s.%s: of kind %s", typ.Name, p.Code, p.Type)
			}
		}
		for _, code := range []string{"_id", "_lastUpdated", "_tag"} {
			if _, ok := typ.Param(code); !ok {
				t.Errorf("%s: %s is not served", typ.Name, code)
			}
		}
	}
	id, _ := s.Types[0].Param("_id")
	tag, _ := s.Types[0].Param("_tag")
	if id.Kind != fhir.Special || tag.Kind != fhir.Token {
		t.Error(id.Kind, tag.Kind)
	}
}

func TestIncludesFollowFromServedReferences(t *testing.T) {
	s := Capability()
	obs, _ := s.Type("Observation")
	pat, _ := s.Type("Patient")
	if !slices.Contains(obs.Includes, "Observation:subject") || !slices.Contains(pat.RevIncludes, "Observation:subject") {
		t.Error(obs.Includes, pat.RevIncludes)
	}
	if slices.Contains(obs.Includes, "Observation:device") || slices.Contains(pat.RevIncludes, "Observation:encounter") {
		t.Error("Device is not served, and no encounter is a patient")
	}
	if _, ok := s.Type("Basic"); ok {
		t.Error("Basic is not served")
	}
}

// Every type with a reference to a patient can be searched by it, or it would
// fall out of the patient's compartment.
func TestEveryServedTypeOfAPatientCanBeSearchedByThePatient(t *testing.T) {
	for typ, codes := range R4().Compartment("Patient") {
		served, ok := Capability().Type(typ)
		if !ok {
			continue
		}
		for _, code := range codes {
			if _, ok := served.Param(code); !ok && code != "{def}" {
				t.Errorf("%s: %s puts it into a patient's compartment and is not served", typ, code)
			}
		}
	}
}

func TestACapabilityFileWithAFaultIsRefused(t *testing.T) {
	good := string(capability)
	for name, c := range map[string]struct{ old, new, says string }{
		"an unknown member":             {`"chain": 1`, `"chains": 1`, "unknown field"},
		"a member twice":                {`"chain": 1`, `"chain": 1, "chain": 2`, "occurs twice"},
		"an unknown type":               {`"Appointment": {`, `"Appointmint": {`, "Appointmint is no resource type"},
		"an abstract type":              {`"Appointment": {`, `"DomainResource": {`, "is no resource type"},
		"an unknown parameter":          {`"appointment-type"`, `"appointment-kind"`, `"appointment-kind"`},
		"a parameter twice":             {`"appointment-type"`, `"appointment-type", "appointment-type"`, "stands twice"},
		"a parameter without elements":  {`"appointment-type"`, `"_text"`, "not indexed"},
		"an unknown group":              {`"group": "contact"`, `"group": "contacts"`, "contacts is none of"},
		"an unknown interaction":        {`"history-instance"`, `"history"`, "history is none of"},
		"a system interaction on types": {`"history-instance"`, `"batch"`, "batch is none of"},
		"an unknown modifier":           {`"missing", "not"`, `"missing", "nots"`, "nots is none of"},
		"an unknown prefix":             {`"eb"`, `"ap"`, "ap is none of"},
		"another version of FHIR":       {`"4.0.1"`, `"5.0.0"`, "4.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, c.old, c.new, 1)
			if bad == good {
				t.Fatalf("%s does not occur", c.old)
			}
			_, err := readCapability(R4(), []byte(bad))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func BenchmarkInflateTypes(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		lines("types")
	}
}

func BenchmarkDecodeObservation(b *testing.B) {
	d := R4()
	line := d.types()["Observation"].line
	b.ReportAllocs()
	for b.Loop() {
		d.decodeType("Observation", line)
	}
}
