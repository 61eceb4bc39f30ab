package exchange

import (
	"context"

	"rapport/fhir"
)

// A receiver that has begun is not told to stop, it is asked: by a Task of its own, code
// abort, whose focus is the referral's Task. It accepts, and with that cancels the
// referral, or rejects and says why.
//
// Source: HL7 FHIR Clinical Order Workflows, cancellation request;
// http://hl7.org/fhir/CodeSystem/task-code

// stopping is the state machine of a Task that asks to stop.
var stopping = machine{
	"":                 {"requested": Sender},
	"requested":        {"accepted": Receiver, "rejected": Receiver, "entered-in-error": Sender},
	"accepted":         {"entered-in-error": Sender},
	"rejected":         {"entered-in-error": Sender},
	"entered-in-error": {},
}

// asksToStop: a Task that asks for the end of another one.
func asksToStop(task fhir.Node) bool {
	k, ok := task.Get("focus").Ref()
	return ok && k.Type == "Task" && task.Get("code").HasCoding("http://hl7.org/fhir/CodeSystem/task-code", "abort")
}

// stop is what [Referrals.Follow] does of a Task that asks to stop; before is what it
// was, and again that this was deleted.
func (f Referrals) stop(ctx context.Context, tx fhir.Tx, w fhir.Written, before fhir.Node, again bool) error {
	if again || !asksToStop(before) {
		before = fhir.Node{}
	}
	from := before.Get("status").Text()
	if w.Effect == fhir.Removed {
		if p, err := f.parties(ctx, tx, before, nil); err != nil || from != "requested" || p.to == nil && p.from == nil {
			return err
		}
		return fhir.Errorf(fhir.BusinessRule, "Task", "A partner is asked to stop, and there is no answer yet. Make this Task entered-in-error, accepted or rejected first.")
	}
	task := w.Resource.Root()
	p, err := f.parties(ctx, tx, task, w.By)
	if err != nil || p.to == nil && p.from == nil {
		return err // nobody that we carry anything to
	}
	side, err := p.side()
	if err != nil {
		return err
	}
	status := task.Get("status").Text()
	if err := stopping.check(from, status, side); err != nil {
		return err
	}
	if err := guard(task); err != nil {
		return err
	}
	focus, _ := task.Get("focus").Ref()
	referral, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: focus.Type, ID: focus.ID}).Read(ctx, focus)
	switch {
	case err != nil && !fhir.Unseen(err):
		return err
	case again:
		err = fhir.Errorf(fhir.BusinessRule, "Task.id", "This id was used and deleted: a partner that had it would take this Task for that one. Send it as a new one.")
	case from == "":
		err = f.stops(ctx, tx, p, task, referral.Root())
	default:
		err = stays(before, task)
	}
	if err != nil || from == status {
		return err
	}
	if from != "" {
		if err := noteStep(ctx, tx, w, side); err != nil {
			return err
		}
	}
	switch {
	case p.to != nil && p.house && from == "":
		return f.enqueue(ctx, tx, Ask, w.Head, focus.ID, p.to.Name)
	case p.to != nil && p.house && from == "requested":
		return f.enqueue(ctx, tx, Withdraw, w.Head, focus.ID, p.to.Name)
	case p.to == nil && p.house:
		if err := f.enqueue(ctx, tx, Answer, w.Head, focus.ID, p.from.Name); err != nil || status != "accepted" {
			return err
		}
		return f.cancel(ctx, tx, w, referral)
	}
	return nil
}

// stops refuses to ask for the end of what is no referral under way between the same two.
// A copy is let in whatever became of the referral meanwhile: that is the answer.
func (f Referrals) stops(ctx context.Context, tx fhir.Tx, p parties, task, referral fhir.Node) error {
	of, err := f.parties(ctx, tx, referral, nil)
	if err != nil {
		return err
	}
	about, _ := referral.Get("for").Ref()
	whom, _ := task.Get("for").Ref()
	if !isReferral(referral) || of.to != p.to || of.from != p.from || about != whom {
		return fhir.Errorf(fhir.BusinessRule, "Task.focus", "Name the Task of the referral that is to stop, with the owner and the client that it has.")
	}
	status := referral.Get("status").Text()
	if p.to != nil && (status == "draft" || len(Next(status, Receiver)) == 0) {
		return fhir.Errorf(fhir.BusinessRule, "Task.focus", "The referral is %s; only one that is under way can be asked to stop.", status)
	}
	return nil
}

