package search

import (
	"math"
	"unicode/utf8"

	"rapport/fhir"
	"rapport/fhir/path"
)

// token: what stands for system, code and text in each datatype.
//
// Source: https://hl7.org/fhir/R4/search.html#token
func (w *entries) token(it path.Item, a *alternative) {
	n := it.Node()
	switch it.Type() {
	case "Coding":
		w.coded(n.Get("system").Text(), n.Get("code").Text(), n.Get("display").Text())
	case "CodeableConcept":
		text := n.Get("text").Text()
		codings := n.Get("coding")
		if codings.Len() == 0 {
			w.coded("", "", text)
			return
		}
		for c := range codings.Elements() {
			shown := c.Get("display").Text()
			if shown == "" {
				shown = text
			}
			w.coded(c.Get("system").Text(), c.Get("code").Text(), shown)
		}
	case "Identifier":
		w.coded(n.Get("system").Text(), n.Get("value").Text(), n.At("type", "text").Text())
	case "ContactPoint":
		w.coded(n.Get("system").Text(), n.Get("value").Text(), "")
	case "code":
		code, system := n.Text(), ""
		if vs := a.codes(); vs != nil {
			system, _ = vs.System(code)
		}
		w.coded(system, code, "")
	default: // boolean, string, uri, and what an expression computes
		switch v := it.Value().(type) {
		case bool:
			code := "false"
			if v {
				code = "true"
			}
			w.put(fhir.Index{Code: code})
		case string:
			w.coded("", v, "")
		}
	}
}

func (w *entries) coded(system, code, text string) {
	if system == "" && code == "" && text == "" || len(system) > longest || len(code) > longest {
		return
	}
	w.put(fhir.Index{System: system, Code: code, Text: cut(text)})
}

// reference: a Reference's literal, a canonical or a URI.
func (w *entries) reference(it path.Item) {
	s, ok := it.Text()
	if !ok {
		s = it.Node().Get("reference").Text()
	}
	if k, url := w.engine.refers(s); !k.IsZero() || url != "" {
		w.put(fhir.Index{Ref: k, URL: url})
	}
}

// date: the period that a value means, open where it says nothing.
//
// Source: https://hl7.org/fhir/R4/search.html#date
func (w *entries) date(it path.Item) {
	n := it.Node()
	switch it.Type() {
	case "Period":
		w.period(n)
	case "Timing":
		w.timing(n)
	default:
		if m, ok := it.Value().(path.Moment); ok && m.Kind() != path.Time {
			w.put(spanOf(m))
		}
	}
}

func spanOf(m path.Moment) fhir.Index {
	first, last := m.Span()
	return fhir.Index{Low: fhir.Micros(first), High: fhir.Micros(last)}
}

func (w *entries) period(n fhir.Node) {
	x := fhir.Index{Low: math.MinInt64, High: math.MaxInt64}
	start, begins := path.ParseMoment(path.DateTime, n.Get("start").Text())
	if begins {
		x.Low = spanOf(start).Low
	}
	end, ends := path.ParseMoment(path.DateTime, n.Get("end").Text())
	if ends {
		x.High = spanOf(end).High
	}
	if begins || ends {
		w.put(x)
	}
}

// timing: from the first event or the beginning of the bounds to the last or the
// end of them. A schedule without either says nothing about when.
func (w *entries) timing(n fhir.Node) {
	x := fhir.Index{Low: math.MaxInt64, High: math.MinInt64}
	some := false
	for ev := range n.Get("event").Elements() {
		if m, ok := path.ParseMoment(path.DateTime, ev.Text()); ok {
			s := spanOf(m)
			x.Low, x.High, some = min(x.Low, s.Low), max(x.High, s.High), true
		}
	}
	bounds := n.At("repeat", "boundsPeriod")
	start, begins := path.ParseMoment(path.DateTime, bounds.Get("start").Text())
	end, ends := path.ParseMoment(path.DateTime, bounds.Get("end").Text())
	if begins || ends {
		some = true
		low, high := int64(math.MinInt64), int64(math.MaxInt64)
		if begins {
			low = spanOf(start).Low
		}
		if ends {
			high = spanOf(end).High
		}
		x.Low, x.High = min(x.Low, low), max(x.High, high)
	}
	if some {
		w.put(x)
	}
}

// parts are the elements that a name or an address is found by, each by itself.
//
// Source: https://hl7.org/fhir/R4/search.html#string
func parts(typ string) []string {
	switch typ {
	case "HumanName":
		return []string{"text", "family", "given", "prefix", "suffix"}
	case "Address":
		return []string{"text", "line", "city", "district", "state", "postalCode", "country"}
	}
	return nil
}

// text: a string, or each part of a name or an address.
func (w *entries) text(it path.Item) {
	if s, ok := it.Text(); ok {
		if s != "" {
			w.put(fhir.Index{Text: cut(s)})
		}
		return
	}
	for _, name := range parts(it.Type()) {
		for v := range it.Node().Get(name).Elements() {
			if s := v.Text(); s != "" {
				w.put(fhir.Index{Text: cut(s)})
			}
		}
	}
}

// cut keeps what is indexed of a text, whole characters only.
func cut(s string) string {
	if len(s) <= longest {
		return s
	}
	n := longest
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
