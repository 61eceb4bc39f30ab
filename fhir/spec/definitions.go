package spec

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"io"
	"slices"
	"sync"
)

//go:embed r4/*.gz
var files embed.FS

// Definitions are the definitions of one FHIR version. They are immutable and
// safe for concurrent use; parts are decoded when they are first asked for.
type Definitions struct {
	types        func() map[string]*lazyType
	rules        func() map[string]*Constraint
	params       func() map[string]func() []Param
	codes        func() map[string]func() *ValueSet
	compartments func() map[string]map[string][]string
}

// R4 returns the definitions of FHIR R4 (4.0.1).
//
// Source: package hl7.fhir.r4.core 4.0.1; see r4/NOTICE.
var R4 = sync.OnceValue(func() *Definitions {
	d := &Definitions{}
	d.types = sync.OnceValue(d.readTypes)
	d.rules = sync.OnceValue(readRules)
	d.params = sync.OnceValue(d.readParams)
	d.codes = sync.OnceValue(readCodes)
	d.compartments = sync.OnceValue(readCompartments)
	return d
})

// Type returns a resource type or datatype by its name; "SimpleQuantity" and
// "MoneyQuantity", two profiles that elements are typed with, are there as well.
func (d *Definitions) Type(name string) (*Type, bool) {
	l, ok := d.types()[name]
	if !ok {
		return nil, false
	}
	return l.get(), true
}

// ResourceTypes lists the types of resources that may exist, sorted: not
// Resource and DomainResource themselves.
func (d *Definitions) ResourceTypes() []string {
	var out []string
	for name, l := range d.types() {
		if l.kind() == Resource && !l.abstract() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// IsResource reports whether name is the type of a resource that may exist.
func (d *Definitions) IsResource(name string) bool {
	l, ok := d.types()[name]
	return ok && l.kind() == Resource && !l.abstract()
}

// Is reports whether typ is base or derives from it: Age from Quantity,
// Observation from DomainResource and Resource.
func (d *Definitions) Is(typ, base string) bool {
	for typ != "" {
		if typ == base {
			return true
		}
		t, ok := d.Type(typ)
		if !ok {
			return false
		}
		typ = t.Base
	}
	return false
}

// lines inflates one of the embedded files: key → JSON. Its content is ours, so
// a fault in it is a fault of the program.
func lines(name string) map[string][]byte {
	packed, err := files.ReadFile("r4/" + name + ".gz")
	if err != nil {
		panic(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic("spec: " + name + ": " + err.Error())
	}
	plain := bytes.NewBuffer(make([]byte, 0, 8*len(packed)))
	if _, err := io.Copy(plain, z); err != nil {
		panic("spec: " + name + ": " + err.Error())
	}
	out := make(map[string][]byte, 256)
	for line := range bytes.Lines(plain.Bytes()) {
		key, value, _ := bytes.Cut(line, []byte{'\t'})
		out[string(key)] = value
	}
	return out
}

func decode(name string, line []byte, to any) {
	if err := json.Unmarshal(line, to); err != nil {
		panic("spec: " + name + ": " + err.Error())
	}
}
