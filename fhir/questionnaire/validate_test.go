package questionnaire

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
)

const form = `{"resourceType":"Questionnaire","status":"active","url":"urn:form","item":[
{"linkId":"sleep","type":"boolean","required":true},
{"linkId":"hours","type":"integer","required":true,"enableWhen":[{"question":"sleep","operator":"=","answerBoolean":true}],
 "extension":[{"url":"http://hl7.org/fhir/StructureDefinition/minValue","valueInteger":0},{"url":"http://hl7.org/fhir/StructureDefinition/maxValue","valueInteger":24}]},
{"linkId":"mood","type":"choice","answerOption":[{"valueCoding":{"system":"urn:m","code":"low"}},{"valueCoding":{"system":"urn:m","code":"high"}}]},
{"linkId":"other","type":"open-choice","answerValueSet":"urn:set"},
{"linkId":"note","type":"text","maxLength":5},
{"linkId":"drug","type":"group","repeats":true,"item":[
 {"linkId":"name","type":"string"},
 {"linkId":"dose","type":"decimal","required":true,"enableWhen":[{"question":"name","operator":"exists","answerBoolean":true}]}]}]}`

func answers(status, items string) string {
	return fmt.Sprintf(`{"resourceType":"QuestionnaireResponse","questionnaire":"urn:form","status":%q,"item":[%s]}`, status, items)
}

