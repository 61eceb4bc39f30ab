// Package trajectory tells how a client has fared: scores over time with what the
// therapy was at the time, as data, in words and as a picture.
//
//   - read.go: scores, through a caller's gate. plan.go: phases, adjustments,
//     no-shows.
//   - words.go: the story in plain sentences; it is the text alternative, too.
//   - picture.go, axis.go, place.go: where everything stands; svg.go: the file.
//
// # Decisions
//
// Nothing is worked out that is stored: baseline, change and what it amounts to are
// those of the Observation, which package instrument keeps right when an earlier
// response is corrected. Of a score without answers nothing is stored but what its source
// said, so that package instrument works it out for the caller. What the caller may not see is not there: a phase, a score
// or an appointment that is missing leaves no trace.
//
// A series has one informant, so that a parent's answers are no change of the client's.
// Courses of therapy are lines of their own, be they one after another or side by side; a
// line is what the stored scores say they are measured from.
//
// A score dated after the day of the trajectory is named apart and stands in no series
// before its day: a mistyped year would be the latest for ever.
//
// The picture is drawn here, in plain SVG with presentation attributes alone: no
// script, no style sheet, no font to fetch, so that it may be shown under the
// strictest content security policy and saved as a file. It is in greys, and tells
// kinds apart by shape and dash: it is printed, photocopied and faxed. Colour would
// add nothing for the reader who cannot see it. Change since the first score is the shape of
// a marker; a ring around it says that things turned reliably worse since the score before,
// which may be so of any shape.
//
// Text is laid out by the widths of Helvetica, enlarged to those of the widest font that
// stands in for it, since the reader's is not known; no text is drawn where another stands. What finds no room in the
// picture (a value, a phase's name) is in the words.
//
// The picture names nobody. Whoever prints it writes on it whose it is.
package trajectory
