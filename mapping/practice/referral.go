package practice

// Referral asks somebody else to help: out to a hospital, or in from an intake.
type Referral struct {
	Origin
	Client    Ref    `json:"client"`
	Episode   Ref    `json:"episode,omitzero"`
	Direction string `json:"direction"`          // out, in
	From      Ref    `json:"from,omitzero"`      // organisation that refers
	Requester Ref    `json:"requester,omitzero"` // practitioner who refers
	// RequesterRole is who refers where the person is not known: "general
	// practitioner".
	RequesterRole Concept `json:"requesterRole,omitzero"`
	To            Ref     `json:"to,omitzero"` // organisation that is asked
	Status        string  `json:"status"`      // draft, requested, accepted, rejected, in-progress, on-hold, completed, failed, cancelled, entered-in-error
	// StatusReason says why it was rejected, failed or cancelled; Outcomes are what
	// came of it, as stored: reports, scores.
	StatusReason string    `json:"statusReason,omitempty"`
	Outcomes     []Ref     `json:"outcomes,omitempty"`
	Urgency      string    `json:"urgency,omitempty"` // routine, urgent, asap, stat
	Service      Concept   `json:"service,omitzero"`  // what is asked for
	Date         string    `json:"date,omitempty"`    // dateTime with a zone, or a date
	Due          string    `json:"due,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	ReasonCodes  []Concept `json:"reasonCodes,omitempty"`
	Note         string    `json:"note,omitempty"`
	Supporting   []Ref     `json:"supporting,omitempty"` // what goes along, as stored: goals, plans, responses
	Consents     []Ref     `json:"consents,omitempty"`   // on which it rests
	Details      []Detail  `json:"details,omitempty"`
}

// Kind implements [Record].
func (*Referral) Kind() string { return "referral" }

// Key implements [Record].
func (r *Referral) Key() SourceKey { return r.keyOf(r.Kind()) }
