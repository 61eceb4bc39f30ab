package deid

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"rapport/fhir/spec"
)

//go:embed rules/*.yaml
var shipped embed.FS

// The profiles that the product ships.
const (
	Expert     = "expert"
	SafeHarbor = "safe-harbor"
)

// Profile says what may leave and how. It is immutable and safe for concurrent use.
type Profile struct {
	Name  string // "expert"
	Title string // for people
	// Shifts says that dates are shifted; else they are told as years and days from
	// baseline.
	Shifts bool

	types      map[string]*rule
	systems    map[string]*terms
	ages       map[string]*terms
	units      map[string]bool
	extensions map[string]*rule
}

// Types lists the resource types that may leave.
func (p *Profile) Types() []string { return slices.Sorted(maps.Keys(p.types)) }

// Embedded returns a profile that the product ships.
//
// Errors: one that names the profiles there are.
func Embedded(name string) (*Profile, error) {
	dir, err := fs.Sub(shipped, "rules")
	if err != nil {
		return nil, err
	}
	for _, known := range []string{Expert, SafeHarbor} {
		if name == known {
			return Read(dir, name+".yaml", spec.R4())
		}
	}
	return nil, fmt.Errorf("deid: there is no profile of that name; there are %s and %s", Expert, SafeHarbor)
}

// Read loads a profile from a file of dir, which may name another one there as its
// base: what the base says of a type, a system or an extension holds where the file
// itself says nothing of it.
//
// Errors: [Faults], each with file, line and column.
func Read(dir fs.FS, file string, defs *spec.Definitions) (*Profile, error) {
	src, err := fs.ReadFile(dir, file)
	if err != nil {
		return nil, fmt.Errorf("deid: %w", err)
	}
	s := &source{file: path.Base(file)}
	root := s.parse(src)
	if err := s.err(); err != nil {
		return nil, err
	}
	s.known(root, "profile", "title", "base", "dates", "systems", "ages", "units", "extensions", "types")
	p := &Profile{
		Name: s.word(root, "profile"), Title: s.word(root, "title"),
		types: map[string]*rule{}, systems: map[string]*terms{}, ages: map[string]*terms{}, units: map[string]bool{}, extensions: map[string]*rule{},
	}
	if p.Name == "" {
		s.fault(root, "profile is missing: the name under which releases ask for it")
	}
	switch dates := s.word(root, "dates"); dates {
	case "shift":
		p.Shifts = true
	case "year":
	default:
		s.fault(root.key("dates"), "dates is shift or year")
	}
	if p.Shifts && strings.Contains(strings.ToLower(p.Name+p.Title), "safe harbor") || p.Shifts && p.Name == SafeHarbor {
		s.fault(root.key("profile"), "a profile that shifts dates is not Safe Harbor and must not be called so")
	}
	if base := s.word(root, "base"); base != "" {
		bs := &source{file: path.Base(base)}
		if src, err := fs.ReadFile(dir, path.Base(base)); err != nil {
			s.fault(root.key("base"), "there is no such file beside this one")
		} else if n := bs.parse(src); n != nil {
			bs.known(n, "systems", "ages", "units", "extensions", "types")
			p.take(bs, n, defs)
		}
		if err := bs.err(); err != nil {
			return nil, err
		}
	}
	p.take(s, root, defs)
	if len(p.types) == 0 {
		s.fault(root, "types is missing: nothing would leave")
	}
	if err := s.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// take adds what one file says.
func (p *Profile) take(s *source, root *node, defs *spec.Definitions) {
	s.each(root, "systems", func(k, v *node) {
		if t := s.terms(v); t != nil {
			p.systems[k.text] = t
		}
	})
	s.each(root, "ages", func(k, v *node) {
		if t := s.terms(v); t != nil {
			p.ages[k.text] = t
		}
	})
	for _, u := range s.words(root.key("units")) {
		p.units[u] = true
	}
	c := compiler{source: s, defs: defs}
	s.each(root, "extensions", func(k, v *node) { p.extensions[k.text] = c.extension(k, v) })
	s.each(root, "types", func(k, v *node) {
		t, ok := defs.Type(k.text)
		if !ok || t.Kind != spec.Resource || t.Abstract {
			s.fault(k, "%s is no resource type of R4", k.text)
			return
		}
		p.types[k.text] = c.resource(t, v)
	})
}

// each runs f on the entries of a map.
func (s *source) each(root *node, name string, f func(k, v *node)) {
	n := root.key(name)
	if n == nil {
		return
	}
	if !n.dict {
		s.fault(n, "%s is a map, not %s", name, n.what())
		return
	}
	for i, k := range n.keys {
		f(k, n.items[i])
	}
}
