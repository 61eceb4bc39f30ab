package deid_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"rapport/fhir/spec"
	"rapport/mapping/deid"
)

func TestAProfileThatCouldLetTextLeaveIsRefusedWhereItStands(t *testing.T) {
	head := "profile: x\ntitle: y\ndates: year\n"
	for name, c := range map[string]struct{ file, want string }{
		"a text is kept":                 {head + "types:\n  Patient:\n    id: pseudonym\n    of: id\n    name: {family: keep}\n", "p.yaml:8:20: Patient.name.family is a string that may hold any text"},
		"a URL is kept":                  {head + "types:\n  QuestionnaireResponse: {id: pseudonym, questionnaire: keep}\n", "p.yaml:5:57: QuestionnaireResponse.questionnaire is a canonical that may hold"},
		"an open code is kept":           {head + "types:\n  Patient: {id: pseudonym, language: keep}\n", "p.yaml:5:38: Patient.language is a code that may hold any text"},
		"an element does not exist":      {head + "types:\n  Patient: {id: pseudonym, birthdate: date}\n", "p.yaml:5:28: Patient has no element birthdate"},
		"a type does not exist":          {head + "types:\n  Client: {id: pseudonym}\n", "p.yaml:5:3: Client is no resource type"},
		"a word is no rule":              {head + "types:\n  Patient: {id: pseudonym, gender: keeep}\n", `p.yaml:5:36: "keeep" is no rule`},
		"a rule is for another datatype": {head + "types:\n  Patient: {id: pseudonym, name: concept}\n", "p.yaml:5:34: concept is for a CodeableConcept; Patient.name is a HumanName"},
		"the id would stay":              {head + "types:\n  Patient: {gender: keep}\n", "the id of a Patient is missing"},
		"a key is unknown":               {head + "tpyes: {}\n", "p.yaml:4:1: unknown key tpyes"},
		"a key comes twice":              {head + "types:\n  Patient: {id: pseudonym, gender: keep, gender: keep}\n", `p.yaml:5:42: not YAML: mapping key "gender" already defined`},
		"an alias is used":               {head + "units: &u [kg]\n", "p.yaml:4:8: anchors, aliases"},
		"dates are told otherwise":       {"profile: x\ndates: keep\ntypes:\n  Patient: {id: pseudonym}\n", "p.yaml:2:8: dates is shift or year"},
		"a shift is called Safe Harbor":  {"profile: safe-harbor\ndates: shift\ntypes:\n  Patient: {id: pseudonym}\n", "p.yaml:1:10: a profile that shifts dates is not Safe Harbor"},
		"the base is not there":          {head + "base: nothing.yaml\n", "p.yaml:4:7: there is no such file"},
		"a check is unknown":             {head + "systems: {http://x: luhn}\n", `p.yaml:4:21: "luhn" is no check`},
		"an extension has no value":      {head + "extensions: {http://x: {url: keep}}\n", "p.yaml:4:14: an extension's rule is a map with the one value[x]"},
		"an extension keeps a text":      {head + "extensions: {http://x: {valueString: keep}}\n", "p.yaml:4:38: Extension.valueString is a string that may hold any text"},
		"something needed cannot leave":  {head + "types:\n  Patient: {id: pseudonym, needs: [name]}\n", "Patient.name is needed, but has no rule"},
		"nothing has an end":             {head + "types:\n  Goal: {id: pseudonym, at-end: {was: active}}\n", "p.yaml:5:33: at-end is for what has an ending"},
		"at the end nothing leaves":      {head + "types:\n  CarePlan: {id: pseudonym, created: ending, at-end: {with: [title]}}\n", "title has no rule by which it could leave at the end"},
		"it is no YAML":                  {"profile: [\n", "p.yaml:1:10: not YAML"},
		"nothing is there":               {"", "p.yaml:1:1: the file is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := deid.Read(fstest.MapFS{"p.yaml": {Data: []byte(c.file)}}, "p.yaml", spec.R4())
			if err == nil {
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("told is\n%v\nnot %s", err, c.want)
			}
		})
	}
}

func TestAProfileOverridesItsBaseTypeByType(t *testing.T) {
	dir := fstest.MapFS{
		"base.yaml": {Data: []byte("types:\n  Patient: {of: id, id: pseudonym}\n  Goal: {of: subject, id: pseudonym, lifecycleStatus: keep}\n")},
		"p.yaml":    {Data: []byte("profile: x\nbase: base.yaml\ndates: year\ntypes:\n  Goal: {of: subject, id: pseudonym, startDate: date}\n")},
	}
	p, err := deid.Read(dir, "p.yaml", spec.R4())
	if err != nil {
		t.Fatal(err)
	}
	d := project(t, "expert", "k", func(c *deid.Config) { c.Profile = p })
	out := transformed(t, d, parse(t, `{"resourceType":"Goal","id":"g","lifecycleStatus":"active","subject":{"reference":"Patient/p"},"startDate":"2026-02-02"}`))
	body := string(out.Body())
	if strings.Contains(body, `"lifecycleStatus"`) || !strings.Contains(body, `"_lifecycleStatus"`) || !strings.Contains(body, "days-from-baseline") {
		t.Errorf("the base's rule for Goal holds, or the file's own does not:\n%s", body)
	}
}

func TestOnlyTheShippedProfilesAreFound(t *testing.T) {
	for _, name := range []string{"common", "", "../secret", "Expert"} {
		if _, err := deid.Embedded(name); err == nil {
			t.Errorf("%q is a profile", name)
		}
	}
}
