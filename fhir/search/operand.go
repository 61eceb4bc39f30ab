package search

import (
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/path"
)

// values reads the value of a parameter: what stands between commas is OR-ed.
func (p *parser) values(sp *param, m fhir.Modifier, only, full, value string) ([]fhir.Operand, error) {
	bad := func(format string, args ...any) error {
		return fhir.Errorf(fhir.Invalid, "", "%s: "+format, append([]any{printable(full)}, args...)...)
	}
	if m == fhir.IsMissing {
		if value != "true" && value != "false" {
			return nil, bad("the value with :missing is true or false.")
		}
		p.operands++
		return []fhir.Operand{{Code: value}}, nil
	}
	pieces := split(value, ',')
	if p.operands += len(pieces); p.operands > maxOperands {
		return nil, fhir.Errorf(fhir.TooCostly, "", "A search may ask for up to %d values; ask in several searches.", maxOperands)
	}
	out := make([]fhir.Operand, 0, len(pieces))
	for _, s := range pieces {
		switch {
		case s == "":
			return nil, bad("there is an empty value; write a comma that is part of a value as \\,.")
		case len(s) > 2*longest:
			return nil, fhir.Errorf(fhir.TooLong, "", "%s: a value may have up to %d characters.", printable(full), longest)
		}
		o, fault := p.operand(sp, m, only, s)
		if fault != "" {
			return nil, bad("%s", fault)
		}
		if !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out, nil
}

// operand reads one value. fault says what is wrong with it, in words of ours.
func (p *parser) operand(sp *param, m fhir.Modifier, only, s string) (o fhir.Operand, fault string) {
	switch sp.Kind {
	case fhir.Special:
		if sp.Code == "_lastUpdated" {
			return p.date(s)
		}
		return fhir.Operand{Code: unescape(s)}, ""
	case fhir.Token:
		return token(s)
	case fhir.Reference:
		return p.reference(sp, only, unescape(s))
	case fhir.Date:
		return p.date(s)
	case fhir.URI:
		return fhir.Operand{URL: unescape(s)}, ""
	}
	o.Text = unescape(s)
	if m != fhir.Exact && fhir.Fold(o.Text) == "" {
		return o, "a value has no letter or digit that could be searched for."
	}
	if len(o.Text) > longest {
		return o, "a value is longer than what is indexed."
	}
	return o, ""
}

// token reads code, system|code, |code and system|.
//
// Source: https://hl7.org/fhir/R4/search.html#token
func token(s string) (o fhir.Operand, fault string) {
	switch halves := split(s, '|'); len(halves) {
	case 1:
		o.Code = unescape(halves[0])
	case 2:
		o = fhir.Operand{System: unescape(halves[0]), HasSystem: true, Code: unescape(halves[1])}
		if o.System == "" && o.Code == "" {
			return o, "a value names neither system nor code."
		}
	default:
		return o, "a value has more than one |; write one that is part of the system or code as \\|."
	}
	return o, ""
}

// reference reads id, Type/id, a URL of ours or of others, a canonical.
//
// Source: https://hl7.org/fhir/R4/search.html#reference
func (p *parser) reference(sp *param, only, s string) (o fhir.Operand, fault string) {
	if fhir.ValidID(s) {
		o.Ref.ID = s
		switch {
		case only != "":
			o.Ref.Type = only
		case len(sp.targets) == 1:
			o.Ref.Type = sp.targets[0]
		}
		return o, ""
	}
	o.Ref, o.URL = p.engine.refers(s)
	switch {
	case o.Ref.IsZero() && o.URL == "":
		return o, "a value is no reference; write an id, Type/id or an absolute URL."
	case only != "" && (o.Ref.Type != only):
		return o, "a value does not agree with the type in the parameter's name; write the id alone."
	}
	return o, ""
}

// date reads a prefix and a date of any precision.
//
// Source: https://hl7.org/fhir/R4/search.html#date
func (p *parser) date(s string) (o fhir.Operand, fault string) {
	s = unescape(s)
	if len(s) > 2 && s[0] >= 'a' && s[0] <= 'z' {
		o.Prefix, s = fhir.Prefix(s[:2]), s[2:]
		if !slices.Contains(p.engine.served.Prefixes, o.Prefix) {
			return o, "a date has a prefix that is not served; use eq, ne, gt, lt, ge, le, sa or eb."
		}
		if o.Prefix == "eq" {
			o.Prefix = fhir.Eq
		}
	}
	m, ok := path.ParseMoment(path.DateTime, s)
	switch {
	case strings.Contains(s, " "):
		return o, "a date holds a blank; write + as %2B."
	case !ok || strings.HasSuffix(s, "T"):
		return o, "a value is no date; write e.g. 2026, 2026-01, 2026-01-31 or ge2026-01-31T08:00:00Z."
	}
	span := spanOf(m)
	o.Low, o.High = span.Low, span.High
	return o, ""
}

// split cuts s at each sep that no backslash stands before. Escapes stay.
func split(s string, sep byte) []string {
	var out []string
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// unescape undoes \, \$ \| and \\; any other backslash is itself.
//
// Source: https://hl7.org/fhir/R4/search.html#escaping
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`,$|\`, s[i+1]) >= 0 {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
