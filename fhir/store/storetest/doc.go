// Package storetest is the conformance suite of [store.Store]: what the comments
// of package store promise, it tests. Every implementation and every wrapper of
// one calls [Run] from its own tests.
//
//   - suite.go: Run, and how tests write and read.
//   - model.go, draw.go, property.go: a reference evaluation of queries over plain
//     values, and random worlds, sights and queries on which a store must agree with it.
//   - version.go, history.go, condition.go, race.go, transaction.go, page.go,
//     patient.go, feed.go, memo.go, outbox.go, journal.go, clock.go: one promise each.
//   - memory.go, memory_port.go: the smallest store that passes, for other packages' tests.
//
// # Decisions
//
// The reference is written as the sentences of the specification, not as a store
// would do it, and knows no SQL: where both err, they err differently.
//
// What a contract leaves open (the order among equals, the shape of cursors) is
// not compared. Waiting is by polling with a deadline, never by a fixed sleep.
package storetest
