package exchange

import (
	"testing"

	"rapport/fhir"
)

func TestAPeriodEndsBehindItsLastDayHoweverMuchOfItIsSaid(t *testing.T) {
	for end, want := range map[string]string{
		"2026-12-01": "2026-12-02T00:00:00Z", "2026-12": "2027-01-01T00:00:00Z", "2026": "2027-01-01T00:00:00Z",
		"2026-12-01T10:00:00+01:00": "2026-12-01T09:00:00Z", "": "", "soon": "",
	} {
		n, err := fhir.ParseNode([]byte(`{"restriction":{"period":{"end":"` + end + `"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		at, ok := ending(n)
		if got := at.UTC().Format("2006-01-02T15:04:05Z"); ok != (want != "") || ok && got != want {
			t.Errorf("%s ends at %s, %v", end, got, ok)
		}
	}
}
