package fhir

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// Class is what Rego judges in a resource, interned as canonical text by
// policy: type group, security labels, sensitivity. Resources of one class
// are treated alike; a store only compares it.
type Class string

// Profile is what the consents and restrictions of one patient come to,
// interned as canonical text by policy. The empty profile is that of a patient
// of whom nothing is recorded. A store only compares it.
type Profile string

// Reach says which tie there must be between the caller and a resource.
type Reach uint8

// The ties. Each holds for one patient of a resource, but for Loose and Party.
const (
	NoReach Reach = iota // admits nothing
	Loose                // the resource is about no patient at all
	Anyone               // whoever the patient is
	Related              // the patient has a live [Relation] with one of Rule.Actors
	Own                  // the patient is one of Rule.Actors
	Party                // the resource itself names one of Rule.Actors as a party
)

// Rule admits a resource for one tie: its class must be in Classes, and its
// patients' profiles in Profiles (not asked of a Loose resource).
type Rule struct {
	Reach    Reach
	Actors   []Key
	Classes  []Class
	Profiles []Profile
}

type extentKind uint8

const (
	none extentKind = iota
	some
	all
)

// Extent says what of one type is visible: none, some or all. It is a sum type
// so that an empty list can never mean everything; the zero value is none.
type Extent struct {
	kind  extentKind
	rules []Rule
}

// None sees nothing.
func None() Extent { return Extent{} }

// All sees everything of the type, tombstones included.
func All() Extent { return Extent{kind: all} }

// Some sees what its rules admit; without rules that is nothing.
func Some(rules ...Rule) Extent {
	if len(rules) == 0 {
		return None()
	}
	return Extent{kind: some, rules: rules}
}

// IsNone, IsAll tell the kind.
func (e Extent) IsNone() bool { return e.kind == none }

// IsAll reports whether everything of the type is visible.
func (e Extent) IsAll() bool { return e.kind == all }

// Rules returns the rules of a Some; nil otherwise.
func (e Extent) Rules() []Rule { return e.rules }

// Sight says what one caller may see at one moment, type by type. The zero
// Sight sees nothing, and so does every type that is not named. It is immutable.
//
// A resource is admitted by Some when
//   - it is about no patient and a Loose rule has its class; or
//   - a Party rule has its class, one of the rule's actors is a party of the
//     resource, and the rule has the profile of each of its patients; or
//   - it is about patients, and for each of them a rule of reach Anyone, Related
//     or Own holds that has the class and that patient's profile.
//
// [Sight.Admits] is that sentence in Go; a store's SQL must agree with it
// (storetest compares them).
type Sight struct {
	extents map[string]Extent
	every   bool
	// At is the moment of judging; a profile whose Until has come
	// is unknown and admits nothing.
	At time.Time
	// Since is the earliest end of an episode that still ties (At minus the
	// configured grace). A relation that ended before it is dead.
	Since time.Time
}

// SightOf returns the sight that sees each named type as given.
func SightOf(at, since time.Time, extents map[string]Extent) Sight {
	return Sight{extents: maps.Clone(extents), At: at, Since: since}
}

// Omniscient sees everything of every type. It is for the gate's own questions
// and for maintenance below it, never for an answer to a caller.
func Omniscient() Sight { return Sight{every: true} }

// Of returns the extent of a type.
func (s Sight) Of(typ string) Extent {
	if s.every {
		return All()
	}
	return s.extents[typ]
}

// Every reports whether s is [Omniscient].
func (s Sight) Every() bool { return s.every }

// Types lists the types of which something may be visible, sorted.
func (s Sight) Types() []string {
	var ts []string
	for t, e := range s.extents {
		if e.kind != none {
			ts = append(ts, t)
		}
	}
	slices.Sort(ts)
	return ts
}

// Relation ties an actor to a patient. It comes from one resource (an
// EpisodeOfCare's careManager, a CareTeam's participant, an Encounter's
// participant, a managing organisation) and lives and dies with it.
type Relation struct {
	Actor   Key
	Patient Key
	// Episode is the EpisodeOfCare that the tie depends on, zero if on none. The
	// tie is live only while that episode's own relation (an Actor that is the
	// EpisodeOfCare itself, tied to the same patient) is.
	Episode Key
	// Ended is when the tie ended; zero while it lasts.
	Ended time.Time
}

// PartyRole names in which role a resource names an actor.
type PartyRole string

// The roles that policy knows.
const (
	Author    PartyRole = "author"
	Owner     PartyRole = "owner"
	Requester PartyRole = "requester"
	Performer PartyRole = "performer"
	Recipient PartyRole = "recipient"
	Agent     PartyRole = "agent"
)

