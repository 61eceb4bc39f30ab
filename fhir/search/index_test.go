package search_test

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// line writes an entry in one short line.
func line(x fhir.Index) string {
	at := func(us int64) string {
		switch us {
		case math.MinInt64, math.MaxInt64:
			return "open"
		}
		return time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000000")
	}
	s := ""
	switch x.Kind {
	case fhir.Token:
		s = x.System + "|" + x.Code
		if x.Text != "" {
			s += " «" + x.Text + "»"
		}
	case fhir.Reference:
		s = x.Ref.String() + x.URL
	case fhir.Date:
		s = at(x.Low) + " – " + at(x.High)
	case fhir.String:
		s = x.Text
	case fhir.URI:
		s = x.Code
	}
	return x.Param + " " + s
}

func TestAResourceIsFoundByWhatItsParametersSelect(t *testing.T) {
	e := engine(t)
	for name, c := range map[string]struct{ body, want string }{
		"names, contacts, addresses, booleans and implied systems": {`{"resourceType":"Patient","active":true,"gender":"female","birthDate":"1980-02","deceasedDateTime":"2020-01-31T10:00:00+02:00",
			"meta":{"tag":[{"system":"t","code":"x"}]},
			"identifier":[{"system":"urn:mrn","value":"17"},{"value":"bare"},{"system":"urn:empty"}],
			"name":[{"family":"Müller","given":["Ana","Ana"],"text":"Ana Müller"}],
			"telecom":[{"system":"email","value":"a@b.example"},{"system":"phone","value":"555"}],
			"address":[{"city":"Bern","line":["Weg 1"],"postalCode":"3000"}],
			"managingOrganization":{"reference":"Organization/o"},
			"generalPractitioner":[{"reference":"https://clinic.example/fhir/Practitioner/p"},{"reference":"#c"},{"display":"someone"}]}`, `
_tag t|x
active |true
address Weg 1
address Bern
address 3000
address-city Bern
address-postalcode 3000
birthdate 1980-02-01T00:00:00.000000 – 1980-02-29T23:59:59.999999
death-date 2020-01-31T08:00:00.000000 – 2020-01-31T08:00:00.999999
deceased |true
email email|a@b.example
family Müller
gender http://hl7.org/fhir/administrative-gender|female
general-practitioner Practitioner/p
given Ana
identifier urn:mrn|17
identifier |bare
identifier urn:empty|
name Ana Müller
name Müller
name Ana
organization Organization/o
phone phone|555
telecom email|a@b.example
telecom phone|555`},
		"no value of a boolean parameter that says what is not there": {`{"resourceType":"Patient"}`, `
deceased |false`},
		"concepts, choice types, open periods and every kind of reference": {`{"resourceType":"Observation","status":"final",
			"code":{"coding":[{"system":"http://loinc.org","code":"44261-6","display":"PHQ-9"},{"code":"local"}],"text":"Score"},
			"category":[{"text":"only words"}],
			"subject":{"reference":"Patient/1/_history/3"},
			"performer":[{"reference":"urn:uuid:9d1e6a0e-6d9f-4c1e-8a5d-4d6a3f4e7b11"},{"reference":"https://other.example/fhir/Practitioner/9"}],
			"effectivePeriod":{"start":"2026-03-01"},"valueString":"well",
			"component":[{"code":{"coding":[{"system":"s","code":"c"}]},"valueCodeableConcept":{"coding":[{"system":"s","code":"v"}]}}]}`, `
category | «only words»
code http://loinc.org|44261-6 «PHQ-9»
code |local «Score»
combo-code http://loinc.org|44261-6 «PHQ-9»
combo-code |local «Score»
combo-code s|c
combo-value-concept s|v
component-code s|c
component-value-concept s|v
date 2026-03-01T00:00:00.000000 – open
patient Patient/1
performer urn:uuid:9d1e6a0e-6d9f-4c1e-8a5d-4d6a3f4e7b11
performer https://other.example/fhir/Practitioner/9
status http://hl7.org/fhir/observation-status|final
subject Patient/1
value-string well`},
		"a reference to another type is not the patient": {`{"resourceType":"Observation","subject":{"reference":"Group/1"}}`, `
subject Group/1`},
		"a timing spans its events and bounds": {`{"resourceType":"ServiceRequest","occurrenceTiming":{"event":["2026-03-02","2026-01-05"],"repeat":{"boundsPeriod":{"end":"2026-02"}}}}`, `
occurrence open – 2026-03-02T23:59:59.999999`},
		"a timing without dates says nothing": {`{"resourceType":"ServiceRequest","occurrenceTiming":{"repeat":{"frequency":1}}}`, ``},
		"a canonical keeps its version and loses its fragment": {`{"resourceType":"QuestionnaireResponse","questionnaire":"http://q.example/phq-9|2.0#x","authored":"2026-03-01T10:00:00.25Z"}`, `
authored 2026-03-01T10:00:00.250000 – 2026-03-01T10:00:00.259999
questionnaire http://q.example/phq-9|2.0`},
		"URIs are as written": {`{"resourceType":"Questionnaire","url":"http://q.example/phq-9","status":"active","version":"2"}`, `
status http://hl7.org/fhir/publication-status|active
url http://q.example/phq-9
version |2`},
		"a date that is none and a value too long are left out": {`{"resourceType":"Patient","birthDate":"1980-02-31","identifier":[{"value":"` + strings.Repeat("x", 1025) + `"}],"deceasedBoolean":false}`, `
deceased |false`},
		"a type that is not served is found by nothing": {`{"resourceType":"AuditEvent"}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			ix, err := e.Index(resource(t, c.body))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, x := range ix {
				got += "\n" + line(x)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestALongTextIsIndexedByItsBeginning(t *testing.T) {
	long := strings.Repeat("é", 600) // 1200 bytes; byte 1024 lies between two characters
	ix, err := engine(t).Index(resource(t, `{"resourceType":"Questionnaire","title":"`+long+`x"}`))
	if err != nil || len(ix) != 1 {
		t.Fatal(ix, err)
	}
	if ix[0].Text != long[:1024] {
		t.Errorf("indexed %d bytes", len(ix[0].Text))
	}
	ix, err = engine(t).Index(resource(t, `{"resourceType":"Questionnaire","title":"x`+long+`"}`))
	if err != nil || len(ix) != 1 || ix[0].Text != "x"+long[:1022] {
		t.Fatal("a character was cut in two", err)
	}
}

func TestManyValuesHaveNoRepeats(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, `,{"entity":{"reference":"Patient/%d"}}`, i%1000)
	}
	ix, err := engine(t).Index(resource(t, `{"resourceType":"Group","member":[`+b.String()[1:]+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[fhir.Index]bool{}
	for _, x := range ix {
		if seen[x] {
			t.Fatalf("twice: %s", line(x))
		}
		seen[x] = true
	}
	if len(ix) != 1000 {
		t.Errorf("%d entries", len(ix))
	}
}

// asks writes a search that finds exactly what the entry stands for.
func asks(x fhir.Index) (value string, ok bool) {
	escape := strings.NewReplacer(`\`, `\\`, `|`, `\|`, `,`, `\,`, `$`, `\$`).Replace
	day := func(us int64) string { return time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000000Z") }
	switch x.Kind {
	case fhir.Token:
		if x.System == "" && x.Code == "" {
			return "", false
		}
		return escape(x.System) + "|" + escape(x.Code), true
	case fhir.Reference:
		return escape(x.Ref.String() + x.URL), true
	case fhir.String:
		return escape(x.Text), fhir.Fold(x.Text) != ""
	case fhir.URI:
		return escape(x.Code), true
	case fhir.Date:
		if x.Low == math.MinInt64 {
			return "le" + day(x.High), true
		}
		return "ge" + day(x.Low), true
	}
	return "", false
}

func TestWhatIsIndexedIsFound(t *testing.T) {
	e := engine(t)
	entries, types := 0, map[string]bool{}
	for _, r := range examples(t) {
		ix, err := e.Index(r)
		if err != nil {
			t.Errorf("%s: %v", r, err)
			continue
		}
		for _, x := range ix {
			value, ok := asks(x)
			if !ok {
				continue
			}
			req, err := e.Parse(r.Type, url.Values{x.Param: {value}}, false)
			if err != nil {
				t.Errorf("%s: %s: %v", r, line(x), err)
				continue
			}
			if !e.Match(req.Query.Where, r, []fhir.Index{x}) || !e.Match(req.Query.Where, r, ix) {
				t.Errorf("%s is not found by %s", r, line(x))
			}
			if missing, err := e.Parse(r.Type, url.Values{x.Param + ":missing": {"true"}}, false); err != nil || e.Match(missing.Query.Where, r, ix) {
				t.Errorf("%s: %s is told to be missing (%v)", r, x.Param, err)
			}
			entries++
		}
		if !slices.IsSortedFunc(ix, func(a, b fhir.Index) int { return strings.Compare(a.Param, b.Param) }) {
			t.Errorf("%s: not ordered by parameter", r)
		}
		types[r.Type] = types[r.Type] || len(ix) > 0
	}
	if entries < 1000 || len(types) < len(spec.Capability().Types) {
		t.Errorf("only %d entries of %d types: the examples are not to be trusted", entries, len(types))
	}
}

func BenchmarkIndex(b *testing.B) {
	e := engine(b)
	best := map[string]fhir.Resource{}
	for _, r := range examples(b) {
		if len(r.Body()) > len(best[r.Type].Body()) && len(r.Body()) < 8<<10 {
			best[r.Type] = r
		}
	}
	for _, typ := range []string{"Patient", "Observation", "QuestionnaireResponse"} {
		r, ok := best[typ]
		if !ok {
			b.Fatalf("no example of %s", typ)
		}
		b.Run(typ, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(r.Body())))
			for b.Loop() {
				if _, err := e.Index(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		engine(b)
	}
}
