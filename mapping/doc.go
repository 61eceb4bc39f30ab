// Package mapping turns the records of a practice into FHIR resources and back.
//
//   - mapper.go: what is made of which record; what an earlier version left behind.
//   - ids.go: ids from business keys.
//   - one file a kind of record, with both directions.
//   - element.go, extension.go, reading.go: elements that several kinds share.
//   - tables.go, definition.go: code systems, ConceptMaps and extensions of our own,
//     as files in tables/.
//
// Sub-packages: practice has the records, instrument the questionnaires, site the
// mappings of sources to records, intake runs over a source.
//
// # Limits
//
// Group sessions, exercises, notebook, alliance and amendments have no record yet.
// A plan holds a phase of one kind up to eight times.
//
// A fact of an episode or a role of a practitioner that a later version no longer
// states is not among what [Mapper.Superseded] lists: only what is stored knows which
// there were.
//
// A referral's Task is the receiver's too: it writes status and output to it. A
// record that is handed in anew must carry what [Mapper.FromFHIR] reads there now;
// one that would take the Task a step back is refused when it is stored.
//
// # Decisions
//
// The same record gives the same bytes, so that an import of what has not changed
// makes no version; the references of records become ids without looking anything
// up, so that records may come in any order and refer to what is not there yet.
//
// Nothing is filled in. A profile is claimed only where the record has what it
// asks for: US Core's Patient not without a gender or with an identifier that
// has no system, CarePlan not without words to tell.
//
// US Core's QuestionnaireResponse is not claimed at all: it rests on SDC's, which
// wants item texts that a licence may forbid to ship. Scores of responses claim
// nothing either, since US Core's score derives from such a response.
//
// A session that did not take place is an Appointment, never a finished Encounter,
// and carries nothing clinical: those who make appointments read it. One of which
// only the day is known has that day as its requestedPeriod, and its start and end
// say that they are unknown.
//
// What follows from answers is not made here but when they are stored, whoever
// hands them in; only scores that a source states without items are written as an
// Observation here.
//
// ICD-10-PCS has codes for individual psychotherapy; a technique in a group gets
// none of them. The ConceptMap says so by dependsOn.
//
// HL7's link to an episode may stand on other types in each of its two versions.
// It is used on those that both allow, our own on the others.
//
// The samply models build resources where they are safe. What they would write
// though nobody said it (required choices), what they cannot hold (extensions of
// primitives) and what they escape (narratives) is built as a fhir.Object.
package mapping
