package questionnaire

import (
	"math/big"
	"strings"

	"rapport/fhir"
	"rapport/fhir/path"
)

// valueOf returns value[x] of an answer, an option or an extension, and its type
// as the member's name has it: "Coding", "DateTime".
func valueOf(n fhir.Node) (fhir.Node, string) { return prefixed(n, "value") }

func prefixed(n fhir.Node, prefix string) (fhir.Node, string) {
	for name, m := range n.Members() {
		if kind, ok := strings.CutPrefix(name, prefix); ok && kind != "" {
			return m, kind
		}
	}
	return fhir.Node{}, ""
}

// number reads a JSON number exactly. One with an exponent that no measurement
// has is none.
func number(n fhir.Node) (*big.Rat, bool) {
	s := n.Decimal()
	if s == "" || len(s) > 60 {
		return nil, false
	}
	if _, exp, ok := strings.Cut(strings.ToLower(s), "e"); ok && len(strings.TrimLeft(exp, "+-0")) > 2 {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// equal compares values of one type: codings by system and code, quantities by
// value and unit, all else by what it says.
func equal(kind string, a, b fhir.Node) bool {
	switch kind {
	case "Coding":
		return a.Get("code").Text() == b.Get("code").Text() && a.Get("system").Text() == b.Get("system").Text() && a.Get("code").Exists()
	case "Reference":
		return a.Get("reference").Exists() && a.Get("reference").Text() == b.Get("reference").Text()
	}
	if n, known := compare(kind, a, b); known {
		return n == 0
	}
	return a.Exists() && a.Same(b)
}

// compare orders two values; known is false where that cannot be said.
func compare(kind string, a, b fhir.Node) (n int, known bool) {
	switch kind {
	case "Integer", "Decimal":
		return compareNumbers(a, b)
	case "Quantity":
		return compareQuantities(a, b)
	case "Date", "DateTime", "Time":
		return compareMoments(kind, a.Text(), b.Text())
	case "String", "Uri":
		return strings.Compare(a.Text(), b.Text()), a.Kind() == fhir.Str && b.Kind() == fhir.Str
	}
	return 0, false
}

func compareNumbers(a, b fhir.Node) (int, bool) {
	x, ok := number(a)
	y, also := number(b)
	if !ok || !also {
		return 0, false
	}
	return x.Cmp(y), true
}

// compareQuantities converts units of UCUM; others must be the same.
func compareQuantities(a, b fhir.Node) (int, bool) {
	if sameUnit(a, b) {
		return compareNumbers(a.Get("value"), b.Get("value"))
	}
	if a.Get("system").Text() != ucum || b.Get("system").Text() != ucum {
		return 0, false
	}
	x, ok := path.QuantityOf(a)
	y, also := path.QuantityOf(b)
	if !ok || !also {
		return 0, false
	}
	return x.Compare(y)
}

const ucum = "http://unitsofmeasure.org"

// sameUnit compares by code where both have one, by the words otherwise.
func sameUnit(a, b fhir.Node) bool {
	if x, y := a.Get("code").Text(), b.Get("code").Text(); x != "" && y != "" {
		return x == y && a.Get("system").Text() == b.Get("system").Text()
	}
	return a.Get("unit").Text() == b.Get("unit").Text()
}

// compareMoments orders two moments as precise as each is: 2022-06-30 and 2022-06
// are equal as far as can be said.
func compareMoments(kind, a, b string) (int, bool) {
	k := map[string]path.MomentKind{"Date": path.Date, "DateTime": path.DateTime, "Time": path.Time}[kind]
	x, ok := path.ParseMoment(k, a)
	y, also := path.ParseMoment(k, b)
	if !ok || !also {
		return 0, false
	}
	x0, x1 := x.Span()
	y0, y1 := y.Span()
	switch {
	case x1.Before(y0):
		return -1, true
	case x0.After(y1):
		return 1, true
	}
	return 0, true
}

// less compares two dateTimes, "" is not known.
func less(a, b string) (bool, bool) {
	n, known := compareMoments("DateTime", a, b)
	return n < 0, known && a != "" && b != ""
}
