package practice

// Client is a person in therapy. Everything but the key may be unknown.
type Client struct {
	Origin
	Name   Name   `json:"name,omitzero"`
	Gender string `json:"gender,omitempty"` // administrative: male, female, other, unknown; "" where nothing is said
	// BirthDate is YYYY, YYYY-MM or YYYY-MM-DD; BirthDateAccuracy says how sure it
	// is: exact, estimated, unknown; "" where nothing is said.
	BirthDate         string       `json:"birthDate,omitempty"`
	BirthDateAccuracy string       `json:"birthDateAccuracy,omitempty"`
	Deceased          string       `json:"deceased,omitempty"` // date
	Active            *bool        `json:"active,omitempty"`
	Organisation      Ref          `json:"organisation,omitzero"` // that keeps this record
	GeneralPractice   []Ref        `json:"generalPractice,omitempty"`
	Identifiers       []Identifier `json:"identifiers,omitempty"`
	Telecom           []Telecom    `json:"telecom,omitempty"`
	Addresses         []Address    `json:"addresses,omitempty"`
	Languages         []Language   `json:"languages,omitempty"`
	MaritalStatus     Concept      `json:"maritalStatus,omitzero"`
	BirthCountry      Concept      `json:"birthCountry,omitzero"`
	// Indigenous is what was said about belonging to an indigenous people.
	Indigenous Concept  `json:"indigenous,omitzero"`
	Details    []Detail `json:"details,omitempty"`
}

// Language is one that a client speaks.
type Language struct {
	Concept
	Preferred   *bool   `json:"preferred,omitempty"` // for talking with the client
	Proficiency Concept `json:"proficiency,omitzero"`
}

// Kind implements [Record].
func (*Client) Kind() string { return "client" }

// Key implements [Record].
func (r *Client) Key() SourceKey { return r.keyOf(r.Kind()) }
