package path

import (
	"cmp"
	"strings"

	"rapport/fhir"
)

func (n *binary) eval(m *machine, f *frame, dst []Item) ([]Item, error) {
	if err := m.spend(n, 1); err != nil {
		return nil, err
	}
	switch n.op {
	case "and", "or", "xor", "implies":
		t, err := n.logic(m, f)
		if err != nil || t == unknown {
			return dst, err
		}
		return append(dst, Value(t == yes)), nil
	}
	l, err := n.l.eval(m, f, m.take())
	if err != nil {
		return nil, err
	}
	defer m.give(l)
	r, err := n.r.eval(m, f, m.take())
	if err != nil {
		return nil, err
	}
	defer m.give(r)
	var t truth
	switch n.op {
	case "=", "!=":
		t, err = m.equal(n, l, r)
		if n.op == "!=" {
			t = opposite(t)
		}
	case "~", "!~":
		t, err = m.equivalent(n, l, r)
		if n.op == "!~" {
			t = opposite(t)
		}
	case "in":
		t, err = m.contains(n, r, l)
	case "contains":
		t, err = m.contains(n, l, r)
	case "<", ">", "<=", ">=":
		t, err = m.ordered(n, l, r)
	case "|":
		return m.union(dst, n, l, r)
	default:
		return m.arithmetic(dst, n, l, r)
	}
	if err != nil || t == unknown {
		return dst, err
	}
	return append(dst, Value(t == yes)), nil
}

func opposite(t truth) truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

// logic is three-valued; the right side is not looked at where the left decides.
func (n *binary) logic(m *machine, f *frame) (truth, error) {
	l, err := m.truth(n.l, f)
	if err != nil {
		return unknown, err
	}
	switch {
	case n.op == "and" && l == no, n.op == "or" && l == yes:
		return l, nil
	case n.op == "implies" && l == no:
		return yes, nil
	case n.op == "xor" && l == unknown:
		return unknown, nil
	}
	r, err := m.truth(n.r, f)
	if err != nil {
		return unknown, err
	}
	switch n.op {
	case "and":
		if r == no || l == yes {
			return r, nil
		}
		return unknown, nil
	case "or":
		if r == yes || l == no {
			return r, nil
		}
		return unknown, nil
	case "implies":
		if r == yes || l == yes {
			return r, nil
		}
		return unknown, nil
	}
	if r == unknown {
		return unknown, nil
	}
	return truthOf(l != r), nil
}

// equal compares collections in order; nothing on either side leaves it open.
func (m *machine) equal(n node, a, b []Item) (truth, error) {
	if len(a) == 0 || len(b) == 0 {
		return unknown, nil
	}
	if len(a) != len(b) {
		return no, nil
	}
	out := yes
	for i := range a {
		if err := m.spend(n, 1); err != nil {
			return unknown, err
		}
		switch m.same(a[i], b[i]) {
		case no:
			return no, nil
		case unknown:
			out = unknown
		}
	}
	return out, nil
}

// same compares two items as = does.
func (m *machine) same(a, b Item) truth {
	if s, ok := b.val.(string); ok && a.node.Kind() == fhir.Str && !momentCode(a.code) {
		m.steps -= len(s) / 256
		return truthOf(a.textIs(s))
	}
	if a.code != "" && b.code != "" && a.node.Kind() == fhir.Obj && b.node.Kind() == fhir.Obj && a.code != b.code {
		if qa, ok := a.Value().(Quantity); ok {
			if qb, ok := b.Value().(Quantity); ok {
				return sameValue(qa, qb)
			}
		}
		return no
	}
	va, vb := a.Value(), b.Value()
	if va != nil && vb != nil {
		if s, ok := va.(string); ok {
			m.steps -= len(s) / 256
		}
		return sameValue(va, vb)
	}
	if va != nil || vb != nil {
		return no
	}
	m.steps -= weight(a.node)
	return truthOf(a.code == b.code && sameNode(a.node, b.node) && (a.node.Exists() || sameNode(a.side, b.side)))
}

// weight is what comparing a node costs, in steps.
func weight(n fhir.Node) int {
	if !n.Exists() {
		return 0
	}
	return len(n.Raw()) / 64
}

func momentCode(code string) bool {
	return code == "date" || code == "dateTime" || code == "instant" || code == "time"
}

func sameValue(a, b any) truth {
	switch x := a.(type) {
	case bool:
		y, ok := b.(bool)
		return truthOf(ok && x == y)
	case string:
		y, ok := b.(string)
		return truthOf(ok && x == y)
	case Moment:
		y, ok := b.(Moment)
		if !ok || (x.kind == Time) != (y.kind == Time) {
			return no
		}
		c, known := x.Compare(y)
		if !known {
			return unknown
		}
		return truthOf(c == 0)
	case Quantity:
		y, ok := asQuantity(b)
		if !ok {
			return no
		}
		c, known := x.compare(y, false)
		if !known {
			if x.Calendar != y.Calendar {
				return unknown
			}
			return truthOf(false)
		}
		return truthOf(c == 0)
	case TypeInfo:
		y, ok := b.(TypeInfo)
		return truthOf(ok && x == y)
	}
	x, ok := decimalOf(a)
	if !ok {
		return no
	}
	if q, ok := b.(Quantity); ok {
		return sameValue(q, a)
	}
	y, ok := decimalOf(b)
	return truthOf(ok && x.Cmp(y) == 0)
}

