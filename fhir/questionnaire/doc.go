// Package questionnaire judges a QuestionnaireResponse by its Questionnaire, on
// the tape of both: linkIds and their places, required and repeated items, answer
// types, options, bounds, and enableWhen.
//
//   - validate.go: the walk over definition and response side by side.
//   - answer.go: one answer: its type, its options, its bounds.
//   - bound.go: least and greatest values, lengths, decimal places.
//   - enable.go: whether an item is enabled.
//   - value.go: how two values compare.
//
// # Limits
//
// enableWhen is evaluated, SDC's enableWhenExpression is not: an item that has
// one is judged only if it is answered. Value sets other than contained ones and
// those that [Checker.ValueSet] knows are not judged but warned of; displays are
// not compared.
//
// # Decisions
//
// Completeness is demanded of completed and amended responses alone; a draft gets
// the same findings as warnings. A wrong value is wrong in a draft too.
//
// A response that answers a disabled item is an error, never silently kept: it
// says what the form did not ask.
//
// A value set that cannot be judged is a warning, not an error: the response is
// not wrong because we lack a terminology.
//
// Conditions have a budget: forms and responses come from outside, and conditions
// that depend on each other in a circle would be followed exponentially.
//
// Patterns of the regex extension run on Go's engine, which cannot be made to
// run for ever; one that it cannot compile is warned of.
package questionnaire
