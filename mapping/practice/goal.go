package practice

import "encoding/json"

// Goal is what a client and a therapist want to reach together.
type Goal struct {
	Origin
	Client      Ref    `json:"client"`
	Episode     Ref    `json:"episode,omitzero"`
	Description string `json:"description"`           // the client's own words where they are known
	Status      string `json:"status"`                // proposed, accepted, active, on-hold, completed, cancelled, rejected, entered-in-error
	Achievement string `json:"achievement,omitempty"` // a code of HL7's goal-achievement
	StatusDate  string `json:"statusDate,omitempty"`
	Start       string `json:"start,omitempty"`
	Due         string `json:"due,omitempty"`
	// ExpressedBy is who put it into words: client or therapist; Therapist is who
	// that is.
	ExpressedBy string `json:"expressedBy,omitempty"`
	Therapist   Ref    `json:"therapist,omitzero"`
	// Agreement of either side: agree, disagree, pending; "" where nothing is said.
	ClientAgrees    string   `json:"clientAgrees,omitempty"`
	TherapistAgrees string   `json:"therapistAgrees,omitempty"`
	Category        string   `json:"category,omitempty"` // behavioral, physical-activity, safety, … of HL7's goal-category
	Target          *Target  `json:"target,omitempty"`
	Details         []Detail `json:"details,omitempty"`
}

// Target is a goal told as a score: "PHQ-9 below 5".
type Target struct {
	Measure    Coding      `json:"measure"`              // of the score
	Comparator string      `json:"comparator,omitempty"` // <, <=, >=, >
	Value      json.Number `json:"value"`
	Unit       string      `json:"unit,omitempty"` // UCUM; "" is {score}
}

// Kind implements [Record].
func (*Goal) Kind() string { return "goal" }

// Key implements [Record].
func (r *Goal) Key() SourceKey { return r.keyOf(r.Kind()) }
