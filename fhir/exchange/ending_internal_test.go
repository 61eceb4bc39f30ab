package exchange

import (
	"testing"
	"time"

	"rapport/fhir"
)

func TestAPeriodEndsBehindItsLastDayHoweverMuchOfItIsSaid(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		end  string
		zone *time.Location
		want string
	}{
		{"2026-12-01", time.UTC, "2026-12-02T00:00:00Z"},
		{"2026-12", time.UTC, "2027-01-01T00:00:00Z"},
		{"2026", time.UTC, "2027-01-01T00:00:00Z"},
		{"2026-12-01", zurich, "2026-12-01T23:00:00Z"},
		{"2026-03-28", zurich, "2026-03-28T23:00:00Z"}, // the day after it has 23 hours
		{"2026-03-29", zurich, "2026-03-29T22:00:00Z"},
		{"2026-06", zurich, "2026-06-30T22:00:00Z"},
		{"2026", zurich, "2026-12-31T23:00:00Z"},
		{"2026-12-01", time.FixedZone("west", -11*60*60), "2026-12-02T11:00:00Z"},
		{"2026-12-01T10:00:00+01:00", zurich, "2026-12-01T09:00:00Z"},
		{"2026-12-01T10:00:00+01:00", time.UTC, "2026-12-01T09:00:00Z"},
		{"", zurich, ""},
		{"soon", zurich, ""},
	} {
		end, want := c.end, c.want
		n, err := fhir.ParseNode([]byte(`{"restriction":{"period":{"end":"` + end + `"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		at, ok := ending(n, c.zone)
		if got := at.UTC().Format("2006-01-02T15:04:05Z"); ok != (want != "") || ok && got != want {
			t.Errorf("%s in %s ends at %s, %v", end, c.zone, got, ok)
		}
	}
}
