// Package rest is the FHIR RESTful API without a transport: a [Request] goes in
// with the caller's [fhir.Gate], a [Response] comes out. One file per
// interaction, named as in https://hl7.org/fhir/R4/valueset-type-restful-interaction.html:
//
//	read.go vread.go create.go update.go patch.go delete.go history.go search.go
//	transaction.go batch.go capabilities.go
//
// conditional.go is what update, patch and delete do with criteria in place of an id;
// precondition.go reads If-Match and If-None-Match of writes.
// everything.go (its Parameters: parameters.go) and validate.go are operations, and
// operation.go is how other packages add theirs. shape.go (_elements, _summary), prefer.go and once.go (Idempotency-Key)
// concern several interactions.
//
// router.go tells requests apart by what fhir/spec's capability.json serves;
// outcome.go holds the one table from error codes to HTTP.
//
// A request is made ready (parsed, rewritten, validated) by prepare, outside any
// transaction. What is left to do inside one is a plan, and a plan is the same
// whether it comes from a request of its own or from an entry of a transaction
// Bundle: an entry re-enters the same code with the same fhir.Tx.
//
// # Limits
//
// Conditional references are resolved in transactions alone, on what was there before
// them and they do not delete. A conditional delete is of one resource. A batch starts
// nothing asynchronous and holds FHIR JSON alone: other answers are had outside of one.
//
// # Decisions
//
// The link to the next page holds a sealed cursor and nothing else: it carries
// the whole query, so that no URL that we mint holds a name, a date or an id
// (promise 9). The self link repeats what the caller asked for.
//
// An id or a path that cannot exist answers exactly as one that does not.
//
// In a transaction, a relative reference is read below its entry's fullUrl first, as
// bundle.html#references says, so that a Bundle from another server does not come to
// point at whoever has that id here.
//
// Entries of a transaction are not read before the transaction starts: conditional
// creates and conditional references are resolved inside it, on what its caller
// may see.
//
// A POST search keeps its parameters out of the self link too: who posts them wants
// them in no URL.
//
// What is remembered of a request with an Idempotency-Key is what it did: statuses,
// keys, versions and effects. The answer that is told again is read again, through the gate:
// whoever may no longer see it does not get it from a memory. A deletion is told again to
// whoever may still delete. How an answer is told is for the Prefer of each request.
//
// Of what the caller does not see, If-Match: * and If-None-Match: * find nothing there.
// Where an update of an id that is hidden, free or deleted is 404 to a caller, it is so
// with them too: they turn only what would have succeeded into a 412 (RFC 9110 13.2.1).
//
// A patch is read, changed and written in one transaction, and its reading is decided
// as reading: by "test" it tells what is there.
package rest
