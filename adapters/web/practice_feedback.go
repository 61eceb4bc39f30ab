package web

import (
	"context"
	"fmt"
	"slices"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// assessment is what a response came to.
type assessment struct {
	instrument.Feedback
	Observation string `json:"observation,omitempty"` // Observation/id that holds the scores
}

// assess tells what a response that is stored came to, or the Observation of scores
// without answers: nothing for one that was taken back, and scores only where the
// transaction holds them in an Observation.
func (j *job) assess(ctx context.Context, tx fhir.Tx, stored fhir.Resource, derived []fhir.Written) (*assessment, error) {
	if stored.Root().Get("status").Text() == "entered-in-error" {
		return nil, nil
	}
	var made []fhir.Resource
	for _, w := range derived {
		made = append(made, w.Resource)
	}
	in := tx.As(fhir.Act{Interaction: fhir.Read, Type: stored.Type, ID: stored.ID})
	f, err := j.voiced.Feedback(ctx, in, stored, made)
	if fhir.Is(err, fhir.NotSupported) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := &assessment{Feedback: f}
	score, err := scoreOf(ctx, in, stored, made)
	if err != nil {
		return nil, err
	}
	if score.IsZero() {
		a.Scores, a.First, a.Last, a.OwnMean = []instrument.ScaleFacts{}, nil, nil, nil
		j.voiced.Tell(&a.Feedback)
		return a, nil
	}
	a.Observation = score.Key.String()
	if err := agree(a.Feedback, score); err != nil {
		return nil, err
	}
	if a.Bare { // nothing of a change is stored with what a source states
		return a, nil
	}
	// A change is told as it is stored: who stored it may have seen less, or more.
	once := a.First != nil && a.Last != nil && a.First.Observation == a.Last.Observation
	if !stands(a.First, score, "since-first") {
		a.First = nil
	}
	if once && a.First == nil || !once && !stands(a.Last, score, "since-last") {
		a.Last = nil
	}
	if m := a.OwnMean; m != nil && m.Mean != nil && !holds(score, "since-own-mean", *m.Change) {
		a.OwnMean = nil
	}
	j.voiced.Tell(&a.Feedback)
	return a, nil
}

// scoreOf finds the Observation of a response's score: among what this transaction
// derived, or where an earlier one stored it. Scores without answers are that themselves.
// One that does not stand, since the response is not complete, is none.
func scoreOf(ctx context.Context, in fhir.Reader, stored fhir.Resource, made []fhir.Resource) (fhir.Resource, error) {
	score := stored
	if stored.Type != "Observation" {
		k := instrument.Derived("Observation", stored.Key, "score")
		if i := slices.IndexFunc(made, func(r fhir.Resource) bool { return r.Key == k }); i >= 0 {
			score = made[i]
		} else {
			var err error
			if score, err = fhir.Look(ctx, in, k); err != nil {
				return score, err
			}
		}
	}
	if !instrument.Stands(score) {
		return fhir.Resource{}, nil
	}
	return score, nil
}

// agree refuses to tell a score that is not the one that is stored. It cannot
// happen while one scorer makes both; if it does, nothing is written.
func agree(f instrument.Feedback, score fhir.Resource) error {
	told, stored := f.Scores[0].Score, score.Root().At("valueQuantity", "value")
	if told == nil && !stored.Exists() {
		return nil
	}
	p, err := instrument.ParsePoints(stored.Decimal())
	if err != nil || told == nil || p.Cmp(*told) != 0 {
		return fmt.Errorf("the score that is stored is not the one to be told (%s)", score.Key)
	}
	return nil
}

// stands reports whether a change is among the components of a score.
func stands(c *instrument.ChangeFacts, score fhir.Resource, code string) bool {
	return c != nil && holds(score, code, c.Change)
}

// holds reports whether a score has a component with a code and a value.
func holds(score fhir.Resource, code string, points instrument.Points) bool {
	for part := range score.Root().Get("component").Elements() {
		if part.Get("code").HasCoding(instrument.ChangeCodes, code) {
			p, err := instrument.ParsePoints(part.At("valueQuantity", "value").Decimal())
			return err == nil && p.Cmp(points) == 0
		}
	}
	return false
}
