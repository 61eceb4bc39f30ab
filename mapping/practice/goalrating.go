package practice

// GoalRating is how near one side sees a goal at one time.
type GoalRating struct {
	Origin
	Client    Ref    `json:"client"`
	Goal      Ref    `json:"goal"`
	Episode   Ref    `json:"episode,omitzero"`
	Session   Ref    `json:"session,omitzero"`
	Status    string `json:"status,omitempty"`   // completed (also ""), amended, entered-in-error
	Date      string `json:"date,omitempty"`     // moment
	By        string `json:"by"`                 // client, therapist
	Therapist Ref    `json:"therapist,omitzero"` // who, where by is therapist
	Rating    int    `json:"rating"`             // 0 not at all reached, 10 reached
}

// Kind implements [Record].
func (*GoalRating) Kind() string { return "goal-rating" }

// Key implements [Record].
func (r *GoalRating) Key() SourceKey { return r.keyOf(r.Kind()) }
