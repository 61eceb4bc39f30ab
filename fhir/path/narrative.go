package path

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// The elements and attributes that a narrative may use.
//
// Source: https://hl7.org/fhir/R4/narrative.html#rules (txt-1)
var (
	narrativeElements = set("a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var")
	narrativeAttrs    = set("abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name nowrap rel rev rowspan rules scope shape span src start style summary tabindex title type valign value vspace width xmlns xml:lang")
)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[w] = true
	}
	return out
}

const xhtml = "http://www.w3.org/1999/xhtml"

// narrative reports whether s is a div of XHTML that holds something and nothing
// but what a narrative may: no script, no form, no event, no foreign namespace.
func narrative(s string) bool {
	dec := xml.NewDecoder(strings.NewReader(s))
	dec.Entity = xml.HTMLEntity
	depth, content := 0, false
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return content && depth == 0
		}
		if err != nil {
			return false
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Space != xhtml || !narrativeElements[t.Name.Local] || depth == 0 && (t.Name.Local != "div" || content) {
				return false
			}
			if depth++; depth > 200 {
				return false
			}
			if t.Name.Local == "img" {
				content = true
			}
			for _, a := range t.Attr {
				name := a.Name.Local
				if a.Name.Space == "xml" || a.Name.Space == "http://www.w3.org/XML/1998/namespace" {
					name = "xml:" + name
				} else if a.Name.Space != "" && a.Name.Space != "xmlns" {
					return false
				}
				if !narrativeAttrs[name] {
					return false
				}
				if value := strings.ToLower(strings.TrimSpace(a.Value)); (name == "href" || name == "src") && strings.HasPrefix(value, "javascript:") {
					return false
				}
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				if depth == 0 {
					return false
				}
				content = true
			}
		case xml.Directive, xml.ProcInst:
			return false
		}
	}
}
