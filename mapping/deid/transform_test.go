package deid_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/mapping/deid"
)

// TestOfRandomResourcesNothingLeavesButWhatIsListed fills every element that a type has, down
// to a depth, with words of which none is in any list.
func TestOfRandomResourcesNothingLeavesButWhatIsListed(t *testing.T) {
	v := validator()
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		d := project(t, profile, "a project")
		for _, typ := range d.Profile.Types() {
			t.Run(profile+"/"+typ, rapid.MakeCheck(func(t *rapid.T) {
				f := filler{t: t, defs: spec.R4()}
				def, _ := f.defs.Type(typ)
				o := f.object(def.Root(), 0)
				r, err := fhir.Parse([]byte(`{"resourceType":"` + typ + `","id":"canary-id",` + o[1:]))
				if err != nil {
					t.Fatalf("%v\n%s", err, o)
				}
				out, keep, err := d.Transform(context.Background(), r)
				if err != nil {
					t.Fatal(err)
				}
				if !keep {
					return
				}
				if strings.Contains(strings.ToLower(string(out.Body())), "canary") {
					t.Fatalf("of\n%s\nleaves\n%s", r.Body(), out.Body())
				}
				valid(t, v, out)
			}))
		}
	}
}

// filler makes resources of words that no list holds.
type filler struct {
	t    *rapid.T
	defs *spec.Definitions
	n    int
}

func (f *filler) yes(of int) bool { return rapid.IntRange(0, of).Draw(f.t, "yes") == 0 }

