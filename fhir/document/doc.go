// Package document makes of a referral's resources one document that a clinician
// reads in two minutes: as a FHIR document Bundle and as a page to print.
//
//   - referral.go: [New] reads what the resources say into a [Referral].
//   - section.go: the sections, in the order in which a reader needs them.
//   - score.go: the assessments, one line an instrument.
//   - say.go: names, dates, concepts and quantities in words.
//   - bundle.go: [Referral.Bundle], the Composition with its narrative.
//   - page.go: [Referral.Page], the same as HTML.
//
// It is built of the resources that it is handed and of nothing else: whoever hands
// them over has decided who may read them. The narrative and the page come from one
// model, so they cannot say different things.
//
// # Decisions
//
// Sections follow the C-CDA Referral Note (LOINC 57133-1), reordered: what is asked,
// what is dangerous, what is the matter, how it went, what is wanted, what was done.
//
// That something was withheld is said, not what, how much or why: a reader must know
// that the picture is not whole, and a client must be able to keep a thing back.
//
// No sentence is composed that judges: bands, changes and achievements stand in the
// words of the resource that states them.
//
// A page has no script, no image and no address to load anything from, and its one
// style is known by its hash ([Policy]), so that it can be served under a
// Content-Security-Policy that allows nothing else.
//
// English only.
package document
