package research_test

import (
	"strings"
	"testing"

	"rapport/fhir"
)

// Numbers come from other systems and may be any.
func TestALengthThatNoSessionHasStopsNoReleaseAndIsNotTold(t *testing.T) {
	for _, length := range []string{`{"value":1e999,"system":"http://unitsofmeasure.org","code":"min"}`, `{"value":1984020212,"system":"http://unitsofmeasure.org","code":"min"}`,
		`{"value":50,"system":"http://kanari.example","code":"min"}`, `{"value":50,"comparator":"<","system":"http://unitsofmeasure.org","code":"min"}`} {
		var rs []fhir.Resource
		for n := range 12 {
			rs = append(rs, client(t, n, `"gender":"female"`, "video", still().AddDate(-2, 0, 0), still().AddDate(-2, 1, 0))...)
		}
		for i, r := range rs {
			if r.Type == "Encounter" {
				with, err := fhir.Parse([]byte(strings.Replace(string(r.Body()), `"status"`, `"length":`+length+`,"status"`, 1)))
				if err != nil {
					t.Fatal(err)
				}
				rs[i] = with
			}
		}
		o := must(t)(run(t, newDesk().release(t), rs))
		for _, r := range rows(t, o, "sessions") {
			if r["minutes"] != "" {
				t.Fatalf("of %s the table tells %s", length, r["minutes"])
			}
		}
	}
}
