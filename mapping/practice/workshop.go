package practice

// Workshop is one meeting of several clients. What is said of all of them stands
// here once; what is said of one stands with that one.
type Workshop struct {
	Origin
	Organisation  Ref           `json:"organisation,omitzero"`
	Practitioners []Participant `json:"practitioners,omitempty"`
	Topic         string        `json:"topic,omitempty"` // of the workshop, never of a client
	Start         string        `json:"start"`
	End           string        `json:"end,omitempty"`
	Minutes       int           `json:"minutes,omitempty"`
	Modality      string        `json:"modality,omitempty"` // as a session's
	Place         string        `json:"place,omitempty"`    // as a session's
	Techniques    []string      `json:"techniques,omitempty"`
	Clients       []Attendance  `json:"clients"`
}

// Attendance is one client's part in a workshop. A client who was named by mistake
// stays in the list as entered-in-error: what is left out is not known to have been
// there.
type Attendance struct {
	Client  Ref    `json:"client"`
	Episode Ref    `json:"episode,omitzero"`
	Status  string `json:"status"` // finished, noshow, cancelled, booked, entered-in-error
	Phase   string `json:"phase,omitempty"`
	Because string `json:"because,omitempty"` // why the client did not come
}

// Kind implements [Record].
func (*Workshop) Kind() string { return "workshop" }

// Key implements [Record].
func (r *Workshop) Key() SourceKey { return r.keyOf(r.Kind()) }
