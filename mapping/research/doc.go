// Package research makes of an export a release for a research project: whose data
// leaves and how it is generalised, tidy tables, a data dictionary and a report on
// what could be disclosed.
//
//   - release.go: Release, which shapes one bulk export: survey, transform, attach.
//   - cohort.go, administration.go, diagnosis.go: what is read of the people.
//   - generalise.go: k-anonymity of the quasi-identifiers, by the smallest loss.
//   - suppress.go: counts that are not told, and those that would tell them.
//   - history.go: releases of a project that differ by few people.
//   - table.go, rows.go, dictionary.go, report.go, readme.go, parcel.go: the files.
//
// # Limits
//
// The tables of a release are kept in memory while it is made: about 2 KB an
// answering of an instrument.
//
// Releases of one project are compared by who is in them. That two of them may
// generalise otherwise, so that together they tell more than each, is not looked at:
// nothing is told more finely than in the finer of the two.
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
// The band of birth years ends 90 years before the release: whoever is older is in one
// class (45 CFR 164.514(b)(2)(i)(C)).
//
// Change is taken from the score that the gateway derived when the answers were
// stored, so that a table never says other than the record.
//
// Therapists, practices, instruments and codes of diagnoses that fewer than k people have
// are withheld as well. Where the withheld ones together are fewer than k, the
// smallest of the others goes with them: an empty field would tell who it is.
//
// A release is recorded in the history when its last file is written. A job that is
// interrupted and goes on finds itself there and is let through: it is the
// same people.
package research
