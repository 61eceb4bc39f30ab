package policy

import (
	"time"

	"rapport/fhir"
)

// Role is what a principal is to the practice, from configuration or from a
// claim that configuration trusts. The zero Role may do nothing.
type Role string

// The roles of the house; what each may do stands in policy/opa/rules.
const (
	Therapist   Role = "therapist"
	Admin       Role = "admin"
	Intake      Role = "intake" // intake desk: no clinical content
	Patient     Role = "patient"
	EHR         Role = "ehr"     // an EHR vendor's backend
	Partner     Role = "partner" // a hospital or clinic that referrals go to
	Researcher  Role = "researcher"
	Auditor     Role = "auditor"
	Integration Role = "integration" // imports; all but process notes
)

// Principal is who asks, as a verified token and configuration say. It is
// made by policy/token, by the gateway's own processes (import, courier) and by
// tests; nothing in it comes from what a caller merely claims.
type Principal struct {
	Tenant  string // the tenant that the token is for; there is no other way to choose one
	Issuer  string // with Subject: who; the same subject at two issuers is two
	Subject string
	Client  string // OAuth client, or "gateway/<process>"
	Role    Role
	// User is our own Practitioner, PractitionerRole, RelatedPerson or Patient, found by
	// the identifier that the issuer's claim carries; zero for a backend.
	User fhir.Key
	// Patient is the patient in context of patient/ scopes; zero without a launch context.
	Patient fhir.Key
	// Grants are the Organizations and Groups whose clients a backend may see, and the
	// Organization that a partner is.
	Grants  []fhir.Key
	Scopes  []Scope
	Basis   Basis  // of a research client, from configuration
	Purpose string // of use, v3-ActReason: TREAT, HRESCH …; from token or configuration, never from a header
	TokenID string // keyed hash of the token's jti, for the record
	Expires time.Time
}

// Scope is one parsed SMART scope, a ceiling: what no scope covers is not allowed
// whatever the role. See policy/token for the grammar.
type Scope struct {
	Context string // "patient", "user", "system"
	Type    string // resource type, "*" for every type
	Create  bool
	Read    bool // read, vread, instance history
	Update  bool // update, patch
	Delete  bool
	Search  bool // search, type and system history
	// Where narrows to resources that a search with these parameters finds
	// (SMART 2.2 granular scopes); AND-ed. Empty: no narrowing.
	Where []Param
}

// Param is name=value of a granular scope.
type Param struct{ Name, Value string }