func (f *filler) object(e *spec.Element, depth int) string {
	var b strings.Builder
	b.WriteByte('{')
	for _, c := range e.Children() {
		if c.Name == "id" && depth == 0 || c.Name == "modifierExtension" || c.Name == "contained" || depth > 4 || depth > 0 && f.yes(1) && c.Min == 0 {
			continue
		}
		var types []string
		for _, t := range c.Types {
			types = append(types, t.Code)
		}
		code := ""
		if len(types) > 0 {
			code = rapid.SampledFrom(types).Draw(f.t, "type")
		}
		v := f.value(c, code, depth)
		if v == "" {
			continue
		}
		if c.List {
			v = "[" + v + "]"
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", c.JSONName(code), v)
	}
	return b.String() + "}"
}

func (f *filler) word() string {
	f.n++
	return fmt.Sprintf(`"Canary%d-words"`, f.n)
}

func (f *filler) value(e *spec.Element, code string, depth int) string {
	switch code {
	case "boolean":
		return "true"
	case "integer", "positiveInt", "unsignedInt", "decimal":
		return "3"
	case "date":
		return rapid.SampledFrom([]string{`"1988-04-17"`, `"1988"`, `"1988-04"`, f.word()}).Draw(f.t, "date")
	case "dateTime", "instant":
		return rapid.SampledFrom([]string{`"2026-02-02T09:00:00+01:00"`, `"2026-02-02"`, `"2026"`, `"2026-02-02Canary"`, `"2026-02-02T09:00:00Canary"`, f.word()}).Draw(f.t, "time")
	case "code":
		if url, ok := e.Required(); ok && !f.yes(3) {
			if vs, ok := f.defs.Codes(url); ok && !vs.Open {
				return `"` + rapid.SampledFrom(vs.Codes()).Draw(f.t, "code") + `"`
			}
		}
		return f.word()
	case "Reference":
		to := rapid.SampledFrom([]string{"Patient/canary-1", "Practitioner/canary-2", "Encounter/canary-3", "Observation/canary-4", "Device/canary-5", "#canary", "urn:uuid:canary"}).Draw(f.t, "to")
		return `{"reference":"` + to + `","display":` + f.word() + `,"identifier":{"value":` + f.word() + `}}`
	case "Coding":
		return f.coding()
	case "CodeableConcept":
		return `{"coding":[` + f.coding() + `],"text":` + f.word() + `}`
	case "Extension":
		url := rapid.SampledFrom([]string{
			`"https://rapport.example/fhir/StructureDefinition/session-modality"`, `"https://rapport.example/fhir/StructureDefinition/response-instrument"`,
			`"http://hl7.org/fhir/StructureDefinition/data-absent-reason"`, f.word(),
		}).Draw(f.t, "url")
		return `{"url":` + url + `,` + rapid.SampledFrom([]string{"\"valueCode\":", "\"valueString\":", "\"valueCanonical\":"}).Draw(f.t, "value") + f.word() + `}`
	case "xhtml":
		return `"<div xmlns=\"http://www.w3.org/1999/xhtml\">Canary</div>"`
	}
	if t, ok := f.defs.Type(code); ok && t.Kind == spec.Primitive {
		return f.word()
	}
	if o := f.object(e.As(code), depth+1); o != "{}" {
		return o
	}
	return ""
}

func (f *filler) coding() string {
	system := rapid.SampledFrom([]string{"http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm",
		"http://terminology.hl7.org/CodeSystem/v3-ActCode", "https://rapport.example/fhir/CodeSystem/technique", "urn:canary"}).Draw(f.t, "system")
	return `{"system":"` + system + `","code":` + f.word() + `,"display":` + f.word() + `,"version":` + f.word() + `}`
}

func TestAShiftKeepsIntervalsAndWeekdaysAndTellsNoTimeOfDay(t *testing.T) {
	d := project(t, deid.Expert, "a project")
	rapid.Check(t, func(t *rapid.T) {
		patient := rapid.StringMatching(`[a-z0-9]{1,20}`).Draw(t, "patient")
		days := rapid.SliceOfN(rapid.IntRange(0, 20_000), 2, 6).Draw(t, "days")
		var first, firstOut time.Time // days
		for i, n := range days {
			at := time.Date(1980, 1, 1, rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"), 0, 0, time.UTC).AddDate(0, 0, n)
			zone := rapid.SampledFrom([]string{"Z", "+01:00", "+02:00", "-05:00", "+10:30"}).Draw(t, "zone")
			in, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Procedure","id":"x%d","status":"completed","subject":{"reference":"Patient/%s"},"code":{"coding":[{"system":"http://snomed.info/sct","code":"22298006"}]},"performedDateTime":"%s"}`,
				i, patient, at.Format("2006-01-02T15:04:05")+zone))
			if err != nil {
				t.Fatal(err)
			}
			out, keep, err := d.Transform(context.Background(), in)
			if err != nil || !keep {
				t.Fatal(keep, err)
			}
			got, err := time.Parse(time.DateOnly, out.Root().Get("performedDateTime").Text())
			if err != nil {
				t.Fatal(err)
			}
			at = at.Truncate(24 * time.Hour)
			if got.Weekday() != at.Weekday() {
				t.Fatalf("%v is told as %v", at, got)
			}
			if i == 0 {
				first, firstOut = at, got
			}
			if at.Sub(first) != got.Sub(firstOut) {
				t.Fatalf("%v lie between two dates, %v between what is told", at.Sub(first), got.Sub(firstOut))
			}
		}
	})
}

