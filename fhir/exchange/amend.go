package exchange

import (
	"context"
	"net/url"
	"slices"

	"rapport/fhir"
)

// senders are the elements of a Task that its sender alone changes.
var senders = []string{"priority", "restriction"}

// amended names the elements that the sender has changed in a Task that goes on as it
// was: how urgent it is, until when an answer counts, that it asks to stop.
func amended(before, task fhir.Node) (names []string) {
	differs := func(name string) bool {
		a, b := before.Get(name), task.Get(name)
		return a.Exists() != b.Exists() || !a.Same(b)
	}
	for _, name := range senders {
		if differs(name) {
			names = append(names, name)
		}
	}
	if BusinessOf(task) == AskedToCancel && differs("businessStatus") {
		names = append(names, "businessStatus")
	}
	return names
}

// urgency refuses to a receiver to say how urgent a referral is.
func urgency(before, task fhir.Node) error {
	for _, name := range amended(before, task) {
		if slices.Contains(senders, name) {
			return fhir.Errorf(fhir.BusinessRule, "Task."+name, "This is its sender's to say. Send it as it is.")
		}
	}
	return nil
}

// amend brings what the sender has changed in a Task into the receiver's copy, every
// other element as it is there.
func (c *Courier) amend(ctx context.Context, to Partner, j job) error {
	org, err := c.recipient(ctx, to)
	if err != nil {
		return err
	}
	var before, now fhir.Resource
	act := fhir.Act{Interaction: fhir.Disclose, Type: "Task", ID: j.Task, Recipient: org}
	err = c.Gate.View(ctx, act, func(in fhir.Reader) (err error) {
		k := fhir.Key{Type: "Task", ID: j.Task}
		if now, err = in.ReadVersion(ctx, k, j.Version); err == nil {
			before, err = in.ReadVersion(ctx, k, j.Version-1)
		}
		return err
	})
	if err != nil {
		return err
	}
	released, err := c.Release(ctx, org, []fhir.Resource{now})
	if err != nil || len(released) == 0 {
		return err // the record of the release says why
	}
	l, err := c.ledger(ctx, j.Task)
	if err != nil || l.Begun.IsZero() && l.Delivered == 0 {
		return err // nothing was ever sent
	}
	d := &delivery{Courier: c}
	if err := d.load(ctx, j.Task); err != nil {
		return err
	}
	if len(d.Posted) > 0 && d.Posted["Task/"+j.Task].State == "" {
		return &fhir.Error{Code: fhir.BusinessRule, Detail: "the partner has no Task of this referral, in which something has changed; tell its people, then drop the work"}
	}
	found, err := c.Channel.Search(ctx, to, "Task", url.Values{"identifier": {c.Base + "/Task|" + j.Task}})
	if err != nil {
		return err
	}
	switch len(found) {
	case 0:
		return c.neverArrived(ctx, j)
	case 1:
	default:
		return &fhir.Error{Code: fhir.Multiple, Detail: "the partner shows several Tasks for this referral"}
	}
	theirs, names := found[0], amended(before.Root(), now.Root())
	p := newPack(c.Base, to, nil, []fhir.Resource{now})
	for _, name := range names {
		if err := c.locate(ctx, p, now.Root().Get(name)); err != nil {
			return err
		}
	}
	o, err := p.resource(now)
	if err != nil {
		return err
	}
	ours, err := o.Resource()
	if err != nil {
		return err
	}
	merged, err := with(theirs, ours, names)
	if err != nil || fhir.SameContent(merged, theirs) {
		return err
	}
	if _, err := c.Channel.Put(ctx, to, merged, theirs.Version); err != nil {
		return err
	}
	return c.receipt(ctx, Amend, fhir.Head{Key: now.Key, Version: j.Version}, to)
}
