package validate

import (
	"sync/atomic"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// shape is what the walk needs to know of an element with children, or of a
// whole type, ready for look-ups by JSON member name.
type shape struct {
	name           string // for messages: "Observation.component"
	fields         map[string]*field
	required       []*field // one for each element with a minimum
	resource       bool
	extension      bool  // it is Extension: value and extension exclude each other
	period         bool  // it is Period: its end is not before its start
	value, ext, id uint8 // numbers of value[x], extension and id among the elements
}

// field is what one member name of a shape stands for.
type field struct {
	name      string
	number    uint8 // of its element among those of the shape; names of one choice share it
	choice    bool
	companion bool // "_name": id and extensions of a primitive
	list      bool
	max       int
	prim      *primitive // nil: an object
	anything  bool       // any resource: contained, Bundle.entry.resource
	code      string
	codes     *spec.ValueSet // of a required binding
	targets   []string       // of a Reference; nil: any
	modifier  bool           // modifierExtension
	absolute  bool           // a URI that must name its scheme
	inside    atomic.Pointer[shape]
	inner     *spec.Element // whose children inside has
}

// absolute are the elements whose URI means nothing without a scheme. Canonicals
// in general are not among them: R4's own examples have relative ones.
var absolute = map[string]bool{"Coding.system": true, "Identifier.system": true, "Quantity.system": true, "Bundle.entry.fullUrl": true, "Meta.profile": true}

// shapeOfType returns the shape of a resource type, nil if there is no such.
func (v *Validator) shapeOfType(name string) *shape {
	if s, ok := v.byType.Load(name); ok {
		return s.(*shape)
	}
	if !v.resources[name] {
		return nil
	}
	t, _ := v.defs.Type(name)
	s := v.shapeOf(t.Root())
	v.byType.Store(name, s)
	return s
}

func (v *Validator) inside(f *field) *shape {
	if s := f.inside.Load(); s != nil {
		return s
	}
	s := v.shapeOf(f.inner)
	f.inside.Store(s)
	return s
}

func (v *Validator) shapeOf(e *spec.Element) *shape {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, ok := v.shapes[e]; ok {
		return s
	}
	s := &shape{name: e.Path, fields: map[string]*field{}, resource: v.resources[e.Path], extension: e.Path == "Extension", period: e.Path == "Period"}
	if len(e.Children()) > 64 {
		panic("validate: " + e.Path + " has more elements than the walk can count")
	}
	for i, c := range e.Children() {
		n := uint8(i)
		switch c.Name {
		case "id":
			s.id = n
		case "extension":
			s.ext = n
		case "value[x]":
			s.value = n
		}
		var first *field
		if c.ContentOf != "" {
			first = v.field(c, spec.TypeRef{}, n)
			s.fields[c.Name] = first
		}
		for _, ref := range c.Types {
			f := v.field(c, ref, n)
			s.fields[f.name] = f
			if first == nil {
				first = f
			}
			if f.prim != nil && !ref.Bare && f.code != "xhtml" {
				s.fields["_"+f.name] = v.companion(f)
			}
		}
		if c.Min > 0 {
			s.required = append(s.required, first)
		}
	}
	v.shapes[e] = s
	return s
}

func (v *Validator) field(e *spec.Element, ref spec.TypeRef, number uint8) *field {
	f := &field{name: e.JSONName(ref.Code), number: number, choice: e.Choice(), list: e.List, max: e.Max, code: ref.Code,
		modifier: e.Name == "modifierExtension", inner: e.As(ref.Code)}
	if t, ok := v.defs.Type(ref.Code); ok && t.Kind == spec.Primitive {
		f.prim = primitives[ref.Code]
	}
	if ref.Profile != "" {
		if t, ok := v.defs.Type(ref.Profile); ok && t.Profile {
			f.inner = t.Root()
		}
	}
	f.anything = ref.Code == "Resource"
	f.absolute = absolute[e.Path]
	if set, ok := e.Required(); ok {
		if codes, ok := v.defs.Codes(set); ok && !codes.Open {
			f.codes = codes
		}
	}
	if ref.Code == "Reference" {
		f.targets = ref.Targets
		for _, t := range ref.Targets {
			if t == "Resource" {
				f.targets = nil
			}
		}
	}
	return f
}

func (v *Validator) companion(of *field) *field {
	t, _ := v.defs.Type("Element")
	return &field{name: "_" + of.name, number: of.number, choice: of.choice, list: of.list, max: of.max, code: "Element", companion: true, inner: t.Root()}
}

// kindName names a JSON kind for a message.
func kindName(k fhir.Kind) string {
	switch k {
	case fhir.Null:
		return "null"
	case fhir.True, fhir.False:
		return "a boolean"
	case fhir.Num:
		return "a number"
	case fhir.Str:
		return "a string"
	case fhir.Arr:
		return "an array"
	case fhir.Obj:
		return "an object"
	}
	return "nothing"
}
