package search

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"rapport/fhir"
	"rapport/fhir/path"
	"rapport/fhir/spec"
)

// Engine knows the parameters that are served. It is immutable and safe for
// concurrent use.
type Engine struct {
	served *spec.Served
	bases  []string
	env    *path.Env
	model  *path.Model
	types  map[string][]*param
	stubs  map[string]path.Item // a resource of each type of which nothing else is known
	lists  sync.Pool            // of *path.Collection
}

// param is a served parameter made ready.
type param struct {
	spec.Param
	alternatives []alternative
	targets      []string // reference: the types it may name; nil: any
	// literal says whether a reference parameter selects References. The others
	// select canonicals, which name no resource by key and lead nowhere in a store.
	literal func() bool
}

// alternative is one of the paths that an expression joins with «|».
type alternative struct {
	expr *path.Expr
	// codes is the value set that a code found here is bound to; nil: none.
	codes func() *spec.ValueSet
}

// New compiles what is served. bases are absolute URLs, without a trailing slash,
// under which our own resources may be named: a reference to one is then the same
// as a relative reference. It fails where the definitions and served do not fit.
func New(defs *spec.Definitions, served *spec.Served, bases ...string) (*Engine, error) {
	e := &Engine{served: served, types: map[string][]*param{}, stubs: map[string]path.Item{}}
	for _, b := range bases {
		e.bases = append(e.bases, strings.TrimSuffix(b, "/")+"/")
	}
	e.model = path.R4()
	if defs != spec.R4() {
		e.model = path.NewModel(defs)
	}
	for _, name := range defs.ResourceTypes() {
		if it, ok := e.model.Stub(name); ok {
			e.stubs[name] = it
		}
	}
	e.env = &path.Env{Model: e.model, Each: true, Resolve: e.stub}
	for _, t := range served.Types {
		for _, sp := range t.Params {
			p, err := ready(defs, t.Name, sp)
			if err != nil {
				return nil, fmt.Errorf("search: %s: %s: %w", t.Name, sp.Code, err)
			}
			e.types[t.Name] = append(e.types[t.Name], p)
		}
	}
	return e, nil
}

func ready(defs *spec.Definitions, typ string, sp spec.Param) (*param, error) {
	p := &param{Param: sp}
	switch sp.Kind {
	case fhir.Special:
		return p, nil
	case fhir.Number, fhir.Quantity:
		return nil, fmt.Errorf("parameters of type %s are not indexed", sp.Type)
	}
	for _, src := range alternatives(sp.Expression) {
		x, err := path.Compile(src)
		if err != nil {
			return nil, err
		}
		p.alternatives = append(p.alternatives, alternative{expr: x, codes: sync.OnceValue(func() *spec.ValueSet { return boundTo(defs, src) })})
	}
	if sp.Kind == fhir.Reference {
		p.targets = targets(sp)
		p.literal = sync.OnceValue(func() bool {
			return slices.ContainsFunc(alternatives(sp.Expression), func(src string) bool {
				el, ok := elementOf(defs, src)
				if !ok {
					return false
				}
				_, ok = el.Type("Reference")
				return ok
			})
		})
	}
	return p, nil
}

// param returns a served parameter.
func (e *Engine) param(typ, code string) (*param, bool) {
	ps := e.types[typ]
	i, ok := slices.BinarySearchFunc(ps, code, func(p *param, code string) int { return strings.Compare(p.Code, code) })
	if !ok {
		return nil, false
	}
	return ps[i], true
}

// alternatives splits an expression at each «|» that stands outside parentheses
// and strings.
func alternatives(src string) []string {
	var out []string
	depth, quoted, from := 0, false, 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			out = append(out, strings.TrimSpace(src[from:i]))
			from = i + 1
		}
	}
	return append(out, strings.TrimSpace(src[from:]))
}

// onlyOf is how R4 writes that a parameter is for references to one type.
const onlyOf = ".where(resolve() is "

// targets returns the types that a reference parameter may name: those of its
// definition, or the one that each alternative filters for. nil: any.
func targets(p spec.Param) []string {
	var only []string
	for _, src := range alternatives(p.Expression) {
		_, after, ok := strings.Cut(src, onlyOf)
		if !ok {
			if slices.Contains(p.Targets, "Resource") {
				return nil
			}
			return p.Targets
		}
		if typ := strings.TrimSuffix(after, ")"); !slices.Contains(only, typ) {
			only = append(only, typ)
		}
	}
	return only
}

// names reports whether a reference parameter may name a resource of typ.
func (p *param) names(typ string) bool { return p.targets == nil || slices.Contains(p.targets, typ) }

// Follows reports whether an include "Type:parameter" or a chain can follow a
// reference parameter that is served: whether it names resources by key.
func (e *Engine) Follows(include string) bool {
	typ, code, _ := strings.Cut(include, ":")
	p, ok := e.param(typ, code)
	return ok && p.Kind == fhir.Reference && p.literal()
}

// elementOf returns the element that an expression's path leads to.
func elementOf(defs *spec.Definitions, src string) (*spec.Element, bool) {
	names := strings.Split(leadingPath(src), ".")
	t, ok := defs.Type(names[0])
	if !ok {
		return nil, false
	}
	e := t.Root()
	for _, name := range names[1:] {
		next, ok := e.Field(name)
		if !ok {
			break // a function: it filters, the element stays
		}
		e = next
	}
	return e, true
}

// boundTo returns the value set of the required binding of the element that an
// expression selects; nil if there is none.
func boundTo(defs *spec.Definitions, src string) *spec.ValueSet {
	e, ok := elementOf(defs, src)
	if !ok {
		return nil
	}
	url, ok := e.Required()
	if !ok {
		return nil
	}
	vs, ok := defs.Codes(url)
	if !ok || vs.Open {
		return nil
	}
	return vs
}

// leadingPath cuts what is no name or dot off the end: "(Group.value as boolean)"
// begins with the path "Group.value".
func leadingPath(src string) string {
	src = strings.TrimLeft(src, "( ")
	for i := 0; i < len(src); i++ {
		if c := src[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' {
			return src[:i]
		}
	}
	return src
}