func asQuantity(v any) (Quantity, bool) {
	if q, ok := v.(Quantity); ok {
		return q, true
	}
	d, ok := decimalOf(v)
	return Quantity{Value: d, Unit: "1"}, ok
}

// sameNode compares JSON without regard to member order, numbers by value.
func sameNode(a, b fhir.Node) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case fhir.Num:
		x, ok := parseDecimal(a.Decimal())
		y, ok2 := parseDecimal(b.Decimal())
		return ok && ok2 && x.Cmp(y) == 0
	case fhir.Arr:
		if a.Len() != b.Len() {
			return false
		}
		var bs []fhir.Node
		for y := range b.Elements() {
			bs = append(bs, y)
		}
		i := 0
		for x := range a.Elements() {
			if !sameNode(x, bs[i]) {
				return false
			}
			i++
		}
		return true
	case fhir.Obj:
		if a.Len() != b.Len() {
			return false
		}
		for name, x := range a.Members() {
			if !sameNode(x, b.Get(name)) {
				return false
			}
		}
		return true
	}
	return a.Same(b)
}

// equivalent compares collections without regard to order and loosely.
func (m *machine) equivalent(n node, a, b []Item) (truth, error) {
	if len(a) != len(b) {
		return no, nil
	}
	used := make([]bool, len(b))
next:
	for _, x := range a {
		for i, y := range b {
			if err := m.spend(n, 1); err != nil {
				return unknown, err
			}
			if !used[i] && m.alike(x, y) {
				used[i] = true
				continue next
			}
		}
		return no, nil
	}
	return yes, nil
}

// alike compares two items as ~ does.
func (m *machine) alike(a, b Item) bool {
	va, vb := a.Value(), b.Value()
	m.steps -= weight(a.node)
	if va == nil || vb == nil {
		return va == nil && vb == nil && a.code == b.code && alikeNode(a.node, b.node)
	}
	switch x := va.(type) {
	case string:
		y, ok := vb.(string)
		return ok && loose(x) == loose(y)
	case Moment:
		y, ok := vb.(Moment)
		return ok && x.zone == y.zone && x.prec == y.prec && sameValue(x, y) == yes
	case Quantity:
		y, ok := asQuantity(vb)
		return ok && x.alike(y)
	}
	x, ok := decimalOf(va)
	if !ok {
		return sameValue(va, vb) == yes
	}
	y, ok := decimalOf(vb)
	return ok && alikeDecimal(x, y)
}

// loose is how strings compare that need only be equivalent.
func loose(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }

func alikeNode(a, b fhir.Node) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case fhir.Str:
		return loose(a.Text()) == loose(b.Text())
	case fhir.Obj:
		if a.Len() != b.Len() {
			return false
		}
		for name, x := range a.Members() {
			if !alikeNode(x, b.Get(name)) {
				return false
			}
		}
		return true
	}
	return sameNode(a, b)
}

// contains asks for one item among several.
func (m *machine) contains(n node, all, one []Item) (truth, error) {
	if len(one) == 0 {
		return unknown, nil
	}
	if len(one) > 1 {
		return unknown, m.fault(n, "one item is looked for, not several")
	}
	ok, err := m.among(n, one[0], all)
	return truthOf(ok), err
}

func (m *machine) among(n node, it Item, all []Item) (bool, error) {
	if err := m.spend(n, 1+len(all)); err != nil {
		return false, err
	}
	for _, x := range all {
		if m.same(x, it) == yes {
			return true, nil
		}
	}
	return false, nil
}

// union appends what is in either, each once.
func (m *machine) union(dst []Item, n node, parts ...[]Item) ([]Item, error) {
	mark := len(dst)
	for _, p := range parts {
		for _, it := range p {
			ok, err := m.among(n, it, dst[mark:])
			if err != nil {
				return nil, err
			}
			if !ok {
				dst = append(dst, it)
			}
		}
	}
	return dst, nil
}

// ordered is < and its kin.
func (m *machine) ordered(n *binary, l, r []Item) (truth, error) {
	if len(l) == 0 || len(r) == 0 {
		return unknown, nil
	}
	if len(l) > 1 || len(r) > 1 {
		return unknown, m.fault(n, "%s compares one item with one", n.op)
	}
	c, known, ok := order(l[0].Value(), r[0].Value())
	if !ok {
		return unknown, m.fault(n, "%s cannot compare values of these types", n.op)
	}
	if !known {
		return unknown, nil
	}
	switch n.op {
	case "<":
		return truthOf(c < 0), nil
	case ">":
		return truthOf(c > 0), nil
	case "<=":
		return truthOf(c <= 0), nil
	}
	return truthOf(c >= 0), nil
}

// order compares two values; ok is false where their types have no order.
func order(a, b any) (c int, known, ok bool) {
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return cmp.Compare(x, y), true, ok
	case Moment:
		y, ok := b.(Moment)
		if !ok || (x.kind == Time) != (y.kind == Time) {
			return 0, false, false
		}
		c, known = x.Compare(y)
		return c, known, true
	case Quantity:
		y, ok := asQuantity(b)
		if !ok {
			return 0, false, false
		}
		c, known = x.compare(y, false)
		return c, known, true
	}
	x, ok := decimalOf(a)
	if !ok {
		return 0, false, false
	}
	if q, isQ := b.(Quantity); isQ {
		one, _ := asQuantity(a)
		c, known = one.compare(q, false)
		return c, known, true
	}
	y, ok := decimalOf(b)
	if !ok {
		return 0, false, false
	}
	return x.Cmp(y), true, true
}
