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
//   - observation.go, risk.go, derive.go: what follows from a response.
//   - change.go, baseline.go, feedback.go: change between two scores, and the
//     plain facts for whoever has just handed in a response.
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
