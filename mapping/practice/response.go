package practice

import (
	"bytes"
	"encoding/json"
	"time"

	"rapport/fhir"
	"rapport/fhir/path"
)

// Response is an instrument answered, or only its scores where the source has no
// items.
type Response struct {
	Origin
	Instrument string  `json:"instrument"` // slug, canonical URL or code: "phq-9"
	Client     Ref     `json:"client"`
	Episode    Ref     `json:"episode,omitzero"`
	Session    Ref     `json:"session,omitzero"`
	Status     string  `json:"status,omitempty"`     // completed (also ""), in-progress, amended, stopped, entered-in-error
	Authored   string  `json:"authored,omitempty"`   // dateTime with a zone, or a date
	AnsweredBy string  `json:"answeredBy,omitempty"` // client, practitioner, parent, other; "" where nothing is said
	Therapist  Ref     `json:"therapist,omitzero"`   // who asked or wrote it down
	Reason     Concept `json:"reason,omitzero"`      // start, review, end of the course, as the source says
	// Answers by item: linkId, alias or code of the item → code of the option, or a
	// whole number. Items that were not answered are left out.
	Answers Answers `json:"answers,omitempty"`
	// Scores that the source states, by scale. One that differs from what the items
	// give is an error. Unscored lists scales of which the source says that there is
	// no score.
	Scores   map[string]json.Number `json:"scores,omitempty"`
	Unscored []string               `json:"unscored,omitempty"`
	// CorrectedBecause says why a response was amended or entered in error.
	CorrectedBecause string   `json:"correctedBecause,omitempty"`
	Details          []Detail `json:"details,omitempty"`
}

// Kind implements [Record].
func (*Response) Kind() string { return "response" }

// Key implements [Record].
func (r *Response) Key() SourceKey { return r.keyOf(r.Kind()) }

// leeway is how far a clock elsewhere may be ahead: a day begins earlier in the east.
const leeway = 24 * time.Hour

// Timely refuses a response that is dated after now, which a mistyped year is: it would
// count as the latest until its day comes. One that is taken back may say any day, and so
// may a record of another kind.
//
// Errors: [fhir.Value] at its pointer.
func Timely(rec Record, now time.Time) error {
	r, ok := rec.(*Response)
	if !ok || r.Status == "entered-in-error" {
		return nil
	}
	at, dated := path.ParseMoment(path.DateTime, r.Authored)
	if !dated {
		return nil
	}
	if first, _ := at.Span(); first.After(now.Add(leeway)) {
		return fhir.Errorf(fhir.Value, "/authored", "The response is dated in the future. Send the day on which it was answered, or leave authored out where that is not known.")
	}
	return nil
}

// Answers are what was answered, by item.
type Answers map[string]string

// UnmarshalJSON takes whole numbers for their text.
func (a *Answers) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*a = make(Answers, len(raw))
	for k, v := range raw {
		if v = bytes.TrimSpace(v); len(v) > 0 && v[0] != '"' {
			(*a)[k] = string(v)
			continue
		}
		var s string
		if err := json.Unmarshal(v, &s); err != nil {
			return err
		}
		(*a)[k] = s
	}
	return nil
}
