package research

import (
	"strings"
	"testing"

	"rapport/mapping/deid"
	"rapport/mapping/instrument"
)

// The people of a release are counted beside: who is missing in a table of those who
// answered an instrument is its difference.
func TestHowFewNeverAnsweredAnInstrumentDoesNotFollowFromTheCounts(t *testing.T) {
	c := with(t, map[string]int{"eibe": 60})
	l, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	phq := l.BySlug("phq-9")
	for who, p := range c.people {
		p.told = deid.Person{Gender: []string{"female", "male"}[who%2]}
		if who < 54 { // three of each never answered
			score, err := phq.Stated(map[string]instrument.Points{"total": instrument.PointsOf(int64(who % 4))})
			if err != nil {
				t.Fatal(err)
			}
			c.given = append(c.given, &administration{who: who, in: phq, number: 1 + who%2, score: score}) // the first of some does not leave
		}
	}
	r := &Release{c: Config{K: 11}, cohort: c}
	tables := r.countTables()
	first := tables[len(tables)-1]
	if !strings.Contains(first.Title, "PHQ-9") {
		t.Fatalf("the last table is of %s", first.Title)
	}
	for i, row := range first.Cells {
		if all := row[len(row)-1]; i == len(first.Cells)-1 && (all == nil || *all != 60) {
			t.Errorf("of 60 people the table is of %s", first.Cell(all))
		}
		for j, v := range row {
			switch {
			case v == nil:
			case *v > 0 && *v < 11:
				t.Errorf("%s, %s: %d", first.Rows[i], first.Columns[j], *v)
			case first.Rows[i] == "never answered":
				t.Errorf("that %d never answered follows", *v)
			}
		}
	}
}
