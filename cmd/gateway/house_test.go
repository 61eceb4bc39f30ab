package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The house: which way imports point, who owns which library, who may touch the
// store. It is a statement of policy. Change it only in a commit that says why;
// do not change it to make a build pass.

// layers: a package imports only its own top folder and folders to its right.
var layers = map[string][]string{
	"cmd":      {"adapters", "mapping", "policy", "fhir", "testdata"},
	"adapters": {"mapping", "policy", "fhir"},
	"mapping":  {"fhir"},
	"policy":   {"fhir"},
	"fhir":     {},
	"testdata": {},
}

// owners: each third-party library and the only packages that may import it.
// Libraries of the Go project are free, and so are those that only tests use.
var owners = map[string][]string{
	"github.com/go-json-experiment/json":       {"fhir"},                                                // strict JSON: duplicates, UTF-8
	"github.com/samply/golang-fhir-models":     {"mapping"},                                             // builds resources, never decodes stored ones
	"github.com/cockroachdb/apd/v3":            {"fhir/path", "fhir/search", "mapping/instrument"},      // decimals as written
	"cel.dev/cel-go":                           {"mapping/site"},                                        // small expressions, checked at load
	"github.com/goccy/go-yaml":                 {"mapping", "cmd/gateway", "policy", "adapters/issuer"}, // data files with line and column
	"github.com/santhosh-tekuri/jsonschema/v6": {"mapping/practice"},                                    // practice records
	"github.com/open-policy-agent/opa":         {"policy/opa"},                                          // Rego
	"github.com/coreos/go-oidc/v3":             {"policy/token"},                                        // discovery, signatures
	"github.com/go-jose/go-jose/v4":            {"policy/token", "adapters/issuer", "adapters/partner"}, // keys, assertions
	"github.com/gin-gonic/gin":                 {"adapters/web"},                                        // HTTP
	"github.com/rs/cors":                       {"adapters/web"},                                        // cross-origin requests
	"github.com/prometheus/client_golang":      {"adapters/web"},                                        // metrics
	"github.com/redis/go-redis/v9":             {"adapters/rediscache"},                                 // shared cache
	"github.com/maypok86/otter/v2":             {"adapters/rediscache", "policy", "policy/token"},       // bounded maps in process
	"github.com/ncruces/go-sqlite3":            {"adapters/sqlstore"},                                   // embedded store
	"github.com/jackc/pgx/v5":                  {"adapters/sqlstore"},                                   // PostgreSQL
	"github.com/pressly/goose/v3":              {"adapters/sqlstore"},                                   // migrations
	"github.com/failsafe-go/failsafe-go":       {"adapters/partner"},                                    // retries, breakers
	"github.com/alecthomas/kong":               {"cmd/gateway"},                                         // command line
	"github.com/gofrs/uuid/v5":                 {"cmd/gateway", "mapping"},                              // ids
	"github.com/evanphx/json-patch/v5":         {"fhir/rest"},                                           // RFC 6902
	"github.com/parquet-go/parquet-go":         {"mapping/research"},                                    // tables for R, pandas, DuckDB
}

// seesStore: outside tests only these import fhir/store, the side below the gate.
var seesStore = []string{
	"fhir/store",          // itself
	"policy",              // makes the gate
	"policy/audit",        // its recorder writes within a write's own transaction
	"adapters/sqlstore",   // implements it
	"adapters/rediscache", // wraps it
	"cmd/gateway",         // wires them, and the development commands below the gate
}

// tested libraries may appear in test files and in packages made for tests.
var testPackages = []string{"fhir/fixture", "fhir/store/storetest", "adapters/sqlstore/pgtest"}

// room is what the rules look at in one package.
type room struct {
	Path        string   // below the module, "" for the root
	Imports     []string // outside tests
	MakesGate   bool     // declares a type with the Gate's methods
	HasGoFiles  bool
	TestImports []string
}

const module = "rapport"

func TestEveryImportKeepsToTheHouse(t *testing.T) {
	rooms := rooms(t)
	if len(rooms) < 5 {
		t.Fatalf("only %d packages found; the list is not to be trusted", len(rooms))
	}
	for _, fault := range faults(rooms) {
		t.Error(fault)
	}
}

