package path

import (
	"strconv"
	"strings"
	"time"
)

// MomentKind says which System type a [Moment] is of.
type MomentKind uint8

// The kinds.
const (
	Date MomentKind = iota
	DateTime
	Time
)

var momentOf = map[tokenKind]MomentKind{tDate: Date, tDateTime: DateTime, tTime: Time}

// precision is how much of a moment is known. Fractions of a second are part of
// the seconds: 30 and 30.0 are equally precise.
type precision uint8

const (
	toYear precision = iota
	toMonth
	toDay
	toHour
	toMinute
	toSecond
)

// Moment is a Date, DateTime or Time as precise as it was written. It means the
// whole span that it leaves open: 2015-02 all of February.
type Moment struct {
	kind   MomentKind
	prec   precision
	digits uint8     // of the fraction of a second, as written
	zone   bool      // it has an offset from UTC
	offset int16     // in minutes
	wall   time.Time // what the clock shows, told as if it were UTC; a Time on 1 January of year 1
}

// Kind returns the System type.
func (m Moment) Kind() MomentKind { return m.kind }

// Zoned reports whether the moment has an offset from UTC.
func (m Moment) Zoned() bool { return m.zone }

// ParseMoment reads what FHIR writes as date (Date), dateTime or instant
// (DateTime) or time (Time), and the shorter forms that FHIRPath knows besides.
func ParseMoment(k MomentKind, s string) (Moment, bool) { return parseMoment(k, s) }

func parseMoment(k MomentKind, s string) (Moment, bool) {
	m := Moment{kind: k}
	y, mo, d, h, mi, sec, nano := 1, 1, 1, 0, 0, 0, 0
	ok := true
	num := func(n int) (v int) {
		if len(s) < n {
			ok = false
			return 0
		}
		for i := range n {
			if !digit(s[i]) {
				ok = false
				return 0
			}
			v = 10*v + int(s[i]-'0')
		}
		s = s[n:]
		return v
	}
	next := func(sep byte) bool {
		if ok && len(s) > 0 && s[0] == sep {
			s = s[1:]
			return true
		}
		return false
	}
	clock := func() {
		h, m.prec = num(2), toHour
		if next(':') {
			mi, m.prec = num(2), toMinute
			if next(':') {
				sec, m.prec = num(2), toSecond
				if next('.') {
					n := 0
					for n < len(s) && digit(s[n]) {
						n++
					}
					ok = ok && n > 0 && n < 100
					m.digits = uint8(n)
					nano, _ = strconv.Atoi((s[:n] + "000000000")[:9])
					s = s[n:]
				}
			}
		}
	}
	if k == Time {
		s = strings.TrimPrefix(s, "T")
		clock()
	} else {
		y = num(4)
		if next('-') {
			mo, m.prec = num(2), toMonth
			if next('-') {
				d, m.prec = num(2), toDay
			}
		}
		if k == DateTime && next('T') && s != "" {
			if m.prec != toDay {
				return m, false
			}
			clock()
			switch {
			case next('Z'):
				m.zone = true
			case ok && len(s) > 0 && (s[0] == '+' || s[0] == '-'):
				sign := int16(1)
				if s[0] == '-' {
					sign = -1
				}
				s = s[1:]
				oh := num(2)
				ok = ok && next(':')
				om := num(2)
				ok = ok && oh <= 14 && om <= 59
				m.zone, m.offset = true, sign*int16(60*oh+om)
			}
		}
	}
	if !ok || s != "" || y < 1 || mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || sec > 60 {
		return m, false
	}
	m.wall = time.Date(y, time.Month(mo), d, h, mi, sec, nano, time.UTC)
	if sec < 60 && m.wall.Day() != d { // 30 February
		return m, false
	}
	return m, true
}

// String writes the moment as FHIR does, a time without T.
func (m Moment) String() string {
	if m.kind == Time {
		return m.clock()
	}
	s := m.wall.Format([]string{"2006", "2006-01", "2006-01-02"}[min(m.prec, toDay)])
	if m.kind == DateTime && m.prec > toDay {
		s += "T" + m.clock()
	}
	if m.zone {
		if m.offset == 0 {
			return s + "Z"
		}
		sign, o := "+", m.offset
		if o < 0 {
			sign, o = "-", -o
		}
		s += sign + pad(int(o)/60) + ":" + pad(int(o)%60)
	}
	return s
}

func (m Moment) clock() string {
	s := m.wall.Format([]string{"15", "15:04", "15:04:05"}[m.prec-toHour])
	if m.digits > 0 {
		f := m.wall.Format(".000000000")
		s += f[:1+min(int(m.digits), 9)]
	}
	return s
}

func pad(i int) string {
	if i < 10 {
		return "0" + strconv.Itoa(i)
	}
	return strconv.Itoa(i)
}

func itoa(i int) string { return strconv.Itoa(i) }

// Span returns the first and the last moment, to the microsecond, that m may
// mean, where a time without offset is read as UTC.
func (m Moment) Span() (first, last time.Time) {
	first, end := m.span()
	return first, end.Add(-time.Microsecond)
}

