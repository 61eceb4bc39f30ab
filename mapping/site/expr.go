package site

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
)

// Limits of one expression.
const (
	maxExpr = 2000   // characters
	maxCost = 20_000 // CEL cost units for one evaluation
)

// scope says which columns an expression or a verb sees, by the name they are
// reached with: row.x, <lookup>.x, each.x. It is what the header was declared
// to be, so a misspelt column is found when the file is loaded.
type scope struct {
	env   *cel.Env
	names []string            // in the order of slots
	cols  map[string][]string // per name: its columns
	mark  func(name, col string)
}

// bound is the values of a scope while one row is mapped: per name its columns.
type bound [][]string

// newEnv is what every expression may use: the standard library of CEL and its
// string functions. There is no clock, no randomness and no input but the row.
func newEnv() (*cel.Env, error) {
	return cel.NewEnv(ext.Strings(), cel.ParserExpressionSizeLimit(maxExpr), cel.ExtendedValidations())
}

// with returns the scope and one more name.
func (s scope) with(name string, cols []string) (scope, error) {
	out := scope{mark: s.mark, cols: map[string][]string{name: cols}, names: append(slices.Clone(s.names), name)}
	for n, c := range s.cols {
		if n != name {
			out.cols[n] = c
		}
	}
	opts := make([]cel.EnvOption, 0, len(cols))
	for _, c := range cols {
		if !identifier(c) {
			continue // reached by from, not by an expression
		}
		opts = append(opts, cel.Variable(name+"."+c, cel.StringType))
	}
	var err error
	out.env, err = s.env.Extend(opts...)
	return out, err
}

