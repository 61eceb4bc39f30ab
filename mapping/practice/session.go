package practice

// Session is one contact, whether it took place or not.
type Session struct {
	Origin
	Client        Ref           `json:"client"`
	Episode       Ref           `json:"episode,omitzero"`
	Organisation  Ref           `json:"organisation,omitzero"`
	Practitioners []Participant `json:"practitioners,omitempty"`
	// Status is finished, amended (finished, and told otherwise before), noshow,
	// cancelled, booked, entered-in-error.
	Status string `json:"status"`
	// Start and End are a dateTime with a zone, or only the date where the zone or
	// the time is not known.
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
	// Minutes is how long it took; MinutesFrom and MinutesTo where the source knows
	// only a band, MinutesTo 0 for one without upper end.
	Minutes     int `json:"minutes,omitempty"`
	MinutesFrom int `json:"minutesFrom,omitempty"`
	MinutesTo   int `json:"minutesTo,omitempty"`
	// Modality is in-person, phone, video, online; "" where nothing is said.
	Modality string `json:"modality,omitempty"`
	// Format is individual, couple, family, group, professionals, other.
	Format     string    `json:"format,omitempty"`
	Types      []Concept `json:"types,omitempty"` // assessment, intervention …, as the source says
	Place      string    `json:"place,omitempty"` // practice, home, elsewhere; where in-person
	Venue      Concept   `json:"venue,omitzero"`  // the place as the source says it
	Phase      string    `json:"phase,omitempty"` // assessment, acute, consolidation, closing, follow-up
	Techniques []string  `json:"techniques,omitempty"`
	Reason     Concept   `json:"reason,omitzero"` // what the client came with, in their own words
	// CorrectedBecause says why a session was amended or entered in error.
	CorrectedBecause string `json:"correctedBecause,omitempty"`
	// CancelledBecause says why a session did not take place.
	CancelledBecause Concept  `json:"cancelledBecause,omitzero"`
	Interpreter      *bool    `json:"interpreter,omitempty"`
	ClientPresent    *bool    `json:"clientPresent,omitempty"` // false: about the client, without them
	Final            *bool    `json:"final,omitempty"`         // the last of its episode
	Details          []Detail `json:"details,omitempty"`       // funding, co-payment …
}

// Participant says who took part on the practice's side.
type Participant struct {
	Practitioner Ref   `json:"practitioner"`
	Primary      *bool `json:"primary,omitempty"`
}

// Kind implements [Record].
func (*Session) Kind() string { return "session" }

// Key implements [Record].
func (r *Session) Key() SourceKey { return r.keyOf(r.Kind()) }
