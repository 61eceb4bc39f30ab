package practice

// NotebookEntry is what a client writes between sessions, for themselves and for
// their therapist. All of it is the client's own words and ratings.
type NotebookEntry struct {
	Origin
	Client   Ref       `json:"client"`
	Episode  Ref       `json:"episode,omitzero"`
	Exercise Ref       `json:"exercise,omitzero"` // that it is about
	Status   string    `json:"status,omitempty"`  // completed (also ""), amended, entered-in-error
	Written  string    `json:"written,omitempty"` // moment
	Words    string    `json:"words,omitempty"`   // what happened, what was felt
	Progress string    `json:"progress,omitempty"`
	Question string    `json:"question,omitempty"` // for the therapist
	Feelings []Feeling `json:"feelings,omitempty"`
}

// Feeling is one that is rated.
type Feeling struct {
	// Feeling is mood, calm, joy, sadness, anxiety, anger, shame, loneliness, tension,
	// hope, energy.
	Feeling string `json:"feeling"`
	Rating  int    `json:"rating"` // 0 not at all (mood: worst), 10 as much as can be (mood: best)
}

// Kind implements [Record].
func (*NotebookEntry) Kind() string { return "notebook-entry" }

// Key implements [Record].
func (r *NotebookEntry) Key() SourceKey { return r.keyOf(r.Kind()) }
