// Package research makes of an export a release for a research project: whose data
// leaves and how it is generalised, tidy tables, a data dictionary and a report on
// what could be disclosed.
//
//   - release.go: Release, which shapes one bulk export: survey, transform, attach.
//   - cohort.go, administration.go: what is read of the people.
//   - generalise.go: k-anonymity of the quasi-identifiers, by the smallest loss.
//   - tally.go: codes that few people have.
//   - suppress.go: counts that are not told, and those that would tell them.
//   - history.go: what earlier releases of a project told, and of whom.
//   - table.go, rows.go, dictionary.go, report.go, readme.go, parcel.go: the files.
//
// # Limits
//
// The tables of a release are kept in memory while it is made: about 2 KB an
// answering of an instrument.
//
// A resource is read four times or more: to know the people, to count codes until nothing
// changes, and to write it. What leaves is kept in memory as 8 bytes each.
//
// Codes are counted one element at a time, and release by release: that few people have this
// diagnosis and that format together is not looked at, nor that few are left whose diagnosis
// was told as a category once and is not among those told in full now.
//
// Of a partial date safe-harbor tells the year, expert how many years before the year of
// start it was. Whoever has both of the same people (one project under two profiles, or two
// whose answers are alike) knows the year of start, however it is generalised: give a project
// one profile.
//
// Intervals are the true ones, so weeks in which a whole practice is closed stand out, and
// tell whoever knows them the season; expert rests on a determination that this is borne.
//
// Who left a project is known to whoever has a release from before: they are k or more, but
// need not be alike, and of what was released nothing can be called back.
//
// There is no differential privacy: rows are released, and no claim is made for them
// beyond k-anonymity of the listed quasi-identifiers.
//
// # Decisions
//
// The year of start is the true one, as far as k people share it: shifted dates all
// begin in one year and tell nothing of it.
//
// Generalisation is the same for all (global recoding), so that a column means one
// thing. The lattice has 64 nodes; all are looked at, there is nothing to prune.
// Leaving out a person costs as much as telling nothing of them, and at most a
// sixth may be left out; beyond that the release is refused.
//
// Releases of a project have the same pseudonyms, so whoever has two knows of a person what
// the finer of them tells, and who is in one and not in the other. A release is therefore
// k-anonymous together with all before it: what each told, and of whom, is in the history,
// also where what is known of somebody has changed since. Those who are new stay out until k
// who are new and alike have come. So that the finer one of two is always a part of the
// coarser, classes of years are never cut: those of the oldest end with the decade in
// which somebody turns 90 (45 CFR 164.514(b)(2)(i)(C) asks for 90 years and more).
//
// How many people were left out, or agreed, is not told: the change of it from one release
// to the next would tell of single people.
//
// What is told of anybody ends as if all who began in the same half of a year had begun on
// its last day ([deid.Horizon]), and a course that ended later is told as the active one
// that it then was. The last of weekly sessions would tell where the true calendar lies, and
// so would the release in which an end is told first: with two releases nine days apart, an
// end is known to nine days, and by its distance from the beginning all other days. So
// releases of all days together tell no more than the half of the year. Rejected: a number
// of weeks drawn for each person, of ongoing therapies alone. It told ends, and with the
// year of start the beginning of one in sixty to less than a month. A whole year would hide
// the season as well, and take twice as much from what is told.
//
// Change is taken from the score that the gateway derived when the answers were
// stored, so that a table never says other than the record.
//
// Therapists and practices with which fewer than k people were are withheld, and so is
// each code that fewer have at an element: a diagnosis, a technique, a format, an
// instrument, wherever it stands, in resources and tables alike. Where the withheld ones
// together are fewer than k, the smallest of the others goes with them: an empty place
// would tell who it is. Only where nothing shows that something is missing, as of a
// technique without which there is no Procedure, is that not done. What follows from what
// is told beside it (a band, the status of a course) and the answers, which a release is
// made for, are not counted.
//
// Nothing refers to what does not leave, and tables have no row of it.
//
// A release is recorded in the history when its last file is written. A job that is
// interrupted and goes on finds itself there and is let through: it is the
// same people.
package research
