package practice

import "encoding/json"

// Coding is a code of a code system.
type Coding struct {
	System  string `json:"system,omitempty"` // URI of the code system
	Code    string `json:"code,omitempty"`
	Display string `json:"display,omitempty"` // as the system says it, not translated
}

// IsZero reports whether c says nothing.
func (c Coding) IsZero() bool { return c == Coding{} }

// Concept is what is meant: a code, the same in other systems, and words.
type Concept struct {
	Coding
	Also []Coding `json:"also,omitempty"` // the same in other code systems
	Text string   `json:"text,omitempty"` // as it was said
}

// IsZero reports whether c says nothing.
func (c Concept) IsZero() bool { return c.Coding.IsZero() && len(c.Also) == 0 && c.Text == "" }

// Identifier is a number that somebody gave, other than the record's own key.
type Identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value"`
	// Use is usual, official, temp, secondary, old; "" where nothing is said.
	Use string `json:"use,omitempty"`
	// Linkage: a key made from personal data to link records of one person across
	// sources. It is kept, marked as no plain identifier, and never released for
	// research.
	Linkage bool `json:"linkage,omitempty"`
}

// Name is a person's name. Nothing in it is ever made up.
type Name struct {
	Family string   `json:"family,omitempty"`
	Given  []string `json:"given,omitempty"`
	Prefix []string `json:"prefix,omitempty"`
	Text   string   `json:"text,omitempty"`
}

// IsZero reports whether no name is known.
func (n Name) IsZero() bool {
	return n.Family == "" && len(n.Given) == 0 && len(n.Prefix) == 0 && n.Text == ""
}

// Telecom is a way to reach somebody.
type Telecom struct {
	System string `json:"system"` // phone, email, sms, fax, url, pager, other
	Value  string `json:"value"`
	Use    string `json:"use,omitempty"` // home, work, mobile, temp, old
}

// Address is a postal address.
type Address struct {
	Line       []string `json:"line,omitempty"`
	City       string   `json:"city,omitempty"`
	State      string   `json:"state,omitempty"`
	PostalCode string   `json:"postalCode,omitempty"`
	Country    string   `json:"country,omitempty"`
}

// IsZero reports whether nothing is known.
func (a Address) IsZero() bool {
	return len(a.Line) == 0 && a.City == "" && a.State == "" && a.PostalCode == "" && a.Country == ""
}

// Detail is something that the source says and that no field of ours is for:
// what it is about, and one value.
type Detail struct {
	About  Coding      `json:"about"`
	Coding *Coding     `json:"coding,omitempty"`
	Number json.Number `json:"number,omitempty"`
	Text   string      `json:"text,omitempty"`
	Yes    *bool       `json:"yes,omitempty"`
	Date   string      `json:"date,omitempty"` // YYYY, YYYY-MM or YYYY-MM-DD
}
