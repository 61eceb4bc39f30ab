package path

import (
	"github.com/cockroachdb/apd/v3"

	"rapport/fhir"
)

// Quantity is a number with a unit: a UCUM code, or a calendar duration keyword.
type Quantity struct {
	Value    *apd.Decimal
	Unit     string
	Calendar bool // Unit is a keyword: 1 year, not 1 'a'
	system   string
}

// QuantityOf reads a FHIR Quantity; false where it has no value, or a comparator.
func QuantityOf(n fhir.Node) (Quantity, bool) { return quantityOf(n) }

// Compare returns -1, 0 or 1 as q is less than, equal to or greater than o, units
// converted; known is false where they do not compare.
func (q Quantity) Compare(o Quantity) (c int, known bool) { return q.compare(o, false) }

// String writes the quantity as a literal.
func (q Quantity) String() string {
	v := q.Value.Text('f')
	if q.Calendar {
		return v + " " + q.Unit
	}
	return v + " '" + q.Unit + "'"
}

// arithmetic has room for every decimal that FHIR can write. Exponents are
// bounded so that hostile input cannot ask for numbers that fill the memory.
var arithmetic = &apd.Context{Precision: 34, MaxExponent: 300, MinExponent: -300, Rounding: apd.RoundHalfUp}

// ucumCode returns the UCUM code that the unit stands for when quantities are
// compared. Years and months of the calendar have none: they are no fixed time.
func (q Quantity) ucumCode(loosely bool) (string, bool) {
	if !q.Calendar {
		if q.Unit == "" {
			return "1", true
		}
		return q.Unit, true
	}
	switch u := calendarUnit(q.Unit); u {
	case "year":
		return "a", loosely
	case "month":
		return "mo", loosely
	case "week":
		return "wk", true
	case "day":
		return "d", true
	case "hour":
		return "h", true
	case "minute":
		return "min", true
	case "second":
		return "s", true
	default:
		return "ms", true
	}
}

// canonical returns the value in base units and what these are.
func (q Quantity) canonical(loosely bool) (*apd.Decimal, dimension, bool) {
	code, ok := q.ucumCode(loosely)
	if !ok {
		return nil, dimension{}, false
	}
	u, ok := parseUnit(code)
	if !ok {
		return nil, dimension{}, false
	}
	v := new(apd.Decimal)
	if c, err := arithmetic.Mul(v, q.Value, &u.factor); err != nil || c.Any() && c&^(apd.Inexact|apd.Rounded) != 0 {
		return nil, dimension{}, false
	}
	return v, u.dim, true
}

// compare returns -1, 0 or 1; known is false where the units do not compare.
func (q Quantity) compare(o Quantity, loosely bool) (c int, known bool) {
	if q.sameUnit(o) {
		return q.Value.Cmp(o.Value), true
	}
	a, ad, ok := q.canonical(loosely)
	b, bd, ok2 := o.canonical(loosely)
	if !ok || !ok2 || ad != bd {
		return 0, false
	}
	return a.Cmp(b), true
}

func (q Quantity) sameUnit(o Quantity) bool {
	if q.Calendar && o.Calendar {
		return calendarUnit(q.Unit) == calendarUnit(o.Unit)
	}
	return !q.Calendar && !o.Calendar && q.Unit == o.Unit
}
