package practice

// Supervision is a meeting of therapists about their own work. It names no client
// and has no field for free text, so that nothing about one can get in: what was
// talked over stays in the room.
type Supervision struct {
	Origin
	Supervisor   Ref    `json:"supervisor,omitzero"` // practitioner; none among peers
	Supervisees  []Ref  `json:"supervisees"`         // practitioners
	Organisation Ref    `json:"organisation,omitzero"`
	Status       string `json:"status"` // fulfilled, booked, noshow, cancelled, entered-in-error
	Start        string `json:"start"`  // moment
	Minutes      int    `json:"minutes,omitempty"`
	Format       string `json:"format,omitempty"`   // individual, group, team, peer
	Modality     string `json:"modality,omitempty"` // as a session's
}

// Kind implements [Record].
func (*Supervision) Kind() string { return "supervision" }

// Key implements [Record].
func (r *Supervision) Key() SourceKey { return r.keyOf(r.Kind()) }
