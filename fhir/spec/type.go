package spec

import (
	"bytes"
	"strings"
	"sync"
)

// Kind says what a [Type] is.
type Kind string

// The kinds, as StructureDefinition.kind names them.
const (
	Resource  Kind = "resource"
	Complex   Kind = "complex-type"
	Primitive Kind = "primitive-type"
)

// Unbounded is an Element's Max without a limit.
const Unbounded = -1

// Type is a resource type or datatype.
type Type struct {
	Name     string
	Kind     Kind
	Base     string // what it derives from; "" for Element and Resource
	Abstract bool   // none can exist by itself: Resource, Element, BackboneElement …
	Profile  bool   // a profile that the specification types elements with, not a type of its own
	Regex    string // of a Primitive: what its text must match as a whole
	// Elements is the snapshot in the order of the definition, the root first.
	// The value of a Primitive is not among them.
	Elements []*Element
	defs     *Definitions
	byPath   map[string]*Element
}

// Root returns the element that stands for the whole type.
func (t *Type) Root() *Element { return t.Elements[0] }

// Element returns an element by its path as the definition writes it:
// "Observation.component.value[x]".
func (t *Type) Element(path string) (*Element, bool) {
	e, ok := t.byPath[path]
	return e, ok
}

// Element is one element of a [Type].
type Element struct {
	Path        string    // "Observation.component.value[x]"
	Name        string    // the last part of Path: "value[x]"
	Min, Max    int       // how often it occurs; Max [Unbounded]
	List        bool      // JSON writes it as an array
	Types       []TypeRef // what it may be; none for a root or where ContentOf is set
	ContentOf   string    // its children are those of the element with this path
	Binding     *Binding  // nil: none
	Modifier    bool      // it changes the meaning of what it stands in
	Summary     bool      // it belongs to _summary=true
	constraints []string
	owner       *Type
	children    map[string]child // by JSON name
	order       []*Element
}

// TypeRef is one type that an element may have.
type TypeRef struct {
	Code string // "Quantity", "Reference", "BackboneElement"
	// Bare: an attribute without id and extensions, so that JSON knows no "_name"
	// beside it: Element.id, Extension.url.
	Bare    bool
	Profile string   // "SimpleQuantity"; "" mostly
	Targets []string // Reference, canonical: the types that may be named; "Resource": any
}

// Binding ties an element's codes to a value set.
type Binding struct {
	Strength string // required, extensible, preferred, example
	ValueSet string // canonical without version
}

// Constraint is an invariant.
type Constraint struct {
	Key        string // "obs-6"
	Severity   string // error, warning
	Human      string
	Expression string // FHIRPath, evaluated on the element that has the constraint
}

type child struct {
	e    *Element
	code string
}

// Child returns the element that JSON member name of e belongs to and the code
// of its type: for valueQuantity the element value[x] and "Quantity". Where e has
// no children of its own they are those of the element that it takes its content
// from, or of its datatype; of an element that may have several types, ask [Element.As] first.
func (e *Element) Child(name string) (*Element, string, bool) {
	c, ok := e.inside().children[name]
	return c.e, c.code, ok
}

// Field returns a child by the name that FHIRPath uses: "value" for value[x].
func (e *Element) Field(name string) (*Element, bool) {
	for _, c := range e.Children() {
		if c.Stem() == name {
			return c, true
		}
	}
	return nil, false
}

// Children returns the child elements in the order of the definition.
func (e *Element) Children() []*Element { return e.inside().order }

// As returns the element whose children e has when its type is code: the root of
// a datatype, the element that its content is taken from, or e itself.
func (e *Element) As(code string) *Element {
	if len(e.order) > 0 {
		return e
	}
	if e.ContentOf != "" {
		if c, ok := e.owner.byPath[e.ContentOf]; ok {
			return c
		}
	}
	if t, ok := e.owner.defs.Type(code); ok {
		return t.Root()
	}
	return e
}

func (e *Element) inside() *Element {
	if len(e.order) > 0 {
		return e
	}
	code := ""
	if len(e.Types) == 1 {
		code = e.Types[0].Code
	}
	return e.As(code)
}

// Choice reports whether e may have one of several types and JSON names it by
// stem and type: value[x].
func (e *Element) Choice() bool { return strings.HasSuffix(e.Name, "[x]") }

// Stem returns the name without [x].
func (e *Element) Stem() string { return strings.TrimSuffix(e.Name, "[x]") }

// JSONName returns the member name under which e stands when its type is code.
func (e *Element) JSONName(code string) string {
	if !e.Choice() {
		return e.Name
	}
	return e.Stem() + strings.ToUpper(code[:1]) + code[1:]
}

// Type returns the TypeRef with that code.
func (e *Element) Type(code string) (TypeRef, bool) {
	for _, t := range e.Types {
		if t.Code == code {
			return t, true
		}
	}
	return TypeRef{}, false
}

// Required reports whether e has a required binding, and to what.
func (e *Element) Required() (valueSet string, ok bool) {
	if e.Binding == nil || e.Binding.Strength != "required" {
		return "", false
	}
	return e.Binding.ValueSet, true
}

// Constraints returns the invariants that the definition places on e, those
// inherited by the type included. What holds of e's datatype stands at the
// datatype's root, ele-1 and ext-1 at those of Element and Extension.
func (e *Element) Constraints() []*Constraint {
	out := make([]*Constraint, 0, len(e.constraints))
	for _, id := range e.constraints {
		out = append(out, e.owner.defs.rules()[id])
	}
	return out
}

// lazyType decodes a line at the first need.
type lazyType struct {
	line []byte
	get  func() *Type
}

// kind and abstract look at the line's head without decoding it.
func (l *lazyType) kind() Kind {
	_, rest, _ := bytes.Cut(l.line, []byte(`"kind":"`))
	kind, _, _ := bytes.Cut(rest, []byte{'"'})
	return Kind(kind)
}

func (l *lazyType) abstract() bool {
	head, _, _ := bytes.Cut(l.line, []byte(`"elements":`))
	return bytes.Contains(head, []byte(`"abstract":true`))
}

func (d *Definitions) readTypes() map[string]*lazyType {
	out := make(map[string]*lazyType, 256)
	for name, line := range lines("types") {
		out[name] = &lazyType{line: line, get: sync.OnceValue(func() *Type { return d.decodeType(name, line) })}
	}
	return out
}

func readRules() map[string]*Constraint {
	out := make(map[string]*Constraint, 256)
	for id, line := range lines("rules") {
		c := &Constraint{}
		decode(id, line, c)
		out[id] = c
	}
	return out
}

type lineType struct {
	Kind     Kind          `json:"kind"`
	Base     string        `json:"base"`
	Abstract bool          `json:"abstract"`
	Profile  bool          `json:"profile"`
	Regex    string        `json:"regex"`
	Elements []lineElement `json:"elements"`
}

type lineElement struct {
	Path  string `json:"p"`
	Min   int    `json:"min"`
	Max   string `json:"max"`
	Types []struct {
		Code    string   `json:"c"`
		Bare    bool     `json:"bare"`
		Profile string   `json:"p"`
		Targets []string `json:"to"`
	} `json:"t"`
	Content  string   `json:"ref"`
	Strength string   `json:"bind"`
	ValueSet string   `json:"vs"`
	Rules    []string `json:"rules"`
	Modifier bool     `json:"mod"`
	Summary  bool     `json:"sum"`
}
