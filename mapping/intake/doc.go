// Package intake runs imports: a source's rows, through a site mapping and the
// mapper, into the store by way of the gate; each row ends created, updated,
// unchanged, quarantined or rejected, and whoever imports is told which, by file
// and line.
//
//   - config.go: what a run needs. source.go: what it reads from.
//   - run.go: the run; read.go: tables and their headers; outcome.go: what became of rows.
//   - held.go, ledger.go: rows that others look up; what became of each record.
//   - order.go: responses in the order of time.
//   - convert.go: from a record to resources, and what a changed record no longer gives.
//   - store.go, follow.go, provenance.go, questionnaire.go: batches, and what goes with them.
//   - dangling.go, summary.go: what the run refers to and does not hold; the report.
//
// # Limits
//
// A run keeps some 170 bytes for each row and its records, and whole the tables that
// others look up and those of responses. A row can depend on one of its own table only if
// that one stands before it. Deletions (PMHC's delete files, snapshots) are not
// read yet.
//
// # Decisions
//
// Rejected is what could not be read or is not ours (another tenant's, a key that
// stands twice); quarantined is what was read and waits for a person. What depends
// on either is quarantined too and says which row it waits for: half a course of
// therapy would be read as a whole one.
//
// A reference to what is not in the upload is allowed, and listed if it is not in
// the store either: an intake may come with next month's file. Ids are made from
// business keys, so it will fit then.
//
// Two rows with one key are never merged, the second is rejected: which one is right
// is for the practice to say.
//
// Rows are stored in batches of one transaction, for speed; a batch that fails for
// a reason in a record is stored row by row. An error of the store, of rights or of
// ourselves stops the run instead: it would meet every row.
//
// Each transaction that wrote something holds one Provenance of what it wrote: the
// policy lets none be changed later. So the second import of a file writes nothing
// at all.
//
// Responses are stored in the order of time, not of lines, since a score tells the
// change since the first one. One that comes with a later upload and is older than
// what is there changes nothing of the scores that were made before.
//
// A resource that a record no longer gives is deleted with the change that says
// so; its versions stay in the history.
package intake
