package path

import (
	"math"
	"slices"
)

func filtering() map[string]*function {
	// part makes first, tail, skip and the like: the items from low up to high.
	part := func(bounds func(count int, n int64) (low, high int), args int) *function {
		return &function{min: args, max: args, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			var i int64
			if args > 0 {
				var ok bool
				var err error
				if i, ok, err = m.integer(n.args[0], f); err != nil || !ok {
					return dst, err
				}
			}
			low, high := bounds(len(in), min(max(i, 0), math.MaxInt32))
			low, high = min(low, len(in)), min(high, len(in))
			if low < high {
				dst = append(dst, in[low:high]...)
			}
			return dst, nil
		}}
	}
	return map[string]*function{
		"where": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			l := f.on()
			for i, it := range in {
				l.set(it, i)
				t, err := m.truth(n.args[0], l)
				if err != nil {
					return nil, err
				}
				if t == yes {
					dst = append(dst, it)
				}
			}
			return dst, nil
		}},
		"select": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			l := f.on()
			var err error
			for i, it := range in {
				l.set(it, i)
				if dst, err = n.args[0].eval(m, l, dst); err != nil {
					return nil, err
				}
				if err = m.room(n, len(dst)); err != nil {
					return nil, err
				}
			}
			return dst, nil
		}},
		"repeat":    {min: 1, max: 1, run: repeat(true)},
		"repeatAll": {min: 1, max: 1, run: repeat(false)},
		"children": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			for _, it := range in {
				mark := len(dst)
				dst = m.model.children(dst, it)
				if err := m.spend(n, 1+len(dst)-mark); err != nil {
					return nil, err
				}
			}
			return dst, nil
		}},
		"descendants": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			next := len(dst)
			for _, it := range in {
				dst = m.model.children(dst, it)
			}
			for ; next < len(dst); next++ {
				if err := m.spend(n, 4); err != nil {
					return nil, err
				}
				if err := m.room(n, len(dst)); err != nil {
					return nil, err
				}
				dst = m.model.children(dst, dst[next])
			}
			return dst, nil
		}},
		"ofType": {typed: true, run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			return m.ofType(dst, n, in, n.typ)
		}},
		"as": {typed: true, run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			return m.as(dst, n, in, n.typ)
		}},
		"is": {typed: true, run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			return m.isType(dst, n, in, n.typ)
		}},
		"single": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			it, ok, err := m.one(n, in)
			if err != nil || !ok {
				return dst, err
			}
			return append(dst, it), nil
		}},
		"first": part(func(int, int64) (int, int) { return 0, 1 }, 0),
		"last":  part(func(c int, _ int64) (int, int) { return max(c-1, 0), c }, 0),
		"tail":  part(func(c int, _ int64) (int, int) { return 1, c }, 0),
		"skip":  part(func(c int, n int64) (int, int) { return int(n), c }, 1),
		"take":  part(func(_ int, n int64) (int, int) { return 0, int(n) }, 1),
		"intersect": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			other, err := n.args[0].eval(m, f, m.take())
			if err != nil {
				return nil, err
			}
			mark := len(dst)
			for _, it := range in {
				ok, err := m.among(n, it, other)
				if err != nil {
					return nil, err
				}
				if again, err := m.among(n, it, dst[mark:]); err != nil || again || !ok {
					if err != nil {
						return nil, err
					}
					continue
				}
				dst = append(dst, it)
			}
			return dst, nil
		}},
		"exclude": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			other, err := n.args[0].eval(m, f, m.take())
			if err != nil {
				return nil, err
			}
			for _, it := range in {
				ok, err := m.among(n, it, other)
				if err != nil {
					return nil, err
				}
				if !ok {
					dst = append(dst, it)
				}
			}
			return dst, nil
		}},
		"union": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			other, err := n.args[0].eval(m, f, m.take())
			if err != nil {
				return nil, err
			}
			return m.union(dst, n, in, other)
		}},
		"combine": {min: 1, max: 2, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			return n.args[0].eval(m, f, append(dst, in...))
		}},
		"sort":           {max: 8, run: sorted},
		"aggregate":      {min: 1, max: 2, run: aggregate},
		"iif":            {min: 2, max: 3, run: iif},
		"trace":          {min: 1, max: 2, run: trace},
		"defineVariable": {min: 1, max: 2, run: defineVariable},
		"coalesce": {min: 1, max: 20, run: func(m *machine, n *call, f *frame, _, dst []Item) ([]Item, error) {
			mark := len(dst)
			var err error
			for _, a := range n.args {
				if dst, err = a.eval(m, f, dst); err != nil || len(dst) > mark {
					return dst, err
				}
			}
			return dst, nil
		}},
	}
}

