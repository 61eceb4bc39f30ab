// Package instrument keeps questionnaires such as the PHQ-9 as data: what is
// asked, what each answer counts, how a score is made of them, what the score is
// called and when a change is more than chance, each with the source that says
// so. The scorer in Go is the authority; the FHIRPath in the Questionnaires that
// are made here must agree with it.
//
//   - files/<slug>/instrument.yaml is one instrument, example-*.yaml are worked
//     examples of others. To add an instrument is to add a folder.
//   - file.go reads them strictly; instrument.go says what they hold; library.go
//     finds them by slug, canonical URL and code.
//   - points.go, score.go, check.go: exact decimals, the scorer, and whether a
//     score that a source states is the one its items give.
//   - questionnaire.go, expression.go, terminology.go: the FHIR definitions.
//   - response.go: answers to QuestionnaireResponse and back.
//   - derive.go, about.go, observation.go, risk.go: what follows from a response.
//   - course.go, timeline.go, change.go: the courses of therapy of a client, every score
//     on a scale and the course that it belongs to, and the change between two of them.
//   - settle.go, withdraw.go, alert.go: what a write means for the scores of other
//     responses, what goes with a response that is gone, and when a change asks for
//     a person.
//   - bare.go: scores that a source states without answers, beside the others.
//   - feedback.go, words.go, wording/: the plain facts for whoever has just handed in
//     a response, and sentences of them.
//
// # Limits
//
// One answer an item; choice and integer items. No norms by age or sex. The
// change of an instrument for which no published constant is cited stays
// unclassified: points are given, no class.
//
// # Decisions
//
// A missing item means no total, since a sum over what happens to be there looks
// like health. Only a rule that the instrument's publisher states, cited in its
// file, makes another exception (K10+: one item; SDQ: two of five).
//
// Answers are refused rather than guessed: a code that is none of the item's, a
// coding without a system, an item answered twice are errors, never "missing".
//
// The SDQ total needs all four scales. The Australian specification lets one
// of them be missing without saying what the total then is; we do not choose.
//
// Subscales, band and change are parts of one Observation, not resources of their
// own: they are read, labelled, amended and withdrawn together.
//
// Band and change are told in our own code systems. HL7's interpretation codes
// (H, L, N) would say that a reference range was crossed, which a band is not.
//
// A risk is looked for in every response, also in one that was broken off, and
// an answer that is later withdrawn puts the flag to rest but leaves the task: a
// person looks at it. Scores come from completed and amended responses alone.
//
// The change that a score tells of is a part of what is stored, so that whoever gets
// it by FHIR reads the same as we do. It is therefore told anew when what it was
// measured from changes: the scores of a client are the same whatever the order in
// which responses came, were amended, or went. A caller who may not see a baseline
// moves nothing that was told against it. A session that changes its course of therapy, and
// a course that begins or ends otherwise, move scores as a response does.
//
// Baseline, change and own mean take the scores of one course of therapy and one
// informant: what a parent answers is no change of what the client answered, and of two
// courses side by side each has its own beginning. The course is the one that a response
// names, else that of its encounter; the score names it too, and who answered where that
// is not whom the questionnaire is for, so that later scores need not read responses.
// Therapists are one informant, since they take turns; two RelatedPersons are two. Tasks
// are counted by the same lines.
//
// What names no course belongs to one by its time alone, and never to two: to the course
// that ran then; where none ran, to the one that began within the next 14 days (the
// questionnaire sent with the invitation), else to the one that ended last (a follow-up).
// Where several would have it, it is set against none and none against it, and whoever
// sent it is told to name its course: a guess might praise what got worse. The courses are
// the client's EpisodeOfCares, not those that scores happen to name, so that it does not
// matter what else was sent. Whoever may not see them moves no such score.
//
// A score that is dated with a year or a month has no place among the others: it is set
// against none and none against it, as one without a date.
//
// A score that a source states without answers stays as it was said: nobody writes into
// the Observation of another, and the same file sent twice makes no version. What it comes
// to beside others is worked out whenever it is asked for, and it calls for a review as an
// answered one does; the Task then rests on the Observation. Nothing is said of a risk,
// and that is said, since no item was seen.
//
// What follows from a response is in error when the response is, and is deleted when
// the response is deleted. A task that somebody closed stays closed.
//
// A reliable deterioration, since the first score or since the last, and a drop below
// the client's own mean ask for a review once in a run of scores that each show it. Ten
// weeks of the same deterioration are one thing to look at, not ten; a further one since
// the last score begins a run of its own. A relapse counts as much as a bad beginning:
// 20, 6, 17 is little since the first and very much since the last. There is no comparison
// with the best score so far: the rules are of two scores, and the least of many is low by
// chance, so that whoever answers every week would be told worse sooner or later. What
// creeps up again (20, 6, 10, 14, 18) is seen in the trajectory. The task names its
// comparison in reasonCode. A task whose score was corrected is in error,
// not cancelled: then nobody decided about it, and it may be raised again.
//
// Own means are for instruments without norms, such as the alliance check, whose
// rule is the practice's own and says so in the file.
//
// Sentences are made of facts alone, so that what is said cannot differ from what is
// stored. Those for the client leave out bands: "severe" is a word for a clinician. They say
// that the therapist is told where a Task waits for one, and praise no change where a risk
// fired. The safety text is for a client who answered of themselves. What is not finished
// has no score in words either, however much of it was answered.
//
// The FHIRPath of a score stands under R4's cqf-expression in what is stored. SDC's
// calculatedExpression is defined in no package that every validator has, and a
// definition that a stranger's validator calls wrong is wrong for them; form
// fillers get it from Form.
//
// The total of a response is checked against its items by the scorer, not by
// running the FHIRPath once more: a test shows for random answers that the two
// agree, and both come from one file.
//
// LOINC has items of the K10 (65189-3 and others, PhenX), asked about 30 days and
// with answers numbered the other way round. They are not the Australian K10+, so
// it has codes of our own.
package instrument
