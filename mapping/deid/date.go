package deid

import (
	"strconv"
	"time"

	"rapport/fhir"
)

// date appends a date as the profile tells dates: shifted, and without a baseline not at
// all; or as days from baseline, without one as the year.
func (p *pass) date(to, name []byte, n fhir.Node, r *rule) ([]byte, status) {
	s := n.Text()
	day, whole := Day(s)
	value := ""
	switch {
	case whole && p.of == nil:
		value = s[:4]
	case p.of != nil && p.Profile.Shifts && p.of.Baseline.IsZero():
	case whole && p.Profile.Shifts:
		value = day.AddDate(0, 0, p.shift).Format(time.DateOnly)
		if clock := wallClock(s); clock != "" && r.typ != "date" {
			value += "T" + clock + "Z"
		}
	case whole && !p.of.Baseline.IsZero():
		to = append(append(append(to, `"_`...), name...), `":`...)
		days := Days(p.of.Baseline, day)
		if days > most || days < -most {
			return append(to, maskedBody...), withheld
		}
		to = append(to, `{"extension":[{"url":"`+daysURL+`","valueInteger":`...)
		return append(strconv.AppendInt(to, int64(days), 10), `}]}`...), told
	case whole:
		value = s[:4]
	case p.of != nil && p.Profile.Shifts:
		// Nobody can shift a year by weeks. The year as many before or after the baseline's.
		if year, err := strconv.Atoi(yearOf(s)); err == nil {
			value = strconv.Itoa(year + Epoch - p.of.Baseline.Year())
		}
	default:
		value = yearOf(s)
	}
	if value == "" {
		return to, nothing
	}
	if r.typ == "instant" && len(value) < len(time.RFC3339)-5 { // an instant cannot be a year
		to = append(append(append(to, `"_`...), name...), `":`...)
		return append(to, maskedBody...), withheld
	}
	to = append(append(append(to, '"'), name...), `":"`...)
	return append(append(to, value...), '"'), told
}

// most is how many days may lie between two dates that are told of one person: with
// more than 89 years between them the person is older than that, which Safe Harbor
// counts among the identifiers.
const most = 89 * 365

// yearOf returns the year of a partial date.
func yearOf(s string) string {
	for _, layout := range []string{"2006", "2006-01"} {
		if _, err := time.Parse(layout, s); err == nil {
			return s[:4]
		}
	}
	return ""
}
