package validate_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
)

// differs are the cases in which this package and HL7's validator disagree on
// whether a file has errors, and what would have to be judged to agree.
var differs = map[string]string{
	"capstmt":                "a CapabilityStatement's parameters compared with their definitions",
	"q-enablewhen-me-wrong":  "invariant que-12",
	"sp-diff-type":           "a SearchParameter compared with what it is derived from",
	"sp-diff-base":           "a SearchParameter compared with what it is derived from; its expression compiled",
	"sp-composite":           "a rule on composite SearchParameters that R4 has in words alone",
	"bundle-id-2":            "a rule on Bundle.link that R4 has in words alone",
	"bundle-id-5":            "a display compared with the code system",
	"pat-example-extensions": "extensions looked up by their url; any url is allowed here",
	"bundle-with-contained":  "displays, hyperlinks in narratives, references within a message Bundle",
	"encounter-period":       "per-1 where a date and a time leave it open; let pass here",
	"bad-markdown-no-html":   "HTML in markdown, an option of theirs",
	"json-comments-2-yes":    "comments in JSON, an option of theirs; refused here",
}

func TestVerdictsAgreeWithTheOfficialValidator(t *testing.T) {
	dir := fixtures(t, "validator-r4")
	b, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, File   string
		ExpectErrors int `json:"expect_errors"`
	}
	if err := json.Unmarshal(b, &cases); err != nil || len(cases) < 40 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	v := validate.New(spec.R4())
	agree := 0
	for _, c := range cases {
		b, err := os.ReadFile(filepath.Join(dir, c.File))
		if err != nil {
			t.Fatal(err)
		}
		var first error
		r, err := fhir.Parse(b)
		if err != nil {
			first = err
		} else {
			for _, e := range v.Resource(t.Context(), r) {
				if !e.Warn && first == nil {
					first = e
				}
			}
		}
		why, known := differs[c.Name]
		switch same := (first != nil) == (c.ExpectErrors > 0); {
		case same && known:
			t.Errorf("%s: agrees now; take it from the list (%s)", c.Name, why)
		case same:
			agree++
		case !known:
			t.Errorf("%s: they find %d errors, we: %v", c.Name, c.ExpectErrors, first)
		}
	}
	t.Logf("%d of %d verdicts agree", agree, len(cases))
}
