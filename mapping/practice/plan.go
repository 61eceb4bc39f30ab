package practice

// Plan is how the work is laid out: approach, phases, how often.
type Plan struct {
	Origin
	Client   Ref      `json:"client"`
	Episode  Ref      `json:"episode,omitzero"`
	Author   Ref      `json:"author,omitzero"` // practitioner
	Status   string   `json:"status"`          // draft, active, on-hold, revoked, completed, entered-in-error
	Title    string   `json:"title,omitempty"`
	Approach string   `json:"approach,omitempty"` // cognitive-behavioural, psychodynamic, systemic, mind-body, hypnosis, humanistic, integrative
	Created  string   `json:"created,omitempty"`  // date
	Start    string   `json:"start,omitempty"`
	End      string   `json:"end,omitempty"` // planned end of the whole
	Goals    []Ref    `json:"goals,omitempty"`
	Phases   []Phase  `json:"phases,omitempty"`
	Summary  string   `json:"summary,omitempty"` // in plain words, for client and colleagues
	Details  []Detail `json:"details,omitempty"`
	Adjusts  Ref      `json:"adjusts,omitzero"` // the plan that this one takes the place of
	Because  string   `json:"because,omitempty"`
	// Adjustments are the changes that were made to this plan, the first first. The
	// rest of the record is the plan as it stands after the last of them.
	Adjustments []Adjustment `json:"adjustments,omitempty"`
}

// Adjustment is one change to a plan: when, what, why, and who agreed to it.
type Adjustment struct {
	Date    string   `json:"date"` // moment
	Reason  string   `json:"reason"`
	Changed []string `json:"changed"`     // approach, frequency, techniques, goals, phases, monitoring
	Agreed  []string `json:"agreed"`      // client, therapist
	By      Ref      `json:"by,omitzero"` // practitioner who made it; the plan's author when left out
}

// Phase is a stretch of a plan.
type Phase struct {
	Phase      string     `json:"phase"`  // assessment, acute, consolidation, closing, follow-up
	Status     string     `json:"status"` // as the plan's
	Start      string     `json:"start,omitempty"`
	End        string     `json:"end,omitempty"`
	Frequency  *Frequency `json:"frequency,omitempty"`
	Techniques []string   `json:"techniques,omitempty"`
	Focus      string     `json:"focus,omitempty"`
	Goals      []Ref      `json:"goals,omitempty"`
	// Monitoring says which instrument is due how often while the phase lasts.
	Monitoring []Monitoring `json:"monitoring,omitempty"`
}

// Monitoring is one instrument that is to be answered every so many units, the
// first time at the start of its phase.
type Monitoring struct {
	Instrument string `json:"instrument"` // slug, canonical URL or code: "phq-9"
	Every      int    `json:"every"`
	Unit       string `json:"unit"` // d, wk, mo
}

// Frequency is how often sessions are planned: Times in Every units.
type Frequency struct {
	Times int    `json:"times"`           // sessions
	Every int    `json:"every,omitempty"` // units; 0 is 1
	Unit  string `json:"unit"`            // d, wk, mo
}

// Kind implements [Record].
func (*Plan) Kind() string { return "plan" }

// Key implements [Record].
func (r *Plan) Key() SourceKey { return r.keyOf(r.Kind()) }
