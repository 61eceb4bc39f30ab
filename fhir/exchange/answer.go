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

// reports are the types of outputs that go along with an answer. What else a Task
// names as its output stays here, and the sender learns that there is something.
var reports = []string{"DocumentReference", "DiagnosticReport", "Communication", "Observation", "QuestionnaireResponse"}

// answer brings what the receiver's Task says to the sender's Task: outputs first,
// then status and output in one update of the version that was read.
func (c *Courier) answer(ctx context.Context, to Partner, j job) error {
	org, err := c.recipient(ctx, to)
	if err != nil {
		return err
	}
	task, outputs, known, err := c.answerOf(ctx, org, j)
	if err != nil {
		return err
	}
	released, err := c.Release(ctx, org, append([]fhir.Resource{task}, outputs...))
	if err != nil {
		return err
	}
	if len(released) == 0 || released[0].Key != task.Key {
		return &fhir.Error{Code: fhir.Forbidden, Detail: "consent or policy does not let this partner have the Task; nothing was sent"}
	}
	p := newPack(c.Base, to, released[1:], known)
	original, paired := p.home[task.Key]
	if !paired {
		return &fhir.Error{Code: fhir.Invalid, Detail: "the Task carries no identifier of the partner's own Task"}
	}
	if err := c.note(ctx, j.Task, func(l *ledger) { l.Partner, l.Told = to.Name, max(l.Told, j.Version) }); err != nil {
		return err
	}
	theirs, err := c.theirTask(ctx, to, original)
	if err != nil {
		return err
	}
	// Read in this order: whoever tells a later step has noted it before it could
	// change what was just read.
	if l, err := c.ledger(ctx, j.Task); err != nil || l.Told > j.Version {
		return err
	}
	if due, err := due(theirs, task); err != nil || !due {
		return err
	}
	old, err := c.sharing(ctx, to, j.Task, p.sent, false)
	if err != nil {
		return err
	}
	if err := c.outputs(ctx, to, p); err != nil {
		return err
	}
	if err := c.behind(ctx, to, j.Task, old, j.Version, false); err != nil {
		return err
	}
	// An output that was told before and is not told again (entered in error, no longer
	// permitted) stays the same output there.
	if err := c.locate(ctx, p, task.Root().Get("output")); err != nil {
		return err
	}
	merged, changed, err := p.merge(theirs, task)
	if err != nil || !changed {
		return err
	}
	if _, err := c.Channel.Put(ctx, to, merged, theirs.Version); err != nil {
		return err
	}
	return c.receipt(ctx, Answer, fhir.Head{Key: task.Key, Version: j.Version}, to)
}

// answerOf reads the version of the Task that set the work going, not the newest:
// each step is told in turn. outputs are what may go along, known what is referred to.
func (c *Courier) answerOf(ctx context.Context, org fhir.Key, j job) (task fhir.Resource, outputs, known []fhir.Resource, err error) {
	act := fhir.Act{Interaction: fhir.Disclose, Type: "Task", ID: j.Task, Recipient: org}
	err = c.Gate.View(ctx, act, func(in fhir.Reader) (err error) {
		outputs = nil
		g := &gatherer{ctx: ctx, in: in, seen: map[fhir.Key]bool{}}
		if task, err = in.ReadVersion(ctx, fhir.Key{Type: "Task", ID: j.Task}, j.Version); err != nil {
			return err
		}
		g.add(task)
		g.follow(task.Root().Get("for"))
		g.follow(task.Root().Get("focus"))
		for o := range task.Root().Get("output").Elements() {
			if k, _ := o.Get("valueReference").Ref(); slices.Contains(reports, k.Type) {
				if r := g.follow(o.Get("valueReference")); !r.IsZero() && !mistaken(r.Root()) {
					outputs = append(outputs, r)
				}
			}
		}
		known = g.rs
		return g.err
	})
	return task, outputs, known, err
}

// outputs creates at the partner what the answer refers to, and learns its keys.
func (c *Courier) outputs(ctx context.Context, to Partner, p *pack) error {
	if len(p.sent) == 0 {
		return nil
	}
	bundle, err := p.bundle()
	if err != nil {
		return err
	}
	if _, err := c.Channel.Transact(ctx, to, bundle); err != nil {
		return err
	}
	for _, r := range p.sent {
		found, err := c.one(ctx, to, r.Type, identified(p.identifier(r)), func(x fhir.Resource) bool { return p.is(x, r) })
		if err != nil {
			return err
		}
		if found.IsZero() {
			return &fhir.Error{Code: fhir.Transient, Detail: "the partner does not show what was just created there"}
		}
		p.home[r.Key] = found.Key
	}
	return nil
}

// theirTask reads the sender's Task.
func (c *Courier) theirTask(ctx context.Context, to Partner, k fhir.Key) (fhir.Resource, error) {
	found, err := c.one(ctx, to, k.Type, url.Values{"_id": {k.ID}}, func(r fhir.Resource) bool { return r.Key == k })
	if err == nil && found.IsZero() {
		err = &fhir.Error{Code: fhir.NotFound, Detail: "the partner shows no Task for this referral"}
	}
	return found, err
}

// due reports whether a step is still news to the sender.
func due(theirs, ours fhir.Resource) (bool, error) {
	from, to := theirs.Root().Get("status").Text(), ours.Root().Get("status").Text()
	err := Check(from, to, Receiver)
	if err != nil && reachable(to, from) {
		return false, nil // told late: they know more already
	}
	return err == nil, err
}

// merge puts what the receiver owns of a Task into the sender's version of it,
// every other byte of which stays.
func (p *pack) merge(theirs, ours fhir.Resource) (r fhir.Resource, changed bool, err error) {
	if edits := p.references(ours.Root(), nil); len(edits) > 0 {
		if ours, err = ours.Apply(edits...); err != nil {
			return fhir.Resource{}, false, err
		}
	}
	same := func(name string) bool { return theirs.Root().Get(name).Same(ours.Root().Get(name)) }
	if !slices.ContainsFunc(answered, func(name string) bool { return !same(name) }) {
		return theirs, false, nil
	}
	r, err = take(theirs, ours, answered)
	return r, true, err
}
