package mapping

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const models = "github.com/samply/golang-fhir-models/fhir-models"

// TestNoModelIsUsedThatWritesWhatNobodySaid: where FHIR asks for one of several
// types of a value, the models write them all. The list of such types is taken from
// their structs, and none of them may be named in this package.
func TestNoModelIsUsedThatWritesWhatNobodySaid(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", models).Output()
	if err != nil {
		t.Fatal(err)
	}
	choices, paths, resources := unsafeModels(t, filepath.Join(strings.TrimSpace(string(dir)), "fhir"))
	if choices != 48 {
		t.Errorf("%d choices are required; in the version that was looked at there were 48: %v", choices, paths)
	}
	for _, known := range []string{"Task", "Questionnaire", "Group", "MedicationRequest", "Communication", "Coverage", "MessageHeader", "AuditEvent", "Immunization"} {
		if !resources[known] {
			t.Errorf("%s is not among the types found; the search is not to be trusted", known)
		}
	}
	used := 0
	for file, names := range modelsUsed(t, ".") {
		for _, name := range names {
			used++
			if slices.Contains(paths, name) || resources[name] {
				t.Errorf("%s uses %s, which writes every variant of a required choice; build it as a fhir.Object", file, name)
			}
		}
	}
	if used < 50 {
		t.Errorf("only %d uses of the models were seen", used)
	}
}

// unsafeModels returns how many required choices there are, the structs with one
// and the resources they belong to.
func unsafeModels(t *testing.T, dir string) (choices int, paths []string, resources map[string]bool) {
	t.Helper()
	resources = map[string]bool{}
	all := map[string]bool{} // resources
	structs := map[string]*ast.StructType{}
	for _, f := range parse(t, dir) {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				if st, ok := s.(*ast.TypeSpec).Type.(*ast.StructType); ok {
					structs[s.(*ast.TypeSpec).Name.Name] = st
				}
			}
		}
	}
	for name, st := range structs {
		if slices.ContainsFunc(st.Fields.List, func(f *ast.Field) bool { return len(f.Names) == 1 && f.Names[0].Name == "ImplicitRules" }) {
			all[name] = true
		}
	}
	for name, st := range structs {
		n := requiredChoices(st)
		if n == 0 {
			continue
		}
		choices += n
		paths = append(paths, name)
		owner := ""
		for r := range all {
			if strings.HasPrefix(name, r) && len(r) > len(owner) {
				owner = r
			}
		}
		if owner != "" {
			resources[owner] = true
		}
	}
	slices.Sort(paths)
	return choices, paths, resources
}

// requiredChoices counts the stems that two members or more have in common which
// are always written and whose names are the stem with a type behind it.
func requiredChoices(st *ast.StructType) (choices int) {
	stems := map[string]int{}
	for _, f := range st.Fields.List {
		if f.Tag == nil || len(f.Names) != 1 {
			continue
		}
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json")
		if strings.Contains(tag, "omitempty") {
			continue
		}
		typ := ""
		switch x := f.Type.(type) {
		case *ast.Ident:
			typ = x.Name
		case *ast.SelectorExpr: // json.Number
			typ = "Decimal"
		}
		for _, suffix := range suffixes[typ] {
			if stem, ok := strings.CutSuffix(f.Names[0].Name, suffix); ok && stem != "" {
				stems[stem]++
				break
			}
		}
		if stem, ok := strings.CutSuffix(f.Names[0].Name, typ); ok && stem != "" && suffixes[typ] == nil {
			stems[stem]++
		}
	}
	for _, n := range stems {
		if n > 1 {
			choices++
		}
	}
	return choices
}

// suffixes are the FHIR types that a Go type stands for.
var suffixes = map[string][]string{
	"string": {"Base64Binary", "Canonical", "Code", "DateTime", "Date", "Id", "Instant", "Markdown", "Oid", "String", "Time", "Uri", "Url", "Uuid"},
	"int":    {"UnsignedInt", "PositiveInt", "Integer"}, "bool": {"Boolean"}, "Decimal": {"Decimal"},
}

// modelsUsed lists the names of the models in each file that is no test.
func modelsUsed(t *testing.T, dir string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for name, f := range parse(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "r4" {
					out[name] = append(out[name], s.Sel.Name)
				}
			}
			return true
		})
	}
	return out
}

func parse(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	out := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = f
	}
	return out
}
