package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/mapping/intake"
)

// meter shows how far an import is: on a terminal as a bar over itself, elsewhere
// as a line every few seconds.
type meter struct {
	w        io.Writer
	terminal bool
	clock    fhir.Clock
	began    time.Time
	told     time.Time
	drawn    bool
}

// How often a terminal is drawn to and a line is written elsewhere.
const (
	drawEvery = 100 * time.Millisecond
	lineEvery = 5 * time.Second
)

func newMeter(f *os.File, clock fhir.Clock) *meter {
	m := &meter{w: f, clock: clock, began: clock()}
	m.told = m.began
	if info, err := f.Stat(); err == nil {
		m.terminal = info.Mode()&os.ModeCharDevice != 0
	}
	return m
}

// show tells of p, unless it was told a moment ago.
func (m *meter) show(p intake.Progress) {
	now := m.clock()
	every := lineEvery
	if m.terminal {
		every = drawEvery
	}
	if now.Sub(m.told) < every {
		return
	}
	m.told = now
	if m.terminal {
		m.drawn = true
		fmt.Fprintf(m.w, "\r\033[K%s %s", bar(p), m.line(p, now))
		return
	}
	fmt.Fprintln(m.w, m.line(p, now))
}

// end leaves the terminal's line.
func (m *meter) end() {
	if m.drawn {
		fmt.Fprint(m.w, "\r\033[K")
	}
}

func (m *meter) line(p intake.Progress, now time.Time) string {
	taken := now.Sub(m.began).Seconds()
	s := fmt.Sprintf("%s: %d of %d rows", p.Table, p.Done, p.Total)
	if taken <= 0 || p.Done == 0 {
		return s
	}
	rate := float64(p.Done) / taken
	left := time.Duration(float64(max(p.Total-p.Done, 0)) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s, %.0f rows/s, %s left", s, rate, left)
}

const barWidth = 24

func bar(p intake.Progress) string {
	n := 0
	if p.Total > 0 {
		n = min(p.Done*barWidth/p.Total, barWidth)
	}
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", barWidth-n) + "]"
}
