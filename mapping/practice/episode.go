package practice

// Episode is a course of therapy.
type Episode struct {
	Origin
	Client       Ref         `json:"client"`
	Organisation Ref         `json:"organisation,omitzero"`
	Therapist    Ref         `json:"therapist,omitzero"` // who answers for it
	Team         []Ref       `json:"team,omitempty"`     // practitioners beside the therapist
	Status       string      `json:"status"`             // planned, waitlist, active, onhold, finished, cancelled, entered-in-error
	Start        string      `json:"start,omitempty"`    // date of the first contact
	End          string      `json:"end,omitempty"`      // actual end; what is planned belongs to the plan
	EndReason    Concept     `json:"endReason,omitzero"`
	Types        []Concept   `json:"types,omitempty"`     // programme, focus; nothing clinical
	Referrals    []Ref       `json:"referrals,omitempty"` // the referrals or intakes that led here
	Diagnoses    []Diagnosis `json:"diagnoses,omitempty"`
	// Facts are about the client in this course: housing, work, risk as referred.
	// Each becomes an Observation, clinical and labelled so. Details are about the
	// course as a matter of administration.
	Facts   []Detail `json:"facts,omitempty"`
	Details []Detail `json:"details,omitempty"`
}

// Diagnosis is a shared or a given one.
type Diagnosis struct {
	Concept
	Role   string `json:"role,omitempty"`   // principal, additional
	Status string `json:"status,omitempty"` // provisional until agreed, confirmed, refuted; "" where nothing is said
	Onset  string `json:"onset,omitempty"`
	// Recorded is the date on which it was written down, End when it was over.
	Recorded string `json:"recorded,omitempty"`
	End      string `json:"end,omitempty"`
	By       Ref    `json:"by,omitzero"` // practitioner
}

// Kind implements [Record].
func (*Episode) Kind() string { return "episode" }

// Key implements [Record].
func (r *Episode) Key() SourceKey { return r.keyOf(r.Kind()) }
