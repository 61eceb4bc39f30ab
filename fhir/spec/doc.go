// Package spec holds what FHIR R4 (4.0.1) defines, as data: types and their
// elements, invariants, search parameters, the codes of required bindings,
// compartments; and, of all that, what this product serves (capability.json).
//
//   - definitions.go: [R4], which loads on first need.
//   - type.go: [Type] and [Element], and the way from an element to its children.
//   - param.go: search parameters, compartments, value sets.
//   - capability.go, capability.json: what is served; router, index,
//     CapabilityStatement and scopes follow from it.
//   - gen.go, gen_source.go: distil the files in r4 from HL7's package; r4/NOTICE says which.
//
// # Limits
//
// Only value sets of required bindings are expanded, without displays. Base
// definitions fix no values and hold no patterns, so neither is read; profiles
// will need both. Example parameters and those over extensions are left out.
//
// # Decisions
//
// Five gzipped files of lines "key TAB json", about 0.1 MiB in all, rather than
// one document: the reader inflates a file at its first use and decodes a line
// when its type is first asked for. A binary form would save a millisecond and
// could not be looked at with zcat.
//
// Elements that a type inherits unchanged are left out of the files and put back
// on reading; a test compares the result with HL7's snapshots element by element.
//
// A search parameter for several types is kept once per type, with those
// alternatives of its expression that begin at the type: the others select
// nothing there, and cost an evaluation each.
package spec

//go:generate go run gen.go gen_source.go