func identifier(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// source is where a text comes from: slot of the bound, column within it.
type source struct {
	slot, col int
	name      string // as written, for messages
}

// find resolves "column", "row.column" or "name.column".
func (s scope) find(n *node, fs *faults) (source, bool) {
	name, col := "row", n.text
	if before, after, ok := strings.Cut(n.text, "."); ok && s.cols[before] != nil {
		name, col = before, after
	}
	i := slices.Index(s.cols[name], col)
	if i < 0 {
		fs.add(n, "no column %s in %s%s", col, name, didYouMean(col, s.cols[name]))
		return source{}, false
	}
	s.mark(name, col)
	return source{slot: slices.Index(s.names, name), col: i, name: n.text}, true
}

// expr is a compiled expression.
type expr struct {
	prg  cel.Program
	vars map[string]source
	used []source
}

// compile checks an expression against the scope. want is the CEL type it must
// have, nil for any that can stand in a record.
func (s scope) compile(n *node, want *cel.Type, fs *faults) *expr {
	if n.shape != text || n.text == "" {
		fs.add(n, "an expression is a single value, not %s", n.what())
		return nil
	}
	parsed, iss := s.env.Parse(n.text)
	if iss.Err() != nil {
		s.report(n, iss, fs)
		return nil
	}
	e := &expr{vars: map[string]source{}}
	if !s.columns(n, parsed, e, fs) {
		return nil
	}
	checked, iss := s.env.Check(parsed)
	if iss.Err() != nil {
		s.report(n, iss, fs)
		return nil
	}
	if out := checked.OutputType(); want != nil && !want.IsExactType(out) {
		fs.add(n, "the expression gives %s, and %s is needed here", cel.FormatCELType(out), cel.FormatCELType(want))
		return nil
	} else if want == nil && !storable(out) {
		fs.add(n, "the expression gives %s, which cannot stand in a record; a string, int, double, bool or list of strings can", cel.FormatCELType(out))
		return nil
	}
	prg, err := s.env.Program(checked, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		fs.add(n, "the expression cannot be run: %v", err)
		return nil
	}
	e.prg = prg
	return e
}

func storable(t *cel.Type) bool {
	for _, ok := range []*cel.Type{cel.StringType, cel.IntType, cel.DoubleType, cel.BoolType, cel.ListType(cel.StringType)} {
		if ok.IsExactType(t) {
			return true
		}
	}
	return false
}

// columns finds every row.x in a parsed expression and names the ones that the
// header does not have, at their place.
func (s scope) columns(n *node, parsed *cel.Ast, e *expr, fs *faults) bool {
	info, good := parsed.NativeRep().SourceInfo(), true
	celast.PreOrderVisit(parsed.NativeRep().Expr(), celast.NewExprVisitor(func(x celast.Expr) {
		if x.Kind() != celast.SelectKind || x.AsSelect().Operand().Kind() != celast.IdentKind {
			return
		}
		name, col := x.AsSelect().Operand().AsIdent(), x.AsSelect().FieldName()
		cols, known := s.cols[name]
		if !known {
			return
		}
		i := slices.Index(cols, col)
		if i < 0 {
			loc := info.GetStartLocation(x.ID())
			line, c := n.inside(loc.Line(), loc.Column())
			fs.at(n.file, line, c, "no column %s in %s%s", col, name, didYouMean(col, cols))
			good = false
			return
		}
		src := source{slot: slices.Index(s.names, name), col: i, name: name + "." + col}
		s.mark(name, col)
		e.vars[src.name] = src
		e.used = append(e.used, src)
	}))
	return good
}

// report turns CEL's issues into faults at their place in the file.
func (s scope) report(n *node, iss *cel.Issues, fs *faults) {
	for _, i := range iss.Errors() {
		line, col := n.inside(i.Location.Line(), i.Location.Column())
		msg := strings.TrimPrefix(i.Message, "Syntax error: ")
		if name, ok := strings.CutPrefix(msg, "undeclared reference to '"); ok {
			name, _, _ = strings.Cut(name, "'")
			if s.cols[name] != nil {
				msg = fmt.Sprintf("%s is not a value by itself; name a column: %s.<column>", name, name)
			} else if !strings.Contains(msg, "did you mean") {
				msg = fmt.Sprintf("nothing is called %s here%s; there are: %s", name, didYouMean(name, s.names), strings.Join(s.names, ", "))
			}
		}
		fs.at(n.file, line, col, "%s", msg)
	}
}

// inside translates a place in n's text (line from 1, column from 0) to the file.
func (n *node) inside(line, col int) (int, int) {
	if line <= 1 {
		return n.textLine, n.textCol + max(col, 0)
	}
	return n.textLine + line - 1, n.textCol + max(col, 0)
}

// errExpr is an expression that could not be computed for a row.
var errExpr = errors.New("the expression cannot be computed for this row")

// eval computes the expression. The error does not quote the row.
func (e *expr) eval(b bound) (ref.Val, error) {
	v, _, err := e.prg.Eval(&activation{vars: e.vars, b: b})
	if err != nil {
		return nil, errExpr
	}
	return v, nil
}

func (e *expr) true(b bound) (bool, error) {
	v, err := e.eval(b)
	return v == types.True, err
}

// append writes the value as JSON, nothing for an empty string or list.
func (e *expr) append(to []byte, b bound) ([]byte, error) {
	v, err := e.eval(b)
	if err != nil {
		return to, err
	}
	switch v := v.(type) {
	case types.String:
		if v == "" {
			return to, nil
		}
		return appendText(to, string(v)), nil
	case types.Int:
		return strconv.AppendInt(to, int64(v), 10), nil
	case types.Double:
		return strconv.AppendFloat(to, float64(v), 'f', -1, 64), nil
	case types.Bool:
		return strconv.AppendBool(to, bool(v)), nil
	case traits.Lister:
		mark, n := len(to), 0
		to = append(to, '[')
		for it := v.Iterator(); it.HasNext() == types.True; n++ {
			s, ok := it.Next().(types.String)
			if !ok {
				return to[:mark], errExpr
			}
			if n > 0 {
				to = append(to, ',')
			}
			to = appendText(to, string(s))
		}
		if n == 0 {
			return to[:mark], nil
		}
		return append(to, ']'), nil
	}
	return to, errExpr
}

// activation hands a row's columns to CEL by their full names.
type activation struct {
	vars map[string]source
	b    bound
}

func (a *activation) ResolveName(name string) (any, bool) {
	src, ok := a.vars[name]
	if !ok {
		return nil, false
	}
	return types.String(a.b[src.slot][src.col]), true
}

func (a *activation) Parent() cel.Activation { return nil }