func TestAShiftBringsEverybodysBeginningIntoOneYear(t *testing.T) {
	key := deid.Key{1}
	weeks := map[int]int{}
	for n := range 2000 {
		s := deid.Secret{byte(n), byte(n >> 8)}
		from := time.Date(2019, 2, 27, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
		to := from.AddDate(0, 0, key.Shift(s, from))
		if to.Year() != deid.Epoch || to.Weekday() != from.Weekday() {
			t.Fatalf("%v becomes %v", from, to)
		}
		weeks[(to.YearDay()-1)/7]++
	}
	if len(weeks) != 52 {
		t.Errorf("%d weeks of 52 are used", len(weeks))
	}
}

func TestSafeHarborTellsNoMonthAndNoDay(t *testing.T) {
	month := regexp.MustCompile(`\d{4}-\d{2}`)
	d := project(t, deid.SafeHarbor, "a project")
	none := project(t, deid.SafeHarbor, "a project", func(c *deid.Config) {
		c.Person = func(k fhir.Key) (*deid.Person, bool) { return &deid.Person{Secret: secret(k)}, true }
	})
	const masked = `"_onsetDateTime":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}`
	for in, want := range map[string]string{
		"2026-02-02T09:00:00+01:00": `"valueInteger":21`, "2026-01-11": `"valueInteger":-1`,
		"2026-02": masked, "2023": masked, // in which the course may have begun, by what the release tells
		"2019": `"onsetDateTime":"2019"`, "2019-05": `"onsetDateTime":"2019"`,
	} {
		c := onset(t, in)
		body := string(transformed(t, d, c).Body())
		if !strings.Contains(body, want) || month.MatchString(body) {
			t.Errorf("%s is told in\n%s", in, body)
		}
		if body := string(transformed(t, none, c).Body()); strings.Contains(body, "onset") {
			t.Errorf("without a baseline, %s is told in\n%s", in, body)
		}
	}
}

func onset(t testing.TB, date string) fhir.Resource {
	return parse(t, `{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F32.1"}]},"onsetDateTime":"`+date+`"}`)
}

// as changes what is known of everybody.
func as(change func(*deid.Person)) func(*deid.Config) {
	return func(c *deid.Config) {
		was := c.Person
		c.Person = func(k fhir.Key) (*deid.Person, bool) {
			p, ok := was(k)
			change(p)
			return p, ok
		}
	}
}

func TestNoDateTellsHowOldSomebodyIs(t *testing.T) {
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		d := project(t, profile, "k", as(func(p *deid.Person) {
			p.Born, p.Horizon = 1931, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		}))
		for in, told := range map[string]bool{
			"1936-05-05": false, "1936": false, "1937-05": false, // 89 years before the last day that is told
			"1938-05-05": true, "1938": true,
		} {
			body := string(transformed(t, d, onset(t, in)).Body())
			if strings.Contains(body, "masked") == told {
				t.Errorf("%s: %s is told in\n%s", profile, in, body)
			}
		}
		d = project(t, profile, "k", as(func(p *deid.Person) { p.Born = 1984 }))
		for in, told := range map[string]bool{"1984-02-02": false, "1984": false, "1983-12": false, "1985-01-01": true, "1985": true} {
			body := string(transformed(t, d, onset(t, in)).Body())
			if strings.Contains(body, "masked") == told {
				t.Errorf("%s: of somebody born in 1984, %s is told in\n%s", profile, in, body)
			}
		}
	}
}

func TestNothingIsToldOfTheDaysAfterTheLastOne(t *testing.T) {
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		d := project(t, profile, "k", as(func(p *deid.Person) { p.Horizon = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }))
		encounter := func(period string) fhir.Resource {
			return parse(t, `{"resourceType":"Encounter","id":"e","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/p"},"period":`+period+`}`)
		}
		for period, left := range map[string]bool{
			`{"start":"2026-06-01T09:00:00Z","end":"2026-06-01T10:00:00Z"}`: true,
			`{"start":"2026-06-02T09:00:00Z","end":"2026-06-02T10:00:00Z"}`: false,
			`{"start":"2026-07"}`: false, `{"start":"2027"}`: false, `{"start":"2026-06"}`: true,
		} {
			if out := transformed(t, d, encounter(period)); out.IsZero() == left {
				t.Errorf("%s: of %s leaves %s", profile, period, out.Body())
			}
		}
		body := string(transformed(t, d, encounter(`{"start":"2026-05-20","end":"2026-08-20"}`)).Body())
		if !strings.Contains(body, `"_end":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason"`) {
			t.Errorf("%s: a day after the last is told in\n%s", profile, body)
		}
	}
}

