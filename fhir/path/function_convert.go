package path

import (
	"regexp"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// conversions makes toX and convertsToX of each conversion.
func conversions() map[string]*function {
	out := map[string]*function{}
	for name, conv := range map[string]func(v any) any{
		"Boolean": toBoolean, "Integer": toInteger, "Decimal": toDecimal, "String": toText,
		"Date": toDate, "DateTime": toDateTime, "Time": toTime, "Quantity": toQuantity,
	} {
		out["to"+name] = &function{max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			v, ok, err := m.convert(n, f, in, conv)
			if err != nil || !ok || v == nil {
				return dst, err
			}
			return append(dst, Value(v)), nil
		}}
		out["convertsTo"+name] = &function{max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			v, ok, err := m.convert(n, f, in, conv)
			if err != nil || !ok {
				return dst, err
			}
			return append(dst, Value(v != nil)), nil
		}}
	}
	return out
}

func (m *machine) convert(n *call, f *frame, in []Item, conv func(v any) any) (any, bool, error) {
	it, ok, err := m.one(n, in)
	if err != nil || !ok {
		return nil, false, err
	}
	v := conv(it.Value())
	if len(n.args) == 1 { // toQuantity(unit)
		unit, ok, err := m.text(n.args[0], f)
		q, isQ := v.(Quantity)
		if err != nil || !ok || !isQ {
			return nil, err == nil, err
		}
		want := Quantity{Value: q.Value, Unit: unit, Calendar: calendarUnit(unit) != ""}
		factor, ok := want.factorFrom(q)
		if !ok {
			return nil, true, nil
		}
		if want.Value = decimals("*", q.Value, factor); want.Value == nil {
			return nil, true, nil
		}
		return want, true, nil
	}
	return v, true, nil
}

func toBoolean(v any) any {
	switch x := v.(type) {
	case bool:
		return x
	case string:
		switch strings.ToLower(x) {
		case "true", "t", "yes", "y", "1", "1.0":
			return true
		case "false", "f", "no", "n", "0", "0.0":
			return false
		}
		return nil
	}
	if d, ok := decimalOf(v); ok {
		switch {
		case d.IsZero():
			return false
		case d.Cmp(apd.New(1, 0)) == 0:
			return true
		}
	}
	return nil
}

var integerText = regexp.MustCompile(`^[+-]?\d+$`)

func toInteger(v any) any {
	switch x := v.(type) {
	case int64:
		return x
	case bool:
		if x {
			return int64(1)
		}
		return int64(0)
	case string:
		if integerText.MatchString(x) {
			if n, ok := parseNumber(strings.TrimPrefix(x, "+")); ok {
				if i, ok := n.(int64); ok {
					return i
				}
			}
		}
	}
	return nil
}

var decimalText = regexp.MustCompile(`^[+-]?\d+(\.\d+)?$`)

func toDecimal(v any) any {
	switch x := v.(type) {
	case bool:
		if x {
			return apd.New(10, -1)
		}
		return apd.New(0, -1)
	case string:
		if decimalText.MatchString(x) {
			if d, ok := parseDecimal(strings.TrimPrefix(x, "+")); ok {
				return d
			}
		}
		return nil
	}
	if d, ok := decimalOf(v); ok {
		return d
	}
	return nil
}

func toText(v any) any {
	switch x := v.(type) {
	case string:
		return x
	case bool:
		if x {
			return "true"
		}
		return "false"
	case Moment:
		return x.String()
	case Quantity:
		return x.String()
	}
	if d, ok := decimalOf(v); ok {
		return d.Text('f')
	}
	return nil
}

// momentFrom reads a string, or makes a moment of one kind from another.
func momentFrom(v any, to MomentKind) any {
	switch x := v.(type) {
	case string:
		if m, ok := parseMoment(to, x); ok {
			return m
		}
	case Moment:
		switch {
		case x.kind == to:
			return x
		case x.kind == DateTime && to == Date:
			y, mo, d := x.wall.Date()
			cut := Moment{kind: Date, prec: min(x.prec, toDay)}
			cut.wall = dateAt(y, int(mo), d)
			return cut
		case x.kind == Date && to == DateTime:
			x.kind = DateTime
			return x
		}
	}
	return nil
}

func toDate(v any) any     { return momentFrom(v, Date) }
func toDateTime(v any) any { return momentFrom(v, DateTime) }
func toTime(v any) any     { return momentFrom(v, Time) }

var quantityText = regexp.MustCompile(`^([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([a-zA-Z]+))?$`)

func toQuantity(v any) any {
	switch x := v.(type) {
	case Quantity:
		return x
	case bool:
		q := Quantity{Value: apd.New(0, -1), Unit: "1"}
		if x {
			q.Value = apd.New(10, -1)
		}
		return q
	case string:
		parts := quantityText.FindStringSubmatch(x)
		if parts == nil {
			return nil
		}
		d, ok := parseDecimal(strings.TrimPrefix(parts[1], "+"))
		if !ok {
			return nil
		}
		switch {
		case parts[2] != "":
			return Quantity{Value: d, Unit: parts[2]}
		case parts[3] == "":
			return Quantity{Value: d, Unit: "1"}
		case calendarUnit(parts[3]) != "":
			return Quantity{Value: d, Unit: parts[3], Calendar: true}
		}
		return nil
	}
	if d, ok := decimalOf(v); ok {
		return Quantity{Value: d, Unit: "1"}
	}
	return nil
}
