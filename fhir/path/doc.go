// Package path evaluates FHIRPath on the tape of a document: search parameters,
// invariants, masks and scores all use this one engine.
//
//   - lex.go, parse.go, ast.go: an expression becomes a tree, once.
//   - expr.go: [Compile], [Expr], [Env]; eval.go, operator.go, arith.go: the tree
//     is walked over [Item]s.
//   - item.go, model.go: an element of a document with its FHIR type, and what
//     members it has, from fhir/spec.
//   - moment.go, quantity.go, ucum.go: dates as precise as they were written;
//     numbers with units.
//   - function.go, function_*.go, narrative.go: the functions.
//
// # Limits
//
// A steps budget, at most a hundred thousand items and a megabyte of text bound
// what one evaluation may cost, whatever the expression and the document. UCUM
// is a table of the units that care meets; a unit outside it compares with
// itself alone, and so do units with an offset (degrees Celsius). memberOf,
// conformsTo with profiles and resolve ask hooks in [Env]. Not there:
// elementDefinition, slice, checkModifiers, subsumes, the Long type.
//
// # Decisions
//
// A tree that appends to slices, not closures over maps: a path over a response
// allocates its result and nothing else.
//
// The model is fhir/spec itself and no interface in front of it: there is one
// set of definitions, and the steps of a path remember the element they last met.
//
// Member names that the definitions do not know select nothing, unless
// [Env.Strict] asks: search expressions are evaluated on many types of element.
//
// «as» and ofType keep primitive types apart (a code is no string) while «is»
// follows derivation: so says the official suite. What it says against the
// specification is listed with reasons in its test.
package path