func TestNoObservationTellsAnAge(t *testing.T) {
	d := project(t, deid.Expert, "k")
	observation := func(code, rest string) fhir.Resource {
		return parse(t, `{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/p"},"code":{"coding":[`+code+`]}`+rest+`}`)
	}
	const panel, age = `{"system":"http://loinc.org","code":"44261-6"}`, `{"system":"http://loinc.org","code":"30525-0"}`
	for name, r := range map[string]fhir.Resource{
		"by its code":       observation(age, `,"valueQuantity":{"value":93,"system":"http://unitsofmeasure.org","code":"a"}`),
		"by one of two":     observation(panel+`,`+age, `,"valueQuantity":{"value":93,"system":"http://unitsofmeasure.org","code":"{score}"}`),
		"as a birth date":   observation(`{"system":"http://loinc.org","code":"21112-8"}`, `,"valueInteger":1931`),
		"in SNOMED CT":      observation(`{"system":"http://snomed.info/sct","code":"424144002"}`, `,"valueQuantity":{"value":93}`),
		"in a component":    observation(panel, `,"component":[{"code":{"coding":[`+age+`]},"valueQuantity":{"value":93,"system":"http://unitsofmeasure.org","code":"{score}"}}]`),
		"by its unit":       observation(panel, `,"valueQuantity":{"value":93,"system":"http://unitsofmeasure.org","code":"a"}`),
		"in months":         observation(panel, `,"valueQuantity":{"value":93,"system":"http://unitsofmeasure.org","code":"mo"}`),
		"without a unit":    observation(panel, `,"valueQuantity":{"value":93}`),
		"as a whole number": observation(panel, `,"valueInteger":93`),
	} {
		if out := transformed(t, d, r); !out.IsZero() && (strings.Contains(string(out.Body()), "93") || strings.Contains(string(out.Body()), "30525-0")) {
			t.Errorf("%s an age leaves in\n%s", name, out.Body())
		}
	}
}

func TestACodeIsToldAsTheReleaseSays(t *testing.T) {
	var asked []deid.Said
	d := project(t, deid.Expert, "k", func(c *deid.Config) {
		c.Code = func(s deid.Said) (string, bool) {
			asked = append(asked, s)
			return "F32", s.Code == "F32.1" || s.Code == "VR"
		}
	})
	c := string(transformed(t, d, onset(t, "2026-02-02")).Body())
	if !strings.Contains(c, `"code":"F32"`) || len(asked) != 1 || asked[0] != (deid.Said{Type: "Condition", Element: "Condition.code", System: "http://hl7.org/fhir/sid/icd-10-cm", Code: "F32.1"}) {
		t.Errorf("after asking for %+v told is\n%s", asked, c)
	}
	asked = nil
	if out := transformed(t, d, golden(t, "procedure")); !out.IsZero() {
		t.Errorf("without its code a Procedure leaves\n%s", out.Body())
	}
	out := string(transformed(t, d, golden(t, "encounter")).Body())
	if strings.Contains(out, "video") || strings.Contains(out, `"code":"individual"`) {
		t.Errorf("a code that few have is told in\n%s", out)
	}
	for _, want := range []deid.Said{
		{Type: "Procedure", Element: "Procedure.code", System: "https://rapport.example/fhir/CodeSystem/technique", Code: "exposure", Vital: true},
		{Type: "Encounter", Element: "https://rapport.example/fhir/StructureDefinition/session-modality", Code: "video"},
		{Type: "Encounter", Element: "Encounter.type", System: "https://rapport.example/fhir/CodeSystem/session-format", Code: "individual"},
	} {
		if !slices.Contains(asked, want) {
			t.Errorf("not asked for %+v, but for %+v", want, asked)
		}
	}
	if out := transformed(t, d, golden(t, "response")); !out.IsZero() {
		t.Errorf("of an instrument that few answered leaves\n%s", out.Body())
	}
}

func TestNothingRefersToWhatDoesNotLeave(t *testing.T) {
	d := project(t, deid.Expert, "k", func(c *deid.Config) { c.Leaves = func(k fhir.Key) bool { return k.Type != "QuestionnaireResponse" } })
	if body := string(transformed(t, d, golden(t, "score")).Body()); strings.Contains(body, "QuestionnaireResponse/") || !strings.Contains(body, "Encounter/") {
		t.Errorf("told is\n%s", body)
	}
}