// stays refuses to make another request of one that was sent.
func stays(before, task fhir.Node) error {
	for element, what := range map[string]string{"focus": "what is to stop", "for": "whom it is about", "owner": "who is asked"} {
		if !before.Get(element).Same(task.Get(element)) {
			return changed(element, what)
		}
	}
	if !asksToStop(task) {
		return changed("code", "that it asks to stop")
	}
	return nil
}

// cancel ends the referral that its receiver has agreed to stop, and does what comes of
// that step.
func (f Referrals) cancel(ctx context.Context, tx fhir.Tx, w fhir.Written, referral fhir.Resource) error {
	status := referral.Root().Get("status")
	switch {
	case referral.IsZero():
		return fhir.Errorf(fhir.BusinessRule, "Task.focus", "The referral is not there any more, or not visible to you. Reject the request and say so.")
	case status.Text() == "cancelled":
		return nil
	}
	if err := Check(status.Text(), "cancelled", Receiver); err != nil {
		return fhir.Errorf(fhir.BusinessRule, "Task.status", "The referral is %s and cannot be cancelled any more. Reject the request and say why.", status.Text())
	}
	next, err := referral.Apply(fhir.Replace(status, fhir.AppendQuote(nil, "cancelled")))
	if err != nil {
		return err
	}
	ws, err := tx.Derive(ctx, w.Head, next)
	for _, w := range ws {
		if err == nil {
			err = f.Follow(ctx, tx, w)
		}
	}
	return err
}

// ask brings a Task that asks to stop to the partner that has the referral.
func (c *Courier) ask(ctx context.Context, to Partner, j job) error {
	org, err := c.recipient(ctx, to)
	if err != nil {
		return err
	}
	var task fhir.Resource
	key := fhir.Key{Type: "Task", ID: j.Task}
	err = c.Gate.View(ctx, fhir.Act{Interaction: fhir.Disclose, Type: key.Type, ID: key.ID, Recipient: org}, func(in fhir.Reader) (err error) {
		task, err = in.Read(ctx, key)
		return err
	})
	if err != nil || task.Root().Get("status").Text() != "requested" {
		return err
	}
	focus, _ := task.Root().Get("focus").Ref()
	if err := c.hasTask(ctx, focus.ID, "is asked to stop"); err != nil {
		return err
	}
	theirs, err := c.copyAt(ctx, to, focus.ID)
	if err != nil {
		return err
	}
	if theirs.IsZero() {
		if err := c.neverArrived(ctx, job{Task: focus.ID}); err != nil {
			return err
		}
		return &fhir.Error{Code: fhir.NotFound, Detail: "the partner has no Task of the referral that is to stop; tell its people, then drop the work"}
	}
	released, err := c.Release(ctx, org, []fhir.Resource{task})
	if err != nil {
		return err
	}
	if len(released) == 0 { // that they are to stop they must know whatever was denied since
		if task, err = bared(task, "status", "intent", "code", "focus", "for", "requester", "owner", "authoredOn"); err != nil {
			return err
		}
		released = []fhir.Resource{task}
	}
	p := newPack(c.Base, to, released, nil)
	p.home[focus] = theirs.Key
	if err := c.locate(ctx, p, task.Root()); err != nil {
		return err
	}
	if err := c.begins(ctx, to, j.Task); err != nil {
		return err
	}
	if _, err := c.transact(ctx, to, p); err != nil {
		return err
	}
	return c.receipt(ctx, Ask, fhir.Head{Key: key, Version: j.Version}, to)
}

// bared returns a resource with the named elements and no others.
func bared(r fhir.Resource, names ...string) (fhir.Resource, error) {
	o := fhir.NewResource(r.Key)
	for _, name := range names {
		if v := r.Root().Get(name); v.Exists() {
			o.Set(name, v)
		}
	}
	return o.Resource()
}
