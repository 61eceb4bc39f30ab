package policy

import (
	"context"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Recorder keeps what the guard did. policy/audit is one; whoever makes it
// decides how records are chained and where they lie.
//
// An error of either method means that there is no record, and then there is no
// answer: the guard turns it into [fhir.Transient].
type Recorder interface {
	// InTx keeps records in the transaction of the write that they are about: they
	// are on disk exactly when the write is.
	InTx(ctx context.Context, tx store.Tx, rs ...Record) error
	// Before keeps records of what wrote nothing: reads, denials, attempts that were
	// rolled back. When it returns, they survive the end of the process; those with
	// Record.Synced also a loss of power.
	Before(ctx context.Context, tenant string, rs ...Record) error
}

// Record says what one act came to. It names resources, never their content;
// only Query may hold what identifies a person otherwise, and a Recorder seals
// it or leaves it out.
type Record struct {
	ID      string    `json:"id"`      // unique within the tenant
	Request string    `json:"request"` // joins the records of one View or Update
	At      time.Time `json:"at"`
	Tenant  string    `json:"tenant"`
	Who     Who       `json:"who"`
	Purpose string    `json:"purpose,omitempty"` // v3-ActReason

	Interaction fhir.Interaction `json:"interaction"`
	Type        string           `json:"type,omitempty"`
	Target      string           `json:"target,omitempty"` // the id that was asked for, whether it exists or not
	Operation   string           `json:"operation,omitempty"`
	Recipient   fhir.Key         `json:"recipient,omitzero"` // whom a disclosure went to
	Query       []byte           `json:"-"`                  // what was asked for, canonical; PHI

	Touched  []Touched  `json:"touched,omitempty"`  // what was answered or written, in order
	Patients []fhir.Key `json:"patients,omitempty"` // whom that is about, sorted, without repeats
	Derived  fhir.Key   `json:"derived,omitzero"`   // the resource that these followed from by a rule of the product

	Decision Effect   `json:"decision"`
	Reasons  []string `json:"reasons,omitempty"` // rules that permitted, or why it was denied
	Policy   string   `json:"policy"`            // digest of the rules that decided
	Outcome  Outcome  `json:"outcome"`
	Failure  string   `json:"failure,omitempty"` // OperationOutcome issue code, for an outcome that is none of success
	Synced   bool     `json:"-"`                 // to be on disk before there is an answer
}

// Who did it.
type Who struct {
	Issuer  string   `json:"issuer,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Client  string   `json:"client,omitempty"`
	Role    Role     `json:"role,omitempty"`
	User    fhir.Key `json:"user,omitzero"`
	Patient fhir.Key `json:"context,omitzero"` // of a launch
	TokenID string   `json:"token,omitempty"`
}

// Touched is one version that an act answered with or wrote.
type Touched struct {
	Key     fhir.Key `json:"key"`
	Version int64    `json:"version"`
	How     How      `json:"how"`
}

// How an act touched a resource.
type How string

// The ways.
const (
	WasRead    How = "read"
	WasCreated How = "create"
	WasUpdated How = "update"
	WasDeleted How = "delete"
	WasSame    How = "unchanged" // a write that changed nothing
)

// Effect of a decision.
type Effect string

// The effects.
const (
	Permit Effect = "permit"
	Deny   Effect = "deny"
)

// Outcome of an act.
type Outcome string

// The outcomes. Nothing of a failed act remains but its record.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
)

func who(p Principal) Who {
	return Who{Issuer: p.Issuer, Subject: p.Subject, Client: p.Client, Role: p.Role, User: p.User, Patient: p.Patient, TokenID: p.TokenID}
}
