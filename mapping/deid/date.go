package deid

import (
	"strconv"
	"time"

	"rapport/fhir"
)

// date appends a date as the profile tells dates: shifted by weeks, or as days from
// baseline; without a baseline not at all. Of the day no time is told: it would be alike in
// the exports of two projects.
func (p *pass) date(to, name []byte, n fhir.Node, r *rule) ([]byte, status) {
	first, last, ok := span(n.Text())
	if !ok || p.of == nil {
		return to, nothing
	}
	p.dates++
	base, whole := p.of.Baseline, first.Equal(last)
	value := ""
	switch {
	case p.of.After(first):
		if p.after++; r.do == ending {
			return to, nothing // it has not ended
		}
		return maskedMember(to, name)
	case p.of.isBefore(first):
		return maskedMember(to, name)
	case base.IsZero():
		return to, nothing
	case whole && p.Profile.Shifts:
		value = first.AddDate(0, 0, p.shift).Format(time.DateOnly)
		if r.typ == "instant" { // which has a time
			value += "T00:00:00Z"
		}
	case whole:
		to = append(append(append(to, `"_`...), name...), `":{"extension":[{"url":"`+daysURL+`","valueInteger":`...)
		return append(strconv.AppendInt(to, int64(Days(base, first)), 10), `}]}`...), told
	case r.typ == "instant": // which cannot be a year
		return maskedMember(to, name)
	case p.Profile.Shifts:
		// Nobody can shift a year by weeks. The year as many before or after the baseline's.
		value = strconv.Itoa(first.Year() + Epoch - base.Year())
	case base.Year()-first.Year() < before:
		return maskedMember(to, name)
	default:
		value = strconv.Itoa(first.Year())
	}
	to = append(append(append(to, '"'), name...), `":"`...)
	return append(append(to, value...), '"'), told
}

func maskedMember(to, name []byte) ([]byte, status) {
	to = append(append(append(to, `"_`...), name...), `":`...)
	return append(to, maskedBody...), withheld
}

const (
	// most is how many years may lie between two dates that are told of one person: with
	// more than 89 between them the person is older than that, which Safe Harbor counts
	// among the identifiers.
	most = 89
	// before is how many years before the baseline's a year must be to be told as it is:
	// a later one could tell the year of start more finely than the release does.
	before = 4
)

// Tells returns as how many days from baseline a day is told; false: it is not.
func (p *Person) Tells(day time.Time) (int, bool) {
	if day.IsZero() || p.Baseline.IsZero() || p.After(day) || p.isBefore(day) {
		return 0, false
	}
	return Days(p.Baseline, day), true
}

// After reports whether a day lies after all that is told of a person.
func (p *Person) After(day time.Time) bool { return !p.Horizon.IsZero() && day.After(p.Horizon) }

// isBefore reports whether a day lies so far back that it tells how old a person is.
func (p *Person) isBefore(day time.Time) bool {
	end := p.Horizon
	if end.IsZero() {
		end = p.Baseline
	}
	return day.Year() <= p.Born || !end.IsZero() && day.Before(end.AddDate(-most, 0, 0))
}

// span returns the first and the last day that a date, dateTime or instant stands for: one
// and the same but for a partial date.
func span(date string) (first, last time.Time, ok bool) {
	if day, ok := Day(date); ok {
		return day, day, true
	}
	if t, err := time.Parse("2006-01", date); err == nil {
		return t, t.AddDate(0, 1, -1), true
	}
	t, err := time.Parse("2006", date)
	return t, t.AddDate(1, 0, -1), err == nil
}
