package deid

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a profile.
const (
	maxFile  = 1 << 20 // bytes
	maxDepth = 16
)

// Fault is one thing wrong in a profile, and where.
type Fault struct {
	File      string
	Line, Col int // from 1
	Msg       string
}

// String returns "file:line:col: what".
func (f Fault) String() string { return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Msg) }

// Faults is all that was found, in the order of the file.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// node is one YAML value with its place: a text, a list or a map.
type node struct {
	line, col int
	text      string
	list      bool
	dict      bool
	keys      []*node // dict: the keys, items are the values
	items     []*node
}

func (n *node) isText() bool { return n != nil && !n.list && !n.dict }

func (n *node) what() string {
	switch {
	case n.dict:
		return "a map"
	case n.list:
		return "a list"
	}
	return "a single value"
}

func (n *node) key(name string) *node {
	if n == nil {
		return nil
	}
	for i, k := range n.keys {
		if k.text == name {
			return n.items[i]
		}
	}
	return nil
}

// source reads one file and gathers its faults.
type source struct {
	file   string
	faults Faults
}

func (s *source) fault(n *node, format string, args ...any) {
	line, col := 1, 1
	if n != nil {
		line, col = n.line, n.col
	}
	s.faults = append(s.faults, Fault{s.file, line, col, fmt.Sprintf(format, args...)})
}

func (s *source) err() error {
	if len(s.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(s.faults, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return s.faults
}

// parse reads the one document of a file. Anchors, aliases, tags and repeated keys
// are refused: what stands there is what is meant.
func (s *source) parse(src []byte) *node {
	if len(src) > maxFile {
		s.fault(nil, "the file is larger than %d bytes", maxFile)
		return nil
	}
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		at, msg := &node{line: 1, col: 1}, err.Error()
		var ye yaml.Error
		if errors.As(err, &ye) {
			msg = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				at.line, at.col = t.Position.Line, t.Position.Column
			}
		}
		first, _, _ := strings.Cut(msg, "\n")
		s.fault(at, "not YAML: %s", first)
		return nil
	}
	var body ast.Node
	for _, d := range f.Docs {
		switch {
		case d == nil || d.Body == nil:
		case body != nil:
			s.fault(s.node(d.Body, 0), "a profile is one YAML document")
			return nil
		default:
			body = d.Body
		}
	}
	if body == nil {
		s.fault(nil, "the file is empty")
		return nil
	}
	n := s.node(body, 0)
	if !n.dict {
		s.fault(n, "a profile is a map, not %s", n.what())
		return nil
	}
	return n
}

func (s *source) node(a ast.Node, depth int) *node {
	n := &node{line: 1, col: 1}
	if t := a.GetToken(); t != nil && t.Position != nil {
		n.line, n.col = t.Position.Line, t.Position.Column
	}
	if depth > maxDepth {
		s.fault(n, "nested deeper than %d levels", maxDepth)
		return n
	}
	switch a := a.(type) {
	case *ast.StringNode:
		n.text = a.Value
	case *ast.NullNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		n.text = a.GetToken().Value
	case *ast.SequenceNode:
		n.list = true
		for _, v := range a.Values {
			n.items = append(n.items, s.node(v, depth+1))
		}
	case *ast.MappingNode:
		n.dict = true
		for _, v := range a.Values {
			s.pair(n, v, depth)
		}
	case *ast.MappingValueNode:
		n.dict = true
		s.pair(n, a, depth)
	default:
		s.fault(n, "anchors, aliases, tags and block texts are not used in a profile; write the value out")
	}
	return n
}

func (s *source) pair(n *node, v *ast.MappingValueNode, depth int) {
	k := s.node(v.Key, depth+1)
	if !k.isText() {
		s.fault(k, "a key is a single value")
		return
	}
	if n.key(k.text) != nil {
		s.fault(k, "%s occurs twice; which one is meant cannot be told", k.text)
		return
	}
	n.keys = append(n.keys, k)
	n.items = append(n.items, s.node(v.Value, depth+1))
}

// known names keys of a map that are none of these.
func (s *source) known(n *node, names ...string) {
	for _, k := range n.keys {
		if !slices.Contains(names, k.text) {
			s.fault(k, "unknown key %s; known are %s", k.text, strings.Join(names, ", "))
		}
	}
}

// word returns a single value, "" if there is none.
func (s *source) word(n *node, name string) string {
	v := n.key(name)
	if v == nil {
		return ""
	}
	if !v.isText() {
		s.fault(v, "%s is a single value, not %s", name, v.what())
		return ""
	}
	return v.text
}

// words returns a list of single values.
func (s *source) words(n *node) (out []string) {
	if n == nil {
		return nil
	}
	if !n.list {
		s.fault(n, "a list is wanted here, not %s", n.what())
		return nil
	}
	for _, i := range n.items {
		if !i.isText() {
			s.fault(i, "a single value is wanted here, not %s", i.what())
			continue
		}
		out = append(out, i.text)
	}
	return out
}
