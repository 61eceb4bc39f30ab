package exchange

import (
	"context"
	"net/url"

	"rapport/fhir"
)

// recall tells the end of a referral to a partner that got it in single creates and
// has no Task of it: by the status of the request there, and of what was sent in error
// by that of the note as well. done: nothing is left to tell. false: the partner has a
// Task, or may have one.
//
// Where it can be told in no resource, people must tell it.
func (c *Courier) recall(ctx context.Context, to Partner, j job, status string) (done bool, err error) {
	l, err := c.ledger(ctx, j.Task)
	if err != nil || l.Begun.IsZero() && l.Delivered == 0 {
		return err == nil, err // nothing was ever sent
	}
	d := &delivery{Courier: c}
	if err := d.load(ctx, j.Task); err != nil {
		return false, err
	}
	if len(d.Posted) == 0 || d.Posted["Task/"+j.Task].State != "" {
		return false, nil
	}
	known, err := c.declared(ctx, to)
	if err != nil {
		return false, err
	}
	ends := map[string]string{"ServiceRequest": "revoked"}
	if status == "entered-in-error" {
		ends = map[string]string{"ServiceRequest": status, "DocumentReference": status}
	}
	told, left := false, false
	for ours, s := range d.Posted {
		k, _ := fhir.ParseKey(ours)
		if s.State == unknown {
			return false, undecided(k.Type)
		}
		if s.State != there || k.Type == "Patient" {
			continue
		}
		left = true
		end, ok := ends[k.Type]
		if k.Type == "DocumentReference" && !isNote(k, fhir.Key{Type: "Task", ID: j.Task}, l.Notes) || !ok || !known.Types[k.Type].Update {
			continue
		}
		theirs, _ := fhir.ParseKey(s.Remote)
		if err := c.end(ctx, to, theirs, end); err != nil {
			return false, err
		}
		told = true
	}
	switch {
	case !left:
		return true, nil
	case !told:
		return false, &fhir.Error{Code: fhir.BusinessRule, Detail: "the partner has no resource that could say that the referral is over; tell its people, then drop the work"}
	}
	return true, c.receipt(ctx, Withdraw, fhir.Head{Key: fhir.Key{Type: "Task", ID: j.Task}, Version: j.Version}, to)
}

// end gives what we created there its last status, every other byte as it is now.
func (c *Courier) end(ctx context.Context, at Partner, k fhir.Key, status string) error {
	r, err := c.one(ctx, at, k.Type, url.Values{"_id": {k.ID}}, func(r fhir.Resource) bool { return r.Key == k })
	if err != nil {
		return err
	}
	n := r.Root().Get("status")
	if r.IsZero() {
		return fhir.Errorf(fhir.NotFound, "", "the partner does not show the %s that was created there", k.Type)
	}
	if n.Text() == status {
		return nil
	}
	if r, err = r.Apply(fhir.Replace(n, fhir.AppendQuote(nil, status))); err != nil {
		return err
	}
	_, err = c.Channel.Put(ctx, at, r, r.Version)
	return err
}
