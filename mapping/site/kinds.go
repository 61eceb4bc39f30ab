package site

import (
	"slices"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// never are the kinds that no import makes: a process note is written by its
// author, through the notes gate, or not at all.
var never = []string{"process-note"}

// schema returns the JSON Schema of a kind of record; ok is false for none.
func (c *compiler) schema(kind string) (fhir.Node, bool) {
	if !c.known(kind) {
		return fhir.Node{}, false
	}
	n, err := fhir.ParseNode(practice.Schema(kind))
	return n, err == nil
}

func (c *compiler) known(kind string) bool { return slices.Contains(c.knownKinds(), kind) }

// knownKinds lists the kinds that a site file may name.
func (c *compiler) knownKinds() []string {
	return slices.DeleteFunc(practice.Kinds(), func(k string) bool { return slices.Contains(never, k) })
}