func parse(t testing.TB, src string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAResponseIsJudgedByItsForm(t *testing.T) {
	const (
		sleepYes = `{"linkId":"sleep","answer":[{"valueBoolean":true}]}`
		sleepNo  = `{"linkId":"sleep","answer":[{"valueBoolean":false}]}`
		hours    = `{"linkId":"hours","answer":[{"valueInteger":7}]}`
	)
	item := func(link, answer string) string {
		return sleepNo + fmt.Sprintf(`,{"linkId":%q,"answer":[{%s}]}`, link, answer)
	}
	for _, c := range []struct {
		name, status, items string
		want                []string // "code place", "warn " before what is no error
	}{
		{"complete", "completed", sleepYes + "," + hours, nil},
		{"what is not asked is not required", "completed", sleepNo, nil},
		{"what is asked is required", "completed", sleepYes, []string{"required QuestionnaireResponse"}},
		{"a draft may be incomplete", "in-progress", sleepYes, []string{"warn required QuestionnaireResponse"}},
		{"what was withdrawn need not be right", "entered-in-error", `{"linkId":"nobody"}`, nil},
		{"what is not asked is not answered", "completed", sleepNo + "," + hours, []string{"invariant QuestionnaireResponse.item[1]"}},
		{"nothing at all", "completed", "", []string{"required QuestionnaireResponse"}},
		{"above the greatest value", "completed", sleepYes + `,{"linkId":"hours","answer":[{"valueInteger":25}]}`, []string{"value QuestionnaireResponse.item[1].answer[0]"}},
		{"below the least value, in a draft too", "in-progress", sleepYes + `,{"linkId":"hours","answer":[{"valueInteger":-1}]}`, []string{"value QuestionnaireResponse.item[1].answer[0]"}},
		{"another type of value", "completed", sleepYes + `,{"linkId":"hours","answer":[{"valueString":"7"}]}`, []string{"value QuestionnaireResponse.item[1].answer[0]"}},
		{"two answers to one question", "completed", `{"linkId":"sleep","answer":[{"valueBoolean":false},{"valueBoolean":false}]}`, []string{"invariant QuestionnaireResponse.item[0]"}},
		{"one of the options", "completed", item("mood", `"valueCoding":{"system":"urn:m","code":"low"}`), nil},
		{"none of the options", "completed", item("mood", `"valueCoding":{"system":"urn:m","code":"odd"}`), []string{"code-invalid QuestionnaireResponse.item[1].answer[0]"}},
		{"an option of another system", "completed", item("mood", `"valueCoding":{"system":"urn:n","code":"low"}`), []string{"code-invalid QuestionnaireResponse.item[1].answer[0]"}},
		{"words where they are allowed", "completed", item("other", `"valueString":"so"`), nil},
		{"a code of a value set that is known", "completed", item("other", `"valueCoding":{"system":"urn:s","code":"in"}`), nil},
		{"a code outside it", "completed", item("other", `"valueCoding":{"system":"urn:s","code":"out"}`), []string{"code-invalid QuestionnaireResponse.item[1].answer[0]"}},
		{"text as long as allowed", "completed", item("note", `"valueString":"äöüäö"`), nil},
		{"longer text", "completed", item("note", `"valueString":"äöüäöü"`), []string{"too-long QuestionnaireResponse.item[1].answer[0]"}},
		{"an item that the form has not", "completed", item("nobody", `"valueString":"x"`), []string{"invalid QuestionnaireResponse.item[1]"}},
		{"an item at another place", "completed", item("dose", `"valueDecimal":1`), []string{"structure QuestionnaireResponse.item[1]"}},
		{"items out of order", "completed", `{"linkId":"note","answer":[{"valueString":"x"}]},` + sleepNo, []string{"structure QuestionnaireResponse.item[1]"}},
		{
			"conditions look into their own repetition", "completed",
			sleepNo + `,{"linkId":"drug","item":[{"linkId":"name","answer":[{"valueString":"a"}]},{"linkId":"dose","answer":[{"valueDecimal":1.5}]}]},` +
				`{"linkId":"drug","item":[{"linkId":"name","answer":[{"valueString":"b"}]}]}`,
			[]string{"required QuestionnaireResponse.item[2]"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			checker := &Checker{ValueSet: func(set, system, code string) (in, known bool) {
				return system == "urn:s" && code == "in", set == "urn:set"
			}}
			var got []string
			for _, e := range checker.Validate(parse(t, form), parse(t, answers(c.status, c.items))) {
				s := e.Code.Issue() + " " + strings.Join(e.At, ",")
				if e.Warn {
					s = "warn " + s
				}
				got = append(got, s)
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("issues %q, want %q", got, c.want)
			}
		})
	}
}

func TestIssuesDoNotRepeatAnswers(t *testing.T) {
	for _, items := range []string{
		`{"linkId":"sleep","answer":[{"valueString":"secret"}]}`,
		`{"linkId":"sleep","answer":[{"valueBoolean":false}]},{"linkId":"mood","answer":[{"valueCoding":{"system":"urn:m","code":"secret"}}]}`,
		`{"linkId":"sleep","answer":[{"valueBoolean":false}]},{"linkId":"note","answer":[{"valueString":"secret secret"}]}`,
	} {
		issues := Validate(parse(t, form), parse(t, answers("completed", items)))
		if len(issues) == 0 {
			t.Errorf("no issue for %s", items)
		}
		for _, e := range issues {
			if strings.Contains(e.Error()+e.Detail, "secret") {
				t.Errorf("an issue repeats an answer: %s", e.Detail)
			}
		}
	}
}

// Twelve items that each depend on all twelve, in a circle.
func TestConditionsThatGoInCirclesEnd(t *testing.T) {
	var when, items, given []string
	for i := range 12 {
		when = append(when, fmt.Sprintf(`{"question":"q%d","operator":"exists","answerBoolean":false}`, i))
	}
	for i := range 12 {
		items = append(items, fmt.Sprintf(`{"linkId":"q%d","type":"boolean","enableBehavior":"all","enableWhen":[%s]}`, i, strings.Join(when, ",")))
		given = append(given, fmt.Sprintf(`{"linkId":"q%d","answer":[{"valueBoolean":true}]}`, i))
	}
	q := parse(t, `{"resourceType":"Questionnaire","status":"active","url":"urn:form","item":[`+strings.Join(items, ",")+`]}`)
	start := time.Now()
	issues := Validate(q, parse(t, answers("completed", strings.Join(given, ","))))
	if took := time.Since(start); took > 20*time.Second || len(issues) != 1 || issues[0].Code != fhir.TooCostly {
		t.Errorf("took %v, issues %v; want one, too-costly", took, issues)
	}
}
