package path

import (
	"math"

	"github.com/cockroachdb/apd/v3"
)

func (m *machine) arithmetic(dst []Item, n *binary, l, r []Item) ([]Item, error) {
	if len(l) > 1 || len(r) > 1 {
		return nil, m.fault(n, "%s takes one item on each side", n.op)
	}
	if n.op == "&" {
		a, b := "", ""
		var ok bool
		if len(l) == 1 {
			if a, ok = l[0].Text(); !ok {
				return nil, m.fault(n, "& joins strings")
			}
		}
		if len(r) == 1 {
			if b, ok = r[0].Text(); !ok {
				return nil, m.fault(n, "& joins strings")
			}
		}
		return m.joined(dst, n, a, b)
	}
	if len(l) == 0 || len(r) == 0 {
		return dst, nil
	}
	a, b := l[0].Value(), r[0].Value()
	if s, ok := a.(string); ok && n.op == "+" {
		if t, ok := b.(string); ok {
			return m.joined(dst, n, s, t)
		}
	}
	if t, ok := a.(Moment); ok && (n.op == "+" || n.op == "-") {
		return m.shift(dst, n, t, b)
	}
	v, ok := calculate(n.op, a, b)
	if !ok {
		return nil, m.fault(n, "%s cannot be applied to values of these types", n.op)
	}
	if v == nil {
		return dst, nil
	}
	return append(dst, Value(v)), nil
}

func (m *machine) joined(dst []Item, n node, a, b string) ([]Item, error) {
	if err := m.textRoom(n, len(a)+len(b)); err != nil {
		return nil, err
	}
	return append(dst, Value(a+b)), nil
}

// shift moves a moment by a quantity of time.
func (m *machine) shift(dst []Item, n *binary, t Moment, by any) ([]Item, error) {
	q, ok := by.(Quantity)
	if !ok {
		return nil, m.fault(n, "a date or time is moved by a quantity of time: 7 days")
	}
	unit := calendarUnit(q.Unit)
	if !q.Calendar && definite[q.Unit] != "" {
		unit = definite[q.Unit]
	}
	if unit == "" || t.kind == Time && clockUnit[unit] == 0 {
		return nil, m.fault(n, "a date or time cannot be moved by this unit")
	}
	whole := new(apd.Decimal)
	if _, err := truncating.Quantize(whole, q.Value, 0); err != nil {
		return dst, nil
	}
	i, err := whole.Int64()
	if err != nil || i == math.MinInt64 {
		return dst, nil
	}
	if n.op == "-" {
		i = -i
	}
	if out, ok := t.add(i, unit); ok {
		dst = append(dst, Value(out))
	}
	return dst, nil
}

// truncating cuts, flooring and ceiling round down and up.
var (
	truncating = withRounding(apd.RoundDown)
	flooring   = withRounding(apd.RoundFloor)
	ceiling    = withRounding(apd.RoundCeiling)
)

func withRounding(r apd.Rounder) *apd.Context {
	c := *arithmetic
	c.Precision, c.Rounding = 2*maxDigits, r
	return &c
}

// calculate applies + - * / div mod to numbers and quantities. nil with ok is an
// empty result: division by nothing, overflow.
func calculate(op operator, a, b any) (v any, ok bool) {
	_, aq := a.(Quantity)
	_, bq := b.(Quantity)
	if aq || bq {
		x, ok := asQuantity(a)
		y, ok2 := asQuantity(b)
		if !ok || !ok2 {
			return nil, false
		}
		return x.calculate(op, y)
	}
	i, ok := a.(int64)
	j, ok2 := b.(int64)
	if ok && ok2 && op != "/" {
		return wholeNumbers(op, i, j), true
	}
	x, ok := decimalOf(a)
	y, ok2 := decimalOf(b)
	if !ok || !ok2 {
		return nil, false
	}
	d := decimals(op, x, y)
	if d == nil {
		return nil, true
	}
	if op == "div" {
		if i, err := d.Int64(); err == nil {
			return i, true
		}
		return nil, true
	}
	return d, true
}

// wholeNumbers calculates with integers; what does not fit in 64 bits is nil.
func wholeNumbers(op operator, i, j int64) any {
	var r int64
	switch op {
	case "+":
		if r = i + j; (r > i) != (j > 0) && j != 0 {
			return nil
		}
	case "-":
		if r = i - j; (r < i) != (j > 0) && j != 0 {
			return nil
		}
	case "*":
		if i == 0 || j == 0 {
			return int64(0)
		}
		if r = i * j; r/j != i || i == -1 && j == math.MinInt64 || j == -1 && i == math.MinInt64 {
			return nil
		}
	case "div", "mod":
		if j == 0 || i == math.MinInt64 && j == -1 {
			return nil
		}
		if op == "div" {
			return i / j
		}
		return i % j
	}
	return r
}

