package exchange

import (
	"context"
	"net/url"
	"slices"

	"rapport/fhir"
)

// answered are the elements of a Task that its receiver owns.
//
// Source: https://hl7.org/fhir/R4/task.html (Task.status … output are set by the
// performer), Gravity SDOH Clinical Care.
var answered = []string{"status", "statusReason", "businessStatus", "executionPeriod", "output"}

// answer brings what the receiver's Task says to the sender's Task: outputs first,
// then status and output in one update of the version that was read.
func (c *Courier) answer(ctx context.Context, to Partner, j job) error {
	var task fhir.Resource
	var known, outputs []fhir.Resource
	err := c.Gate.View(ctx, fhir.Act{Interaction: fhir.Disclose, Type: "Task", ID: j.Task, Recipient: recipient(to)}, func(in fhir.Reader) (err error) {
		known, outputs = nil, nil
		g := &gatherer{ctx: ctx, in: in, seen: map[fhir.Key]bool{}}
		// The version that set this going, not the newest: each step is told in turn.
		if task, err = in.ReadVersion(ctx, fhir.Key{Type: "Task", ID: j.Task}, j.Version); err != nil {
			return err
		}
		g.add(task)
		g.follow(task.Root().Get("for"))
		g.follow(task.Root().Get("focus"))
		known = slices.Clone(g.rs)
		for o := range task.Root().Get("output").Elements() {
			g.follow(o.Get("valueReference"))
		}
		outputs = g.rs[len(known):]
		for _, o := range outputs { // whom they name stays here, unless it came from there
			g.follow(o.Root().Get("encounter"))
		}
		known = g.rs
		return g.err
	})
	if err != nil {
		return err
	}
	released, err := c.Release(ctx, recipient(to), append([]fhir.Resource{task}, outputs...))
	if err != nil {
		return err
	}
	if len(released) == 0 || released[0].Key != task.Key {
		return &fhir.Error{Code: fhir.Forbidden, Detail: "policy does not let this partner have the Task; nothing was sent"}
	}
	p := newPack(c.Base, to, released[1:], known)
	original, ours := p.home[task.Key]
	if !ours {
		return &fhir.Error{Code: fhir.Invalid, Detail: "the Task carries no identifier of the partner's own Task"}
	}
	if err := c.outputs(ctx, to, p, released[1:]); err != nil {
		return err
	}
	theirs, err := c.theirTask(ctx, to, original)
	if err != nil {
		return err
	}
	merged, changed, err := p.merge(theirs, task)
	if err != nil || !changed {
		return err
	}
	_, err = c.Channel.Put(ctx, to, merged, theirs.Version)
	return err
}

// outputs creates at the partner what the answer refers to, and learns its keys.
func (c *Courier) outputs(ctx context.Context, to Partner, p *pack, rs []fhir.Resource) error {
	bundle, err := p.bundle(rs)
	if err != nil || bundle.Root().Get("entry").Len() == 0 {
		return err
	}
	if _, err := c.Channel.Transact(ctx, to, bundle); err != nil {
		return err
	}
	for _, r := range rs {
		if !p.in[r.Key] {
			continue
		}
		found, err := c.Channel.Search(ctx, to, r.Type, url.Values{"identifier": {c.Base + "/" + r.Type + "|" + r.ID}})
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return &fhir.Error{Code: fhir.Transient, Detail: "the partner does not show what was just created there"}
		}
		p.home[r.Key] = found[0].Key
	}
	return nil
}

// theirTask reads the sender's Task.
func (c *Courier) theirTask(ctx context.Context, to Partner, k fhir.Key) (fhir.Resource, error) {
	found, err := c.Channel.Search(ctx, to, "Task", url.Values{"_id": {k.ID}})
	if err != nil {
		return fhir.Resource{}, err
	}
	if len(found) != 1 {
		return fhir.Resource{}, &fhir.Error{Code: fhir.NotFound, Detail: "the partner shows no Task for this referral"}
	}
	return found[0], nil
}

// merge puts what the receiver owns of a Task into the sender's version of it,
// every other byte of which stays.
func (p *pack) merge(theirs, ours fhir.Resource) (fhir.Resource, bool, error) {
	edited := ours
	if edits := p.references(ours.Root(), nil); len(edits) > 0 {
		var err error
		if edited, err = ours.Apply(edits...); err != nil {
			return fhir.Resource{}, false, err
		}
	}
	changed := false
	for _, name := range answered {
		a, b := theirs.Root().Get(name), edited.Root().Get(name)
		if !a.Same(b) {
			changed = true
		}
	}
	if !changed {
		return theirs, false, nil
	}
	from, to := theirs.Root().Get("status").Text(), edited.Root().Get("status").Text()
	if err := Check(from, to, Receiver); err != nil {
		if reachable(to, from) {
			return theirs, false, nil // told late: they know more already
		}
		return fhir.Resource{}, false, err
	}
	o := fhir.NewObject()
	for name, v := range theirs.Root().Members() {
		if slices.Contains(answered, name) {
			v = edited.Root().Get(name)
			if !v.Exists() {
				continue
			}
		}
		if name == "lastModified" {
			v = edited.Root().Get("meta").Get("lastUpdated")
		}
		o.Set(name, v)
	}
	for _, name := range answered {
		if !theirs.Root().Get(name).Exists() {
			if v := edited.Root().Get(name); v.Exists() {
				o.Set(name, v)
			}
		}
	}
	if !theirs.Root().Get("lastModified").Exists() {
		o.Set("lastModified", edited.Root().Get("meta").Get("lastUpdated"))
	}
	r, err := o.Resource()
	return r, true, err
}
