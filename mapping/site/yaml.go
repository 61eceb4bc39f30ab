package site

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a site file.
const (
	maxFile  = 1 << 20 // bytes
	maxDepth = 32      // of nested lists and maps
)

type shape uint8

const (
	null shape = iota
	text
	list
	dict
)

// node is one YAML value with its place. Text keeps what was written: whether
// 9 or "9" or 09, the site's codes are text, and no YAML rule turns them into
// numbers.
type node struct {
	file      string
	line, col int // of the value
	shape     shape
	text      string
	textLine  int // where the first character of text stands: behind a quote or a block's |
	textCol   int
	plain     bool // written without quotes
	items     []*node
	keys      []*node // dict: the keys, items are the values
}

func (n *node) key(name string) *node {
	if n == nil || n.shape != dict {
		return nil
	}
	for i, k := range n.keys {
		if k.text == name {
			return n.items[i]
		}
	}
	return nil
}

// what names the shape for a message.
func (n *node) what() string {
	return [...]string{"nothing", "a single value", "a list", "a map"}[n.shape]
}

// parseYAML reads a document into nodes. Anchors, aliases, merges, tags and
// several documents are refused: what stands in a site file is what is meant.
func parseYAML(file string, src []byte, fs *faults) *node {
	if len(src) > maxFile {
		fs.at(file, 1, 1, "the file is larger than %d bytes", maxFile)
		return nil
	}
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		line, col, msg := 1, 1, err.Error()
		var ye yaml.Error
		if errors.As(err, &ye) {
			msg = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				line, col = t.Position.Line, t.Position.Column
			}
		}
		first, _, _ := strings.Cut(msg, "\n")
		fs.at(file, line, col, "not YAML: %s", first)
		return nil
	}
	var body ast.Node
	for _, d := range f.Docs {
		if d == nil || d.Body == nil {
			continue
		}
		if body != nil {
			fs.at(file, d.Body.GetToken().Position.Line, 1, "a site file is one YAML document")
			return nil
		}
		body = d.Body
	}
	if body == nil {
		fs.at(file, 1, 1, "the file is empty")
		return nil
	}
	r := reader{file: file, fs: fs, lines: strings.Split(string(src), "\n")}
	return r.node(body, 0)
}

type reader struct {
	file  string
	fs    *faults
	lines []string
}

// block finds where the text of a block scalar begins whose | stands in line.
func (r *reader) block(line int) (int, int) {
	for i := line; i < len(r.lines); i++ {
		if body := strings.TrimLeft(r.lines[i], " "); strings.TrimSpace(body) != "" {
			return line + 1, 1 + len(r.lines[i]) - len(body)
		}
	}
	return line, 1
}

func (r *reader) node(a ast.Node, depth int) *node {
	n := &node{file: r.file, line: 1, col: 1}
	if t := a.GetToken(); t != nil && t.Position != nil {
		n.line, n.col = t.Position.Line, t.Position.Column
	}
	n.textLine, n.textCol = n.line, n.col
	if depth > maxDepth {
		r.fs.add(n, "nested deeper than %d levels", maxDepth)
		return n
	}
	switch a := a.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		n.shape, n.text = text, a.Value
		switch a.Token.Origin = strings.TrimSpace(a.Token.Origin); {
		case strings.HasPrefix(a.Token.Origin, `"`), strings.HasPrefix(a.Token.Origin, `'`):
			n.textCol++
		default:
			n.plain = true
		}
	case *ast.LiteralNode:
		n.shape, n.text = text, strings.TrimRight(a.Value.Value, "\n")
		n.textLine, n.textCol = r.block(n.line)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		n.shape, n.plain, n.text = text, true, a.GetToken().Value
	case *ast.SequenceNode:
		n.shape = list
		for _, v := range a.Values {
			n.items = append(n.items, r.node(v, depth+1))
		}
	case *ast.MappingNode:
		n.shape = dict
		if len(a.Values) > 0 && !a.IsFlowStyle {
			n.line, n.col = place(a.Values[0].Key, n.line, n.col)
		}
		for _, v := range a.Values {
			r.pair(n, v, depth)
		}
	case *ast.MappingValueNode:
		n.shape = dict
		n.line, n.col = place(a.Key, n.line, n.col)
		r.pair(n, a, depth)
	default:
		r.fs.add(n, "%s are not used in a site file; write the value out", kindOf(a))
	}
	return n
}

func (r *reader) pair(n *node, v *ast.MappingValueNode, depth int) {
	k := r.node(v.Key, depth+1)
	if k.shape == null { // the key called null
		k.shape, k.text = text, v.Key.GetToken().Value
	}
	if k.shape != text {
		r.fs.add(k, "a key is a single value")
		return
	}
	if n.key(k.text) != nil {
		r.fs.add(k, "%s occurs twice; which one is meant cannot be told", k.text)
		return
	}
	n.keys = append(n.keys, k)
	n.items = append(n.items, r.node(v.Value, depth+1))
}

func place(a ast.Node, line, col int) (int, int) {
	if t := a.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line, t.Position.Column
	}
	return line, col
}

func kindOf(a ast.Node) string {
	switch a.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return "anchors, aliases and merges"
	case *ast.TagNode:
		return "tags"
	case *ast.MappingKeyNode:
		return "complex keys"
	}
	return fmt.Sprintf("%s nodes", strings.ToLower(a.Type().String()))
}

// form reads a dict whose keys are known, and names the ones that are not.
type form struct {
	n    *node
	fs   *faults
	seen map[string]bool
	have []string
}

// formOf begins to read n, which must be a map.
func formOf(n *node, fs *faults, what string) *form {
	if n == nil || n.shape != dict {
		if n != nil {
			fs.add(n, "%s is a map, not %s", what, n.what())
		}
		return &form{n: &node{shape: dict}, fs: fs, seen: map[string]bool{}}
	}
	return &form{n: n, fs: fs, seen: map[string]bool{}}
}

func (f *form) get(name string) *node {
	f.seen[name] = true
	f.have = append(f.have, name)
	return f.n.key(name)
}

// text returns a single value, "" if there is none.
func (f *form) text(name string) string {
	n := f.get(name)
	if n == nil || n.shape == null {
		return ""
	}
	if n.shape != text {
		f.fs.add(n, "%s is a single value, not %s", name, n.what())
		return ""
	}
	return n.text
}

// flag returns a boolean.
func (f *form) flag(name string) bool {
	n := f.get(name)
	if n == nil {
		return false
	}
	if n.shape != text || !n.plain || n.text != "true" && n.text != "false" {
		f.fs.add(n, "%s is true or false", name)
		return false
	}
	return n.text == "true"
}

// texts returns a list of single values; one value stands for a list of one.
func (f *form) texts(name string) []*node { return textsOf(f.get(name), name, f.fs) }

func textsOf(n *node, name string, fs *faults) []*node {
	switch {
	case n == nil || n.shape == null:
		return nil
	case n.shape == text:
		return []*node{n}
	case n.shape == dict:
		fs.add(n, "%s is a list, not a map", name)
		return nil
	}
	var out []*node
	for _, i := range n.items {
		if i.shape != text {
			fs.add(i, "%s holds single values, not %s", name, i.what())
			continue
		}
		out = append(out, i)
	}
	return out
}

// done names the keys that nobody asked for.
func (f *form) done() {
	for _, k := range f.n.keys {
		if !f.seen[k.text] {
			f.fs.add(k, "unknown key %s%s", k.text, didYouMean(k.text, f.have))
		}
	}
}

func values(ns []*node) []string {
	out := make([]string, len(ns))
	for i, n := range ns {
		out[i] = n.text
	}
	return out
}
