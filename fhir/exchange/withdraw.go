package exchange

import (
	"context"
	"slices"
	"time"

	"rapport/fhir"
)

// withdraw tells the receiver that the sender's Task has ended.
func (c *Courier) withdraw(ctx context.Context, to Partner, j job) error {
	org, err := c.recipient(ctx, to)
	if err != nil {
		return err
	}
	var task fhir.Resource
	act := fhir.Act{Interaction: fhir.Disclose, Type: "Task", ID: j.Task, Recipient: org}
	err = c.Gate.View(ctx, act, func(in fhir.Reader) (err error) {
		task, err = in.ReadVersion(ctx, fhir.Key{Type: "Task", ID: j.Task}, j.Version)
		return err
	})
	if err != nil {
		return err
	}
	if done, err := c.recall(ctx, to, j, task.Root().Get("status").Text()); err != nil || done {
		return err
	}
	elements := []string{"status", "statusReason"}
	released, err := c.Release(ctx, org, []fhir.Resource{task})
	if err != nil {
		return err
	}
	if len(released) != 1 {
		elements = elements[:1] // that it is over they must know whatever was denied since
	}
	theirs, err := c.copyAt(ctx, to, j.Task)
	if err != nil {
		return err
	}
	if theirs.IsZero() {
		return c.neverArrived(ctx, j)
	}
	from, status := theirs.Root().Get("status").Text(), task.Root().Get("status").Text()
	if from == status || reachable(status, from) {
		return nil
	}
	if err := Check(from, status, Either); err != nil {
		return err
	}
	merged, err := take(theirs, task, elements)
	if err != nil {
		return err
	}
	if _, err := c.Channel.Put(ctx, to, merged, theirs.Version); err != nil {
		return err
	}
	return c.receipt(ctx, Withdraw, fhir.Head{Key: task.Key, Version: j.Version}, to)
}

// copyAt finds a partner's copy of a Task of ours, the zero Resource if it shows none.
func (c *Courier) copyAt(ctx context.Context, to Partner, task string) (fhir.Resource, error) {
	system := c.Base + "/Task"
	return c.one(ctx, to, "Task", identified(token(system, task)), func(r fhir.Resource) bool { return bears(r, system, task) })
}

// neverArrived: what is not there needs no withdrawal, unless it may be on its way.
func (c *Courier) neverArrived(ctx context.Context, j job) error {
	l, err := c.ledger(ctx, j.Task)
	if err != nil {
		return err
	}
	if l.Delivered > 0 {
		return &fhir.Error{Code: fhir.NotFound, Detail: "the partner does not show us the Task of a referral that was delivered"}
	}
	if !l.Begun.IsZero() && c.Clock().Sub(l.Begun) < underWay {
		return &fhir.Error{Code: fhir.Transient, Detail: "the referral was sent and may yet arrive"}
	}
	return nil
}

// take returns theirs with the named elements as ours has them, every other byte as
// it was; the moment of our version becomes lastModified.
func take(theirs, ours fhir.Resource, elements []string) (fhir.Resource, error) {
	o := fhir.NewObject()
	from := func(name string) fhir.Node {
		if name == "lastModified" {
			return modified(theirs.Root().Get("authoredOn"), ours.Root().At("meta", "lastUpdated"))
		}
		return ours.Root().Get(name)
	}
	elements = append(slices.Clone(elements), "lastModified")
	for name, v := range theirs.Root().Members() {
		if slices.Contains(elements, name) {
			if v = from(name); !v.Exists() {
				continue
			}
		}
		o.Set(name, v)
	}
	for _, name := range elements {
		if v := from(name); v.Exists() && !theirs.Root().Get(name).Exists() {
			o.Set(name, v)
		}
	}
	return o.Resource()
}

// modified returns the moment of a change, nothing where it does not lie behind the
// request for sure: two clocks, or a request of which only the day is known.
//
// Source: https://hl7.org/fhir/R4/task.html, invariant inv-1
func modified(authored, at fhir.Node) fhir.Node {
	if !authored.Exists() {
		return at
	}
	from, err := time.Parse(time.RFC3339Nano, authored.Text())
	if err != nil {
		return fhir.Node{}
	}
	if to, err := time.Parse(time.RFC3339Nano, at.Text()); err != nil || to.Before(from) {
		return fhir.Node{}
	}
	return at
}