func decimals(op operator, x, y *apd.Decimal) *apd.Decimal {
	d := new(apd.Decimal)
	var err error
	if (op == "/" || op == "div" || op == "mod") && y.IsZero() {
		return nil
	}
	switch op {
	case "+":
		_, err = arithmetic.Add(d, x, y)
	case "-":
		_, err = arithmetic.Sub(d, x, y)
	case "*":
		_, err = arithmetic.Mul(d, x, y)
	case "/":
		_, err = arithmetic.Quo(d, x, y)
	case "div":
		_, err = arithmetic.QuoInteger(d, x, y)
	case "mod":
		_, err = arithmetic.Rem(d, x, y)
	}
	if err != nil || d.Form != apd.Finite {
		return nil
	}
	return d
}

// calculate with quantities: sums of comparable ones in the first one's unit,
// products and quotients in base units.
func (q Quantity) calculate(op operator, o Quantity) (v any, ok bool) {
	switch op {
	case "+", "-":
		if !q.sameUnit(o) {
			f, ok := q.factorFrom(o)
			if !ok {
				return nil, true
			}
			o.Value = decimals("*", o.Value, f)
		}
		if o.Value == nil {
			return nil, true
		}
		q.Value = decimals(op, q.Value, o.Value)
	case "*", "/":
		unit, factor, ok := combined(op, q, o)
		if !ok {
			return nil, true
		}
		d := decimals(op, q.Value, o.Value)
		if d == nil {
			return nil, true
		}
		q = Quantity{Value: decimals("*", d, factor), Unit: unit}
	default:
		return nil, false
	}
	if q.Value == nil {
		return nil, true
	}
	return q, true
}

// factorFrom is what o's number is multiplied with to be counted in q's unit.
func (q Quantity) factorFrom(o Quantity) (*apd.Decimal, bool) {
	a, ok := q.unit()
	b, ok2 := o.unit()
	if !ok || !ok2 || a.dim != b.dim {
		return nil, false
	}
	f := decimals("/", &b.factor, &a.factor)
	return f, f != nil
}

func (q Quantity) unit() (unit, bool) {
	code, ok := q.ucumCode(false)
	if !ok {
		return unit{}, false
	}
	return parseUnit(code)
}

// combined is the unit of a product or quotient; factor brings the numbers of
// the operands into it.
func combined(op operator, q, o Quantity) (code string, factor *apd.Decimal, ok bool) {
	a, ok := q.unit()
	b, ok2 := o.unit()
	if !ok || !ok2 {
		return "", nil, false
	}
	one := apd.New(1, 0)
	none := dimension{}
	switch {
	case b.dim == none && b.factor.Cmp(one) == 0:
		return q.Unit, one, true
	case op == "/" && a.dim == b.dim:
		return "1", decimals("/", &a.factor, &b.factor), true
	}
	u, ok := a.times(b, op == "/")
	if !ok {
		return "", nil, false
	}
	return u.dim.code(), &u.factor, true
}

// code writes a dimension in base units.
func (d dimension) code() string {
	s := ""
	for i, name := range []string{"m", "s", "g", "mol", "rad", "K", "cd", "C"} {
		p := d.powers[i]
		if p == 0 {
			continue
		}
		if s != "" {
			s += "."
		}
		s += name
		if p != 1 {
			s += itoa(int(p))
		}
	}
	if s == "" {
		return "1"
	}
	return s
}

func negated(v any, plus bool) (any, bool) {
	switch x := v.(type) {
	case int64:
		if plus {
			return x, true
		}
		return -x, x != math.MinInt64
	case *apd.Decimal:
		if plus {
			return x, true
		}
		return new(apd.Decimal).Neg(x), true
	case Quantity:
		if !plus {
			x.Value = new(apd.Decimal).Neg(x.Value)
		}
		return x, true
	}
	return nil, false
}

// places is how many digits stand behind the point, trailing zeros apart.
func places(d *apd.Decimal) int32 {
	r, _ := new(apd.Decimal).Reduce(d)
	return max(0, -r.Exponent)
}

// alikeDecimal compares at the precision of the less precise one.
func alikeDecimal(x, y *apd.Decimal) bool {
	p := min(places(x), places(y))
	var a, b apd.Decimal
	if _, err := wide.Quantize(&a, x, -p); err != nil {
		return false
	}
	if _, err := wide.Quantize(&b, y, -p); err != nil {
		return false
	}
	return a.Cmp(&b) == 0
}

var wide = withRounding(apd.RoundHalfUp)

// alike compares at the precision of the less precise one: 4 g ~ 4040 mg.
func (q Quantity) alike(o Quantity) bool {
	if q.sameUnit(o) {
		return alikeDecimal(q.Value, o.Value)
	}
	code, ok := q.ucumCode(true)
	code2, ok2 := o.ucumCode(true)
	if !ok || !ok2 {
		return false
	}
	q.Unit, q.Calendar, o.Unit, o.Calendar = code, false, code2, false
	f, ok := q.factorFrom(o)
	if !ok {
		return false
	}
	v := decimals("*", o.Value, f)
	return v != nil && alikeDecimal(q.Value, v)
}
