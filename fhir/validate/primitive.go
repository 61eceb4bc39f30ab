package validate

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"rapport/fhir"
)

// primitive is what one primitive type may hold.
type primitive struct {
	name string
	num  bool // JSON number
	flag bool // JSON boolean; neither: string
	ok   func(b []byte) bool
	want string // what would be right
}

// maxString is the most characters that a string may have.
//
// Source: https://hl7.org/fhir/R4/datatypes.html#string
const maxString = 1 << 20

// primitives by name. The texts say what https://hl7.org/fhir/R4/datatypes.html does.
var primitives = byName(
	primitive{name: "boolean", flag: true, want: "true or false, without quotes"},
	primitive{name: "integer", num: true, ok: isInteger, want: "a whole number of 32 bits without fraction or exponent"},
	primitive{name: "unsignedInt", num: true, ok: isUnsigned, want: "a whole number from 0 to 2147483647"},
	primitive{name: "positiveInt", num: true, ok: isPositive, want: "a whole number from 1 to 2147483647"},
	primitive{name: "decimal", num: true, ok: func([]byte) bool { return true }, want: "a number"},
	primitive{name: "string", ok: isString, want: "text of at most 1048576 characters without control characters"},
	primitive{name: "markdown", ok: isString, want: "text of at most 1048576 characters without control characters"},
	primitive{name: "code", ok: isCode, want: "a code: no white space at its ends, single blanks within"},
	primitive{name: "id", ok: func(b []byte) bool { return fhir.ValidID(string(b)) }, want: "an id: 1 to 64 of A-Z, a-z, 0-9, '-' and '.'"},
	primitive{name: "uri", ok: isURI, want: "a URI without white space; a urn:uuid: holds a UUID in lower case, a urn:oid: an OID"},
	primitive{name: "url", ok: isURI, want: "a URL without white space"},
	primitive{name: "canonical", ok: isURI, want: "a canonical URL without white space, a version behind '|'"},
	primitive{name: "oid", ok: func(b []byte) bool { return bytes.HasPrefix(b, []byte("urn:oid:")) && isURI(b) }, want: "an OID: urn:oid: and digits with dots"},
	primitive{name: "uuid", ok: func(b []byte) bool { return bytes.HasPrefix(b, []byte("urn:uuid:")) && isURI(b) }, want: "a UUID: urn:uuid: and hexadecimal digits in lower case, 8-4-4-4-12"},
	primitive{name: "date", ok: isDate, want: "a date that exists: YYYY, YYYY-MM or YYYY-MM-DD"},
	primitive{name: "dateTime", ok: isDateTime, want: "a date that exists, with a time only as YYYY-MM-DDThh:mm:ss and a zone (Z or +hh:mm)"},
	primitive{name: "instant", ok: isInstant, want: "a moment: YYYY-MM-DDThh:mm:ss with a zone (Z or +hh:mm)"},
	primitive{name: "time", ok: isTime, want: "a time of day: hh:mm:ss, without a zone"},
	primitive{name: "base64Binary", ok: isBase64, want: "base64: groups of four of A-Z, a-z, 0-9, '+' and '/', '=' at the end"},
	primitive{name: "xhtml", ok: func([]byte) bool { return true }},
)

func byName(ps ...primitive) map[string]*primitive {
	m := make(map[string]*primitive, len(ps))
	for _, p := range ps {
		m[p.name] = &p
	}
	return m
}

// text returns a JSON string's content; the bytes belong to the document.
func text(n fhir.Node) []byte {
	raw := n.Raw()
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	return []byte(n.Text())
}

func (w *walk) primitive(n fhir.Node, f *field) {
	p, kind := f.prim, n.Kind()
	switch {
	case p.flag:
		if kind != fhir.True && kind != fhir.False {
			w.say(fhir.Structure, "This must be %s, not %s.", p.want, kindName(kind))
		}
		return
	case p.num:
		if kind != fhir.Num {
			w.say(fhir.Structure, "This must be %s, not %s.", p.want, kindName(kind))
		} else if !p.ok(n.Raw()) {
			w.say(fhir.Value, "This must be %s.", p.want)
		}
		return
	case kind != fhir.Str:
		w.say(fhir.Structure, "This must be a string, not %s.", kindName(kind))
		return
	}
	b := text(n)
	switch {
	case len(b) == 0:
		w.say(fhir.Value, "A string must not be empty. Leave the element out, or fill it.")
	case p.name == "xhtml":
		if why := narrative(b); why != "" {
			w.say(fhir.Invariant, "%s", why)
		}
	case !p.ok(b):
		w.say(fhir.Value, "This must be %s.", p.want)
	case f.absolute && !isAbsolute(b):
		w.say(fhir.Value, "This URI must be absolute: begin it with its scheme, as in https://… or urn:….")
	case f.codes != nil:
		w.code(b, f)
	case (p.name == "string" || p.name == "markdown") && len(bytes.TrimSpace(b)) == 0:
		w.say(fhir.Value, "This is white space alone, which some readers take for nothing. Leave the element out, or fill it.")
		w.issues[len(w.issues)-1].Warn = !w.full
	}
}

func isString(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return len(b) <= maxString || utf8.RuneCount(b) <= maxString
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isCode(b []byte) bool {
	space := true
	for _, c := range b {
		if isSpace(c) && space || c < ' ' && !isSpace(c) {
			return false
		}
		space = isSpace(c)
	}
	return !space
}

func isURI(b []byte) bool {
	for _, c := range b {
		if c <= ' ' {
			return false
		}
	}
	if rest, ok := bytes.CutPrefix(b, []byte("urn:uuid:")); ok {
		return isUUID(rest)
	}
	if rest, ok := bytes.CutPrefix(b, []byte("urn:oid:")); ok {
		return isOID(rest)
	}
	return true
}

// isAbsolute reports whether a URI names its scheme.
func isAbsolute(b []byte) bool {
	i := bytes.IndexByte(b, ':')
	return i > 0 && bytes.IndexByte(b[:i], '/') < 0
}

func isUUID(b []byte) bool {
	if len(b) != 36 {
		return false
	}
	for i, c := range b {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// isOID: [0-2](\.(0|[1-9][0-9]*))+
func isOID(b []byte) bool {
	if len(b) < 3 || b[0] < '0' || b[0] > '2' || b[1] != '.' {
		return false
	}
	arcs := strings.SplitSeq(string(b[2:]), ".")
	for arc := range arcs {
		if !isNatural([]byte(arc)) {
			return false
		}
	}
	return true
}

// isNatural: 0|[1-9][0-9]*
func isNatural(b []byte) bool {
	if len(b) == 0 || b[0] == '0' && len(b) > 1 {
		return false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func atMost(b []byte, limit string) bool {
	return len(b) < len(limit) || len(b) == len(limit) && string(b) <= limit
}

func isUnsigned(b []byte) bool { return isNatural(b) && atMost(b, "2147483647") }
func isPositive(b []byte) bool { return isUnsigned(b) && b[0] != '0' }

func isInteger(b []byte) bool {
	if rest, minus := bytes.CutPrefix(b, []byte{'-'}); minus {
		return isNatural(rest) && atMost(rest, "2147483648")
	}
	return isUnsigned(b)
}

// isBase64 also takes white space between groups, as R4's expression does.
func isBase64(b []byte) bool {
	n, pad := 0, 0
	for _, c := range b {
		switch {
		case isSpace(c):
			if n%4 != 0 {
				return false
			}
		case c == '=':
			pad++
			n++
		case pad > 0:
			return false
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
			n++
		default:
			return false
		}
	}
	return n > 0 && n%4 == 0 && pad <= 2
}
