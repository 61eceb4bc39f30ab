package practice

// ProcessNote is a therapist's own note on what was said in a session, kept apart
// from the record (45 CFR 164.501). It goes through the notes gate alone and is
// never mapped to FHIR.
type ProcessNote struct {
	Origin
	Client  Ref    `json:"client"`
	Author  Ref    `json:"author,omitzero"` // practitioner; who writes it when left out
	Session Ref    `json:"session,omitzero"`
	Written string `json:"written,omitempty"` // dateTime with a zone
	Text    string `json:"text"`
}

// Kind implements [Record].
func (*ProcessNote) Kind() string { return "process-note" }

// Key implements [Record].
func (r *ProcessNote) Key() SourceKey { return r.keyOf(r.Kind()) }
