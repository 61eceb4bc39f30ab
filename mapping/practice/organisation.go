package practice

// Organisation is a practice, a clinic, a hospital, a commissioning network.
type Organisation struct {
	Origin
	Name        string       `json:"name,omitempty"`
	Alias       []string     `json:"alias,omitempty"` // legal and former names
	Active      *bool        `json:"active,omitempty"`
	Types       []Concept    `json:"types,omitempty"`
	PartOf      Ref          `json:"partOf,omitzero"` // an organisation
	Identifiers []Identifier `json:"identifiers,omitempty"`
	Telecom     []Telecom    `json:"telecom,omitempty"`
	Address     Address      `json:"address,omitzero"`
	Start       string       `json:"start,omitempty"` // date from which it delivered services
	End         string       `json:"end,omitempty"`
	Details     []Detail     `json:"details,omitempty"`
}

// Kind implements [Record].
func (*Organisation) Kind() string { return "organisation" }

// Key implements [Record].
func (r *Organisation) Key() SourceKey { return r.keyOf(r.Kind()) }
