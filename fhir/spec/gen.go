//go:build ignore

// Gen distils the definitions of FHIR R4 into the files of the folder r4.
//
//	go run gen.go gen_source.go [-package FILE.tgz] [-out DIR]
//
// The package is hl7.fhir.r4.core 4.0.1 as HL7 publishes it. Its content decides
// every byte that is written; a second run changes nothing.
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const core = "http://hl7.org/fhir/StructureDefinition/"

func main() {
	log.SetFlags(0)
	pkg := flag.String("package", "../../../shared/fixtures/fhir-packages/hl7.fhir.r4.core-4.0.1.tgz", "the package hl7.fhir.r4.core 4.0.1")
	out := flag.String("out", "r4", "folder to write to")
	flag.Parse()
	p, err := read(*pkg)
	if err != nil {
		log.Fatalf("gen: %v; -package names the file hl7.fhir.r4.core-4.0.1.tgz", err)
	}
	types, rules := p.types()
	for name, lines := range map[string]map[string]any{
		"types": types, "rules": rules, "params": p.params(types), "codes": p.codes(), "compartments": p.compartments(),
	} {
		if err := write(filepath.Join(*out, name+".gz"), lines); err != nil {
			log.Fatal("gen: ", err)
		}
	}
}

// write puts one line per key, "key TAB json", in the order of keys.
func write(file string, lines map[string]any) error {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	for _, k := range slices.Sorted(maps.Keys(lines)) {
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(lines[k]); err != nil {
			return err
		}
		fmt.Fprintf(z, "%s\t%s", k, line.Bytes())
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// What is written; the package's own record types read it.
type (
	lineType struct {
		Kind     string        `json:"kind"`
		Base     string        `json:"base,omitempty"`
		Abstract bool          `json:"abstract,omitempty"`
		Profile  bool          `json:"profile,omitempty"`
		Regex    string        `json:"regex,omitempty"`
		Elements []lineElement `json:"elements"`
	}
	lineElement struct {
		Path     string    `json:"p"`
		Min      int       `json:"min,omitempty"`
		Max      string    `json:"max"`
		Types    []lineRef `json:"t,omitempty"`
		Content  string    `json:"ref,omitempty"`
		Strength string    `json:"bind,omitempty"`
		ValueSet string    `json:"vs,omitempty"`
		Rules    []string  `json:"rules,omitempty"`
		Modifier bool      `json:"mod,omitempty"`
		Summary  bool      `json:"sum,omitempty"`
	}
	lineRef struct {
		Code    string   `json:"c"`
		Bare    bool     `json:"bare,omitempty"`
		Profile string   `json:"p,omitempty"`
		Targets []string `json:"to,omitempty"`
	}
	lineParam struct {
		Code       string          `json:"code"`
		URL        string          `json:"url"`
		Type       string          `json:"type"`
		Expression string          `json:"expr,omitempty"`
		Targets    []string        `json:"to,omitempty"`
		Components []lineComponent `json:"parts,omitempty"`
	}
	lineComponent struct {
		Definition string `json:"def"`
		Expression string `json:"expr"`
	}
	lineSystem struct {
		System string   `json:"system"`
		Codes  []string `json:"codes"`
	}
	lineSet struct {
		Open    bool         `json:"open,omitempty"`
		Systems []lineSystem `json:"systems,omitempty"`
	}
)

// kept says which structures become types: all of kind resource or datatype, and
// the two profiles that elements of the specification are typed with.
func kept(s structure) bool {
	if s.Kind == "logical" {
		return false
	}
	return s.Derivation != "constraint" || s.Name == "SimpleQuantity" || s.Name == "MoneyQuantity"
}

func (p *source) types() (types, rules map[string]any) {
	types, rules = map[string]any{}, map[string]any{}
	ids := p.ruleIDs()
	for _, url := range slices.Sorted(maps.Keys(p.structures)) {
		s := p.structures[url]
		if !kept(s) {
			continue
		}
		t := lineType{Kind: s.Kind, Base: strings.TrimPrefix(s.Base, core), Abstract: s.Abstract, Profile: s.Derivation == "constraint"}
		for _, e := range s.Snapshot.Element {
			_, path, _ := strings.Cut(e.Path, ".")
			if s.Kind == "primitive-type" && path == "value" {
				for _, x := range e.Type[0].Extension {
					if strings.HasSuffix(x.URL, "/regex") {
						t.Regex = x.Value
					}
				}
				continue
			}
			l := lineElement{Path: path, Min: e.Min, Max: e.Max, Modifier: e.Modifier, Summary: e.Summary}
			if e.Content != "" {
				l.Content = strings.TrimPrefix(e.Content, "#")
			}
			for _, r := range e.Type {
				l.Types = append(l.Types, refOf(r))
			}
			if s.Kind == "resource" && path == "id" { // the package types it as a string; the specification's page as an id
				l.Types[0].Code = "id"
			}
			if e.Binding != nil {
				l.Strength, l.ValueSet = e.Binding.Strength, bare(e.Binding.ValueSet)
			}
			for _, c := range e.Constraint {
				// These two hold for every element and extension; they stand once, at the
				// roots of Element and Extension.
				if c.Key == "ele-1" && (path != "" || s.Name != "Element") || c.Key == "ext-1" && (path != "" || s.Name != "Extension") {
					continue
				}
				id := ids[ruleText(c)]
				rules[id] = c
				l.Rules = append(l.Rules, id)
			}
			slices.Sort(l.Rules)
			t.Elements = append(t.Elements, l)
		}
		types[s.Name] = t
	}
	short := map[string]any{}
	for name, v := range types {
		t := v.(lineType)
		t.Elements = withoutInherited(types, t)
		short[name] = t
	}
	return short, rules
}

// withoutInherited leaves out elements that the reader can put back: those that
// stand the same in the base type, and those of BackboneElement and Element at
// the head of each nested element.
func withoutInherited(types map[string]any, t lineType) (out []lineElement) {
	inherited := map[string]map[string]lineElement{}
	of := func(base string) map[string]lineElement {
		if m, ok := inherited[base]; ok {
			return m
		}
		m := map[string]lineElement{}
		if b, ok := types[base].(lineType); ok {
			for _, e := range b.Elements {
				m[e.Path] = e
			}
		}
		inherited[base] = m
		return m
	}
	kind := map[string]string{"": t.Base}
	for _, e := range t.Elements {
		if len(e.Types) == 1 && (e.Types[0].Code == "BackboneElement" || e.Types[0].Code == "Element") {
			kind[e.Path] = e.Types[0].Code
		}
		parent, last := "", e.Path
		if i := strings.LastIndexByte(e.Path, '.'); i >= 0 {
			parent, last = e.Path[:i], e.Path[i+1:]
		}
		if b, ok := of(kind[parent])[last]; ok && e.Path != "" {
			b.Path = e.Path
			x, _ := json.Marshal(e)
			y, _ := json.Marshal(b)
			if bytes.Equal(x, y) {
				continue
			}
		}
		out = append(out, e)
	}
	return out
}

func bare(canonical string) string {
	url, _, _ := strings.Cut(canonical, "|")
	return url
}

func refOf(r typeRef) lineRef {
	l := lineRef{Code: r.Code}
	if strings.HasPrefix(r.Code, "http://hl7.org/fhirpath/System.") {
		l.Code, l.Bare = "string", true
		for _, x := range r.Extension {
			if strings.HasSuffix(x.URL, "structuredefinition-fhir-type") {
				l.Code = x.ValueURL
			}
		}
	}
	if len(r.Profile) > 0 {
		l.Profile = strings.TrimPrefix(r.Profile[0], core)
	}
	for _, t := range r.Target {
		l.Targets = append(l.Targets, strings.TrimPrefix(t, core))
	}
	return l
}

func ruleText(c constraint) string { return c.Key + "\x00" + c.Expression + "\x00" + c.Human }

// ruleIDs gives each rule its key, or key and type where types use one key for
// different rules.
func (p *source) ruleIDs() map[string]string {
	seen := map[string]map[string]string{} // key → text → first type
	for _, url := range slices.Sorted(maps.Keys(p.structures)) {
		s := p.structures[url]
		if !kept(s) {
			continue
		}
		for _, e := range s.Snapshot.Element {
			for _, c := range e.Constraint {
				if seen[c.Key] == nil {
					seen[c.Key] = map[string]string{}
				}
				if seen[c.Key][ruleText(c)] == "" {
					seen[c.Key][ruleText(c)] = s.Name
				}
			}
		}
	}
	ids := map[string]string{}
	for key, texts := range seen {
		for text, typ := range texts {
			ids[text] = key
			if len(texts) > 1 {
				ids[text] = key + "@" + typ
			}
		}
	}
	return ids
}

func (p *source) params(types map[string]any) map[string]any {
	out := map[string]any{}
	for _, s := range p.parameters {
		// Examples, and parameters over extensions, are not of the base specification.
		if strings.HasPrefix(s.ID, "example") || strings.Contains(s.ID, "-extensions-") {
			continue
		}
		for _, base := range s.Base {
			if _, ok := types[base]; !ok {
				log.Fatalf("gen: %s: base %s is no type", s.URL, base)
			}
			l := lineParam{Code: s.Code, URL: s.URL, Type: s.Type, Expression: branch(s.Expression, base), Targets: slices.Sorted(slices.Values(s.Target))}
			if len(s.Target) > 100 { // written out, "any type" would be the largest part of the file
				l.Targets = []string{"Resource"}
			}
			for _, c := range s.Component {
				l.Components = append(l.Components, lineComponent{Definition: c.Definition, Expression: c.Expression})
			}
			list, _ := out[base].([]lineParam)
			out[base] = append(list, l)
		}
	}
	for _, v := range out {
		slices.SortFunc(v.([]lineParam), func(a, b lineParam) int { return cmp.Compare(a.Code, b.Code) })
	}
	return out
}

// branch keeps those alternatives of an expression for several types that begin
// at typ; all of it when none does.
func branch(expr, typ string) string {
	depth, quoted, from := 0, false, 0
	var parts, own []string
	for i, r := range expr {
		switch {
		case r == '\'':
			quoted = !quoted
		case quoted:
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == '|' && depth == 0:
			parts = append(parts, strings.TrimSpace(expr[from:i]))
			from = i + 1
		}
	}
	for _, part := range append(parts, strings.TrimSpace(expr[from:])) {
		root, _, _ := strings.Cut(strings.TrimLeft(part, "( "), ".")
		if root == typ {
			own = append(own, part)
		}
	}
	if len(own) == 0 {
		return expr
	}
	return strings.Join(own, " | ")
}

// codes expands the value sets of required bindings. One whose codes are not in
// the package is open: its codes cannot be told.
func (p *source) codes() map[string]any {
	out := map[string]any{}
	for _, s := range p.structures {
		if !kept(s) {
			continue
		}
		for _, e := range s.Snapshot.Element {
			if e.Binding == nil || e.Binding.Strength != "required" {
				continue
			}
			url := bare(e.Binding.ValueSet)
			if _, done := out[url]; !done {
				out[url] = p.expand(url)
			}
		}
	}
	return out
}

func (p *source) expand(url string) lineSet {
	open := lineSet{Open: true}
	vs, ok := p.sets[url]
	if !ok || len(vs.Compose.Exclude) > 0 {
		return open
	}
	var set lineSet
	for _, inc := range vs.Compose.Include {
		if len(inc.Filter) > 0 || len(inc.ValueSet) > 0 {
			return open
		}
		cs := inc.Concept
		if len(cs) == 0 {
			sys, ok := p.systems[inc.System]
			if !ok || sys.Content != "complete" {
				return open
			}
			cs = sys.Concept
		}
		set.Systems = append(set.Systems, lineSystem{System: inc.System, Codes: flat(cs)})
	}
	return set
}

func flat(cs []concept) (out []string) {
	for _, c := range cs {
		out = append(append(out, c.Code), flat(c.Concept)...)
	}
	return out
}

func (p *source) compartments() map[string]any {
	out := map[string]any{}
	for _, c := range p.compart {
		if strings.HasPrefix(c.ID, "example") {
			continue
		}
		m := map[string][]string{}
		for _, r := range c.Resource {
			if len(r.Param) > 0 {
				m[r.Code] = r.Param
			}
		}
		out[c.Code] = m
	}
	return out
}
