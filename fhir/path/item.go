package path

import (
	"bytes"

	"github.com/cockroachdb/apd/v3"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// Item is one member of a [Collection]: an element of a document with its FHIR
// type, or a computed value of a System type. It is immutable. It prints as
// "(item)": content leaves only by its methods.
type Item struct {
	node fhir.Node     // the JSON value; absent for a primitive that has only extensions
	side fhir.Node     // what stands in the "_name" member beside a primitive
	el   *spec.Element // whose children it has; nil for a System value
	code string        // its FHIR type; "" for a System value
	val  any           // a System value: bool, int64, string, *apd.Decimal, Moment, Quantity, TypeInfo
}

// Collection is what an expression gives: items in order. The caller must not
// change it.
type Collection []Item

// TypeInfo is what type() gives.
type TypeInfo struct{ Namespace, Name string }

// Value makes a System value: bool, int64 (Integer), *apd.Decimal (Decimal),
// string, [Moment], [Quantity].
func Value(v any) Item { return Item{val: v} }

// String hides the content.
func (Item) String() string { return "(item)" }

// GoString hides the content.
func (Item) GoString() string { return "(item)" }

// Node returns the JSON value; nothing for a computed value and for a primitive
// that has only extensions.
func (it Item) Node() fhir.Node { return it.node }

// Side returns the "_name" member that holds a primitive's id and extensions.
func (it Item) Side() fhir.Node { return it.side }

// Type returns the FHIR type of an element, "HumanName"; "" for a computed value.
func (it Item) Type() string { return it.code }

// Text returns the content of a string, of any primitive that JSON writes as
// one, or of a computed string.
func (it Item) Text() (string, bool) {
	if s, ok := it.val.(string); ok {
		return s, true
	}
	return it.node.Text(), it.node.Kind() == fhir.Str
}

// Value returns the System value that the item is or stands for; nil for
// complex elements other than quantities and for primitives without a value.
func (it Item) Value() any {
	if it.code == "" {
		return it.val
	}
	switch it.node.Kind() {
	case fhir.True:
		return true
	case fhir.False:
		return false
	case fhir.Num:
		text := it.node.Decimal()
		if it.code != "decimal" {
			if i, ok := it.node.Int(); ok {
				return i
			}
		}
		if d, ok := parseDecimal(text); ok {
			return d
		}
	case fhir.Str:
		text := it.node.Text()
		switch it.code {
		case "date":
			return momentOr(Date, text)
		case "dateTime", "instant":
			return momentOr(DateTime, text)
		case "time":
			return momentOr(Time, text)
		}
		return text
	case fhir.Obj:
		switch it.code {
		case "Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity", "MoneyQuantity":
			if q, ok := quantityOf(it.node); ok {
				return q
			}
		}
	}
	return nil
}

func momentOr(k MomentKind, text string) any {
	if m, ok := parseMoment(k, text); ok {
		return m
	}
	return text
}

// quantityOf reads a FHIR Quantity. Its UCUM code counts as unit, else the unit
// as written; a comparator makes it no single quantity.
func quantityOf(n fhir.Node) (Quantity, bool) {
	d, ok := parseDecimal(n.Get("value").Decimal())
	if !ok || n.Get("comparator").Exists() {
		return Quantity{}, false
	}
	q := Quantity{Value: d, Unit: n.Get("code").Text(), system: n.Get("system").Text()}
	if q.Unit == "" {
		q.Unit = n.Get("unit").Text()
	}
	return q, true
}

// textIs compares an item's string without making one.
func (it Item) textIs(s string) bool {
	if it.code == "" {
		v, ok := it.val.(string)
		return ok && v == s
	}
	if it.node.Kind() != fhir.Str {
		return false
	}
	raw := it.node.Raw()
	if bytes.IndexByte(raw, '\\') >= 0 {
		return it.node.Text() == s
	}
	return string(raw[1:len(raw)-1]) == s
}

// Bool returns the boolean that a collection of one item is.
func (c Collection) Bool() (value, ok bool) {
	if len(c) != 1 {
		return false, false
	}
	value, ok = c[0].Value().(bool)
	return value, ok
}

// parseNumber reads an integer, or a decimal where there is a point or the
// integer is too large.
func parseNumber(s string) (any, bool) {
	d, ok := parseDecimal(s)
	if !ok {
		return nil, false
	}
	if d.Exponent == 0 {
		if i, err := d.Int64(); err == nil {
			return i, true
		}
	}
	return d, true
}

// maxDigits bounds the digits and the exponent of a number.
const maxDigits = 100

func parseDecimal(s string) (*apd.Decimal, bool) {
	if s == "" || len(s) > maxDigits {
		return nil, false
	}
	d, _, err := apd.NewFromString(s)
	if err != nil || d.Form != apd.Finite || d.Exponent > maxDigits || d.Exponent < -maxDigits {
		return nil, false
	}
	return d, true
}

func decimalOf(v any) (*apd.Decimal, bool) {
	switch v := v.(type) {
	case int64:
		return apd.New(v, 0), true
	case *apd.Decimal:
		return v, true
	}
	return nil, false
}
