package exchange

import (
	"context"
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
	l, err := c.ledger(ctx, j.Task)
	if err != nil || l.Begun.IsZero() && l.Delivered == 0 {
		return err // nothing was ever sent
	}
	if err := c.hasTask(ctx, j.Task, "has changed"); err != nil {
		return err
	}
	released, err := c.Release(ctx, org, []fhir.Resource{now})
	if err != nil {
		return err
	}
	if len(released) == 0 {
		return &fhir.Error{Code: fhir.Forbidden, Detail: "consent or policy does not let this partner have the Task, in which something has changed; tell its people what they may know, then drop the work"}
	}
	theirs, err := c.copyAt(ctx, to, j.Task)
	if err != nil {
		return err
	}
	if theirs.IsZero() {
		return c.neverArrived(ctx, j)
	}
	merged, err := c.merged(ctx, to, released[0], theirs, amended(before.Root(), now.Root()))
	if err != nil || fhir.SameContent(merged, theirs) {
		return err
	}
	if _, err := c.Channel.Put(ctx, to, merged, theirs.Version); err != nil {
		return err
	}
	return c.receipt(ctx, Amend, fhir.Head{Key: now.Key, Version: j.Version}, to)
}

// hasTask refuses to tell a partner in its Task of a referral what it got in single
// creates of which none was the Task.
func (c *Courier) hasTask(ctx context.Context, task, what string) error {
	d := &delivery{Courier: c}
	if err := d.load(ctx, task); err != nil {
		return err
	}
	if len(d.Posted) > 0 && d.Posted["Task/"+task].State == "" {
		return fhir.Errorf(fhir.BusinessRule, "", "the partner has no Task of this referral, which %s; tell its people, then drop the work", what)
	}
	return nil
}
