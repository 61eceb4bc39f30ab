package validate

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// What a narrative may hold.
//
// Source: Narrative.div, invariant txt-1, https://hl7.org/fhir/R4/narrative.html
var (
	elements = set(`a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var`)
	// xmlns is no attribute to XML.
	attributes = set(`abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name nowrap rel rev rowspan rules scope shape span src start style summary tabindex title type valign value vspace width xml:lang xmlns`)
)

// set maps each word to itself, so that a look-up by bytes gives a string
// without making one.
func set(words string) map[string]string {
	m := map[string]string{}
	for w := range strings.FieldsSeq(words) {
		m[w] = w
	}
	return m
}

const (
	notXML   = "The narrative must be well-formed XHTML: one div, tags closed in order, attributes in quotes, '&' and '<' escaped, characters instead of named entities, no CDATA, no declarations."
	notBasic = "txt-1: the narrative may hold basic formatting, links and images only; no scripts, forms, frames, styles or event handlers. Leave the rest out."
	notRoot  = `The narrative must be one <div xmlns="http://www.w3.org/1999/xhtml">.`
	notFull  = "txt-2: the narrative must have some text or an image."
)

// narrative returns what is wrong with the XHTML of a narrative, "" if nothing.
func narrative(b []byte) string {
	z := html.NewTokenizer(bytes.NewReader(b))
	var stack []string
	roots, full := 0, false
	for {
		switch z.Next() {
		case html.ErrorToken:
			switch {
			case z.Err() != io.EOF || len(stack) > 0:
				return notXML
			case roots != 1:
				return notRoot
			case !full:
				return notFull
			}
			return ""
		case html.TextToken:
			raw := z.Raw()
			blank := len(bytes.TrimSpace(raw)) == 0
			if !blank && len(stack) == 0 || !escaped(raw) {
				return notXML
			}
			full = full || !blank
		case html.CommentToken:
			raw := z.Raw() // an XML comment, and nothing that only HTML takes for one
			if len(raw) < 7 || !bytes.HasPrefix(raw, []byte("<!--")) || !bytes.HasSuffix(raw, []byte("-->")) || bytes.Contains(raw[4:len(raw)-3], []byte("--")) {
				return notXML
			}
		case html.DoctypeToken:
			return notXML
		case html.EndTagToken:
			raw := z.Raw()
			if len(stack) == 0 || stack[len(stack)-1] != string(bytes.TrimRight(raw[2:len(raw)-1], " \t\r\n")) {
				return notXML
			}
			stack = stack[:len(stack)-1]
		case html.StartTagToken:
			name, why := tag(z, len(stack) == 0)
			if why != "" {
				return why
			}
			if len(stack) == 0 {
				roots++
			}
			stack = append(stack, name)
		case html.SelfClosingTagToken:
			name, why := tag(z, len(stack) == 0)
			if why != "" {
				return why
			}
			if len(stack) == 0 {
				return notRoot
			}
			full = full || name == "img"
		}
	}
}

// tag judges a start tag and returns its name.
func tag(z *html.Tokenizer, root bool) (name, why string) {
	if !quoted(z.Raw()) { // before the tokenizer folds case in place
		return "", notXML
	}
	n, more := z.TagName()
	if name = elements[string(n)]; name == "" {
		return "", notBasic
	}
	namespace := false
	for more {
		var key, val []byte
		key, val, more = z.TagAttr()
		switch attributes[string(key)] {
		case "":
			return "", notBasic
		case "xmlns":
			namespace = string(val) == "http://www.w3.org/1999/xhtml"
			if !namespace {
				return "", notRoot
			}
		case "href", "src", "cite", "longdesc":
			if active(val) {
				return "", notBasic
			}
		}
	}
	if root && (name != "div" || !namespace) {
		return "", notRoot
	}
	return name, ""
}

// active reports whether a browser would run a URL. It drops white space and
// control characters where a browser would.
func active(url []byte) bool {
	scheme, rest, ok := bytes.Cut(bytes.ToLower(bytes.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, url)), []byte{':'})
	if !ok {
		return false
	}
	switch string(scheme) {
	case "javascript", "vbscript":
		return true
	case "data":
		return !bytes.HasPrefix(rest, []byte("image/")) || bytes.HasPrefix(rest, []byte("image/svg"))
	}
	return false
}

// escaped reports whether text holds no bare '<' and each '&' begins a reference
// that XML knows; HTML's named entities (&nbsp;) are none.
func escaped(text []byte) bool {
	if bytes.IndexByte(text, '<') >= 0 {
		return false
	}
	for {
		i := bytes.IndexByte(text, '&')
		if i < 0 {
			return true
		}
		text = text[i+1:]
		name, _, ok := bytes.Cut(text[:min(len(text), 12)], []byte{';'})
		if !ok {
			return false
		}
		switch string(name) {
		case "amp", "lt", "gt", "quot", "apos":
		default:
			if !numeric(name) {
				return false
			}
		}
	}
}

// numeric reports whether a reference is one to a character that XML allows.
func numeric(name []byte) bool {
	digits, base := name, 10
	if !bytes.HasPrefix(digits, []byte{'#'}) {
		return false
	}
	if digits = digits[1:]; bytes.HasPrefix(digits, []byte{'x'}) {
		digits, base = digits[1:], 16
	}
	r, err := strconv.ParseUint(string(digits), base, 21)
	return err == nil && utf8.ValidRune(rune(r)) && (r >= ' ' || r == '\t' || r == '\n' || r == '\r')
}

// quoted reports whether a tag is written as XML demands: after its name
// attributes, each once and set off by white space, with a value in quotes; names
// in lower case, as XHTML has them.
func quoted(tag []byte) bool {
	b := bytes.TrimSuffix(tag[1:len(tag)-1], []byte{'/'})
	var room [8][]byte
	names := room[:0]
	for len(b) > 0 && !isSpace(b[0]) { // the element's name
		if b[0] >= 'A' && b[0] <= 'Z' {
			return false
		}
		b = b[1:]
	}
	for {
		rest := bytes.TrimLeft(b, " \t\r\n")
		if len(rest) == 0 {
			return true
		}
		if len(rest) == len(b) {
			return false
		}
		i := bytes.IndexByte(rest, '=')
		if i < 1 {
			return false
		}
		name := bytes.TrimRight(rest[:i], " \t\r\n")
		if bytes.ContainsAny(name, " \t\r\n\"'/<ABCDEFGHIJKLMNOPQRSTUVWXYZ") || slices.ContainsFunc(names, func(n []byte) bool { return bytes.Equal(n, name) }) {
			return false
		}
		names = append(names, name)
		b = bytes.TrimLeft(rest[i+1:], " \t\r\n")
		if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
			return false
		}
		end := bytes.IndexByte(b[1:], b[0])
		if end < 0 || !escaped(b[1:1+end]) {
			return false
		}
		b = b[end+2:]
	}
}
