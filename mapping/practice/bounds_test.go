package practice

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
)

func TestARecordOutOfAllProportionIsRefusedAtOnce(t *testing.T) {
	session := func(rest string) string { return `{"key":"s","client":"c","status":"booked",` + rest + `}` }
	list := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"a%d":1,`, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for name, c := range map[string]struct {
		kind, body string
		code       fhir.Code
		at         string
	}{
		"200,000 unknown fields":    {"session", session(members(200_000)), fhir.TooLong, "/"},
		"1,000 unknown fields":      {"session", session(members(990)), fhir.Structure, "/"},
		"a long list of odd things": {"session", session(`"details":` + list(50_000, `{"x":1}`)), fhir.TooLong, "/details"},
		"1,000 odd things":          {"session", session(`"details":` + list(1000, `{"x":1}`)), fhir.Required, "/details/0"},
		"a long list of the same":   {"session", session(`"techniques":` + list(100_000, `"x"`)), fhir.TooLong, "/techniques"},
		"long lists in a list":      {"session", session(`"details":` + list(100, list(900, "1"))), fhir.TooLong, "/"},
		"a power of ten":            {"session", session(`"minutes":1e999999`), fhir.Value, "/minutes"},
		"a tiny power of ten":       {"session", session(`"minutes":1E-999999`), fhir.Value, "/minutes"},
		"a million digits":          {"response", `{"key":"r","client":"c","instrument":"i","scores":{"total":` + strings.Repeat("9", 1_000_000) + `}}`, fhir.Value, "/scores/total"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := Decode(c.kind, []byte(c.body))
			is := fhir.IssuesOf(err)
			if err == nil || is[0].Code != c.code || is[0].At[0] != c.at || len(is) > maxIssues {
				t.Errorf("%d issues: %v", len(is), is[0])
			}
			if d := time.Since(began); d > 20*time.Second { // it was minutes; a busy machine is no fault
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestAnOrdinaryRecordIsWithinTheBounds(t *testing.T) {
	answers := make([]string, 200)
	for i := range answers {
		answers[i] = fmt.Sprintf(`"q%d":"a"`, i)
	}
	body := `{"key":"r","client":"c","instrument":"i","authored":"2026-03-05","scores":{"total":-12.50e1},"answers":{` + strings.Join(answers, ",") + `}}`
	if _, err := Decode("response", []byte(body)); err != nil {
		t.Error(err)
	}
}
