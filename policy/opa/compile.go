package opa

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/version"
)

// allowed are the only built-in functions that rules may use: none that looks
// outside, tells the time or draws lots. A new OPA cannot bring in more.
var allowed = []string{
	"eq", "equal", "neq", "lt", "lte", "gt", "gte", "assign", "count",
	"internal.member_2", "internal.member_3", "object.get", "object.union", "and", "or", "minus",
}

func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool { return !slices.Contains(allowed, b.Name) })
	c.AllowNet = []string{}
	return c
}

// source is a set of rule files, parsed.
type source struct {
	rules  map[string]*ast.Module // by file name
	tests  map[string]*ast.Module
	digest string
}

// parse reads *.rego of a folder and checks that each file is what its name says.
func parse(files fs.FS) (*source, error) {
	names, err := fs.Glob(files, "*.rego")
	if err != nil {
		return nil, err
	}
	s := &source{rules: map[string]*ast.Module{}, tests: map[string]*ast.Module{}}
	h := sha256.New()
	fmt.Fprintf(h, "opa %s\n", version.Version)
	for _, name := range names { // sorted by Glob
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		m, err := ast.ParseModuleWithOpts(name, string(b), ast.ParserOptions{ProcessAnnotation: true, Capabilities: capabilities(), RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		if strings.HasSuffix(name, "_test.rego") {
			s.tests[name] = m
			continue
		}
		if err := lint(name, m); err != nil {
			return nil, err
		}
		fmt.Fprintf(h, "%s %d\n", name, len(b))
		h.Write(b)
		s.rules[name] = m
	}
	if len(s.rules) == 0 {
		return nil, errors.New("policy: there are no rules")
	}
	s.digest = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// lint refuses what is known to fail open.
func lint(name string, m *ast.Module) error {
	stem := strings.TrimSuffix(path.Base(name), ".rego")
	want := "data.gateway"
	if floor, ok := strings.CutPrefix(stem, "floor_"); ok {
		want = "data.gateway.floor." + floor
	} else if stem != "gateway" {
		want = "data.gateway.rule." + stem
	}
	if got := m.Package.Path.String(); got != want {
		return fmt.Errorf("policy: %s: its package is %s and must be %s", name, got, want)
	}
	var bad error
	fault := func(l *ast.Location, why string) {
		if bad == nil {
			bad = fmt.Errorf("policy: %s:%d: %s", name, l.Row, why)
		}
	}
	for _, r := range m.Rules {
		if n := r.Head.Name.String(); n == "deny" {
			fault(r.Location, "rules say allow; what denies is undefined, and with it open, when something is missing")
		}
		if r.Default && stem != "gateway" {
			fault(r.Location, "only gateway.rego has defaults")
		}
	}
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.Negated {
			fault(e.Location, "not is true of what is undefined; say what must hold, with every")
		}
		return false
	})
	return bad
}

// compile compiles modules for evaluation.
func compile(sets ...map[string]*ast.Module) (*ast.Compiler, error) {
	all := map[string]*ast.Module{}
	for _, set := range sets {
		for n, m := range set {
			all[n] = m
		}
	}
	c := ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(true)
	if c.Compile(all); c.Failed() {
		return nil, fmt.Errorf("policy: %w", c.Errors)
	}
	return c, nil
}
