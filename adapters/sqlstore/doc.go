// Package sqlstore keeps resources in SQLite and in PostgreSQL: the store below the
// gate (see fhir/store), one handle a tenant, with its history, search index, feed,
// outbox, memos and audit journal; and, apart from all that, sealed process notes.
//
//   - db.go: opening, tenants, closing. migrate.go, migrations/: the schema.
//   - session.go: what both databases offer a transaction; SQL is written once.
//   - line.go: writers stand in line; closures run in groups and share a commit.
//   - sqlite.go, sqlitedb.go: SQLite: connections, the writer, readers with snapshots.
//   - postgres.go, pgsession.go: PostgreSQL: a line of writers for each tenant.
//   - pgtest: a real PostgreSQL for tests.
//   - term.go: texts and keys as integers. facts.go: facts as bytes.
//   - reader.go, changes.go: reading. write.go, index.go: writing.
//   - find.go, clause.go, order.go: a Query in SQL. sight.go: Sight.Admits in SQL.
//   - port.go, journal.go: feed, memos, outbox; audit entries. note.go: process notes.
//
// # Decisions
//
// A sight is sets and look-ups. Classes, profiles and actors are bound as one array
// each; a row is judged by point look-ups in narrow tables (about, patient, relation,
// party). Chains of OR over rows stop at SQLite's depth of 1,000 and cannot use an index.
// Rules of one reach, actors and profiles are joined first: policy makes one a class.
//
// Where nothing else leaves few rows, the patients whom the rules tie to the caller are
// listed first, up to 1,000, and the search goes through theirs alone: a therapist's
// newest scores are found among the caseload's, not among everybody's. More than that
// are judged row by row.
//
// Heads, histories and included resources are judged in Go by Sight.Admits itself: they
// are few, and there is then one statement of the rule less to keep true.
//
// A condition on an index table is a look-up from the resource (EXISTS by tenant, rid,
// param), but for the one that is likely to hold for the fewest, which leads: it is
// joined where it has one row a resource, an IN over its rows otherwise. Every table has
// both orders, by value and by resource.
//
// The index keeps codes and URLs as text, not as hashes: an equality must be true.
// Types, parameters and systems, which repeat, are integers.
//
// Writers of a tenant come one after the other, in both databases: closures run in
// savepoints of one transaction and share its COMMIT, the only sync. (In SQLite the
// first has the transaction itself to be taken back by.) Nobody is told a
// result or an error before it, for both may rest on a neighbour's write. If it fails, a
// closure panics or a statement fails, the closures run again one by one. Serial writers
// need no conflict detection, no lock for a conditional create and no retries, and their
// transactions' numbers are the order of their commits, so that the feed has no gap to
// wait for.
//
// In PostgreSQL the line goes on across processes by an advisory lock of the tenant, taken
// in the round trip of BEGIN; each statement behind it sees what was committed before.
// Statements without a result travel with the next one. Concurrent SERIALIZABLE
// transactions were built first and rejected: what guards against phantoms are locks of
// index pages, and creates with ascending ids all meet on the same page. 32 writers had
// 350 to 640 creates a second and two failed attempts for each that succeeded; in line
// they have 2,200 (two cores, shared with the server). What is committed apart, as new texts were, escapes SERIALIZABLE too: of two
// that each looked for the other's first Task both went on.
//
// PostgreSQL's planner is told what to do: look-ups behind OFFSET 0 stay look-ups, joins
// are LATERAL, sequential scans are off. Left to itself, before there are statistics, a
// page of one code among 10,000 Observations took 50 s; now 6 ms.
//
// What is done stays in the outbox as an id: the same work enqueued again is no new one.
package sqlstore
