// Package opa answers policy's questions by Rego: rules of the house, embedded,
// one package a file. It is a [policy.Engine].
//
//   - rules/*.rego: gateway.rego joins them; rules say what is allowed, floors what
//     must hold besides. Every file says in its METADATA what it is for, and has
//     its tests beside it.
//   - engine.go: loads rules, tries them, and only then puts them in force.
//   - compile.go: what Rego may use here, and what a file must look like.
//   - judge.go: one question in, one judgement out, both checked.
//   - invariants.txt: what no version of the rules may answer otherwise.
//
// To add a rule, add rules/<name>.rego with the package gateway.rule.<name> and its
// test. A rule reads input as judge.go makes it: role, purpose, verb, type, group,
// confidentiality, labels, marks, tie, consent, basis. It never sees a resource, a name or a
// time.
//
// # Limits
//
// Rules cannot look anything up, tell the time or reach the network: those functions
// do not exist for them. A question takes some 50 µs; policy remembers the answers.
//
// # Decisions
//
// Rules are positive. A denial that reads a missing field is undefined, and what is
// not denied would be allowed: so rules only say allow, and floors only say that
// they hold. A floor that says nothing denies everything.
//
// Input is made and checked in Go, so that no rule meets a shape that it was not
// written for: `"admin" in {"note": "admin"}` is true in Rego.
//
// OPA's compilation of rules into queries was rejected: it does not translate
// iteration over labels, and its «deny all» differs from «allow all» by a nil.
package opa
