// Package web is HTTP: limits, headers, the bearer token, and the mounts
//
//	/fhir/…            the FHIR API (fhir/rest)
//	/practice/…        native records of the practice (openapi.yaml)
//	/livez /readyz     the process; the truth about what it depends on
//	/metrics           Prometheus text
//
// and what the composition root mounts beside them (the built-in issuer).
//
//   - server.go: the routes, and what every request passes: headers, plain paths,
//     survival of a panic. body.go, bearer.go: bodies and tokens.
//   - fhir.go, health.go, metrics.go: one mount each.
//   - practice.go: addresses of records; practice_posted.go: what came, one or
//     several; practice_job.go: one record into the store; practice_batch.go:
//     several; practice_try.go: a dry run; practice_target.go: what a record refers
//     to; practice_feedback.go: what a response came to; practice_note.go: process
//     notes; practice_due.go, practice_trajectory.go: what is due, how a client has
//     fared.
//
// # Decisions
//
// Only this package knows gin. Its logger, its recovery and its trust in
// X-Forwarded-For are not used: the first two print queries, the third believes
// anyone.
//
// The tenant comes from the verified token and from nowhere else; a header or a
// path that names another one is not looked at.
//
// Every answer is Cache-Control: private, no-store, but for /metadata and the
// SMART configuration, which hold nothing of anybody.
//
// A path with dot segments, empty segments or needless escapes is refused, not
// cleaned: whatever stands in front has judged the path as it was sent. A query
// that cannot be read is refused, too; net/url would drop the part that could have
// narrowed the answer.
//
// Compressed bodies are not taken. A limit on either side of a decompressor is
// easily got wrong, and records are small.
//
// A record that is posted may refer only to what is there and what the sender may
// know of; both fail alike, with the place in the record. What is seen there must be
// the same client's, by what the policy takes a resource to be about. An import may leave
// references open, since what they mean may come with the next file. Rejected:
// writing the reference with a warning, which nobody reads, so that a mistyped
// therapist's key would stay for ever.
//
// Resources of a record have ids of our own making, so each is put as a create:
// the gate makes an update of it where the id is in use and visible. It stays the same
// client's: what refers to it would else be about one and name another's. What a
// changed record no longer says is deleted, but a questionnaire's response is
// marked entered-in-error, since its score, flags and tasks follow from that.
//
// Feedback is made inside the transaction from what it wrote and read; a score
// that differs from the Observation that is stored undoes the whole.
//
// A process note is answered as any record, and is known by its author and key: the
// author's retry is no second note. What was there is replaced and nowhere kept, since
// a therapist's own note is theirs to change; the answer says that it was.
//
// A record with an Idempotency-Key is stored once, so that a late retry undoes no
// correction. What is remembered is as in package rest, and never of a process note: that
// would tell of it outside of where notes are kept. A refusal is not remembered.
//
// Of several records each is a transaction, so that a bad one loses itself alone;
// rejected: all or nothing, which an array posted to /fhir as a transaction is
// already. Outcomes are streamed. All of the body is read first: it is bounded, and
// who sends slowly holds up nothing then.
//
// A dry run is the real thing in a transaction that is undone: nothing else would
// show the same. Its audit record says that nothing came of it; what the caller got
// to see is read again afterwards, so that there is a record of it as seen.
package web
