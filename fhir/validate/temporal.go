package validate

import (
	"rapport/fhir"
	"rapport/fhir/path"
)

// Dates and times by hand rather than by package time: R4 knows partial dates
// and leap seconds, and time accepts what R4 does not.

// digits reads b[from:from+n] as a number; -1 if it is none.
func digits(b []byte, from, n int) int {
	if len(b) < from+n {
		return -1
	}
	v := 0
	for _, c := range b[from : from+n] {
		if c < '0' || c > '9' {
			return -1
		}
		v = 10*v + int(c-'0')
	}
	return v
}

var monthDays = [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func isDate(b []byte) bool {
	year := digits(b, 0, 4)
	if year < 1 {
		return false
	}
	if len(b) == 4 {
		return true
	}
	month := digits(b, 5, 2)
	if b[4] != '-' || month < 1 || month > 12 {
		return false
	}
	if len(b) == 7 {
		return true
	}
	day := digits(b, 8, 2)
	if len(b) != 10 || b[7] != '-' || day < 1 || day > monthDays[month-1] {
		return false
	}
	return month != 2 || day < 29 || year%4 == 0 && (year%100 != 0 || year%400 == 0)
}

func isDateTime(b []byte) bool { return isDate(b) || isInstant(b) }

func isInstant(b []byte) bool {
	if len(b) < 20 || !isDate(b[:10]) || b[10] != 'T' {
		return false
	}
	n := clock(b[11:])
	return n > 0 && isZone(b[11+n:])
}

func isTime(b []byte) bool { return len(b) > 0 && clock(b) == len(b) }

// clock returns how many bytes of b are a time of day, 0 if none are.
func clock(b []byte) int {
	h, m, s := digits(b, 0, 2), digits(b, 3, 2), digits(b, 6, 2)
	if h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 || b[2] != ':' || b[5] != ':' {
		return 0
	}
	if len(b) == 8 || b[8] != '.' {
		return 8
	}
	n := 9
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if n == 9 {
		return 0
	}
	return n
}

func isZone(b []byte) bool {
	if len(b) == 1 {
		return b[0] == 'Z'
	}
	h, m := digits(b, 1, 2), digits(b, 4, 2)
	return len(b) == 6 && (b[0] == '+' || b[0] == '-') && b[3] == ':' && h >= 0 && m >= 0 && m <= 59 && (h <= 13 || h == 14 && m == 0)
}

// endsEarly reports whether a Period certainly ends before it starts. What its
// precisions or a missing zone leave open is let pass, as FHIRPath's comparison does.
//
// Source: per-1, https://hl7.org/fhir/R4/datatypes.html#Period
func endsEarly(n fhir.Node) bool {
	start, ok := path.ParseMoment(path.DateTime, n.Get("start").Text())
	if !ok {
		return false
	}
	end, ok := path.ParseMoment(path.DateTime, n.Get("end").Text())
	if !ok {
		return false
	}
	c, known := start.Compare(end)
	return known && c > 0
}
