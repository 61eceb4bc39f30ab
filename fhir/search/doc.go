// Package search is both sides of FHIR search apart from the store: a URL's
// parameters become a [fhir.Query], a resource becomes the [fhir.Index] entries
// that it is found by. Both follow fhir/spec: capability.json says what is served,
// the definitions say how.
//
//   - engine.go: [Engine] compiles the parameters' FHIRPath once.
//   - index.go, entry.go: [Engine.Index], and what each datatype is found by.
//   - parse.go: [Engine.Parse] and [Request]; clause.go: one parameter, chains and
//     _has; operand.go: values; result.go: _sort, _count, _include …
//   - reference.go: what a reference or a reference value names.
//   - match.go: [Engine.Narrow] and [Engine.Match] for granular scopes.
//   - suggest.go: «did you mean».
//
// # Limits
//
// A token or URI longer than 1024 bytes is not indexed and a longer string only by
// its first 1024; values asked for may not be longer either. A reference that names
// nothing which could be looked up (to a contained resource, by identifier alone)
// is not indexed. Chains, _has and includes do not follow canonicals. Number, quantity and composite parameters are not served: [New]
// refuses a capability.json that does.
//
// # Decisions
//
// A date without a zone is that of UTC, so «2026-03-01» is one day for every reader
// of an index. An own zone would move what is found when it is changed.
//
// What is not understood is refused by name, never by value: names are ours, values
// are the caller's and may be a person's. With handling=lenient it is left out and
// the caller is told; a value that cannot be read is refused all the same, since it
// was meant to narrow the answer.
//
// An id without a type in a reference parameter that can name only one type means
// that type. Where a chain could go to several types, they are told and none is
// guessed.
//
// Codes compare to the letter. The specification lets servers ignore case when in
// doubt; identifiers of persons and conditional creates leave no room for it.
//
// A code element has the system that its required binding gives it; a boolean has
// none; a ContactPoint has its system (phone, email).
package search