// span returns the first moment and the one behind the last.
func (m Moment) span() (first, end time.Time) {
	first = m.wall
	switch m.prec {
	case toYear:
		end = first.AddDate(1, 0, 0)
	case toMonth:
		end = first.AddDate(0, 1, 0)
	case toDay:
		end = first.AddDate(0, 0, 1)
	case toHour:
		end = first.Add(time.Hour)
	case toMinute:
		end = first.Add(time.Minute)
	default:
		unit := time.Second
		for range min(m.digits, 6) {
			unit /= 10
		}
		end = first.Add(unit)
	}
	back := -time.Duration(m.offset) * time.Minute
	return first.Add(back), end.Add(back)
}

// drift is how far a clock without offset may be from UTC.
const drift = 14 * time.Hour

// Compare returns -1, 0 or 1 as m is before, equal to or after o; known is false
// where precision or a missing offset leaves it open.
func (m Moment) Compare(o Moment) (c int, known bool) {
	if m.zone == o.zone && m.prec == o.prec {
		back := func(x Moment) time.Time { return x.wall.Add(-time.Duration(x.offset) * time.Minute) }
		return back(m).Compare(back(o)), true
	}
	a, aEnd := m.span()
	b, bEnd := o.span()
	if m.zone != o.zone {
		if m.zone {
			b, bEnd = b.Add(-drift), bEnd.Add(drift)
		} else {
			a, aEnd = a.Add(-drift), aEnd.Add(drift)
		}
	}
	switch {
	case !aEnd.After(b):
		return -1, true
	case !bEnd.After(a):
		return 1, true
	}
	return 0, false
}

// units orders the calendar units from years down.
var units = []string{"year", "month", "week", "day", "hour", "minute", "second", "millisecond"}

// calendarUnit returns the singular of a calendar duration keyword, "" for
// anything else.
func calendarUnit(s string) string {
	s = strings.TrimSuffix(s, "s")
	for _, u := range units {
		if u == s {
			return u
		}
	}
	return ""
}

var definite = map[string]string{"wk": "week", "d": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond"}

// add moves m by a whole number of units. What is finer than m knows is first
// made into the unit that m ends with, fractions dropped.
//
// Source: https://hl7.org/fhirpath/N1/#datetime-arithmetic
func (m Moment) add(n int64, unit string) (Moment, bool) {
	if unit == "week" {
		n, unit = 7*n, "day"
	}
	if m.kind == Time {
		d, ok := clockUnit[unit]
		if !ok || n > 1e12 || n < -1e12 {
			return m, false
		}
		day := 24 * time.Hour
		at := m.wall.Sub(m.wall.Truncate(day)) + time.Duration(n%int64(day/d))*d
		m.wall = m.wall.Truncate(day).Add((at%day + day) % day)
		return m, true
	}
	for finest := m.prec; ; {
		switch {
		case unit == "millisecond" && finest < toSecond:
			n, unit = n/1000, "second"
		case unit == "second" && finest < toSecond:
			n, unit = n/60, "minute"
		case unit == "minute" && finest < toMinute:
			n, unit = n/60, "hour"
		case unit == "hour" && finest < toHour:
			n, unit = n/24, "day"
		case unit == "day" && finest == toYear:
			n, unit = n/365, "year"
		case unit == "day" && finest < toDay:
			n, unit = n/30, "month"
		case unit == "month" && finest < toMonth:
			n, unit = n/12, "year"
		default:
			return m.moved(n, unit)
		}
	}
}

var clockUnit = map[string]time.Duration{"hour": time.Hour, "minute": time.Minute, "second": time.Second, "millisecond": time.Millisecond}

func (m Moment) moved(n int64, unit string) (Moment, bool) {
	if n > 1e14 || n < -1e14 {
		return m, false
	}
	switch unit {
	case "year", "month":
		if n > 120000 || n < -120000 {
			return m, false
		}
		months := int(n)
		if unit == "year" {
			months *= 12
		}
		y, mo, d := m.wall.Date()
		first := time.Date(y, mo+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
		d = min(d, first.AddDate(0, 1, -1).Day())
		m.wall = first.AddDate(0, 0, d-1).Add(m.wall.Sub(time.Date(y, mo, m.wall.Day(), 0, 0, 0, 0, time.UTC)))
	case "day":
		if n > 4e6 || n < -4e6 {
			return m, false
		}
		m.wall = m.wall.AddDate(0, 0, int(n))
	default:
		d := clockUnit[unit]
		days := n / int64(24*time.Hour/d)
		if days > 4e6 || days < -4e6 {
			return m, false
		}
		m.wall = m.wall.AddDate(0, 0, int(days)).Add(time.Duration(n%int64(24*time.Hour/d)) * d)
		if unit == "millisecond" {
			m.digits = max(m.digits, 3)
		}
	}
	y := m.wall.Year()
	return m, y >= 1 && y <= 9999
}
