package path

import (
	"strconv"
	"sync"

	"rapport/fhir"
)

// function is what a name followed by parentheses invokes.
type function struct {
	min, max int  // number of arguments
	typed    bool // its argument is the name of a type
	regex    bool // its first argument is a regular expression,
	whole    bool // which must match all of the string
	run      run
}

// run appends to dst what the function gives for the input in. Arguments are
// evaluated by the function itself, some of them once for each item.
type run func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error)

func (fn *function) arity() string {
	if fn.min == fn.max {
		return strconv.Itoa(fn.min) + " arguments"
	}
	return strconv.Itoa(fn.min) + " to " + strconv.Itoa(fn.max) + " arguments"
}

// functions returns all functions by name. Nobody changes it.
var functions = sync.OnceValue(func() map[string]*function {
	all := map[string]*function{}
	for _, group := range []map[string]*function{existence(), filtering(), stringFunctions(), numberFunctions(), conversions(), boundaries(), fhirFunctions()} {
		for name, fn := range group {
			all[name] = fn
		}
	}
	return all
})

// on makes a frame for lambdas of a call; set changes the item it stands on.
func (f *frame) on() *frame {
	c := *f
	return &c
}

func (f *frame) set(it Item, i int) {
	f.this, f.has, f.index = it, true, i
}

// one returns the only item of the input; ok is false where there is none.
func (m *machine) one(n node, in []Item) (it Item, ok bool, err error) {
	switch len(in) {
	case 0:
		return Item{}, false, nil
	case 1:
		return in[0], true, nil
	}
	return Item{}, false, m.fault(n, "this function takes one item, not several")
}

// oneText returns the only string of the input.
func (m *machine) oneText(n node, in []Item) (string, bool, error) {
	it, ok, err := m.one(n, in)
	if err != nil || !ok {
		return "", false, err
	}
	s, ok := it.Text()
	if !ok {
		if !it.node.Exists() && it.side.Exists() { // a string without a value
			return "", false, nil
		}
		return "", false, m.fault(n, "this function takes a string")
	}
	return s, true, nil
}

func (m *machine) textRoom(n node, size int) error {
	if size > maxText {
		return fault(fhir.TooCostly, m.src, n.at(), "a string is longer than %d bytes", maxText)
	}
	return m.spend(n, 1+size/256)
}

func existence() map[string]*function {
	// truths makes allTrue and its kin: whether every (or any) item is what is wanted.
	truths := func(want, every bool) run {
		return func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			for _, it := range in {
				b, ok := it.Value().(bool)
				if !ok {
					return nil, m.fault(n, "this function takes booleans")
				}
				if (b == want) != every {
					return append(dst, Value(!every)), nil
				}
			}
			return append(dst, Value(every)), nil
		}
	}
	subset := func(turned bool) run {
		return func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			other, err := n.args[0].eval(m, f, m.take())
			if err != nil {
				return nil, err
			}
			small, large := in, other
			if turned {
				small, large = other, in
			}
			for _, it := range small {
				if ok, err := m.among(n, it, large); err != nil || !ok {
					return append(dst, Value(false)), err
				}
			}
			return append(dst, Value(true)), nil
		}
	}
	return map[string]*function{
		"empty": {run: func(_ *machine, _ *call, _ *frame, in, dst []Item) ([]Item, error) {
			return append(dst, Value(len(in) == 0)), nil
		}},
		"exists": {max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			if len(n.args) == 0 {
				return append(dst, Value(len(in) > 0)), nil
			}
			l := f.on()
			for i, it := range in {
				l.set(it, i)
				if t, err := m.truth(n.args[0], l); err != nil || t == yes {
					return append(dst, Value(true)), err
				}
			}
			return append(dst, Value(false)), nil
		}},
		"all": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			l := f.on()
			for i, it := range in {
				l.set(it, i)
				if t, err := m.truth(n.args[0], l); err != nil || t != yes {
					return append(dst, Value(false)), err
				}
			}
			return append(dst, Value(true)), nil
		}},
		"allTrue":    {run: truths(true, true)},
		"anyTrue":    {run: truths(true, false)},
		"allFalse":   {run: truths(false, true)},
		"anyFalse":   {run: truths(false, false)},
		"subsetOf":   {min: 1, max: 1, run: subset(false)},
		"supersetOf": {min: 1, max: 1, run: subset(true)},
		"count": {run: func(_ *machine, _ *call, _ *frame, in, dst []Item) ([]Item, error) {
			return append(dst, Value(int64(len(in)))), nil
		}},
		"distinct": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			return m.union(dst, n, in)
		}},
		"isDistinct": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			for i, it := range in {
				if again, err := m.among(n, it, in[:i]); err != nil || again {
					return append(dst, Value(false)), err
				}
			}
			return append(dst, Value(true)), nil
		}},
		"not": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			it, ok, err := m.one(n, in)
			if err != nil || !ok {
				return dst, err
			}
			b, isBool := it.Value().(bool)
			return append(dst, Value(isBool && !b)), nil
		}},
		"hasValue": {run: func(m *machine, _ *call, _ *frame, in, dst []Item) ([]Item, error) {
			return append(dst, Value(len(in) == 1 && m.model.hasValue(in[0]))), nil
		}},
		"getValue": {run: func(m *machine, _ *call, _ *frame, in, dst []Item) ([]Item, error) {
			if len(in) == 1 && m.model.hasValue(in[0]) {
				dst = append(dst, Value(in[0].Value()))
			}
			return dst, nil
		}},
	}
}

// hasValue reports whether an item is a primitive that has a value.
func (m *Model) hasValue(it Item) bool {
	if it.code == "" {
		return true
	}
	k := it.node.Kind()
	return k == fhir.Str || k == fhir.Num || k == fhir.True || k == fhir.False
}
