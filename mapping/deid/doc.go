// Package deid takes out of resources what tells whose they are. A profile is one
// file in rules/ that lists, element by element, what may leave and how; whatever it
// does not name vanishes, and so does what FHIR will know tomorrow.
//
//   - rules/*.yaml: the profiles; common.yaml is what both have in common.
//   - yaml.go, profile.go, rule.go, terms.go: a file is read strictly and compiled
//     against the definitions of R4; faults come with file:line:col.
//   - project.go: pseudonyms and shifts of one project.
//   - transform.go, element.go, response.go, date.go: one pass over the tape of a resource.
//   - secret.go: the random secrets behind the pseudonyms, kept as Memos.
//
// Source: 45 CFR 164.514(b) and (c); HHS, Guidance Regarding Methods for
// De-identification of Protected Health Information (2012).
//
// # Profiles
//
// safe-harbor tells a date as the number of days from the first day of the course of
// therapy, without the year: the two together would tell the month in which one year became
// the next. Of a partial date the year is told, if it lies well before the course.
//
// expert shifts all dates of a person by the same number of whole weeks, so that
// intervals and weekdays stay: to where their course of therapy begins in a week of the
// year 2100 that was drawn for them. It is never Safe Harbor: who releases it needs the
// determination of an expert (164.514(b)(1)). Of a partial date the year is moved as the
// baseline's. Rejected: a shift of up to a year backwards, which leaves the year of start
// nearly true, finer than k people allow. A common year far ahead is what MIMIC does
// (physionet.org, MIMIC-III: 2100 to 2200).
//
// Neither tells a time of day, which would be alike in the exports of two projects; nor a
// date of a person without any baseline, in their year of birth or before, 89 years before
// the last day that is told or more, or after that day. A resource all of whose dates lie
// after it does not leave, also if they are not told (issued), nor does one that began after it; one that ended after it is told
// as it stood before: rules name the dates by which it began and ended.
//
// # Limits
//
// Answers to instruments that are not known here are dropped whole. Whole numbers and
// quantities without a unit, or in units of an age, are told of no Observation. Codes that
// few people have are withheld by whoever knows how many have them: [Config.Code]; and what
// refers to nothing by whoever knows what leaves: [Config.Leaves].
//
// What a record says of its present state without a day (how far a goal is reached) is told
// as it stands, and so is what has no date at all: the change of it from one release to the
// next tells about when, in true days, it came.
//
// # Decisions
//
// Allowed is what is listed: elements, extensions by URL, codes by system and,
// within a system, by list, pattern or check digit. A rule cannot keep a string,
// a URL or markdown: a profile that tries to is refused when it is loaded. A code
// that an element's required binding does not hold is dropped as well, since people
// type names into the wrong box.
//
// Free text is dropped and not scrubbed: no scrubber finds every name.
//
// A pseudonym is HMAC-SHA-256 with the project's key over a random secret that was
// drawn when the person was first met, cut to 160 bits. Nothing of the person goes into
// it (164.514(c)). A practitioner, an organisation has a secret likewise. What belongs
// to a person (a session, a response) is told by the person's secret and the id it has
// here: keeping a secret for each would be one more record for every record, and
// without the person's secret not even the holder of the project's key can test a guess.
//
// What must be there and may not be told is marked with data-absent-reason masked,
// so that the output is valid R4. Claims to profiles are dropped, since
// these ask for what is gone.
package deid
