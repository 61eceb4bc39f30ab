package monitoring

import (
	"time"

	"rapport/fhir"
)

// A day is a time at midnight UTC, whatever the zone in which it was told; the zero
// time is none.

// dayOf returns the day of a FHIR date, dateTime or instant in a zone. A moment is
// told in the zone; a date is that day everywhere.
func dayOf(s string, zone *time.Location) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return midnight(t.In(zone)), true
	}
	for _, layout := range []string{time.DateOnly, "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// lastDayOf is dayOf for the end of a period: 2026-03 lasts until the 31st.
func lastDayOf(s string, zone *time.Location) (time.Time, bool) {
	d, ok := dayOf(s, zone)
	switch len(s) {
	case len("2006-01"):
		d = d.AddDate(0, 1, -1)
	case len("2006"):
		d = d.AddDate(1, 0, -1)
	}
	return d, ok
}

// days counts from a to b.
func days(a, b time.Time) int { return int(b.Sub(a).Hours() / 24) }

// Every is an interval as a plan says it.
type Every struct {
	Period string `json:"period"` // a decimal, mostly "1"
	Unit   string `json:"unit"`   // UCUM: d, wk, mo, a
	Times  int    `json:"times"`  // in each period
}

// schedule is how often one activity asks, and within which days.
type schedule struct {
	Every
	days, months int
	count        int       // of responses after which no more is asked; 0: no end
	from, to     time.Time // days, inclusive; to may be none
}

// intervalOf reads a Timing; false for one that says no interval that has days.
//
// Source: https://hl7.org/fhir/R4/datatypes.html#Timing
func intervalOf(timing fhir.Node) (s schedule, ok bool) {
	r := timing.Get("repeat")
	s.Unit, s.Period, s.Times = r.Get("periodUnit").Text(), r.Get("period").Decimal(), 1
	if n, said := r.Get("frequency").Int(); said {
		s.Times = int(n)
	}
	if n, said := r.Get("count").Int(); said {
		s.count = int(n)
	}
	period, said := r.Get("period").Int()
	if s.Unit == "" && s.count > 0 { // so often, and no more
		s.days = 1
		return s, true
	}
	if !said || period < 1 || period > 10_000 || s.Times < 1 || s.Times > 1_000 {
		return s, false
	}
	n := int(period)
	switch s.Unit {
	case "d":
		s.days = n
	case "wk":
		s.days = 7 * n
	case "mo":
		s.months = n
	case "a":
		s.months = 12 * n
	default: // seconds to hours: no questionnaire of ours is asked that often
		return s, false
	}
	if s.Times > 1 {
		// Rather a day too early than less often than was planned. A month that is
		// divided has 30 days.
		s.days, s.months = max((s.days+30*s.months)/s.Times, 1), 0
	}
	return s, true
}

// bounds narrows the days to a period and to that of the timing.
func (s *schedule) bounds(period fhir.Node, zone *time.Location) {
	if d, ok := dayOf(period.Get("start").Text(), zone); ok && d.After(s.from) {
		s.from = d
	}
	if d, ok := lastDayOf(period.Get("end").Text(), zone); ok && (s.to.IsZero() || d.Before(s.to)) {
		s.to = d
	}
}

// next returns the day on which a response is due after one on last (none: the
// first); false when no more is asked.
func (s *schedule) next(last time.Time) (time.Time, bool) {
	due := s.from
	if !last.IsZero() {
		if d := later(last, s.months, s.days); d.After(due) {
			due = d
		}
	}
	return due, s.to.IsZero() || !due.After(s.to)
}

// later adds months, at most to the end of the month, and days.
func later(d time.Time, months, n int) time.Time {
	y, m, day := d.Date()
	last := time.Date(y, m+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(y, m+time.Month(months), min(day, last)+n, 0, 0, 0, 0, time.UTC)
}
