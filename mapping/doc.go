// Package mapping turns the records of a practice into FHIR resources and back.
//
//   - mapper.go: what is made of which record; what an earlier version left behind.
//   - underway.go: what others have said of a record that is written again.
//   - mistaken.go: as what a session stands that is marked as an error.
//   - ids.go: ids from business keys.
//   - one file a kind of record, with both directions.
//   - form.go: what clients write between sessions, as Questionnaires without a score.
//   - adjustment.go: the changes of a plan, and the Provenance that follows from them.
//   - feelings.go: [Mapper.Follow], and the Observations that follow from a notebook.
//   - element.go, extension.go, reading.go: elements that several kinds share.
//   - tables.go, definition.go: code systems, ConceptMaps and extensions of our own,
//     as files in tables/.
//
// Sub-packages: practice has the records, instrument the questionnaires, site the
// mappings of sources to records, intake runs over a source.
//
// # Limits
//
// A plan holds a phase of one kind up to eight times.
//
// A workshop's topic and techniques stand on what took place: of one that nobody
// came to, neither comes back. A client who is left out of a later version is not
// known to have been there; as entered-in-error they stay in the list.
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
// A plan is watched from its resources alone. Of each phase, a CarePlan that is part
// of the plan's, an activity says which instrument is due how often:
//
//	"activity": [{"detail": {
//	  "kind": "Task",
//	  "instantiatesCanonical": ["https://rapport.example/fhir/Questionnaire/phq-9|1.0.0"],
//	  "code": {"coding": [{"system": "https://rapport.example/fhir/CodeSystem/measure", "code": "monitoring"}]},
//	  "status": "in-progress",
//	  "scheduledTiming": {"repeat": {"frequency": 1, "period": 2, "periodUnit": "wk"}},
//	  "description": "PHQ-9"}}]
//
// It holds for the period of its phase, is due for the first time on the first day
// of it, and only while status is in-progress (that of the phase: active).
//
// A change of a plan is a new version of its CarePlan and an Annotation in note, whose
// author, time and text are whose it is, when and why, with the extensions
// adjustment-agreed and adjustment-changed. A plan that is a new one altogether names
// the old one in replaces. [Adjustments] derives the Provenance when the version is
// stored: recorded is when that was, which a mapper without a clock cannot know, and
// who may write a plan need not be allowed to write Provenance.
//
// A workshop is one Encounter for each client and no Group: R4 would have a Group of
// the clients and an Encounter of the Group beside them, which must never leave. Who
// is in the Group is told by every reference to it, and by each search that follows
// one; to keep it back everywhere costs a rule in every place that releases
// something, and one forgotten rule tells a client's name to all others. What
// is not there cannot leak. What the clients have in common is the workshop's key, as
// the identifier of each Encounter; ids are of the key and the client.
//
// A supervision is an Appointment without a patient. The record has neither a field
// for a client nor one for words, and its references can be to practitioners alone.
//
// What a client writes is a response to a Questionnaire of ours without a score, with
// author and source the client and the label PATAST. Only rated feelings become
// Observations; words stay where they are. A report on an exercise is such a response
// and the output of the exercise's Task. The Observations are derived, as scores are:
// a client may write a response and no Observation.
//
// The terms of the work (framing) are a Consent under a policy of their own that
// grants nobody any data, as agreement to treatment does not. Consent has no element
// for what was explained; an extension lists it.
//
// A session that was told otherwise before stays finished, since Encounter.status has
// no word for amended, and says so in an extension.
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
// and carries nothing clinical, nor why it was corrected: those who make appointments
// read it. In error it stays one; the record does not say what it was, so [Mapper.Mistaken]
// looks at what is stored. One of which
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