func TestTwoProjectsHaveNoIDInCommonAndOneHasTheSameAgain(t *testing.T) {
	encounter := parse(t, `{"resourceType":"Encounter","id":"s","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/p"},"episodeOfCare":[{"reference":"EpisodeOfCare/e"}],"participant":[{"individual":{"reference":"Practitioner/t"}}],"serviceProvider":{"reference":"Organization/o"}}`)
	ids := regexp.MustCompile(`[a-z2-7]{32}`)
	first := string(transformed(t, project(t, deid.Expert, "one"), encounter).Body())
	again := string(transformed(t, project(t, deid.Expert, "one"), encounter).Body())
	other := string(transformed(t, project(t, deid.Expert, "two"), encounter).Body())
	if first != again {
		t.Errorf("one project tells\n%s\nthen\n%s", first, again)
	}
	found := ids.FindAllString(first, -1)
	if len(found) != 5 {
		t.Fatalf("%d pseudonyms in\n%s", len(found), first)
	}
	for _, id := range found {
		if strings.Contains(other, id) {
			t.Errorf("%s is in both", id)
		}
	}
}

func TestAPseudonymNeedsTheRandomSecretAndNothingOfThePerson(t *testing.T) {
	k, s := deid.Key{1}, deid.Secret{2}
	if a, b := k.Pseudonym(s, "Patient"), k.Pseudonym(deid.Secret{3}, "Patient"); a == b || len(a) != 32 {
		t.Errorf("%s and %s", a, b)
	}
	// Whatever the id of the Patient is, the pseudonym follows the secret alone.
	d := project(t, deid.Expert, "k", func(c *deid.Config) {
		c.Person = func(fhir.Key) (*deid.Person, bool) { return &deid.Person{Secret: s}, true }
	})
	one := transformed(t, d, parse(t, `{"resourceType":"Patient","id":"mrn-123"}`))
	two := transformed(t, d, parse(t, `{"resourceType":"Patient","id":"mrn-124"}`))
	if one.ID != two.ID {
		t.Errorf("%s and %s", one.ID, two.ID)
	}
}

func TestWhoIsNotReleasedLeavesNothingAndIsNotReferredTo(t *testing.T) {
	d := project(t, deid.Expert, "k", func(c *deid.Config) {
		person, setting := c.Person, c.Setting
		c.Person = func(k fhir.Key) (*deid.Person, bool) {
			if k.ID == "out" {
				return nil, false
			}
			return person(k)
		}
		c.Setting = func(k fhir.Key) (deid.Secret, bool) {
			if k.ID == "rare" {
				return deid.Secret{}, false
			}
			return setting(k)
		}
	})
	for _, body := range []string{
		`{"resourceType":"Patient","id":"out"}`,
		`{"resourceType":"Goal","id":"g","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/out"}}`,
		`{"resourceType":"Goal","id":"g","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Group/g"}}`,
		`{"resourceType":"Practitioner","id":"rare"}`,
		`{"resourceType":"Goal","id":"g","lifecycleStatus":"entered-in-error","subject":{"reference":"Patient/in"}}`,
		`{"resourceType":"Consent","id":"c","patient":{"reference":"Patient/in"}}`,
	} {
		if out := transformed(t, d, parse(t, body)); !out.IsZero() {
			t.Errorf("of %s leaves %s", body, out.Body())
		}
	}
	p := transformed(t, d, parse(t, `{"resourceType":"Procedure","id":"p","status":"completed","code":{"coding":[{"system":"http://snomed.info/sct","code":"22298006"}]},"subject":{"reference":"Patient/in"},"performer":[{"actor":{"reference":"Practitioner/rare"}}]}`))
	if strings.Contains(string(p.Body()), "Practitioner") {
		t.Errorf("who has few clients is told in %s", p.Body())
	}
}

