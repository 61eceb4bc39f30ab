package path

import (
	"sync/atomic"

	"rapport/fhir/spec"
)

// node is one part of a compiled expression. eval appends its result to dst.
// Nodes are immutable but for the caches of steps, which only save time.
type node interface {
	eval(m *machine, f *frame, dst []Item) ([]Item, error)
	at() int
}

type place int

func (p place) at() int { return int(p) }

type (
	// literal is a constant; without items it is {}.
	literal struct {
		place
		items []Item
	}
	// focus is $this, $index or $total.
	focus struct {
		place
		name string
	}
	// variable is %name.
	variable struct {
		place
		name string
	}
	// walk takes steps, one member name after the other, from what input selects;
	// from the context where input is nil. Then the first step may name the
	// context's type instead of a member.
	walk struct {
		place
		input node
		steps []*step
	}
	// call invokes a function on what input selects; on the context where it is nil.
	call struct {
		place
		input node
		fn    *function
		args  []node
		typ   typeName // of is, as, ofType
		regex *pattern // of matches and the like with a literal pattern
	}
	// index is input[i].
	index struct {
		place
		input, i node
	}
	// negate is -x; plus, +x, is checked and passed on.
	negate struct {
		place
		plus bool
		x    node
	}
	// binary is an operator between two operands.
	binary struct {
		place
		op   operator
		l, r node
	}
	// typeTest is x is T, x as T.
	typeTest struct {
		place
		as bool
		x  node
		t  typeName
	}
)

// typeName is a type specifier: FHIR.Patient, System.String, Quantity.
type typeName struct {
	space, name string
}

func (t typeName) String() string {
	if t.space == "" {
		return t.name
	}
	return t.space + "." + t.name
}

// step is one member name with what it meant for the element it was last taken from.
type step struct {
	name string
	last atomic.Pointer[hit]
}

type hit struct {
	from  *spec.Element
	field *field
}

// operator is what stands between two operands.
type operator string

// level says how tightly an operator binds; higher is tighter.
var level = map[string]int{
	"implies": 1,
	"or":      2, "xor": 2,
	"and": 3,
	"in":  4, "contains": 4,
	"=": 5, "~": 5, "!=": 5, "!~": 5,
	"<": 6, ">": 6, "<=": 6, ">=": 6,
	"|":  7,
	"is": 8, "as": 8,
	"+": 9, "-": 9, "&": 9,
	"*": 10, "/": 10, "div": 10, "mod": 10,
}
