package practice

// Practitioner is a therapist or another who works with clients, and what they do
// where.
type Practitioner struct {
	Origin
	Name        Name         `json:"name,omitzero"`
	Gender      string       `json:"gender,omitempty"`    // male, female, other, unknown; "" where nothing is said
	BirthDate   string       `json:"birthDate,omitempty"` // often only the year
	Active      *bool        `json:"active,omitempty"`
	Identifiers []Identifier `json:"identifiers,omitempty"`
	Telecom     []Telecom    `json:"telecom,omitempty"`
	Roles       []Role       `json:"roles,omitempty"` // at most one for each organisation
	Details     []Detail     `json:"details,omitempty"`
}

// Role is what a practitioner does at an organisation.
type Role struct {
	Organisation Ref       `json:"organisation,omitzero"`
	Codes        []Concept `json:"codes,omitempty"`       // clinical psychologist, social worker …
	Specialties  []Concept `json:"specialties,omitempty"` //
	Active       *bool     `json:"active,omitempty"`
	Telecom      []Telecom `json:"telecom,omitempty"`
	Start        string    `json:"start,omitempty"`
	End          string    `json:"end,omitempty"`
}

// Kind implements [Record].
func (*Practitioner) Kind() string { return "practitioner" }

// Key implements [Record].
func (r *Practitioner) Key() SourceKey { return r.keyOf(r.Kind()) }
