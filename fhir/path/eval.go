package path

import (
	"rapport/fhir"
)

func (n *literal) eval(_ *machine, _ *frame, dst []Item) ([]Item, error) {
	return append(dst, n.items...), nil
}

func (n *focus) eval(m *machine, f *frame, dst []Item) ([]Item, error) {
	switch n.name {
	case "this":
		if f.has {
			dst = append(dst, f.this)
		}
		return dst, nil
	case "index":
		return append(dst, Value(int64(f.index))), nil
	}
	return append(dst, f.total...), m.spend(n, len(f.total)/itemsPerStep)
}

// itemsPerStep is how many items may be copied for one step.
const itemsPerStep = 16

func (n *variable) eval(m *machine, f *frame, dst []Item) ([]Item, error) {
	for b := f.vars; b != nil; b = b.outer {
		if b.name == n.name {
			return append(dst, b.value...), m.spend(n, len(b.value)/itemsPerStep)
		}
	}
	switch n.name {
	case "context":
		return append(dst, m.root), nil
	case "resource":
		return append(dst, m.resource()), nil
	case "rootResource":
		return append(dst, m.rootResource()), nil
	case "ucum":
		return append(dst, Value("http://unitsofmeasure.org")), nil
	case "sct":
		return append(dst, Value("http://snomed.info/sct")), nil
	case "loinc":
		return append(dst, Value("http://loinc.org")), nil
	}
	if c, ok := m.env.Vars[n.name]; ok {
		return append(dst, c...), m.spend(n, len(c)/itemsPerStep)
	}
	if len(n.name) > 4 && n.name[:4] == "ext-" {
		return append(dst, Value("http://hl7.org/fhir/StructureDefinition/"+n.name[4:])), nil
	}
	if len(n.name) > 3 && n.name[:3] == "vs-" {
		return append(dst, Value("http://hl7.org/fhir/ValueSet/"+n.name[3:])), nil
	}
	return nil, m.fault(n, "there is no variable %%%s", n.name)
}

func (m *machine) resource() Item {
	if it := m.env.Resource; it.code != "" {
		return it
	}
	return m.root
}

func (m *machine) rootResource() Item {
	if it := m.env.RootResource; it.code != "" {
		return it
	}
	return m.resource()
}

func (n *walk) eval(m *machine, f *frame, dst []Item) ([]Item, error) {
	if n.input == nil {
		if !f.has {
			return dst, nil
		}
		steps := n.steps
		if names := steps[0].name; names[0] >= 'A' && names[0] <= 'Z' && f.this.code != "" && m.model.defs.Is(f.this.code, names) {
			steps = steps[1:]
		}
		mark := len(dst)
		dst, err := m.walk(dst, n, steps, f.this)
		if err == nil && len(dst) == mark && m.env.Strict {
			err = m.strict(n, steps, []Item{f.this})
		}
		return dst, err
	}
	in, err := n.input.eval(m, f, m.take())
	if err != nil {
		return nil, err
	}
	mark := len(dst)
	for _, it := range in {
		if dst, err = m.walk(dst, n, n.steps, it); err != nil {
			return nil, err
		}
	}
	if len(dst) == mark && m.env.Strict {
		err = m.strict(n, n.steps, in)
	}
	m.give(in)
	return dst, err
}

// walk takes the steps from one item, depth first, which keeps document order.
func (m *machine) walk(dst []Item, n *walk, steps []*step, it Item) ([]Item, error) {
	if err := m.spend(n, 1); err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		return append(dst, it), m.room(n, len(dst))
	}
	if it.el == nil {
		v, ok := part(it.val, steps[0].name)
		if !ok {
			return dst, nil
		}
		return m.walk(dst, n, steps[1:], v)
	}
	fd := steps[0].field(m.model, it.el)
	if fd == nil {
		return dst, nil
	}
	if len(steps) == 1 {
		mark := len(dst)
		dst = m.model.members(dst, it, fd)
		if err := m.spend(n, (len(dst)-mark)/itemsPerStep); err != nil {
			return nil, err
		}
		return dst, m.room(n, len(dst))
	}
	next := m.model.members(m.take(), it, fd)
	var err error
	for _, x := range next {
		if dst, err = m.walk(dst, n, steps[1:], x); err != nil {
			return nil, err
		}
	}
	m.give(next)
	return dst, nil
}

// part is a member of a computed value.
func part(v any, name string) (Item, bool) {
	switch v := v.(type) {
	case TypeInfo:
		switch name {
		case "namespace":
			return Value(v.Namespace), true
		case "name":
			return Value(v.Name), true
		}
	case Quantity:
		switch name {
		case "value":
			return Value(v.Value), true
		case "unit":
			return Value(v.Unit), true
		}
	}
	return Item{}, false
}

