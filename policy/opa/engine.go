package opa

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"rapport/policy"
)

//go:embed rules/*.rego
var embedded embed.FS

// Embedded are the rules of the house with their tests.
func Embedded() fs.FS {
	sub, err := fs.Sub(embedded, "rules")
	if err != nil { // the folder is embedded above
		panic(err)
	}
	return sub
}

// Engine holds the rules in force. The zero Engine has none, and then everything
// is denied. It is safe for concurrent use.
type Engine struct{ current atomic.Pointer[rules] }

// New returns an engine with the embedded rules in force.
func New(ctx context.Context) (*Engine, error) {
	e := &Engine{}
	return e, e.Load(ctx, Embedded())
}

// Rules implements policy.Engine.
func (e *Engine) Rules() policy.Rules {
	if r := e.current.Load(); r != nil {
		return r
	}
	return nil // a nil *rules would be no nil policy.Rules
}

// Load puts the rules of a folder in force, if they compile, pass their own tests
// and keep the invariants. Otherwise those in force stay, and the error says why.
func (e *Engine) Load(ctx context.Context, files fs.FS) error {
	r, err := load(ctx, files)
	if err != nil {
		return err
	}
	e.current.Store(r)
	return nil
}

func load(ctx context.Context, files fs.FS) (*rules, error) {
	s, err := parse(files)
	if err != nil {
		return nil, err
	}
	if err := try(ctx, s); err != nil {
		return nil, err
	}
	r, err := prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	return r, invariant(ctx, r)
}

// prepare makes rules ready to judge, without trying them.
func prepare(ctx context.Context, s *source) (*rules, error) {
	c, err := compile(s.rules)
	if err != nil {
		return nil, err
	}
	q, err := rego.New(rego.Query("data.gateway.decision"), rego.Compiler(c), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return &rules{query: q, digest: s.digest}, nil
}

// try runs the rules' own tests.
func try(ctx context.Context, s *source) error {
	if len(s.tests) == 0 {
		return fmt.Errorf("policy: the rules have no tests")
	}
	all := map[string]*ast.Module{}
	for n, m := range s.rules {
		all[n] = m
	}
	for n, m := range s.tests {
		all[n] = m
	}
	c := ast.NewCompiler().WithCapabilities(capabilities())
	store := inmem.New()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	defer store.Abort(ctx, txn)
	results, err := tester.NewRunner().SetCompiler(c).SetStore(store).SetModules(all).
		RaiseBuiltinErrors(true).SetTimeout(5*time.Second).RunTests(ctx, txn)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	n := 0
	var failed error
	for r := range results { // to the end: the runner waits to be read
		n++
		if !r.Pass() && failed == nil {
			failed = fmt.Errorf("policy: %s.%s fails", r.Package, r.Name)
			if r.Error != nil {
				failed = fmt.Errorf("%w: %w", failed, r.Error)
			}
		}
	}
	if n == 0 && failed == nil {
		failed = fmt.Errorf("policy: the rules have no tests")
	}
	return failed
}
