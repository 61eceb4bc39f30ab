// Package sqlstore keeps resources in SQLite and in PostgreSQL: the store below the
// gate (see fhir/store), one handle a tenant, with its history, search index, feed,
// outbox, memos and audit journal; and, apart from all that, sealed process notes.
//
//   - db.go: opening, tenants, closing. migrate.go, migrations/: the schema.
//   - session.go: what both databases offer a transaction; SQL is written once.
//   - sqlite.go, group.go: SQLite. One writer commits closures in groups; N readers.
//   - postgres.go, pgsession.go: PostgreSQL. Transactions side by side, retried.
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
// In SQLite a group's COMMIT is the only sync. Nobody is told a result or an error
// before it, for both may rest on a neighbour's write. If it fails, or a closure panics,
// the closures run again one by one.
//
// In PostgreSQL terms and times are committed apart from the transaction that needs
// them, so that writers do not wait for each other. What is apart is unseen by
// SERIALIZABLE; a writer therefore numbers every text that it asks for (before, of two
// that each looked for the other's first Task both went on: neither had read a row).
//
// PostgreSQL's planner is told what to do: look-ups behind OFFSET 0 stay look-ups, and
// sequential scans, which lock whole tables, are off. Without it random queries over
// 1,000 rows took up to 3.5 s while the tables had no statistics, 13 times as long in all.
//
// Locks are of the session and taken before the snapshot; a closure that locks after it
// has read begins again with them. A transaction that failed eight times runs alone.
//
// What is done stays in the outbox as an id: the same work enqueued again is no new one.
package sqlstore
