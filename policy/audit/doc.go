// Package audit keeps the journal of who did what: it is the [policy.Recorder].
//
//   - journal.go: Journal, its two strengths, its background work.
//   - segment.go: the local append-only file of records written before an answer.
//   - ship.go: brings local records into the store.
//   - seal.go: chains committed records and signs checkpoints.
//   - verify.go: names the first record that was edited, removed, swapped or cut.
//
// A record of a write, of a disclosure, of a process note is part of the write's
// own transaction: on disk exactly when the write is. A record of a read or a denial
// is written to the local journal before the answer leaves: it survives the end of
// the process at once and a loss of power within 10 ms, is shipped into the store
// within a quarter of a second, and sealed there like the others.
//
// Each process is a writer with a chain of its own in each tenant: record n's hash is
// SHA-256(hash of n-1, record n). A checkpoint signs n and its hash, and at its first
// one a writer also signs where the other writers' chains stood, so that a whole
// chain cannot vanish unseen.
//
// # Decisions
//
// Reads do not wait for the disk: a sync for each would cost more than half of the
// read throughput. `audit.reads: synced` makes them wait.
//
// Entries that a dead process left without a place in its chain are sealed into
// that same chain by whichever process finds them after ten seconds. Rejected: a
// chain of their own, which would hide which process made them. Two that try at once
// cannot both succeed: the store refuses a place that is taken.
//
// Requests without a valid token belong to no tenant; they are kept under the
// tenant [System], one record for each source and minute.
package audit
