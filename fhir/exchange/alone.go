package exchange

import (
	"context"
	"slices"
	"time"

	"rapport/fhir"
)

// passage is which referral of a client is on its way to a partner.
type passage struct {
	Task string    `json:"task,omitempty"`
	At   time.Time `json:"at,omitzero"`
}

const passageSpace = "referral-passage"

// alone lets one referral of a client at a time go to a partner that creates under no
// condition: of two, neither would find there what the other brings. One whose answer is
// lost bars the way for as long as it may yet arrive.
func (c *Courier) alone(ctx context.Context, to Partner, p *pack, known capability, task string, send func() error) error {
	if !p.twice(known) {
		return send()
	}
	i := slices.IndexFunc(p.sent, func(r fhir.Resource) bool { return r.Type == "Task" })
	client, _ := p.sent[max(i, 0)].Root().Get("for").Ref()
	change := func(f func(*passage) (bool, error)) error {
		return revise(ctx, c.Memos, passageSpace, to.Name+"/"+client.String(), f)
	}
	err := change(func(now *passage) (bool, error) {
		if now.Task != "" && now.Task != task && c.Clock().Sub(now.At) < underWay {
			return false, &fhir.Error{Code: fhir.Transient, Detail: "another referral of this client is on its way to the partner"}
		}
		*now = passage{task, c.Clock()}
		return true, nil
	})
	if err != nil {
		return err
	}
	if err = send(); fhir.Is(err, fhir.Transient) || fhir.Is(err, fhir.Timeout) {
		return err
	}
	if e := change(func(now *passage) (bool, error) {
		mine := now.Task == task
		if mine {
			*now = passage{}
		}
		return mine, nil
	}); e != nil && err == nil {
		return e
	}
	return err
}

// twice reports whether the partner's conditions leave it possible that something of a
// package is made a second time.
func (p *pack) twice(known capability) bool {
	return len(known.Types) > 0 && slices.ContainsFunc(p.sent, func(r fhir.Resource) bool { return !known.Types[r.Type].Once })
}
