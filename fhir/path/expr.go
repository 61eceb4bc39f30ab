package path

import (
	"sync"
	"time"

	"rapport/fhir"
)

// Expr is a compiled expression. It is immutable and safe for concurrent use.
type Expr struct {
	src  string
	root node
	pool sync.Pool // of *machine
}

// Compile parses an expression. Errors are *fhir.Error of code [fhir.Invalid] (or
// [fhir.TooLong]) and name line and column.
//
// Source: https://hl7.org/fhirpath/N1/grammar.html
func Compile(src string) (*Expr, error) {
	root, err := parse(src)
	if err != nil {
		return nil, err
	}
	return &Expr{src: src, root: root}, nil
}

// MustCompile compiles an expression of our own and panics if it cannot be.
func MustCompile(src string) *Expr {
	x, err := Compile(src)
	if err != nil {
		panic(err)
	}
	return x
}

// String returns the expression as it was written.
func (x *Expr) String() string { return x.src }

// Env is what an evaluation may use besides the document. The zero Env is that
// of FHIR R4 without clock, resolver and variables of its own.
type Env struct {
	// Model knows the types; nil: [R4].
	Model *Model
	// Resource is %resource, the resource that holds the context; the zero Item: the
	// context itself. RootResource is %rootResource, the container of a contained
	// resource; the zero Item: Resource.
	Resource, RootResource Item
	// Vars are further %names.
	Vars map[string]Collection
	// Now is now() and, cut, today() and timeOfDay(). With the zero time they fail.
	Now time.Time
	// Resolve finds what a reference or canonical names. «#id» is looked up in
	// %rootResource before. nil: resolve() gives nothing.
	Resolve func(reference string) (Item, bool)
	// Conforms answers conformsTo(); ok false: the profile is not known. nil: only
	// the base types are.
	Conforms func(it Item, profile string) (conforms, ok bool)
	// MemberOf answers memberOf(); nil: it fails.
	MemberOf func(it Item, valueSet string) (member, ok bool)
	// Trace is told what trace() lets pass: PHI, not for a log. nil: nobody.
	Trace func(name string, c Collection)
	// Each makes «as» keep those of several items that are of the type. R4's search
	// parameters need it; FHIRPath itself says that it is an error.
	Each bool
	// Strict makes it an error to name a member that none of the items can have.
	Strict bool
	// Steps bounds the work of one evaluation, 0: one million. Beyond it and beyond
	// a hundred thousand items an evaluation ends with [fhir.TooCostly].
	Steps int
}

const (
	maxSteps = 1_000_000
	maxItems = 100_000
	maxText  = 1 << 20
)

// Eval evaluates the expression on a resource.
func (x *Expr) Eval(env *Env, root fhir.Node) (Collection, error) {
	it, ok := env.model().Resource(root)
	if !ok {
		return nil, fhir.Errorf(fhir.Invalid, "resourceType", "FHIRPath needs a resource of a type that FHIR R4 knows")
	}
	return x.On(env, it)
}

// On evaluates the expression on any item: [Model.Element] makes one.
func (x *Expr) On(env *Env, it Item) (Collection, error) { return x.Append(nil, env, it) }

// Append is On that appends to dst and so saves making a slice.
func (x *Expr) Append(dst Collection, env *Env, it Item) (Collection, error) {
	m, _ := x.pool.Get().(*machine)
	if m == nil {
		m = &machine{}
	}
	m.begin(x.src, env, it)
	f := frame{this: it, has: true}
	out, err := x.root.eval(m, &f, dst)
	m.end()
	x.pool.Put(m)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Holds evaluates the expression as a condition: what an invariant or enableWhen
// asks. Nothing is false; one item that is no boolean is true, since it is there.
func (x *Expr) Holds(env *Env, it Item) (bool, error) {
	c, err := x.On(env, it)
	if err != nil {
		return false, err
	}
	switch len(c) {
	case 0:
		return false, nil
	case 1:
		if b, ok := c.Bool(); ok {
			return b, nil
		}
		return true, nil
	}
	return false, fhir.Errorf(fhir.Invalid, "", "FHIRPath: a condition gave several items where one is needed")
}

func (e *Env) model() *Model {
	if e == nil || e.Model == nil {
		return R4()
	}
	return e.Model
}

// frame is what changes with each item that a lambda is evaluated on.
type frame struct {
	this  Item
	has   bool // false: $this is empty
	index int
	total []Item
	vars  *binding
}

// binding is a variable made by defineVariable.
type binding struct {
	name  string
	value []Item
	outer *binding
}

// machine runs one evaluation.
type machine struct {
	src   string
	env   *Env
	model *Model
	root  Item
	steps int
	free  [][]Item // slices to use again
	zero  Env
}

func (m *machine) begin(src string, env *Env, it Item) {
	if env == nil {
		env = &m.zero
	}
	m.src, m.env, m.model, m.root, m.steps = src, env, env.model(), it, env.Steps
	if m.steps <= 0 {
		m.steps = maxSteps
	}
}

// end forgets the document, so that a pooled machine does not keep it.
func (m *machine) end() {
	m.env, m.root = nil, Item{}
	for _, s := range m.free {
		clear(s[:cap(s)])
	}
	if len(m.free) > 8 {
		m.free = m.free[:8]
	}
}

// spend counts n pieces of work.
func (m *machine) spend(n node, work int) error {
	if m.steps -= work; m.steps < 0 {
		return fault(fhir.TooCostly, m.src, n.at(), "the evaluation takes more steps than are allowed")
	}
	return nil
}

// room checks the size of a result.
func (m *machine) room(n node, items int) error {
	if items > maxItems {
		return fault(fhir.TooCostly, m.src, n.at(), "there are more than %d items", maxItems)
	}
	return nil
}

func (m *machine) fault(n node, format string, args ...any) error {
	return fault(fhir.Invalid, m.src, n.at(), format, args...)
}

// take lends an empty slice, give takes it back.
func (m *machine) take() []Item {
	if n := len(m.free); n > 0 {
		s := m.free[n-1]
		m.free = m.free[:n-1]
		return s[:0]
	}
	return make([]Item, 0, 4)
}

func (m *machine) give(s []Item) {
	if cap(s) <= 256 {
		m.free = append(m.free, s)
	}
}
