// Package intake runs imports: a source's rows, through a site mapping and the
// mapper, into the store by way of the gate; each row ends created, updated,
// unchanged, quarantined or rejected, and whoever imports is told which, by file
// and line.
//
//   - config.go: what a run needs. source.go: what it reads from.
//   - run.go: the run; read.go: tables and their headers; outcome.go: what became of rows.
//   - line.go: storing behind what is read.
//   - held.go, ledger.go, marks.go: rows that others look up; what became of each record.
//   - spill.go, pack.go: what does not stay in memory.
//   - order.go: responses in the order of time.
//   - takeback.go, part.go: rows that take back what was told, whole or in part.
//   - convert.go: from a record to resources; withdraw.go: what it no longer gives.
//   - keep.go: what rows of other tables put into a record, and this upload does not hold.
//   - store.go, follow.go, provenance.go, questionnaire.go: batches, and what goes with them.
//   - dangling.go, summary.go: what the run refers to and does not hold; the report.
//
// # Limits
//
// A run keeps in memory eight bytes for each key of a row and of a record, 16 to 24
// for each row that others look up or that waits for its time, and what it tells of
// failures, at most 10,000 of them. The rows themselves lie sealed in a temporary
// file. Rows that take something out of the records of others are kept whole, and
// all records of that kind are read through to find it; so they are where a record that
// was there holds a row which it did not hold, for that may have moved from another one.
// One that moves into a new record stays in the former one until that is told. Of rows
// that delete records their keys are kept until all else is stored. A workbook's shared
// texts are kept in memory by its source. A row can depend on one of its own table only if
// that one stands before it. Snapshots, where a row that is missing is a deletion,
// are not read yet.
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
// What rows of other tables put into a record is not taken out because an upload lacks
// them: a file that was forgotten, or has only a header, says nothing. Where the table
// is missing, the row that its rows would go into is quarantined, as one is that looks
// up a table that is missing; where the table is there, it is quarantined if what is
// stored holds rows that this upload neither holds nor deletes. Keeping what is stored
// instead would mend a record of two uploads that no source ever stated. A table whose
// rows cannot be deleted takes back by leaving some out; but not the last one, which
// looks like a table that was exported empty.
//
// A resource that a record no longer gives is deleted with the change that says
// so; its versions stay in the history. A row that leaves out a technique or a phase
// changes nothing else, so this is looked for also where all that it gives is as it was:
// for those rows of a transaction together, since a look for each is thirty records of
// the audit a session.
//
// A row that is taken back takes with it the records that it gave, their parts and
// what followed from them; of a record that it only went into, what it put there. What
// is told again afterwards is there again.
//
// What other records refer to is not deleted under them: sessions whose episode is gone
// are in the store and found by nobody, and whoever deletes an episode seldom means to
// leave them. So such a row is quarantined and says what stays; deleted in one upload,
// in whatever order, all of it goes, since deletions end the run, those first that rest
// on others. What counts are records of the kinds that the site file lets refer to it, or
// look up the row and say its key in a detail, whoever wrote them.
package intake
