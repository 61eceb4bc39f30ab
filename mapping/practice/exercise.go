package practice

// Exercise is what a client does between two sessions: what was agreed, and what
// the client tells of it.
type Exercise struct {
	Origin
	Client    Ref `json:"client"`
	Episode   Ref `json:"episode,omitzero"`
	Therapist Ref `json:"therapist,omitzero"` // who assigned it
	Plan      Ref `json:"plan,omitzero"`
	Session   Ref `json:"session,omitzero"` // in which it was agreed
	// Status is requested, accepted, in-progress, completed, failed (was to be done and
	// was not), rejected (the client does not want to), cancelled, entered-in-error.
	Status string `json:"status"`
	// Exercise is its sort: breathing, relaxation, mindfulness, anchoring,
	// expressive-writing, imagery, exposure, behavioural-activation, thought-record,
	// body, self-observation, other.
	Exercise     string  `json:"exercise"`
	Instructions string  `json:"instructions,omitempty"` // in words to the client
	Assigned     string  `json:"assigned,omitempty"`     // moment
	Start        string  `json:"start,omitempty"`        // from when to do it
	End          string  `json:"end,omitempty"`          // until when
	Report       *Report `json:"report,omitempty"`
	// Because says why it was taken back or changed.
	Because string   `json:"because,omitempty"`
	Details []Detail `json:"details,omitempty"`
}

// Report is what a client tells of an exercise. Ratings are 0 to 10; what was not
// said is nil.
type Report struct {
	Outcome    string `json:"outcome"`              // done, partly, not-done
	Date       string `json:"date,omitempty"`       // moment of the report
	Minutes    *int   `json:"minutes,omitempty"`    // that it took
	Difficulty *int   `json:"difficulty,omitempty"` // 0 easy, 10 as hard as can be
	MoodBefore *int   `json:"moodBefore,omitempty"` // 0 worst, 10 best
	MoodAfter  *int   `json:"moodAfter,omitempty"`
	Words      string `json:"words,omitempty"`
}

// Kind implements [Record].
func (*Exercise) Kind() string { return "exercise" }

// Key implements [Record].
func (r *Exercise) Key() SourceKey { return r.keyOf(r.Kind()) }
