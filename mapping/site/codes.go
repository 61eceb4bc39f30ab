package site

import (
	"strconv"
	"strings"

	"rapport/fhir"
)

// unmatched is what happens to a code that its table does not hold.
type unmatched uint8

const (
	quarantine unmatched = iota // the row waits for a person: the default
	keepText                    // the code is written as text
	asNull                      // the field is left out
)

// codes is a code table: a source's code to a JSON value.
type codes struct {
	name      string
	values    map[string][]byte // nil value: known, and means nothing is stated
	unmatched unmatched
}

// readCodes compiles the codes section: name → {unmatched, system, map}. Where a
// table has a system, its codes stay what they are and become codings of it, and
// map holds their displays.
func readCodes(n *node, fs *faults) map[string]*codes {
	out := map[string]*codes{}
	if n == nil {
		return out
	}
	if n.shape != dict {
		fs.add(n, "codes is a map of code tables, not %s", n.what())
		return out
	}
	for i, k := range n.keys {
		f := formOf(n.items[i], fs, "a code table")
		c := &codes{name: k.text, values: map[string][]byte{}}
		if u := f.get("unmatched"); u != nil {
			switch {
			case u.shape == null, u.shape == text && u.text == "null":
				c.unmatched = asNull
			case u.shape == text && u.text == "quarantine":
			case u.shape == text && u.text == "keep-text":
				c.unmatched = keepText
			default:
				fs.add(u, "unmatched is quarantine, keep-text or null")
			}
		}
		system := f.text("system")
		if n := f.n.key("system"); n != nil && !strings.Contains(system, ":") {
			fs.add(n, "system is a URI, e.g. urn:example:practice:venue")
		}
		m := f.get("map")
		if m == nil || m.shape != dict {
			fs.add(k, "code table %s needs a map of codes", k.text)
		} else {
			for j, code := range m.keys {
				c.values[code.text] = c.meaning(code, m.items[j], system, fs)
			}
		}
		f.done()
		out[k.text] = c
	}
	return out
}

// meaning is the value of one code.
func (c *codes) meaning(code, n *node, system string, fs *faults) []byte {
	if system == "" || n.shape == null {
		return constant(n, fs)
	}
	if n.shape != text || n.text == "" {
		fs.add(n, "code table %s has a system, so its map holds displays, or nothing for a code that says nothing", c.name)
		return nil
	}
	out := appendText([]byte(`{"system":`), system)
	out = appendText(append(out, `,"code":`...), code.text)
	return append(appendText(append(out, `,"display":`...), n.text), '}')
}

// constant writes a YAML value as JSON: unquoted true, false and JSON numbers
// are such, everything else single is text; nil for nothing.
func constant(n *node, fs *faults) []byte {
	switch n.shape {
	case null:
		return nil
	case text:
		if n.plain && (n.text == "true" || n.text == "false" || jsonNumber(n.text)) {
			return []byte(n.text)
		}
		return appendText(nil, n.text)
	case list:
		out := []byte{'['}
		for i, v := range n.items {
			if i > 0 {
				out = append(out, ',')
			}
			if v.shape == null {
				fs.add(v, "nothing cannot stand in a list")
				continue
			}
			out = append(out, constant(v, fs)...)
		}
		return append(out, ']')
	}
	out := []byte{'{'}
	for i, k := range n.keys {
		v := constant(n.items[i], fs)
		if v == nil {
			fs.add(k, "%s has no value", k.text)
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(appendText(out, k.text), ':'), v...)
	}
	return append(out, '}')
}

// jsonNumber reports whether s is a JSON number as it stands: 7, -1, 2.50; not
// 007, 0x7 or 1e400.
func jsonNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	whole, frac, dot := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 1 && whole[0] == '0' || dot && frac == "" || len(s) > 30 {
		return false
	}
	return strings.Trim(whole, "0123456789") == "" && strings.Trim(frac, "0123456789") == ""
}

func appendText(to []byte, s string) []byte { return fhir.AppendQuote(to, s) }

// append writes the value of a code.
func (c *codes) append(to []byte, code string) ([]byte, *Refusal) {
	if v, ok := c.values[code]; ok {
		return append(to, v...), nil
	}
	switch c.unmatched {
	case keepText:
		return appendText(to, code), nil
	case asNull:
		return to, nil
	}
	return to, &Refusal{Why: "code " + show(code) + " is not in code table " + c.name}
}

// show quotes a code in a message if it looks like one: up to three characters, or
// six with a digit among them. A name or a date of birth that came into the wrong
// column stays hidden.
func show(code string) string {
	const letters, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_", "0123456789"
	plain := code != "" && strings.Trim(code, letters+digits) == ""
	if plain && (len(code) <= 3 || len(code) <= 6 && strings.ContainsAny(code, digits)) {
		return strconv.Quote(code)
	}
	return "(" + strconv.Itoa(len(code)) + " bytes, not shown)"
}
