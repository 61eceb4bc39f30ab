package spec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"rapport/fhir"
)

//go:embed capability.json
var capability []byte

// Group says to whose business a type belongs; policy begins with it.
type Group string

// The groups.
const (
	Contact  Group = "contact"  // who a client is and when they come
	Setting  Group = "setting"  // the practice itself and its instruments; about no client
	Frame    Group = "frame"    // that care is given, agreed and asked for
	Clinical Group = "clinical" // all else about a client
	Record   Group = "record"   // what was done with data
)

// Served says what of FHIR the product serves. It is immutable.
type Served struct {
	FHIRVersion string
	System      []fhir.Interaction // on the base URL: transaction, batch
	Results     []string           // parameters about the answer: _sort, _count …
	Prefixes    []fhir.Prefix      // of dates; "eq" is also written by leaving it out
	Chain, Has  int                // how many levels deep; 0: not served
	Types       []*ServedType      // by name
	modifiers   map[fhir.ParamKind][]fhir.Modifier
	byName      map[string]*ServedType
}

// ServedType says what of one resource type is served.
type ServedType struct {
	Name              string
	Group             Group
	Interactions      []fhir.Interaction
	ConditionalCreate bool
	Params            []Param  // by code
	Includes          []string // "Observation:subject": what _include takes
	RevIncludes       []string // what _revinclude takes: references of served types to this one
}

// Type returns what is served of a type; false if nothing is.
func (s *Served) Type(name string) (*ServedType, bool) {
	t, ok := s.byName[name]
	return t, ok
}

// Modifiers returns the modifiers served for parameters of a kind.
func (s *Served) Modifiers(k fhir.ParamKind) []fhir.Modifier { return s.modifiers[k] }

// Allows reports whether an interaction on the type is served.
func (t *ServedType) Allows(i fhir.Interaction) bool { return slices.Contains(t.Interactions, i) }

// Param returns a parameter that is served.
func (t *ServedType) Param(code string) (Param, bool) {
	for _, p := range t.Params {
		if p.Code == code {
			return p, true
		}
	}
	return Param{}, false
}

// Capability returns what capability.json says, joined with the definitions.
var Capability = sync.OnceValue(func() *Served {
	s, err := readCapability(R4(), capability)
	if err != nil { // it is embedded and tested
		panic(err)
	}
	return s
})

type capabilityFile struct {
	FHIRVersion       string                      `json:"fhirVersion"`
	System            []fhir.Interaction          `json:"system"`
	Interactions      []fhir.Interaction          `json:"interactions"`
	ConditionalCreate bool                        `json:"conditionalCreate"`
	Params            []string                    `json:"params"`
	Results           []string                    `json:"results"`
	Modifiers         map[string][]fhir.Modifier  `json:"modifiers"`
	Prefixes          []string                    `json:"prefixes"`
	Chain             int                         `json:"chain"`
	Has               int                         `json:"has"`
	Types             map[string]capabilityOfType `json:"types"`
}

type capabilityOfType struct {
	Group        Group              `json:"group"`
	Interactions []fhir.Interaction `json:"interactions"` // in place of those for all types
	Params       []string           `json:"params"`
}

var (
	onTypes   = []fhir.Interaction{fhir.Read, fhir.VRead, fhir.Create, fhir.Update, fhir.Delete, fhir.Patch, fhir.HistoryInstance, fhir.HistoryType, fhir.SearchType}
	onSystem  = []fhir.Interaction{fhir.Transaction, fhir.Batch, fhir.HistorySystem}
	groups    = []Group{Contact, Setting, Frame, Clinical, Record}
	modifiers = []fhir.Modifier{fhir.Exact, fhir.Contains, fhir.IsMissing, fhir.Not}
	prefixes  = []fhir.Prefix{"eq", fhir.Ne, fhir.Gt, fhir.Lt, fhir.Ge, fhir.Le, fhir.Sa, fhir.Eb}
	results   = []string{"_count", "_include", "_revinclude", "_sort", "_total", "_summary", "_elements"}
)

