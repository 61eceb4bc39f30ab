// Package exchange carries referrals to partners and answers back.
//
//   - state.go: which status of a Task may follow which, and by whom.
//   - follow.go: what a write of a Task sets going, in the write's transaction.
//   - courier.go: takes work from the outbox and brings it to the partner.
//   - gather.go: what belongs to a referral; the partner's Release decides what of it goes.
//   - pack.go: a transaction Bundle that can be sent any number of times.
//   - answer.go: status and output of the receiver's Task, back to the sender's.
//
// Both sides are this same package. The sender's Task and the receiver's copy are
// paired by an identifier whose system is the sender's FHIR base + "/Task" and whose
// value is the Task's id there; every other resource of a package carries such an
// identifier too. By it a conditional create recognises what has arrived already, so
// that delivery may be repeated until it is known to have succeeded, and by it a
// receiver's resources find home when the answer refers to them.
//
// # Decisions
//
// A reference to something that is not part of the package becomes a Reference
// with data-absent-reason «masked»: a mandatory reference stays valid, and the
// receiver learns neither an id nor whether the thing exists. Rejected: dropping the
// element, which breaks mandatory ones and hides that something was withheld.
//
// The receiver's courier writes to the sender's Task, not the sender's courier to
// itself by polling: the sender sees the answer at once, and who wrote it stands in
// the sender's audit as the partner.
package exchange
