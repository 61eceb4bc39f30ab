package policy

import "context"

// Verb is what the rules are asked about. All ways of reading are one verb, so
// that read, search, include and history cannot come to differ; an act of export
// reads in all of those ways under a verb of its own.
type Verb string

// The verbs.
const (
	ToRead      Verb = "read"
	ToCreate    Verb = "create"
	ToUpdate    Verb = "update"
	ToDelete    Verb = "delete"
	ToDisclose  Verb = "disclose"   // hand a resource of a released package to a partner
	ToRelabel   Verb = "relabel"    // take security labels off
	ToWriteNote Verb = "write-note" // process notes
	ToReadNote  Verb = "read-note"
	ToExport    Verb = "export" // hand over in bulk, as it is
	ToStudy     Verb = "study"  // hand over in bulk, de-identified
)

// Tie says how the caller and a resource belong together. The first five are
// those of fhir.Reach; the others exist for single resources only.
type Tie string

// The ties.
const (
	TieLoose      Tie = "loose"      // the resource is about no patient
	TieAnyone     Tie = "anyone"     // whoever the patient is
	TieRelated    Tie = "related"    // the caller has a live relation to the patient
	TieOwn        Tie = "own"        // the caller is the patient
	TieParty      Tie = "party"      // the resource names the caller
	TieIntroduced Tie = "introduced" // the caller brought the patient into this tenant
	TieBrought    Tie = "brought"    // the caller brought this very resource
	TieReleased   Tie = "released"   // part of a package for the caller
	TieAuthor     Tie = "author"     // the caller wrote this process note
)

// Roles lists the roles that rules know. Whoever has another one may do nothing.
func Roles() []Role {
	return []Role{Therapist, Admin, Intake, Patient, EHR, Partner, Researcher, Auditor, Integration}
}

// Question is what the rules judge: one kind of caller, one verb, one class of
// resources, one tie. It names nobody, so that few questions serve all requests.
type Question struct {
	Role            Role
	Purpose         string // v3-ActReason, "" when none is stated
	Verb            Verb
	Type            string // resource type
	Group           string // contact, setting, frame, clinical, record, note
	Confidentiality string // U L M N R V
	Labels          string // sensitivity and handling codes, sorted, comma between
	Marks           string // what content it bears, sorted, comma between; see Class
	Tie             Tie
	Consent         ConsentState
	Basis           Basis // what research rests on where no consent speaks
}

// Basis is the legal ground on which a research project rests beside consent.
type Basis string

// The grounds.
const (
	OnConsent Basis = ""       // consent alone
	OnWaiver  Basis = "waiver" // a law or an ethics committee: silence is enough, an objection still counts
)

// ConsentState is what the patient's consents come to for one question.
type ConsentState string

// The states.
const (
	NoConsent ConsentState = "none"   // nothing that concerns it
	Permitted ConsentState = "permit" // permitted by a current consent
	Denied    ConsentState = "deny"   // denied, or consents that cannot be understood
	Barred    ConsentState = "barred" // denied to this caller by name
)

// Judgement answers a Question. The zero Judgement denies.
type Judgement struct {
	Allow bool
	By    []string // names of the rules that allow, sorted
	// ChangeOnly, if not empty, are the only elements that an update may change.
	ChangeOnly []string
}

// Rules are one version of the policy. They are immutable and safe for
// concurrent use. An error denies.
type Rules interface {
	Judge(ctx context.Context, q Question) (Judgement, error)
	Digest() string // of all that decides, for the record
}

// Engine holds the rules in force. policy/opa is one.
type Engine interface {
	// Rules returns the rules in force, nil while none are loaded. A View or Update
	// keeps the ones that it began with.
	Rules() Rules
}
