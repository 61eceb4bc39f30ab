package path

import (
	"github.com/cockroachdb/apd/v3"
)

// What logarithms and powers cost in steps, measured against a member access.
const (
	logCost   = 1000
	powerCost = 10000
)

// ofNumber makes a function on one number; nil is an empty result.
// cost is what it takes, in steps.
func ofNumber(cost int, f func(x *apd.Decimal) any) *function {
	return &function{run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
		x, ok, err := m.oneNumber(n, in)
		if err != nil || !ok {
			return dst, err
		}
		if err := m.spend(n, cost); err != nil {
			return nil, err
		}
		if v := f(x); v != nil {
			dst = append(dst, Value(v))
		}
		return dst, nil
	}}
}

func (m *machine) oneNumber(n node, in []Item) (*apd.Decimal, bool, error) {
	it, ok, err := m.one(n, in)
	if err != nil || !ok {
		return nil, false, err
	}
	if err := m.spend(n, 50); err != nil {
		return nil, false, err
	}
	x, ok := decimalOf(it.Value())
	if !ok {
		return nil, false, m.fault(n, "this function takes a number")
	}
	return x, true, nil
}

func (m *machine) number(n node, f *frame) (*apd.Decimal, bool, error) {
	it, ok, err := m.single(n, f)
	if err != nil || !ok {
		return nil, false, err
	}
	x, ok := decimalOf(it.Value())
	if !ok {
		return nil, false, m.fault(n, "a number is needed here")
	}
	return x, true, nil
}

// whole rounds to an integer; nil where it does not fit.
func whole(c *apd.Context) func(x *apd.Decimal) any {
	return func(x *apd.Decimal) any {
		var d apd.Decimal
		if _, err := c.Quantize(&d, x, 0); err != nil {
			return nil
		}
		i, err := d.Int64()
		if err != nil {
			return nil
		}
		return i
	}
}

// exact has digits to spare, so that rounding its results to those of
// arithmetic makes 16.log(2) exactly 4.
var exact = func() *apd.Context {
	c := *arithmetic
	c.Precision = 45
	return &c
}()

func rounded(d *apd.Decimal, err error) any {
	if err != nil || d.Form != apd.Finite {
		return nil
	}
	c := *arithmetic
	c.Precision = 28
	out := new(apd.Decimal)
	if _, err := c.Round(out, d); err != nil || out.Form != apd.Finite {
		return nil
	}
	return out
}

func numberFunctions() map[string]*function {
	positive := func(x *apd.Decimal) bool { return x.Sign() > 0 }
	ln := func(x *apd.Decimal) (*apd.Decimal, error) {
		d := new(apd.Decimal)
		_, err := exact.Ln(d, x)
		return d, err
	}
	return map[string]*function{
		"ceiling":  ofNumber(1, whole(ceiling)),
		"floor":    ofNumber(1, whole(flooring)),
		"truncate": ofNumber(1, whole(truncating)),
		"abs": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			it, ok, err := m.one(n, in)
			if err != nil || !ok {
				return dst, err
			}
			v := it.Value()
			d, ok := decimalOf(v)
			if q, isQ := v.(Quantity); isQ {
				d, ok = q.Value, true
			}
			if !ok {
				return nil, m.fault(n, "this function takes a number or quantity")
			}
			if d.Negative {
				if v, ok = negated(v, false); !ok {
					return dst, nil
				}
			}
			return append(dst, Value(v)), nil
		}},
		"exp": ofNumber(logCost, func(x *apd.Decimal) any {
			if x.Cmp(apd.New(1000, 0)) > 0 || x.Cmp(apd.New(-1000, 0)) < 0 {
				return nil
			}
			d := new(apd.Decimal)
			_, err := exact.Exp(d, x)
			return rounded(d, err)
		}),
		"ln": ofNumber(logCost, func(x *apd.Decimal) any {
			if !positive(x) {
				return nil
			}
			return rounded(ln(x))
		}),
		"sqrt": ofNumber(10, func(x *apd.Decimal) any {
			if x.Sign() < 0 {
				return nil
			}
			d := new(apd.Decimal)
			_, err := exact.Sqrt(d, x)
			return rounded(d, err)
		}),
		"log": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			x, ok, err := m.oneNumber(n, in)
			if err != nil || !ok {
				return dst, err
			}
			base, ok, err := m.number(n.args[0], f)
			if err != nil || !ok {
				return dst, err
			}
			if err := m.spend(n, 2*logCost); err != nil {
				return nil, err
			}
			if !positive(x) || !positive(base) || base.Cmp(apd.New(1, 0)) == 0 {
				return dst, nil
			}
			a, err := ln(x)
			b, err2 := ln(base)
			if err != nil || err2 != nil {
				return dst, nil
			}
			d := new(apd.Decimal)
			_, err = exact.Quo(d, a, b)
			if v := rounded(d, err); v != nil {
				dst = append(dst, Value(v))
			}
			return dst, nil
		}},
		"power": {min: 1, max: 1, run: power},
		"round": {max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			x, ok, err := m.oneNumber(n, in)
			if err != nil || !ok {
				return dst, err
			}
			digits := int64(0)
			if len(n.args) == 1 {
				if digits, ok, err = m.integer(n.args[0], f); err != nil || !ok {
					return dst, err
				}
			}
			if digits < 0 || digits > maxDigits {
				return nil, m.fault(n, "round takes a number of digits from 0 to %d", maxDigits)
			}
			d := new(apd.Decimal)
			if _, err := wide.Quantize(d, x, int32(-digits)); err != nil || d.Form != apd.Finite {
				return dst, nil
			}
			return append(dst, Value(d)), nil
		}},
	}
}

func power(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	x, ok, err := m.oneNumber(n, in)
	if err != nil || !ok {
		return dst, err
	}
	y, ok, err := m.number(n.args[0], f)
	if err != nil || !ok {
		return dst, err
	}
	if err := m.spend(n, powerCost); err != nil {
		return nil, err
	}
	limit := apd.New(1000, 0)
	if new(apd.Decimal).Abs(y).Cmp(limit) > 0 {
		return dst, nil
	}
	d := new(apd.Decimal)
	_, err = exact.Pow(d, x, y)
	v := rounded(d, err)
	if v == nil {
		return dst, nil
	}
	if in[0].isInteger() && y.Exponent >= 0 && y.Sign() >= 0 {
		if i := whole(truncating)(v.(*apd.Decimal)); i != nil {
			v = i
		}
	}
	return append(dst, Value(v)), nil
}

func (it Item) isInteger() bool {
	_, ok := it.Value().(int64)
	return ok
}
