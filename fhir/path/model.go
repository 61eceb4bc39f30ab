package path

import (
	"slices"
	"strings"
	"sync"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// Model knows the FHIR types: which members an element has and what they are. It
// is safe for concurrent use. It reads the definitions as they are needed.
type Model struct {
	defs   *spec.Definitions
	shapes sync.Map // *spec.Element → *shape
}

// NewModel makes a model of definitions.
func NewModel(defs *spec.Definitions) *Model { return &Model{defs: defs} }

// R4 is the model of FHIR R4 (4.0.1).
var R4 = sync.OnceValue(func() *Model { return NewModel(spec.R4()) })

// shape is what FHIRPath sees of an element: members by the names it uses.
type shape struct {
	order  []*field
	byName map[string]*field
}

// field is a member: value for value[x], whatever its type.
type field struct {
	name string
	alts []alternative
	stem []byte // of a choice: what its JSON names begin with
}

// alternative is one JSON member that a field may stand in.
type alternative struct {
	json, side string // side is "" where JSON knows no "_name"
	code       string
	in         *spec.Element // whose children it has
	resource   bool          // its type is what its resourceType says
}

func (m *Model) shape(e *spec.Element) *shape {
	if s, ok := m.shapes.Load(e); ok {
		return s.(*shape)
	}
	s := &shape{byName: map[string]*field{}}
	for _, c := range e.Children() {
		f := &field{name: c.Stem()}
		for _, t := range c.Types {
			f.alts = append(f.alts, m.alternative(c, t.Code, c.JSONName(t.Code)))
		}
		if len(c.Types) == 0 {
			f.alts = append(f.alts, m.alternative(c, "", c.Name))
		}
		if len(f.alts) > 1 {
			f.stem = []byte(f.name)
		}
		s.order = append(s.order, f)
		s.byName[f.name] = f
	}
	got, _ := m.shapes.LoadOrStore(e, s)
	return got.(*shape)
}

func (m *Model) alternative(c *spec.Element, code, json string) alternative {
	a := alternative{json: json, code: code, in: c.As(code)}
	if code == "" { // takes its content from another element
		a.code = "BackboneElement"
	}
	t, ok := m.defs.Type(code)
	switch {
	case !ok:
	case t.Kind == spec.Primitive:
		a.side = "_" + json
	case code == "Resource":
		a.resource = true
	}
	return a
}

// field returns the member of e that FHIRPath calls name.
func (s *step) field(m *Model, e *spec.Element) *field {
	if h := s.last.Load(); h != nil && h.from == e {
		return h.field
	}
	f := m.shape(e).byName[s.name]
	s.last.Store(&hit{from: e, field: f})
	return f
}

// Resource makes an item of a resource, whose type is known by its resourceType.
func (m *Model) Resource(n fhir.Node) (Item, bool) {
	code := n.Get("resourceType").Text()
	t, ok := m.defs.Type(code)
	if !ok || t.Kind != spec.Resource {
		return Item{}, false
	}
	return Item{node: n, el: t.Root(), code: code}, true
}

// Element makes an item of an element that e defines and whose type is code;
// side is its "_name" member if it is a primitive and has one.
func (m *Model) Element(e *spec.Element, code string, n, side fhir.Node) Item {
	if code == "Resource" {
		if it, ok := m.Resource(n); ok {
			return it
		}
	}
	if code == "" {
		code = "BackboneElement"
	}
	return Item{node: n, side: side, el: e.As(code), code: code}
}

// Stub makes an item of a resource of which only the type is known, for
// [Env.Resolve] where expressions ask no more than «resolve() is Patient».
func (m *Model) Stub(typ string) (Item, bool) {
	t, ok := m.defs.Type(typ)
	if !ok || t.Kind != spec.Resource {
		return Item{}, false
	}
	return Item{el: t.Root(), code: typ}, true
}

// members appends what field f of it holds.
func (m *Model) members(dst []Item, it Item, f *field) []Item {
	obj := it.node
	if obj.Kind() != fhir.Obj { // a primitive: id and extension stand beside it
		obj = it.side
	}
	if f.stem == nil {
		a := &f.alts[0]
		v := obj.Get(a.json)
		var side fhir.Node
		if a.side != "" {
			side = obj.Get(a.side)
		}
		return m.put(dst, a, v, side)
	}
	for name := range obj.Members() {
		plain := strings.TrimPrefix(name, "_")
		if len(plain) <= len(f.stem) || plain[:len(f.stem)] != string(f.stem) {
			continue
		}
		if i := slices.IndexFunc(f.alts, func(a alternative) bool { return a.json == plain }); i >= 0 {
			a := &f.alts[i]
			return m.put(dst, a, obj.Get(a.json), obj.Get(a.side))
		}
	}
	return dst
}

// put appends a member's value, each element of it where it is an array.
func (m *Model) put(dst []Item, a *alternative, v, side fhir.Node) []Item {
	if !v.Exists() && !side.Exists() {
		return dst
	}
	if v.Kind() != fhir.Arr && side.Kind() != fhir.Arr {
		return m.one(dst, a, v, side)
	}
	if !side.Exists() {
		for x := range v.Elements() {
			dst = m.one(dst, a, x, fhir.Node{})
		}
		return dst
	}
	vs, sides := slices.Collect(v.Elements()), slices.Collect(side.Elements())
	for i := range max(len(vs), len(sides)) {
		var x, y fhir.Node
		if i < len(vs) {
			x = vs[i]
		}
		if i < len(sides) {
			y = sides[i]
		}
		dst = m.one(dst, a, x, y)
	}
	return dst
}

func (m *Model) one(dst []Item, a *alternative, v, side fhir.Node) []Item {
	if v.Kind() == fhir.Null {
		v = fhir.Node{}
	}
	if side.Kind() != fhir.Obj {
		side = fhir.Node{}
	}
	if !v.Exists() && !side.Exists() {
		return dst
	}
	if a.resource {
		it, ok := m.Resource(v)
		if !ok {
			return dst
		}
		return append(dst, it)
	}
	return append(dst, Item{node: v, side: side, el: a.in, code: a.code})
}

// children appends all members of it in the order of the definition.
func (m *Model) children(dst []Item, it Item) []Item {
	if it.el == nil {
		return dst
	}
	for _, f := range m.shape(it.el).order {
		dst = m.members(dst, it, f)
	}
	return dst
}

// systemTypes are the types that literals and computed values have.
var systemTypes = []string{"Any", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"}

// known reports whether a type specifier names a type at all.
func (m *Model) known(t typeName) bool {
	if t.space != "FHIR" && slices.Contains(systemTypes, t.name) {
		return true
	}
	_, ok := m.defs.Type(t.name)
	return ok && t.space != "System"
}

// is reports whether an item is of a type or of one that derives from it. strict
// keeps primitive types apart: a code is no string then.
func (m *Model) is(it Item, t typeName, strict bool) bool {
	if it.code == "" {
		return t.space != "FHIR" && (t.name == systemName(it.val) || t.name == "Any")
	}
	if t.space == "System" {
		return false
	}
	if it.code == t.name {
		return true
	}
	if strict {
		if d, ok := m.defs.Type(it.code); ok && d.Kind == spec.Primitive {
			return false
		}
	}
	return m.defs.Is(it.code, t.name)
}
