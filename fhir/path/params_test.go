package path

import (
	"path/filepath"
	"testing"

	"rapport/fhir"
	"rapport/fhir/fixture"
	"rapport/fhir/spec"
)

// Every parameter that searches by an expression is evaluated on every example,
// as an index does: with references that tell their type and no more.
func TestEverySearchParameterEvaluatesOnThePublishedExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixture.Path(t, "fixtures/r4-examples"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	model := R4()
	env := &Env{Each: true, Resolve: func(ref string) (Item, bool) {
		k, ok := fhir.ParseKey(ref)
		if !ok {
			return Item{}, false
		}
		return model.Stub(k.Type)
	}}
	compiled := map[string]*Expr{}
	compile := func(src string) *Expr {
		if x := compiled[src]; x != nil {
			return x
		}
		x, err := Compile(src)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		compiled[src] = x
		return x
	}
	for _, typ := range spec.R4().ResourceTypes() {
		for _, p := range spec.R4().Params(typ) {
			if p.Expression != "" {
				compile(p.Expression)
			}
			for _, c := range p.Components {
				compile(c.Expression)
			}
		}
	}
	evaluated, found := 0, map[string]bool{}
	for _, file := range files {
		n := readResource(t, file)
		root, ok := model.Resource(n)
		if !ok {
			t.Errorf("%s is no resource", filepath.Base(file))
			continue
		}
		for _, p := range spec.R4().Params(root.Type()) {
			if p.Expression == "" {
				continue
			}
			evaluated++
			items, err := compile(p.Expression).On(env, root)
			if err != nil {
				t.Errorf("%s on %s: %v", p.Expression, filepath.Base(file), err)
			}
			if len(items) > 0 {
				found[root.Type()+"."+p.Code] = true
			}
			for _, it := range items {
				for _, c := range p.Components {
					if _, err := compile(c.Expression).On(env, it); err != nil {
						t.Errorf("%s, part %s, on %s: %v", p.Expression, c.Expression, filepath.Base(file), err)
					}
				}
			}
		}
	}
	t.Logf("%d expressions, evaluated %d times, %d parameters found something", len(compiled), evaluated, len(found))
	if len(found) < 500 {
		t.Errorf("only %d parameters found something", len(found))
	}
}
