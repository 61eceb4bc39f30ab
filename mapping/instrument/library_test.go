package instrument

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestEveryShippedInstrumentIsFoundBySlugURLAndCode(t *testing.T) {
	l := library(t)
	for _, slug := range []string{"phq-9", "gad-7", "phq-2", "gad-2", "k10p", "k5", "alliance", "sdq-pc101", "sdq-pc201", "sdq-py101", "sdq-py201", "sdq-yr101", "sdq-yr201"} {
		in := l.BySlug(slug)
		if in == nil {
			t.Errorf("%s is not there", slug)
			continue
		}
		if l.ByURL(in.URL) != in || l.ByURL(in.Canonical()) != in || l.ByCode(in.Panel.System, in.Panel.Code) != in || l.Find(slug) != in {
			t.Errorf("%s is not found by its URL and its code", slug)
		}
	}
	if l.Find("44249-1") != l.BySlug("phq-9") {
		t.Error("the PHQ-9 is not found by its LOINC code")
	}
}

func TestWhatIsNotTheSameInstrumentIsNotFound(t *testing.T) {
	l := library(t)
	for name, in := range map[string]*Instrument{
		"another version of the PHQ-9":      l.ByURL(l.BySlug("phq-9").URL + "|0.9.0"),
		"the adolescent PHQ-9M":             l.ByCode(loinc, "89206-7"),
		"the PHQ-2 variant of CMS":          l.ByCode(loinc, "58120-7"),
		"an item of the PHQ-9":              l.ByCode(loinc, "44260-8"),
		"an unknown canonical":              l.ByURL("https://elsewhere.invalid/Questionnaire/phq-9"),
		"nothing":                           l.Find(""),
		"the LOINC code without its system": l.ByCode("", "44249-1"),
	} {
		if in != nil {
			t.Errorf("%s is taken for %s", name, in.Slug)
		}
	}
}

func TestTextShipsOnlyWhereTheLicenceAllowsIt(t *testing.T) {
	for _, in := range library(t).All() {
		q, err := in.Questionnaire()
		if err != nil {
			t.Fatal(err)
		}
		for item := range q.Root().Get("item").Elements() {
			for _, member := range []string{"text"} {
				if item.Get(member).Exists() != in.Text {
					t.Errorf("%s item %s: %s", in.Slug, item.Get("linkId").Text(), member)
				}
			}
			for o := range item.Get("answerOption").Elements() {
				if o.At("valueCoding", "display").Exists() != in.Text {
					t.Errorf("%s item %s: display of an answer", in.Slug, item.Get("linkId").Text())
				}
			}
		}
		if in.Licence.Source == "" || in.Licence.Copyright == "" {
			t.Errorf("%s does not say on what terms it may be used", in.Slug)
		}
	}
}

// sound is a small instrument; the cases below each break one line of it.
const sound = `title: Small
name: Small
version: 1.0.0
url: https://rapport.example/fhir/Questionnaire/small
date: "2026-01-01"
text: false
informant: self
licence: {note: free, source: us}
answers:
  yesno:
    options:
      - {code: "0", score: 0}
      - {code: "1", score: 1}
items:
  - {link: "1", answers: yesno}
  - {link: "2", answers: yesno}
  - {link: "3", min: 0, max: 9}
scales:
  - slug: total
    code: {system: s, code: small-total}
    items: ["1", "2"]
    reverse: ["2"]
    low: 0
    high: 2
    worse: higher
    source: us
    banding: us
    bands:
      - {slug: low, label: Low, low: 0, high: 1}
      - {slug: high, label: High, low: 2, high: 2}
change: {scale: total, reliable: 1, case: 2, source: us}
risks:
  - {slug: r, item: "2", atLeast: 1, display: Look, source: us}
`

func load(src string) (*Library, error) {
	return LoadFrom(fstest.MapFS{"small/instrument.yaml": {Data: []byte(src)}})
}

func TestABrokenFileIsRefusedWithFileAndLine(t *testing.T) {
	if _, err := load(sound); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"an unknown key":                        {"informant: self", "informed: self", "small/instrument.yaml:7: "},
		"a key given twice":                     {"name: Small", "title: Small", "small/instrument.yaml:2: "},
		"a score that is no number":             {`{code: "1", score: 1}`, `{code: "1", score: one}`, "small/instrument.yaml:13: "},
		"a missing licence":                     {"licence: {note: free, source: us}", "licence: {note: free}", "small/instrument.yaml:8: "},
		"a text without permission to ship it":  {`{link: "1", answers: yesno}`, `{link: "1", answers: yesno, text: Hello}`, "small/instrument.yaml:15: "},
		"an item twice":                         {`link: "2", answers: yesno}`, `link: "1", answers: yesno}`, "small/instrument.yaml:16: "},
		"answers that are not there":            {`{link: "1", answers: yesno}`, `{link: "1", answers: other}`, "small/instrument.yaml:15: "},
		"a scale of an item that is not there":  {`items: ["1", "2"]`, `items: ["1", "7"]`, "small/instrument.yaml:21: "},
		"a scale of an item without scores":     {`items: ["1", "2"]`, `items: ["1", "3"]`, "small/instrument.yaml:21: "},
		"a reversed item outside the scale":     {`reverse: ["2"]`, `reverse: ["3"]`, "small/instrument.yaml:22: "},
		"a range that the items do not give":    {"high: 2\n    worse", "high: 3\n    worse", "small/instrument.yaml:"},
		"a gap between bands":                   {"{slug: high, label: High, low: 2,", "{slug: high, label: High, low: 3,", "small/instrument.yaml:30: "},
		"a direction that is none":              {"worse: higher", "worse: up", "small/instrument.yaml:19: "},
		"a case outside the range":              {"case: 2", "case: 4", "small/instrument.yaml:31: "},
		"a risk that fires always":              {"atLeast: 1", "atLeast: 0", "small/instrument.yaml:33: "},
		"an option code that stands for two":    {`{code: "1", score: 1}`, `{code: "1", value: "0", score: 1}`, "small/instrument.yaml:13: "},
		"a second document's worth of nonsense": {"title: Small", "title: [Small", "small/instrument.yaml:"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(sound, c.old, c.new, 1)
			if broken == sound {
				t.Fatal("the case changes nothing")
			}
			_, err := load(broken)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
