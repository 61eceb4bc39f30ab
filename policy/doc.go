// Package policy decides who may do what, and is the only maker of a [fhir.Gate].
//
//   - principal.go: who asks. guard.go: [Guard] makes the gate of one principal.
//   - rules.go: what is asked of the rules ([Question]) and answered ([Judgement]);
//     policy/opa answers it from Rego.
//   - class.go, label.go, facts.go, relation.go: what the rules must know of a
//     resource, worked out when it is written.
//   - consent.go, profile.go, refresh.go: the consents of one patient as one text.
//   - judge.go, scope.go: rules, consents and scopes become a [fhir.Sight], and the
//     verdict on one resource.
//   - read.go, search.go, write.go, delete.go, derive.go, cursor.go: the gate itself. cohort.go: the
//     Group that an export is of.
//   - note.go, note_try.go: the gate of process notes, and its dry run. release.go: what a partner gets.
//   - record.go: what is recorded of each act, and who keeps it.
//
// # How a decision is made
//
// The rules judge classes, not rows. Each resource has a class (type group, labels,
// marks of what it bears), each patient a profile (what their consents come to), and
// a caller ties to patients (a caseload, a grant, being the patient). For a caller the
// rules are asked once for each class, tie and state of consent; the answers become
// sets, by which a store finds what is visible, and by which a single resource is
// judged. Reading and searching use the same answers, so they cannot differ, and what
// a store returns is judged again before it leaves.
//
// # Decisions
//
// What no rule allows is denied, and so is everything while a rule errs, gives no
// answer, or none is loaded. There is no rule that denies; there are floors that must
// hold whatever is allowed. So a rule that is lost can only take away.
//
// One [fhir.Missing] for what is not there and what may not be known of. Whether an
// interaction as such is allowed is told before anything is looked up.
//
// A class is text, not bits: it says in a dump or a record what it is, and a new label
// needs no migration. The store interns it.
//
// A consent's silence is no consent. A rule that needs one says so; a referral for
// treatment does not (45 CFR 164.506(c)), a vendor's reading does.
//
// What follows from a resource is about whom it is about. One that is moved to another
// patient after something followed from it is refused, whoever moves it: what followed
// stands in the other's record, and to move it along would take it from there unseen.
//
// Labels only ever rise by a caller's hand. To take one off is an act of its own,
// which imports and the record's owner may do (ToRelabel).
package policy
