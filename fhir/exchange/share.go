package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rapport/fhir"
)

// shares is what is known of one resource of ours at all partners, by their names. It
// holds versions and times, no content.
type shares map[string]share

// share is a resource at one partner.
type share struct {
	// Version is the oldest that the partner may have: noted before the first request,
	// since one whose answer was lost may have arrived, and moved only by a correction.
	Version int64 `json:"version"`
	// Tried is the newest that may have gone since, 0 for none: the partner has one of
	// those from Version to Tried.
	Tried    int64     `json:"tried,omitempty"`
	Task     string    `json:"task"`               // ours, in whose lane it is corrected
	At       time.Time `json:"at"`                 // of the last request that carried it
	Withheld int64     `json:"withheld,omitempty"` // newest version that consent or policy kept back
	Noted    []string  `json:"noted,omitempty"`    // our Tasks whose notes speak of it
	By       string    `json:"by,omitempty"`       // our Task whose parcel creates it there
}

func (s share) is(o share) bool {
	return s.Version == o.Version && s.Tried == o.Tried && s.Task == o.Task && s.At.Equal(o.At) && s.Withheld == o.Withheld && s.By == o.By && slices.Equal(s.Noted, o.Noted)
}

const shareSpace = "referral-share"

// corrected are the types whose later versions are brought to who has an earlier one.
// A Task goes step by step; organisations and people the partner keeps its own books
// about.
var corrected = []string{
	"Patient", "RelatedPerson", "Encounter", "EpisodeOfCare", "Condition", "Goal", "CarePlan", "Flag", "Observation", "QuestionnaireResponse",
	"Procedure", "Communication", "DiagnosticReport", "DocumentReference", "ServiceRequest",
}

func (c *Courier) sharesOf(ctx context.Context, k fhir.Key) (shares, error) {
	s, _, err := recalled[shares](ctx, c.Memos, shareSpace, k.String())
	return s, err
}

// share changes what is known of a resource at a partner, whoever else does the same
// for another one.
func (c *Courier) share(ctx context.Context, k fhir.Key, to Partner, change func(*share)) error {
	return revise(ctx, c.Memos, shareSpace, k.String(), func(all *shares) (bool, error) {
		s := (*all)[to.Name]
		before := s
		if change(&s); s.is(before) {
			return false, nil
		}
		all.set(to, s)
		return true, nil
	})
}

func (all *shares) set(to Partner, s share) {
	if *all == nil {
		*all = shares{}
	}
	(*all)[to.Name] = s
}

// sharing notes what is about to go to a partner, and returns what of it the partner
// may come to have in an older version than there is by then. Whoever sends it calls
// [Courier.behind] with that when it has arrived. noted says that a note goes along.
func (c *Courier) sharing(ctx context.Context, to Partner, task string, rs []fhir.Resource, noted bool) (old []fhir.Key, err error) {
	now := c.Clock()
	for _, r := range rs {
		if !slices.Contains(corrected, r.Type) || r.Version == 0 {
			continue // made for the partner, as the summary is
		}
		err := c.share(ctx, r.Key, to, func(s *share) {
			if s.Version == 0 {
				s.Version = r.Version
			}
			s.Tried = max(s.Tried, r.Version)
			s.Task, s.At = task, now
			if noted && !slices.Contains(s.Noted, task) {
				s.Noted = append(s.Noted, task)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	// Read behind the notes: a change that is not seen here finds them.
	err = c.Gate.View(ctx, fhir.Act{Interaction: fhir.Batch, Operation: Correct}, func(in fhir.Reader) error {
		old = nil
		for _, r := range rs {
			all, err := c.sharesOf(ctx, r.Key)
			if err != nil {
				return err
			}
			s, ok := all[to.Name]
			if !ok {
				continue
			}
			now, err := latest(ctx, in, r.Key)
			if err != nil {
				return err
			}
			if now.Version > s.Version {
				old = append(old, r.Key)
			}
		}
		return nil
	})
	return old, err
}

// behind sets the correction of resources going; noted: that of the note as well.
func (c *Courier) behind(ctx context.Context, to Partner, task string, ks []fhir.Key, at int64, noted bool) error {
	if len(ks) == 0 && !noted {
		return nil
	}
	return c.Gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction, Operation: Correct}, func(tx fhir.Tx) error {
		for _, k := range ks {
			if err := correction(ctx, tx, to.Name, share{Task: task}, k, fmt.Sprintf("%d-after-%s", at, task)); err != nil {
				return err
			}
		}
		if !noted {
			return nil
		}
		return renewal(ctx, tx, to.Name, task, fmt.Sprintf("%d-after-%s", at, task), c.Clock())
	})
}

// correction enqueues one, in the lane of the Task by which the partner got the
// resource: it never overtakes what it corrects.
func correction(ctx context.Context, tx fhir.Tx, partner string, s share, k fhir.Key, version string) error {
	body, err := json.Marshal(job{Do: Correct, Task: s.Task, Partner: partner, Resource: k.String()})
	if err != nil {
		return fmt.Errorf("encode work: %w", err)
	}
	return tx.Enqueue(ctx, fhir.Work{
		ID:   fmt.Sprintf("%s/%s/%s@%s", Correct, partner, k, version),
		Lane: "task/" + s.Task, Kind: Kind, Body: body,
	})
}