// readCapability reads the file strictly and refuses whatever the definitions
// do not bear out.
func readCapability(d *Definitions, b []byte) (*Served, error) {
	if _, err := fhir.ParseNode(b); err != nil { // duplicate members
		return nil, fmt.Errorf("capability.json: %w", err)
	}
	var f capabilityFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("capability.json: line %d: %w", 1+bytes.Count(b[:dec.InputOffset()], []byte{'\n'}), err)
	}
	if f.FHIRVersion != "4.0.1" {
		return nil, fmt.Errorf("capability.json: fhirVersion %q: the definitions are those of 4.0.1", f.FHIRVersion)
	}
	s := &Served{FHIRVersion: f.FHIRVersion, System: f.System, Results: f.Results, Chain: f.Chain, Has: f.Has,
		modifiers: map[fhir.ParamKind][]fhir.Modifier{}, byName: map[string]*ServedType{}}
	if err := known("system", f.System, onSystem); err != nil {
		return nil, err
	}
	if err := known("results", f.Results, results); err != nil {
		return nil, err
	}
	for _, p := range f.Prefixes {
		if err := known("prefixes", []fhir.Prefix{fhir.Prefix(p)}, prefixes); err != nil {
			return nil, err
		}
		s.Prefixes = append(s.Prefixes, fhir.Prefix(p))
	}
	for kind, ms := range f.Modifiers {
		k, ok := paramKinds[kind]
		if !ok {
			return nil, fmt.Errorf("capability.json: modifiers: %q is no type of parameter", kind)
		}
		if err := known("modifiers "+kind, ms, modifiers); err != nil {
			return nil, err
		}
		s.modifiers[k] = ms
	}
	for _, name := range slices.Sorted(maps.Keys(f.Types)) {
		t, err := servedType(d, name, f)
		if err != nil {
			return nil, err
		}
		s.Types = append(s.Types, t)
		s.byName[name] = t
	}
	s.link()
	return s, nil
}

func servedType(d *Definitions, name string, f capabilityFile) (*ServedType, error) {
	l := f.Types[name]
	if !d.IsResource(name) {
		return nil, fmt.Errorf("capability.json: types: %s is no resource type of R4", name)
	}
	if err := known(name+": group", []Group{l.Group}, groups); err != nil {
		return nil, err
	}
	if l.Interactions == nil {
		l.Interactions = f.Interactions
	}
	if err := known(name+": interactions", l.Interactions, onTypes); err != nil {
		return nil, err
	}
	t := &ServedType{Name: name, Group: l.Group, Interactions: l.Interactions}
	t.ConditionalCreate = f.ConditionalCreate && t.Allows(fhir.Create)
	codes := slices.Sorted(slices.Values(append(slices.Clone(f.Params), l.Params...)))
	for i, code := range codes {
		p, ok := d.Param(name, code)
		switch {
		case !ok:
			return nil, fmt.Errorf("capability.json: %s: R4 defines no search parameter %q for it", name, code)
		case p.Expression == "", p.Kind == fhir.Special && code != "_id" && code != "_lastUpdated":
			return nil, fmt.Errorf("capability.json: %s: %q is of type %s, which is not indexed", name, code, p.Type)
		case i > 0 && codes[i-1] == code:
			return nil, fmt.Errorf("capability.json: %s: %q stands twice", name, code)
		}
		t.Params = append(t.Params, p)
	}
	return t, nil
}

// link derives includes from the reference parameters that are served.
func (s *Served) link() {
	for _, from := range s.Types {
		for _, p := range from.Params {
			if p.Kind != fhir.Reference {
				continue
			}
			name := from.Name + ":" + p.Code
			used := false
			for _, to := range s.Types {
				if p.CanTarget(to.Name) {
					to.RevIncludes = append(to.RevIncludes, name)
					used = true
				}
			}
			if used {
				from.Includes = append(from.Includes, name)
			}
		}
	}
}

func known[T comparable](where string, have, may []T) error {
	seen := map[T]bool{}
	for _, v := range have {
		if !slices.Contains(may, v) {
			return fmt.Errorf("capability.json: %s: %v is none of %v", where, v, may)
		}
		if seen[v] {
			return fmt.Errorf("capability.json: %s: %v stands twice", where, v)
		}
		seen[v] = true
	}
	return nil
}
