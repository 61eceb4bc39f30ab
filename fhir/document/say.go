package document

import (
	"strconv"
	"strings"
	"time"

	"rapport/fhir"
)

// concept says a CodeableConcept: its text, else the first display, else a code.
func concept(n fhir.Node) string {
	if t := n.Get("text").Text(); t != "" {
		return t
	}
	code := ""
	for c := range n.Get("coding").Elements() {
		if d := c.Get("display").Text(); d != "" {
			return d
		}
		if code == "" {
			code = c.Get("code").Text()
		}
	}
	return code
}

// coded says a concept with the code that an importer looks for, e.g.
// "Moderate depressive episode (F32.1)".
func coded(n fhir.Node) string {
	said := concept(n)
	for c := range n.Get("coding").Elements() {
		switch c.Get("system").Text() {
		case "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm":
			if code := c.Get("code").Text(); code != "" && code != said {
				return said + " (" + code + ")"
			}
		}
	}
	return said
}

// words turns a code of FHIR into words: "in-progress" → "in progress".
func words(code string) string { return strings.ReplaceAll(code, "-", " ") }

// day says a date or dateTime as far as it is known: "4 January 2026". The day is the
// one that was written, whatever the zone of the reader.
func day(s string) string {
	return date(s, "2 January 2006", "January 2006")
}

// short says the same in a table: "4 Jan 2026".
func short(s string) string { return date(s, "2 Jan 2006", "Jan 2006") }

func date(s, full, month string) string {
	for _, l := range []struct{ in, out string }{{"2006-01-02", full}, {"2006-01", month}, {"2006", "2006"}} {
		if len(s) >= len(l.in) {
			if t, err := time.Parse(l.in, s[:len(l.in)]); err == nil {
				return t.Format(l.out)
			}
		}
	}
	return ""
}

// period says from when to when.
func period(n fhir.Node) string {
	from, to := day(n.Get("start").Text()), day(n.Get("end").Text())
	switch {
	case from != "" && to != "":
		return from + " to " + to
	case from != "":
		return "since " + from
	case to != "":
		return "until " + to
	}
	return ""
}

// human says the first HumanName that is in use.
func human(list fhir.Node) string {
	var first string
	for n := range list.Elements() {
		if use := n.Get("use").Text(); use == "old" || use == "maiden" {
			continue
		}
		s := n.Get("text").Text()
		if s == "" {
			var parts []string
			for _, name := range []string{"prefix", "given", "family", "suffix"} {
				for p := range n.Get(name).Elements() {
					parts = append(parts, p.Text())
				}
			}
			s = strings.Join(parts, " ")
		}
		if n.Get("use").Text() == "official" && s != "" {
			return s
		}
		if first == "" {
			first = s
		}
	}
	return first
}

// contacts says telephone numbers and mail addresses.
func contacts(list fhir.Node) (out []string) {
	for t := range list.Elements() {
		switch v := t.Get("value").Text(); t.Get("system").Text() {
		case "phone", "sms", "email", "fax":
			if v != "" && t.Get("use").Text() != "old" {
				if t.Get("system").Text() == "fax" {
					v = "fax " + v
				}
				out = append(out, v)
			}
		}
	}
	return out
}

// address says an Address on one line.
func address(n fhir.Node) string {
	for a := range n.Elements() {
		if a.Get("use").Text() == "old" {
			continue
		}
		if t := a.Get("text").Text(); t != "" {
			return t
		}
		var parts []string
		for l := range a.Get("line").Elements() {
			parts = append(parts, l.Text())
		}
		parts = append(parts, join(" ", a.Get("postalCode").Text(), a.Get("city").Text()), a.Get("state").Text(), a.Get("country").Text())
		return join(", ", parts...)
	}
	return ""
}

// quantity says a value with its unit; the unit of scores says nothing.
func quantity(n fhir.Node) string {
	v := n.Get("value").Decimal()
	if v == "" {
		return ""
	}
	unit := n.Get("unit").Text()
	if unit == "" {
		unit = n.Get("code").Text()
	}
	if unit == "" || strings.HasPrefix(unit, "{") || unit == "1" {
		return n.Get("comparator").Text() + v
	}
	return n.Get("comparator").Text() + v + " " + unit
}

// value says what a choice of types holds, e.g. "value" of an Observation.
func value(n fhir.Node, name string) string {
	for member, v := range n.Members() {
		typ, ok := strings.CutPrefix(member, name)
		if !ok || typ == "" || v.Kind() == fhir.Null {
			continue
		}
		switch typ {
		case "Quantity":
			return quantity(v)
		case "CodeableConcept":
			return concept(v)
		case "String", "Code", "Markdown":
			return v.Text()
		case "DateTime", "Date", "Instant":
			return day(v.Text())
		case "Period":
			return period(v)
		case "Integer", "Decimal":
			return v.Decimal()
		case "Boolean":
			if b, _ := v.Bool(); b {
				return "yes"
			}
			return "no"
		case "Range":
			return join(" to ", quantity(v.Get("low")), quantity(v.Get("high")))
		}
	}
	return ""
}

// timing says how often: "1 time every 2 weeks".
func timing(n fhir.Node) string {
	if t := concept(n.Get("code")); t != "" {
		return t
	}
	r := n.Get("repeat")
	times, ok := r.Get("frequency").Int()
	unit := map[string]string{"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}[r.Get("periodUnit").Text()]
	if !ok || unit == "" {
		return ""
	}
	s := strconv.FormatInt(times, 10) + " times"
	switch times {
	case 1:
		s = "once"
	case 2:
		s = "twice"
	}
	if every := r.Get("period").Decimal(); every != "1" && every != "" {
		return s + " every " + every + " " + unit + "s"
	}
	return s + " a " + unit
}

// join puts what is said between separators, leaving out what is empty.
func join(sep string, parts ...string) string {
	var said []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, sep)
}

// upper makes the first letter a capital one.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
