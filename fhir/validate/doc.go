// Package validate judges resources by the base definitions of FHIR R4: which
// elements there are and how often, how JSON writes them, what a primitive may
// hold, which codes a required binding allows, which types a reference may name,
// what a narrative may contain.
//
//   - validate.go: [Validator] and its one question.
//   - shape.go: the definitions made ready for look-ups by member name.
//   - walk.go: one pass over the tape: members, cardinality, arrays, choices.
//   - primitive.go, temporal.go: what each primitive may hold; periods.
//   - coded.go: required bindings, meta.
//   - reference.go: literal references, contained resources.
//   - narrative.go: the XHTML of a narrative.
//   - issue.go: how an issue says where and what next.
//
// # Limits
//
// Invariants other than ele-1, ext-1, per-1, txt-1 and txt-2, the rules on contained
// resources (dom-2, dom-4, dom-5) and ref-1 are not evaluated: their expressions
// are in fhir/spec ([rapport/fhir/spec.Element.Constraints]) and belong behind
// the walk in Validator.Resource. Neither are profiles, nor codes of bindings
// that are not required, nor whether what a reference names exists.
//
// # Decisions
//
// Structure is judged by walking the tape once with a map from member name to
// what it stands for, made from the definitions at the first need. Validating by
// generated Go types was rejected: they lose what must be reported.
//
// A modifier extension is let in with a warning. R4 asks a reader to refuse what
// it does not understand; the gateway stores and forwards, and refusing would
// drop a client's record that its own systems can read. What interprets a
// resource here must look for modifier extensions itself.
//
// A period of which precisions or a missing zone leave open whether it ends before it
// starts is let in: 2026-03-05 until 2026-03-05T10:00:00Z is what somebody knows, and
// no fault. HL7's validator refuses it, since per-1 comes to nothing then and not to
// true.
//
// A security label without a code is an error although R4 allows it: a label that
// cannot be judged must not be stored as if it protected something.
//
// An issue never quotes the document. A member name or a wrong code is the
// sender's text, and people type names of clients into the wrong box; a line and
// column say where to look.
//
// Narratives are read as a browser reads them (golang.org/x/net/html), because
// that is where a script would run, and held to XML's rules token by token,
// because FHIR in XML must carry them.
package validate