func TestAPlantedViolationOfEachRuleIsNamed(t *testing.T) {
	for name, plant := range map[string]room{
		"imports the layer to its left":            {Path: "fhir/rest", Imports: []string{"rapport/policy"}},
		"lets mapping meet policy":                 {Path: "mapping", Imports: []string{"rapport/policy"}},
		"lets one adapter import another":          {Path: "adapters/web", Imports: []string{"rapport/adapters/sqlstore"}},
		"uses a library that another package owns": {Path: "fhir/rest", Imports: []string{"github.com/gin-gonic/gin"}},
		"brings a library that nobody owns":        {Path: "fhir", Imports: []string{"example.com/new/library"}},
		"reaches below the gate":                   {Path: "fhir/rest", Imports: []string{"rapport/fhir/store"}},
		"makes a gate of its own":                  {Path: "adapters/web", MakesGate: true},
		"opens a new top folder":                   {Path: "util", HasGoFiles: true},
		"has a name that says nothing":             {Path: "fhir/helpers", HasGoFiles: true},
		"puts Go into testdata":                    {Path: "testdata/practice", HasGoFiles: true},
	} {
		t.Run(name, func(t *testing.T) {
			if len(faults([]room{plant})) == 0 {
				t.Error("nothing was said")
			}
		})
	}
}

func faults(rooms []room) (out []string) {
	for _, r := range rooms {
		say := func(format string, args ...any) { out = append(out, r.Path+": "+fmt.Sprintf(format, args...)) }
		top := first(r.Path)
		right, known := layers[top]
		if !known {
			say("top folder %q is none of the house's", top)
		}
		for _, part := range strings.Split(r.Path, "/") {
			if slices.Contains([]string{"util", "utils", "common", "lib", "helpers", "types", "manager", "service"}, part) {
				say("a package is not called %q; it lives with its only user or earns a name", part)
			}
		}
		if top == "testdata" && r.Path != "testdata" {
			say("testdata holds files, and Go only in its embed.go")
		}
		if r.MakesGate && r.Path != "policy" {
			say("only policy makes a Gate")
		}
		for _, imp := range r.Imports {
			if ours, ok := strings.CutPrefix(imp, module+"/"); ok {
				to := first(ours)
				if to != top && !slices.Contains(right, to) {
					say("imports %s, which is not to its right", ours)
				}
				if top == "adapters" && to == "adapters" && second(ours) != second(r.Path) {
					say("imports %s: two adapters never meet", ours)
				}
				if ours == "fhir/store" && !slices.Contains(seesStore, r.Path) && !slices.Contains(testPackages, r.Path) {
					say("imports fhir/store, which lies below the gate")
				}
				continue
			}
			if !strings.Contains(first(imp), ".") || strings.HasPrefix(imp, "golang.org/x/") || slices.Contains(testPackages, r.Path) {
				continue
			}
			if !slices.ContainsFunc(owning(imp), func(o string) bool { return r.Path == o || strings.HasPrefix(r.Path, o+"/") }) {
				say("imports %s, which it does not own", imp)
			}
		}
	}
	return out
}

func owning(imp string) []string {
	for lib, who := range owners {
		if imp == lib || strings.HasPrefix(imp, lib+"/") {
			return who
		}
	}
	return nil
}

func first(p string) string { s, _, _ := strings.Cut(p, "/"); return s }

func second(p string) string {
	_, rest, _ := strings.Cut(p, "/")
	return first(rest)
}

func rooms(t *testing.T) []room {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Dir,GoFiles", "./...")
	cmd.Dir = "../.."
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.String())
	}
	var rs []room
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir  string
			Imports, GoFiles []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, room{
			Path: strings.TrimPrefix(p.ImportPath, module+"/"), Imports: p.Imports,
			HasGoFiles: len(p.GoFiles) > 0, MakesGate: makesGate(t, p.Dir, p.GoFiles),
		})
	}
	// go list leaves out folders named testdata: look there ourselves.
	err = filepath.WalkDir("../../testdata", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") {
			return err
		}
		rs = append(rs, room{Path: filepath.ToSlash(filepath.Dir(strings.TrimPrefix(p, "../../"))), HasGoFiles: true})
		return nil
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return rs
}

// makesGate reports whether a package declares a method Update that takes an Act,
// as only a Gate's does.
func makesGate(t *testing.T, dir string, files []string) bool {
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || fn.Name.Name != "Update" {
				continue
			}
			for _, p := range fn.Type.Params.List {
				switch x := p.Type.(type) {
				case *ast.SelectorExpr:
					if x.Sel.Name == "Act" {
						return true
					}
				case *ast.Ident:
					if x.Name == "Act" {
						return true
					}
				}
			}
		}
	}
	return false
}
