// Package fhir is the ground that every other package stands on: the one
// currency ([Resource]), the words in which things are asked for ([Query],
// [Scope], [Span]), what is seen ([Sight]), what is answered ([Set], [Error])
// and the [Gate] through which all of it passes.
//
// It imports nothing of ours. What must cross a wall between layers is an
// interface here that the composition root fills in.
//
//   - key.go, resource.go, node.go, tape.go: a resource is its received bytes
//     and a flat index over them. Bytes leave only by [Resource.Body].
//   - object.go: an ordered builder for resources that we make.
//   - query.go, index.go, set.go: search, both sides of it.
//   - sight.go: what one caller may see, as data; the zero value sees nothing.
//   - error.go: one error is one OperationOutcome issue.
//   - gate.go, port.go: the interfaces between layers.
//
// # Decisions
//
// A resource is bytes, not structs. Every Go struct library that was tried
// loses primitive extensions and unknown content on a round trip; bytes cannot.
//
// Versions are integers. A versionId is then ordered, an ETag is W/"3", and the
// store needs no second column to sort history by.
//
// Sight is passed with each question rather than with the transaction: in one
// Bundle every entry is an act of its own with a sight of its own, and the gate
// itself must read facts that its caller may not see.
package fhir
