// Package practice holds the records of a psychotherapy practice as its own words
// have them: organisation, practitioner, client, referral, episode, goal, plan,
// session, workshop, exercise, notebook entry, goal rating, response, consent,
// supervision and process note. It knows nothing of FHIR's resources; package
// mapping turns these records into resources and back.
//
//   - record.go: what every record has: a kind and a business key; references.
//   - value.go: names, codes, addresses, details.
//   - plural.go: what several of a kind are called.
//   - one file a kind; schema/<kind>.json is its JSON Schema (2020-12), complete
//     with schema/defs.json through [Schema].
//   - decode.go, order.go: strict reading. Nothing unknown is dropped, it is refused;
//     and so is an end that lies before its start. That a response is not dated in the
//     future, [Timely] says to whoever has a clock.
//
// A session with a couple or a family is a session of the client, with that format.
// How client and therapist get on is a response to the instrument alliance.
//
// # Decisions
//
// What is not known is left out; there is no word for it but where the source
// itself says «unknown». So nothing has to be invented, and nothing that was said
// is confused with what was not.
//
// The status of a client's words is kept apart from ours: lists of words that the
// practice's work is built on (technique, phase, modality) are closed here, and a
// site mapping translates; lists that differ from country to country (diagnosis,
// profession, programme) are codings of the source's own systems.
//
// A business key is one text, not a list of parts: whoever reads a source joins
// its parts by a rule that no two lists of parts share. Keys of parts would make
// every hand-written record longer for the sake of a few imports.
//
// A moment is a text as FHIR writes it, not a time.Time: a date without a time, a
// year without a day are facts that a time.Time would embellish.
//
// A schema file and a Go type state the same thing twice. A test compares them
// member by member; generating one from the other would hide from the people who
// write records what is asked of them.
package practice
