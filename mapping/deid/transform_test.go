package deid_test

import (
	"context"
	"fmt"
	"regexp"
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

func TestAShiftKeepsIntervalsWeekdaysAndTheClockOnTheWall(t *testing.T) {
	d := project(t, deid.Expert, "a project")
	rapid.Check(t, func(t *rapid.T) {
		patient := rapid.StringMatching(`[a-z0-9]{1,20}`).Draw(t, "patient")
		days := rapid.SliceOfN(rapid.IntRange(0, 20_000), 2, 6).Draw(t, "days")
		var first, firstOut time.Time
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
			got, err := time.Parse(time.RFC3339, out.Root().Get("performedDateTime").Text())
			if err != nil {
				t.Fatal(err)
			}
			if got.Weekday() != at.Weekday() || got.Format(time.TimeOnly) != at.Format(time.TimeOnly) {
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
	for in, want := range map[string]string{
		"2026-02-02T09:00:00+01:00": `"valueInteger":21`, "2026-01-11": `"valueInteger":-1`,
		"2026-02": `"onsetDateTime":"2026"`, "2019": `"onsetDateTime":"2019"`,
		"1930-05-05": `"_onsetDateTime":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}`,
	} {
		c := parse(t, `{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/p"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F32.1"}]},"onsetDateTime":"`+in+`"}`)
		body := string(transformed(t, d, c).Body())
		if !strings.Contains(body, want) || month.MatchString(body) {
			t.Errorf("%s is told in\n%s", in, body)
		}
		if body := string(transformed(t, none, c).Body()); !strings.Contains(body, `"onsetDateTime":"`+in[:4]+`"`) || month.MatchString(body) {
			t.Errorf("without a baseline, %s is told in\n%s", in, body)
		}
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