// Named is an actor that a resource names in a role.
type Named struct {
	Role  PartyRole
	Actor Key
}

// Facts are what policy needs to know of one version of a resource, computed
// when it is written.
type Facts struct {
	Class    Class
	Patients []Key     // everyone it is about, sorted, without repeats
	Parties  []Named   // whom it names
	When     time.Time // clinical time, zero if it has none
}

// PatientFacts are what policy needs to know of one patient.
type PatientFacts struct {
	Patient   Key
	Profile   Profile
	Until     time.Time // when Profile must be computed anew; zero: never
	Relations []Relation
}

// Live reports whether the relation still ties, given all relations of its patient.
func (s Sight) Live(r Relation, all []Relation) bool {
	if !r.Ended.IsZero() && r.Ended.Before(s.Since) {
		return false
	}
	if r.Episode.IsZero() {
		return true
	}
	for _, e := range all {
		if e.Actor == r.Episode && (e.Ended.IsZero() || !e.Ended.Before(s.Since)) {
			return true
		}
	}
	return false
}

// Admits reports whether a resource of typ with facts f is visible. patient
// returns what is known of a patient; an unknown one has the zero PatientFacts.
func (s Sight) Admits(typ string, f Facts, patient func(Key) PatientFacts) bool {
	e := s.Of(typ)
	switch e.kind {
	case all:
		return true
	case none:
		return false
	}
	if len(f.Patients) == 0 {
		return slices.ContainsFunc(e.rules, func(r Rule) bool {
			return r.Reach == Loose && slices.Contains(r.Classes, f.Class) || r.Reach == Party && r.party(f)
		})
	}
	known := make([]PatientFacts, len(f.Patients))
	for i, k := range f.Patients {
		known[i] = patient(k)
		if u := known[i].Until; !u.IsZero() && !s.At.Before(u) {
			return false
		}
	}
	for _, r := range e.rules {
		if r.Reach == Party && r.party(f) && !slices.ContainsFunc(known, func(p PatientFacts) bool { return !slices.Contains(r.Profiles, p.Profile) }) {
			return true
		}
	}
	for i, k := range f.Patients {
		if !slices.ContainsFunc(e.rules, func(r Rule) bool { return s.reaches(r, k, known[i], f.Class) }) {
			return false
		}
	}
	return true
}

func (r Rule) party(f Facts) bool {
	return slices.Contains(r.Classes, f.Class) && slices.ContainsFunc(f.Parties, func(n Named) bool { return slices.Contains(r.Actors, n.Actor) })
}

func (s Sight) reaches(r Rule, k Key, p PatientFacts, c Class) bool {
	if !slices.Contains(r.Classes, c) || !slices.Contains(r.Profiles, p.Profile) {
		return false
	}
	switch r.Reach {
	case Anyone:
		return true
	case Own:
		return slices.Contains(r.Actors, k)
	case Related:
		return slices.ContainsFunc(p.Relations, func(rel Relation) bool {
			return slices.Contains(r.Actors, rel.Actor) && s.Live(rel, p.Relations)
		})
	}
	return false
}

// AppendCanonical appends bytes that are equal for sights that admit alike, for
// cache keys. Moments are rounded down to step: who keeps answers under such a key
// judges anew what each answer holds.
func (s Sight) AppendCanonical(to []byte, step time.Duration) []byte {
	part := func(x string) {
		to = binary.AppendUvarint(to, uint64(len(x)))
		to = append(to, x...)
	}
	if s.every {
		return append(to, 'e')
	}
	to = append(to, 's')
	to = binary.AppendVarint(to, s.At.Truncate(step).UnixMicro())
	to = binary.AppendVarint(to, s.Since.Truncate(step).UnixMicro())
	for _, t := range slices.Sorted(maps.Keys(s.extents)) {
		e := s.extents[t]
		part(t)
		to = append(to, byte(e.kind))
		to = binary.AppendUvarint(to, uint64(len(e.rules)))
		for _, r := range e.rules {
			to = append(to, byte(r.Reach))
			to = binary.AppendUvarint(to, uint64(len(r.Actors)))
			for _, a := range r.Actors {
				part(a.Type)
				part(a.ID)
			}
			to = binary.AppendUvarint(to, uint64(len(r.Classes)))
			for _, c := range r.Classes {
				part(string(c))
			}
			to = binary.AppendUvarint(to, uint64(len(r.Profiles)))
			for _, p := range r.Profiles {
				part(string(p))
			}
		}
	}
	return to
}
