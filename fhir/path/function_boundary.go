package path

import (
	"time"

	"github.com/cockroachdb/apd/v3"
)

func dateAt(y, mo, d int) time.Time { return time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC) }

func boundaries() map[string]*function {
	bound := func(high bool) *function {
		return &function{max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			it, ok, err := m.one(n, in)
			if err != nil || !ok {
				return dst, err
			}
			digits, given := int64(0), false
			if len(n.args) == 1 {
				if digits, given, err = m.integer(n.args[0], f); err != nil || !given {
					return dst, err
				}
			}
			var v any
			switch x := it.Value().(type) {
			case Moment:
				v = x.boundary(digits, given, high)
			case Quantity:
				if d := decimalBoundary(x.Value, digits, given, high); d != nil {
					x.Value = d
					v = x
				}
			default:
				d, ok := decimalOf(x)
				if !ok {
					return nil, m.fault(n, "a boundary is that of a number, quantity, date or time")
				}
				if d = decimalBoundary(d, digits, given, high); d != nil {
					v = d
				}
			}
			if v == nil {
				return dst, nil
			}
			return append(dst, Value(v)), nil
		}}
	}
	return map[string]*function{
		"lowBoundary":  bound(false),
		"highBoundary": bound(true),
		"precision": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			it, ok, err := m.one(n, in)
			if err != nil || !ok {
				return dst, err
			}
			switch x := it.Value().(type) {
			case Moment:
				return append(dst, Value(x.precisionDigits())), nil
			default:
				if d, ok := decimalOf(x); ok {
					return append(dst, Value(int64(max(-d.Exponent, 0)))), nil
				}
			}
			return nil, m.fault(n, "precision is that of a number, date or time")
		}},
		"comparable": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			it, ok, err := m.one(n, in)
			if err != nil || !ok {
				return dst, err
			}
			other, ok, err := m.single(n.args[0], f)
			if err != nil || !ok {
				return dst, err
			}
			a, ok := it.Value().(Quantity)
			b, ok2 := other.Value().(Quantity)
			if !ok || !ok2 {
				return nil, m.fault(n, "comparable takes quantities")
			}
			_, known := a.compare(b, false)
			return append(dst, Value(known)), nil
		}},
		"now":   clockFunction(func(t time.Time) Moment { return momentAt(t, DateTime) }),
		"today": clockFunction(func(t time.Time) Moment { return momentAt(t, Date) }),
		"timeOfDay": clockFunction(func(t time.Time) Moment {
			return momentAt(t, Time)
		}),
	}
}

func clockFunction(f func(t time.Time) Moment) *function {
	return &function{run: func(m *machine, n *call, _ *frame, _, dst []Item) ([]Item, error) {
		if m.env.Now.IsZero() {
			return nil, m.fault(n, "there is no clock here")
		}
		return append(dst, Value(f(m.env.Now))), nil
	}}
}

// momentAt is what the clock shows at t, to the millisecond.
func momentAt(t time.Time, k MomentKind) Moment {
	_, offset := t.Zone()
	y, mo, d := t.Date()
	wall := time.Date(y, mo, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond()/1e6*1e6, time.UTC)
	switch k {
	case Date:
		return Moment{kind: Date, prec: toDay, wall: dateAt(y, int(mo), d)}
	case Time:
		return Moment{kind: Time, prec: toSecond, digits: 3, wall: time.Date(1, 1, 1, t.Hour(), t.Minute(), t.Second(), wall.Nanosecond(), time.UTC)}
	}
	return Moment{kind: DateTime, prec: toSecond, digits: 3, zone: true, offset: int16(offset / 60), wall: wall}
}

// decimalBoundary is the smallest or greatest number that rounds to d, cut
// downwards or upwards to so many digits (8 if none are given).
//
// Source: https://hl7.org/fhirpath/#lowboundary (2.1)
func decimalBoundary(d *apd.Decimal, digits int64, given, high bool) *apd.Decimal {
	if !given {
		digits = 8
	}
	if digits < 0 || digits > 28 {
		return nil
	}
	half := apd.New(5, min(d.Exponent, 0)-1)
	out := new(apd.Decimal)
	c := flooring
	if high {
		c = ceiling
		_, _ = c.Add(out, d, half)
	} else {
		_, _ = c.Sub(out, d, half)
	}
	if _, err := c.Quantize(out, out, int32(-digits)); err != nil || out.Form != apd.Finite {
		return nil
	}
	return out
}

// The digits that a precision is told by, for dates and for times.
var (
	momentDigits = []int64{4, 6, 8, 10, 12, 14}
	clockDigits  = []int64{2, 4, 6}
)

func (m Moment) precisionDigits() int64 {
	if m.kind == Time {
		if m.digits > 0 {
			return 9
		}
		return clockDigits[m.prec-toHour]
	}
	if m.digits > 0 {
		return 17
	}
	return momentDigits[m.prec]
}

// boundary is the first or last moment that m may mean, to a precision.
func (m Moment) boundary(digits int64, given, high bool) any {
	full := map[MomentKind]int64{Date: 8, DateTime: 17, Time: 9}[m.kind]
	if !given {
		digits = full
	}
	if digits > full {
		return nil
	}
	out := m
	if high {
		open := m
		open.offset = 0
		_, end := open.span()
		out.wall = end.Add(-time.Millisecond)
	}
	if m.kind == DateTime && !m.zone && digits > 8 {
		out.zone, out.offset = true, 14*60
		if high {
			out.offset = -12 * 60
		}
	}
	out.digits = 0
	table, base := momentDigits, toYear
	if m.kind == Time {
		table, base = clockDigits, toHour
	}
	for i, d := range table {
		if d == digits {
			out.prec = base + precision(i)
			return out.cut()
		}
	}
	if digits == full && full > 8 {
		out.prec, out.digits = toSecond, 3
		return out.cut()
	}
	return nil
}

// cut drops what is finer than the precision.
func (m Moment) cut() Moment {
	y, mo, d := m.wall.Date()
	h, mi, s, ns := m.wall.Hour(), m.wall.Minute(), m.wall.Second(), m.wall.Nanosecond()
	switch m.prec {
	case toYear:
		mo, d, h, mi, s, ns = 1, 1, 0, 0, 0, 0
	case toMonth:
		d, h, mi, s, ns = 1, 0, 0, 0, 0
	case toDay:
		h, mi, s, ns = 0, 0, 0, 0
	case toHour:
		mi, s, ns = 0, 0, 0
	case toMinute:
		s, ns = 0, 0
	case toSecond:
		if m.digits == 0 {
			ns = 0
		}
	}
	if m.prec <= toDay {
		m.zone, m.offset = false, 0
	}
	m.wall = time.Date(y, mo, d, h, mi, s, ns, time.UTC)
	return m
}
