package fhir

import (
	"iter"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is the JSON kind of a [Node].
type Kind uint8

// The kinds. Absent is that of the zero Node: nothing was there.
const (
	Absent Kind = iota
	Null
	True
	False
	Num
	Str
	Arr
	Obj
)

// Node is one JSON value of a document, or nothing (the zero Node). Looking
// into nothing gives nothing, so paths need no checks between. A Node is
// immutable, cheap to copy and safe for concurrent use. It prints as "(node)":
// content leaves only by Raw, Text and Decimal.
type Node struct {
	d *document
	i uint32
}

// ParseNode validates any JSON document and returns its root. The rules are
// those of [Parse]. The caller must not change b afterwards.
func ParseNode(b []byte) (Node, error) {
	d, err := parse(b)
	if err != nil {
		return Node{}, err
	}
	return Node{d: d}, nil
}

func (n Node) e() *entry { return &n.d.tape[n.i] }

// String hides the content.
func (n Node) String() string { return "(node)" }

// GoString hides the content.
func (n Node) GoString() string { return "(node)" }

// Kind returns the JSON kind.
func (n Node) Kind() Kind {
	if n.d == nil {
		return Absent
	}
	return n.e().kind
}

// Exists reports whether there is a value, null included.
func (n Node) Exists() bool { return n.d != nil }

// Name returns the member name under which n stands in its object, "" for
// array elements and roots.
func (n Node) Name() string {
	if n.d == nil {
		return ""
	}
	return string(n.NameBytes())
}

// NameBytes is Name without a copy. The caller must not change it.
func (n Node) NameBytes() []byte {
	if n.d == nil {
		return nil
	}
	return n.d.name(n.e())
}

// Span returns where n lies in the document's bytes, and for an object's member
// where its quoted name begins (else the same as start).
func (n Node) Span() (nameStart, start, end int) {
	e := n.e()
	nameStart = int(e.start)
	if e.keyEnd > e.keyStart || e.keyStart > 0 {
		nameStart = int(e.keyStart) - 1
	}
	return nameStart, int(e.start), int(e.end)
}

// Get returns the member of an object by name.
func (n Node) Get(name string) Node {
	if n.Kind() != Obj {
		return Node{}
	}
	t, b := n.d.tape, n.d.body
	for i, end := n.i+1, t[n.i].next; i < end; i = t[i].next {
		if e := &t[i]; string(b[e.keyStart:e.keyEnd]) == name && !e.keyEscaped || e.keyEscaped && string(n.d.name(e)) == name {
			return Node{d: n.d, i: i}
		}
	}
	return Node{}
}

// At follows member names. Where a step meets an array, its first element is
// taken: At("name", "family") is the family name of the first name.
func (n Node) At(path ...string) Node {
	for _, p := range path {
		if n.Kind() == Arr {
			n = n.Index(0)
		}
		n = n.Get(p)
	}
	return n
}

// Index returns the i-th element of an array.
func (n Node) Index(i int) Node {
	if n.Kind() != Arr {
		return Node{}
	}
	for m := range n.Elements() {
		if i == 0 {
			return m
		}
		i--
	}
	return Node{}
}

// Len counts the elements of an array or the members of an object.
func (n Node) Len() int {
	c := 0
	switch n.Kind() {
	case Arr, Obj:
		for i, end := n.i+1, n.e().next; i < end; i = n.d.tape[i].next {
			c++
		}
	}
	return c
}

// Elements yields the elements of an array; for anything else but nothing and
// null, the value itself: what FHIR calls a repeating element reads alike.
func (n Node) Elements() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		switch n.Kind() {
		case Absent, Null:
		case Arr:
			for i, end := n.i+1, n.e().next; i < end; i = n.d.tape[i].next {
				if !yield(Node{d: n.d, i: i}) {
					return
				}
			}
		default:
			yield(n)
		}
	}
}

// Members yields the members of an object in document order.
func (n Node) Members() iter.Seq2[string, Node] {
	return func(yield func(string, Node) bool) {
		for m := range n.Fields() {
			if !yield(m.Name(), m) {
				return
			}
		}
	}
}

// Fields yields what Members does without making a string of each name, for who
// looks at [Node.NameBytes].
func (n Node) Fields() iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if n.Kind() != Obj {
			return
		}
		for i, end := n.i+1, n.e().next; i < end; i = n.d.tape[i].next {
			if !yield(Node{d: n.d, i: i}) {
				return
			}
		}
	}
}

// Raw returns the bytes of the value as received, nil for nothing. The caller
// must not change them.
func (n Node) Raw() []byte {
	if n.d == nil {
		return nil
	}
	e := n.e()
	return n.d.body[e.start:e.end:e.end]
}

// Text returns the content of a JSON string, unescaped; "" for anything else.
func (n Node) Text() string {
	if n.Kind() != Str {
		return ""
	}
	e := n.e()
	raw := n.d.body[e.start:e.end]
	if !e.escaped {
		return string(raw[1 : len(raw)-1])
	}
	out, err := jsontext.AppendUnquote(nil, raw)
	if err != nil { // cannot be: the document was validated
		return ""
	}
	return string(out)
}

// Decimal returns a number's text as written, "" for anything else.
func (n Node) Decimal() string {
	if n.Kind() != Num {
		return ""
	}
	return string(n.Raw())
}

// Int returns a whole number.
func (n Node) Int() (int64, bool) {
	if n.Kind() != Num {
		return 0, false
	}
	v, err := strconv.ParseInt(string(n.Raw()), 10, 64)
	return v, err == nil
}

// Bool returns a boolean's value; ok is false for anything else.
func (n Node) Bool() (value, ok bool) {
	k := n.Kind()
	return k == True, k == True || k == False
}

// Ref returns the key that a Reference element names literally and relatively.
func (n Node) Ref() (Key, bool) { return ParseKey(n.Get("reference").Text()) }

// Same reports whether two values are the same bytes in the same document, or
// equal JSON apart from white space and member order.
func (n Node) Same(m Node) bool {
	if n.Kind() != m.Kind() {
		return false
	}
	switch n.Kind() {
	case Num:
		return string(n.Raw()) == string(m.Raw())
	case Str:
		return n.Text() == m.Text()
	case Arr:
		if n.Len() != m.Len() {
			return false
		}
		i := 0
		for x := range n.Elements() {
			if !x.Same(m.Index(i)) {
				return false
			}
			i++
		}
	case Obj:
		if n.Len() != m.Len() {
			return false
		}
		for name, x := range n.Members() {
			y := m.Get(name)
			if !y.Exists() || !x.Same(y) {
				return false
			}
		}
	}
	return true
}

// HasCoding reports whether a CodeableConcept holds a coding of system and code.
func (n Node) HasCoding(system, code string) bool {
	for c := range n.Get("coding").Elements() {
		if c.Get("code").Text() == code && strings.TrimSuffix(c.Get("system").Text(), "/") == strings.TrimSuffix(system, "/") {
			return true
		}
	}
	return false
}