// repeat applies its argument to the input, to what that gives, and so on.
func repeat(unique bool) run {
	return func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
		mark := len(dst)
		l := f.on()
		fresh := m.take()
		add := func(it Item, i int) error {
			l.set(it, i)
			var err error
			if fresh, err = n.args[0].eval(m, l, fresh[:0]); err != nil {
				return err
			}
			for _, x := range fresh {
				if unique {
					again, err := m.among(n, x, dst[mark:])
					if err != nil {
						return err
					}
					if again {
						continue
					}
				}
				dst = append(dst, x)
			}
			if err := m.spend(n, 1); err != nil {
				return err
			}
			return m.room(n, len(dst))
		}
		for i, it := range in {
			if err := add(it, i); err != nil {
				return nil, err
			}
		}
		for next := mark; next < len(dst); next++ {
			if err := add(dst[next], next-mark); err != nil {
				return nil, err
			}
		}
		m.give(fresh)
		return dst, nil
	}
}

// sorted orders by its arguments, each evaluated on the items; -x turns the
// order. Nothing comes before something, whichever way.
func sorted(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	if err := m.spend(n, 4*len(in)); err != nil {
		return nil, err
	}
	type row struct {
		it   Item
		keys []any
	}
	rows := make([]row, len(in))
	down := make([]bool, max(1, len(n.args)))
	l := f.on()
	for i, it := range in {
		rows[i] = row{it: it}
		l.set(it, i)
		if len(n.args) == 0 {
			rows[i].keys = []any{it.Value()}
		}
		for j, a := range n.args {
			if neg, ok := a.(*negate); ok && !neg.plus {
				a, down[j] = neg.x, true
			}
			k, ok, err := m.single(a, l)
			if err != nil {
				return nil, err
			}
			var v any
			if ok {
				v = k.Value()
			}
			rows[i].keys = append(rows[i].keys, v)
		}
	}
	var bad bool
	slices.SortStableFunc(rows, func(a, b row) int {
		for j := range a.keys {
			x, y := a.keys[j], b.keys[j]
			if x == nil || y == nil {
				switch {
				case y != nil:
					return -1
				case x != nil:
					return 1
				}
				continue
			}
			c, _, ok := order(x, y)
			bad = bad || !ok
			if down[j] {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	if bad {
		return nil, m.fault(n, "values of these types have no order")
	}
	for _, r := range rows {
		dst = append(dst, r.it)
	}
	return dst, nil
}

func aggregate(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	l := f.on()
	l.total = nil
	var err error
	if len(n.args) == 2 {
		if l.total, err = n.args[1].eval(m, f, nil); err != nil {
			return nil, err
		}
	}
	for i, it := range in {
		l.set(it, i)
		if l.total, err = n.args[0].eval(m, l, nil); err != nil {
			return nil, err
		}
	}
	return append(dst, l.total...), nil
}

// iif evaluates only the branch that is taken, on the input where it has one.
func iif(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	if n.input != nil {
		it, ok, err := m.one(n, in)
		if err != nil {
			return nil, err
		}
		if ok {
			f = f.on()
			f.set(it, 0)
		}
	}
	it, ok, err := m.single(n.args[0], f)
	if err != nil {
		return nil, err
	}
	holds := false
	if ok {
		if holds, ok = it.Value().(bool); !ok {
			return nil, m.fault(n, "the condition of iif is a boolean")
		}
	}
	switch {
	case holds:
		return n.args[1].eval(m, f, dst)
	case len(n.args) == 3:
		return n.args[2].eval(m, f, dst)
	}
	return dst, nil
}

func trace(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	if m.env.Trace != nil {
		name, _, err := m.text(n.args[0], f)
		if err != nil {
			return nil, err
		}
		shown := slices.Clone(in)
		if len(n.args) == 2 {
			shown = nil
			l := f.on()
			for i, it := range in {
				l.set(it, i)
				if shown, err = n.args[1].eval(m, l, shown); err != nil {
					return nil, err
				}
			}
		}
		m.env.Trace(name, shown)
	}
	return append(dst, in...), nil
}

// defineVariable makes %name known to what follows in the same lambda.
func defineVariable(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	name, ok, err := m.text(n.args[0], f)
	if err != nil || !ok {
		return dst, err
	}
	for b := f.vars; b != nil; b = b.outer {
		if b.name == name {
			return nil, m.fault(n, "the variable %%%s is defined already", name)
		}
	}
	value := slices.Clone(in)
	if len(n.args) == 2 {
		l := f.on()
		if len(in) == 1 {
			l.set(in[0], 0)
		}
		if value, err = n.args[1].eval(m, l, nil); err != nil {
			return nil, err
		}
	}
	f.vars = &binding{name: name, value: value, outer: f.vars}
	return append(dst, in...), nil
}