// strict names the first step that none of the items can have.
func (m *machine) strict(n *walk, steps []*step, in []Item) error {
	for _, s := range steps {
		var next []Item
		possible := len(in) == 0
		for _, it := range in {
			if it.el == nil {
				possible = true
				continue
			}
			if fd := s.field(m.model, it.el); fd != nil {
				possible = true
				next = m.model.members(next, it, fd)
			}
		}
		if !possible {
			return m.fault(n, "nothing here can have a member %s", s.name)
		}
		in = next
	}
	return nil
}

func (n *index) eval(m *machine, f *frame, dst []Item) ([]Item, error) {
	in, err := n.input.eval(m, f, m.take())
	if err != nil {
		return nil, err
	}
	defer m.give(in)
	i, ok, err := m.integer(n.i, f)
	if err != nil || !ok || i < 0 || i >= int64(len(in)) {
		return dst, err
	}
	return append(dst, in[i]), nil
}

func (n *negate) eval(m *machine, f *frame, dst []Item) ([]Item, error) {
	it, ok, err := m.single(n.x, f)
	if err != nil || !ok {
		return dst, err
	}
	v, ok := negated(it.Value(), n.plus)
	if !ok {
		return nil, m.fault(n, "a sign needs a number or quantity")
	}
	return append(dst, Value(v)), nil
}

func (n *typeTest) eval(m *machine, f *frame, dst []Item) ([]Item, error) {
	in, err := n.x.eval(m, f, m.take())
	if err != nil {
		return nil, err
	}
	defer m.give(in)
	if n.as {
		return m.as(dst, n, in, n.t)
	}
	return m.isType(dst, n, in, n.t)
}

func (m *machine) isType(dst []Item, n node, in []Item, t typeName) ([]Item, error) {
	if !m.model.known(t) && t.space == "" {
		return nil, m.fault(n, "there is no type %s", t)
	}
	switch len(in) {
	case 0:
		return dst, nil
	case 1:
		return append(dst, Value(m.model.is(in[0], t, false))), nil
	}
	return nil, m.fault(n, "is needs one item, not several")
}

func (m *machine) as(dst []Item, n node, in []Item, t typeName) ([]Item, error) {
	if len(in) > 1 && !m.env.Each {
		return nil, m.fault(n, "as needs one item, not several; ofType takes several")
	}
	return m.ofType(dst, n, in, t)
}

func (m *machine) ofType(dst []Item, n node, in []Item, t typeName) ([]Item, error) {
	if !m.model.known(t) {
		return nil, m.fault(n, "there is no type %s", t)
	}
	for _, it := range in {
		if m.model.is(it, t, true) {
			dst = append(dst, it)
		}
	}
	return dst, nil
}

func (n *call) eval(m *machine, f *frame, dst []Item) ([]Item, error) {
	if err := m.spend(n, 1); err != nil {
		return nil, err
	}
	in := m.take()
	var err error
	if n.input != nil {
		if in, err = n.input.eval(m, f, in); err != nil {
			return nil, err
		}
	} else if f.has {
		in = append(in, f.this)
	}
	if err = m.spend(n, len(in)/itemsPerStep); err != nil {
		return nil, err
	}
	dst, err = n.fn.run(m, n, f, in, dst)
	if err != nil {
		return nil, err
	}
	m.give(in)
	return dst, m.room(n, len(dst))
}

// single evaluates an operand that must be one item or nothing.
func (m *machine) single(n node, f *frame) (Item, bool, error) {
	s, err := n.eval(m, f, m.take())
	if err != nil {
		return Item{}, false, err
	}
	defer m.give(s)
	switch len(s) {
	case 0:
		return Item{}, false, nil
	case 1:
		return s[0], true, nil
	}
	return Item{}, false, m.fault(n, "one item is needed here, not several")
}

// integer evaluates an operand that must be a whole number or nothing.
func (m *machine) integer(n node, f *frame) (int64, bool, error) {
	it, ok, err := m.single(n, f)
	if err != nil || !ok {
		return 0, false, err
	}
	i, ok := it.Value().(int64)
	if !ok {
		return 0, false, m.fault(n, "a whole number is needed here")
	}
	return i, true, nil
}

// text evaluates an operand that must be a string or nothing.
func (m *machine) text(n node, f *frame) (string, bool, error) {
	it, ok, err := m.single(n, f)
	if err != nil || !ok {
		return "", false, err
	}
	s, ok := it.Text()
	if !ok {
		return "", false, m.fault(n, "a string is needed here")
	}
	return s, true, nil
}

// truth is a boolean of three values.
type truth uint8

const (
	unknown truth = iota
	no
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// truth evaluates a condition. One item that is no boolean counts as true.
func (m *machine) truth(n node, f *frame) (truth, error) {
	s, err := n.eval(m, f, m.take())
	if err != nil {
		return unknown, err
	}
	defer m.give(s)
	switch len(s) {
	case 0:
		return unknown, nil
	case 1:
		switch s[0].node.Kind() {
		case fhir.True:
			return yes, nil
		case fhir.False:
			return no, nil
		}
		if b, ok := s[0].val.(bool); ok {
			return truthOf(b), nil
		}
		return yes, nil
	}
	return unknown, m.fault(n, "a condition is needed here, one item at most")
}