func TestCodesAreKnownByTheirForm(t *testing.T) {
	d := project(t, deid.Expert, "k")
	for coding, leaves := range map[string]bool{
		`{"system":"http://loinc.org","code":"44261-6"}`:                            true,
		`{"system":"http://loinc.org","code":"44261-7"}`:                            false,
		`{"system":"http://loinc.org","code":"Ahorn"}`:                              false,
		`{"system":"http://snomed.info/sct","code":"22298006"}`:                     true,
		`{"system":"http://snomed.info/sct","code":"0790000001"}`:                   false,
		`{"system":"http://snomed.info/sct","code":"22298007"}`:                     false,
		`{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F32.1"}`:             true,
		`{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"AHORN"}`:             false,
		`{"system":"https://rapport.example/fhir/CodeSystem/technique","code":"x"}`: false,
		`{"system":"https://lindenhof.example/diagnoses","code":"ahorn-iris"}`:      false,
		`{"code":"F32.1"}`: false,
	} {
		c := parse(t, `{"resourceType":"Procedure","id":"c","status":"completed","subject":{"reference":"Patient/p"},"code":{"coding":[`+coding+`]}}`)
		if out := transformed(t, d, c); out.IsZero() == leaves {
			t.Errorf("%s: leaves %v", coding, !out.IsZero())
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	var in []fhir.Resource
	bytes := 0
	for _, name := range []string{"encounter", "score", "response", "condition"} {
		in = append(in, golden(b, name))
		bytes += len(in[len(in)-1].Body())
	}
	d := project(b, deid.Expert, "k")
	b.SetBytes(int64(bytes / len(in)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, _, err := d.Transform(context.Background(), in[i%len(in)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func TestWhatEndedAfterTheLastDayIsToldAsItStoodBefore(t *testing.T) {
	last := as(func(p *deid.Person) { p.Horizon = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) })
	const (
		course    = `{"resourceType":"EpisodeOfCare","id":"e","status":"%s","patient":{"reference":"Patient/p"},"period":{"start":"2026-01-12"%s},"extension":[{"url":"https://rapport.example/fhir/StructureDefinition/episode-end-reason","valueCodeableConcept":{"coding":[{"system":"urn:au:pmhc-mds:completion","code":"1"}]}}]}`
		diagnosis = `{"resourceType":"Condition","id":"c","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"%s"}]},"subject":{"reference":"Patient/p"},"onsetDateTime":"2026-01-20"%s}`
		plan      = `{"resourceType":"CarePlan","id":"cp","status":"%s","intent":"plan","subject":{"reference":"Patient/p"},"period":{"start":"2026-01-20"%s}}`
	)
	for name, v := range map[string]struct {
		form, status, rest string
		says               map[string]bool
	}{
		"a course that ended before":  {course, "finished", `,"end":"2026-05-30"`, map[string]bool{`"finished"`: true, "end-reason": true, `"end"`: true}},
		"a course that ended after":   {course, "finished", `,"end":"2026-06-02"`, map[string]bool{`"status":"active"`: true, "end-reason": false, `end"`: false}},
		"a course that was cancelled": {course, "cancelled", `,"end":"2026-06-02"`, map[string]bool{`"status":"active"`: true, "end-reason": false, `end"`: false}},
		"a course that goes on":       {course, "active", ``, map[string]bool{`"status":"active"`: true, "end-reason": false, `end"`: false}},
		"a course that pauses":        {course, "onhold", ``, map[string]bool{`"status":"onhold"`: true}},
		"a diagnosis of old":          {diagnosis, "resolved", `,"abatementDateTime":"2026-05-30"`, map[string]bool{"resolved": true, "abatement": true}},
		"a diagnosis until after":     {diagnosis, "resolved", `,"abatementDateTime":"2026-06-30"`, map[string]bool{"resolved": false, "clinicalStatus": false, "abatement": false}},
		"a diagnosis that stays":      {diagnosis, "active", ``, map[string]bool{"clinicalStatus": false}},
		"a diagnosis made after":      {diagnosis, "active", `,"recordedDate":"2026-06-30"`, nil},
		"a plan that ended after":     {plan, "completed", `,"end":"2026-06-30"`, map[string]bool{`"status":"active"`: true, `end"`: false}},
		"a plan of later":             {plan, "active", `},"created":"2026-06-30"`, nil},
	} {
		for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
			in := fmt.Sprintf(v.form, v.status, v.rest)
			if strings.Contains(v.rest, "}") {
				in = strings.TrimSuffix(in, "}")
			}
			out := transformed(t, project(t, profile, "k", last), parse(t, in))
			if out.IsZero() != (v.says == nil) {
				t.Errorf("%s: of %s leaves %s", profile, name, out.Body())
				continue
			}
			if out.IsZero() {
				continue
			}
			valid(t, validator(), out)
			body := strings.ReplaceAll(string(out.Body()), `"_end"`, `"end"`)
			for what, told := range v.says {
				if strings.Contains(body, what) != told {
					t.Errorf("%s: of %s %s is told: %v, in\n%s", profile, name, what, !told, body)
				}
			}
		}
	}
}

// Whoever comes with somebody is told by them too; that the two belong together is told of
// fewer people than either alone.
func TestNoResourceOfOnePersonNamesAnother(t *testing.T) {
	d := project(t, deid.Expert, "k")
	other := d.Key.Pseudonym(secret(fhir.Key{Type: "Patient", ID: "q"}), "Patient")
	for name, in := range map[string]string{
		"an appointment of two":                  `{"resourceType":"Appointment","id":"a","status":"noshow","start":"2026-02-02T09:00:00Z","end":"2026-02-02T10:00:00Z","participant":[{"status":"accepted","actor":{"reference":"Patient/p"}},{"status":"accepted","actor":{"reference":"Patient/q"}}]}`,
		"a goal that another expressed":          `{"resourceType":"Goal","id":"g","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/p"},"expressedBy":{"reference":"Patient/q"}}`,
		"a fact that another told":               `{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]},"subject":{"reference":"Patient/p"},"performer":[{"reference":"Patient/q"}]}`,
		"a treatment in which another took part": `{"resourceType":"Procedure","id":"pr","status":"completed","code":{"coding":[{"system":"http://snomed.info/sct","code":"228557008"}]},"subject":{"reference":"Patient/p"},"performer":[{"actor":{"reference":"Patient/q"}}]}`,
	} {
		out := transformed(t, d, parse(t, in))
		if out.IsZero() || strings.Contains(string(out.Body()), other) {
			t.Errorf("of %s leaves\n%s", name, out.Body())
		}
	}
}

// Codes that are not counted must be known one by one: of those that are known by their
// form alone nobody knows how few have them.
func TestOnlyListedCodesLeaveUncounted(t *testing.T) {
	d := project(t, deid.Expert, "k", func(c *deid.Config) {
		c.Code = func(s deid.Said) (string, bool) { return s.Code, s.Element == "Observation.code" }
	})
	for name, in := range map[string]string{
		"a diagnosis as the kind of an observation": `{"resourceType":"Observation","id":"o","status":"final","category":[{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"F64.0"}]}],%s}`,
		"a diagnosis as an interpretation":          `{"resourceType":"Observation","id":"o","status":"final","interpretation":[{"coding":[{"system":"http://snomed.info/sct","code":"424144002"}]}],%s}`,
		"a number as a diagnosis's rank":            `{"resourceType":"EpisodeOfCare","id":"e","status":"active","patient":{"reference":"Patient/p"},"diagnosis":[{"condition":{"reference":"Condition/c"},"rank":19840202}]}`,
	} {
		if strings.Contains(in, "%s") {
			in = fmt.Sprintf(in, `"subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]}`)
		}
		r := parse(t, in)
		if _, codes, _ := project(t, deid.Expert, "k").Tells(r); r.Type == "EpisodeOfCare" && len(codes) == 0 {
			t.Errorf("%s is not counted", name)
		}
		out := string(transformed(t, d, r).Body())
		for _, code := range []string{"F64.0", "424144002", "19840202"} {
			if strings.Contains(out, code) {
				t.Errorf("%s leaves uncounted:\n%s", name, out)
			}
		}
	}
}

// A number that an instrument does not have is none of its answers: somebody may have typed
// another one into its place.
func TestNoAnswerLeavesThatAnInstrumentDoesNotHave(t *testing.T) {
	for name, v := range map[string]struct {
		item string
		told bool
	}{
		"a whole number of its range": {`{"linkId":"11","answer":[{"valueInteger":12}]}`, true},
		"a whole number beyond it":    {`{"linkId":"11","answer":[{"valueInteger":19840202}]}`, false},
		"a stated score of its range": {`{"linkId":"total","answer":[{"valueDecimal":31}]}`, true},
		"a stated score beyond it":    {`{"linkId":"total","answer":[{"valueDecimal":19840202}]}`, false},
	} {
		in := `{"resourceType":"QuestionnaireResponse","id":"r","status":"completed","questionnaire":"https://rapport.example/fhir/Questionnaire/k10p","subject":{"reference":"Patient/p"},"authored":"2026-02-02","item":[` + v.item + `]}`
		body := string(transformed(t, project(t, deid.Expert, "k"), parse(t, in)).Body())
		if strings.Contains(body, "masked") == v.told {
			t.Errorf("of %s leaves\n%s", name, body)
		}
	}
}

func TestWhatHasNoDateThatIsToldIsStillOfItsDay(t *testing.T) {
	const fact = `{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"44261-6"}]},"subject":{"reference":"Patient/p"}%s}`
	for _, profile := range []string{deid.Expert, deid.SafeHarbor} {
		d := project(t, profile, "k", as(func(p *deid.Person) { p.Horizon = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }))
		for rest, left := range map[string]bool{
			`,"effectiveInstant":"2026-05-30T09:00:00Z"`:                        true,
			`,"effectiveInstant":"2026-06-02T09:00:00Z"`:                        false,
			`,"issued":"2026-05-30T09:00:00Z"`:                                  true,
			`,"issued":"2026-06-02T09:00:00Z"`:                                  false,
			`,"effectiveTiming":{"event":["2026-06-02T09:00:00Z"]}`:             false,
			`,"effectiveDateTime":"2026-05-30","issued":"2026-06-02T09:00:00Z"`: true,
			``: true,
		} {
			out := transformed(t, d, parse(t, fmt.Sprintf(fact, rest)))
			if out.IsZero() == left {
				t.Errorf("%s: of %s leaves %s", profile, rest, out.Body())
			}
			if left && strings.Contains(rest, "Instant") && !strings.Contains(string(out.Body()), "effectiveInstant") {
				t.Errorf("%s: %s is not told in %s", profile, rest, out.Body())
			}
			if !out.IsZero() {
				valid(t, validator(), out)
			}
		}
		if out := transformed(t, d, parse(t, `{"resourceType":"Patient","id":"p","deceasedDateTime":"2026-06-02"}`)); out.IsZero() {
			t.Errorf("%s: a person does not leave who died later", profile)
		}
	}
}

// A year that was mistyped lies further back than a time.Duration reaches.
func TestDaysAreCountedAcrossAnyNumberOfYears(t *testing.T) {
	for from, want := range map[string]int{"0225-01-12": 657437, "1600-01-01": 155240, "2025-01-11": 1} {
		a, err := time.Parse(time.DateOnly, from)
		if err != nil {
			t.Fatal(err)
		}
		if got := deid.Days(a, time.Date(2025, 1, 12, 0, 0, 0, 0, time.UTC)); got != want {
			t.Errorf("from %s there are %d days, not %d", from, got, want)
		}
	}
}
