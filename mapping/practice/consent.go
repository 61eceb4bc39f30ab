package practice

// Consent is what a client agreed to or refused. One record says one thing: a
// consent to one purpose grants nothing else.
type Consent struct {
	Origin
	Client       Ref    `json:"client"`
	Episode      Ref    `json:"episode,omitzero"`
	Organisation Ref    `json:"organisation,omitzero"` // that asked, and holds the record
	Status       string `json:"status"`                // draft, active, rejected, inactive, entered-in-error
	// About is framing (the terms of the work as they were explained), treatment,
	// privacy (who may get what), research, or statistics (anonymised data for planning
	// services).
	About string `json:"about"`
	// Explained lists what was gone through before a framing was agreed to:
	// confidentiality, confidentiality-limits, method, duration, frequency, fees,
	// cancellation, records, online-sessions, emergencies, complaints.
	Explained []string `json:"explained,omitempty"`
	Decision  string   `json:"decision"`           // permit, deny
	Date      string   `json:"date,omitempty"`     // when it was given
	Start     string   `json:"start,omitempty"`    // from when it holds
	End       string   `json:"end,omitempty"`      // until when
	GivenBy   Ref      `json:"givenBy,omitzero"`   // where not the client
	Witness   Ref      `json:"witness,omitzero"`   // practitioner who explained it
	Text      string   `json:"text,omitempty"`     // what was agreed, in words
	Policy    string   `json:"policy,omitempty"`   // URI of the policy
	Verified  *bool    `json:"verified,omitempty"` // whether the client was asked again

	// Recipients, Purposes, Labels and Types narrow it; what none of them names is
	// not meant.
	Recipients []Ref    `json:"recipients,omitempty"` // organisations or practitioners
	Purposes   []string `json:"purposes,omitempty"`   // v3-ActReason: TREAT, COC, HRESCH …
	Labels     []string `json:"labels,omitempty"`     // v3-Confidentiality and v3-ActCode
	Types      []string `json:"types,omitempty"`      // resource types
	Details    []Detail `json:"details,omitempty"`
}

// Kind implements [Record].
func (*Consent) Kind() string { return "consent" }

// Key implements [Record].
func (r *Consent) Key() SourceKey { return r.keyOf(r.Kind()) }
