package main

import (
	"bytes"
	"testing"
	"time"

	"rapport/mapping/intake"
)

func TestAnImportTellsHowFarItIs(t *testing.T) {
	for name, c := range map[string]struct {
		terminal bool
		want     string
	}{
		"a bar over itself on a terminal": {true,
			"\r\x1b[K[######..................] k5.csv: 2500 of 10000 rows, 1250 rows/s, 6s left" +
				"\r\x1b[K[############............] k5.csv: 5000 of 10000 rows, 1000 rows/s, 5s left" + "\r\x1b[K"},
		"a line every few seconds elsewhere": {false, "k5.csv: 5000 of 10000 rows, 1000 rows/s, 5s left\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
			now := at
			m := &meter{w: &b, terminal: c.terminal, clock: func() time.Time { return now }, began: at, told: at}
			for _, p := range []struct {
				after time.Duration
				done  int
			}{{50 * time.Millisecond, 10}, {2 * time.Second, 2500}, {2*time.Second + time.Millisecond, 2600}, {5 * time.Second, 5000}} {
				now = at.Add(p.after)
				m.show(intake.Progress{Table: "k5.csv", Done: p.done, Total: 10_000})
			}
			m.end()
			if b.String() != c.want {
				t.Errorf("%q\nwant %q", b.String(), c.want)
			}
		})
	}
}
