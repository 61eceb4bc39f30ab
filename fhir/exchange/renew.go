package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rapport/fhir"
	"rapport/fhir/document"
)

// renewed is what a note is called that is not the first.
const renewed = "Corrected referral note"

// either is the sum of a note of which it is not known what it says.
const either = "either"

// renewal enqueues the note of a referral to be brought up to date at the partner that
// has it, for a cause of its own: works that are named by their minute could be done by a
// process whose clock is ahead before another has found all that changed in it. It waits
// for the end of the minute, so that corrections that come together make one note, in a
// lane of its own, so that it holds up nothing.
func renewal(ctx context.Context, tx fhir.Tx, partner, task, cause string, now time.Time) error {
	body, err := json.Marshal(job{Do: Renew, Task: task, Partner: partner})
	if err != nil {
		return fmt.Errorf("encode work: %w", err)
	}
	return tx.Enqueue(ctx, fhir.Work{
		ID:   fmt.Sprintf("%s/%s/%s@%s", Renew, partner, task, cause),
		Lane: "note/" + task, Kind: Kind, Body: body, Due: now.Truncate(time.Minute).Add(time.Minute),
	})
}

// renew brings a partner the referral note as it reads now, if it reads otherwise than
// the one that the partner has. It is made of what was delivered, in the versions of
// today, and of nothing that came since; what has turned out to be an error is not in it
// any more, and what the partner may not have any more neither.
//
// Where the partner can change the note, it becomes a new version there, else a second
// note that says that it replaces the first.
//
// Source: https://hl7.org/fhir/R4/documentreference.html#relatesTo
func (c *Courier) renew(ctx context.Context, to Partner, j job) error {
	l, err := c.ledger(ctx, j.Task)
	if err != nil || l.Begun.IsZero() || l.Partner != to.Name || len(l.Sent) == 0 {
		return err
	}
	org, err := c.recipient(ctx, to)
	if err != nil {
		return err
	}
	rs, err := c.present(ctx, org, j.Task, l.Sent)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rs, func(r fhir.Resource) bool { return r.Type == "Task" && r.ID == j.Task })
	if i < 0 {
		return nil // the referral itself was an error, which the partner is told
	}
	task := rs[i]
	released, err := c.Release(ctx, org, rs)
	if err != nil {
		return err
	}
	for _, must := range []string{"Task", "ServiceRequest", "Patient"} {
		if !holds(released, must) {
			return nil // the record of the release says why; the partner keeps what it has
		}
	}
	p := newPack(c.Base, to, released, rs)
	n, err := p.summary(task, released, l.Withheld || len(released) < len(rs), newest(released))
	if err != nil || n.sum == l.Note {
		return err
	}
	way, known, err := c.reach(ctx, to)
	if err != nil {
		return err
	}
	if way == Creates {
		d := &delivery{Courier: c}
		if err := d.load(ctx, j.Task); err != nil || d.Posted[noteKey(task.Key, l.Notes).String()].State != there {
			return err // the delivery goes on, and ends with a look at what has changed
		}
	}
	has, replaced := "", way == Creates && !known.Types["DocumentReference"].Update
	if replaced {
		has, err = c.replace(ctx, to, known, p, n, l)
	} else {
		has, err = c.change(ctx, to, n, l)
	}
	if err != nil || has == "" {
		return err
	}
	// On record first: what the ledger says is there is not looked at again.
	if err := c.receipt(ctx, Renew+" "+has, fhir.Head{Key: task.Key, Version: task.Version}, to); err != nil {
		return err
	}
	err = c.note(ctx, j.Task, func(l *ledger) {
		if l.Note = has; replaced {
			l.Notes++
		}
	})
	if err == nil && has != n.sum {
		err = &fhir.Error{Code: fhir.Transient, Detail: "a note arrived that has changed again since; the next follows"}
	}
	return err
}

// change writes what the note says now into the one that the partner has. It returns the
// sum of what the partner has then, "" if it has none: what it removed is its own affair,
// and what has not arrived is not corrected.
func (c *Courier) change(ctx context.Context, to Partner, n referralNote, l ledger) (has string, err error) {
	at := noteKey(n.task.Key, l.Notes)
	theirs, err := c.atPartner(ctx, to, n.task.ID, at)
	if err != nil {
		return "", err
	}
	if theirs.IsZero() {
		if l.Delivered == 0 && c.Clock().Sub(l.Begun) < underWay {
			err = &fhir.Error{Code: fhir.Transient, Detail: "the note was sent and may yet arrive"}
		}
		return "", err
	}
	doc, err := n.resource(at, renewed, fhir.Key{})
	if err != nil {
		return "", err
	}
	doc, err = with(theirs, doc, []string{"meta", "date", "description", "securityLabel", "content"})
	if err != nil || fhir.SameContent(doc, theirs) {
		return n.sum, err
	}
	if err := c.note(ctx, n.task.ID, func(l *ledger) { l.Note = either }); err != nil {
		return "", err
	}
	_, err = c.Channel.Put(ctx, to, doc, theirs.Version)
	return n.sum, err
}

// replace creates a note in place of the one that a partner has and cannot change, and
// returns the sum of what the partner has then. One that was sent before is not made twice:
// of it the sum is told that it was sent with.
func (c *Courier) replace(ctx context.Context, to Partner, known capability, p *pack, n referralNote, l ledger) (has string, err error) {
	d, err := c.resumed(ctx, to, known, p, n.task.ID)
	if err != nil {
		return "", err
	}
	before, at := noteKey(n.task.Key, l.Notes), noteKey(n.task.Key, l.Notes+1)
	doc, err := n.resource(at, renewed, before)
	if err != nil {
		return "", err
	}
	has = l.Renewed
	if d.Posted[at.String()].State == "" {
		has = n.sum
		if err := c.note(ctx, n.task.ID, func(l *ledger) { l.Note, l.Renewed = either, n.sum }); err != nil {
			return "", err
		}
	}
	_, err = d.bring(ctx, doc)
	return has, err
}

// present reads what was delivered as it is now, but for what is gone or has turned out
// to be an error.
func (c *Courier) present(ctx context.Context, org fhir.Key, task string, sent []string) (rs []fhir.Resource, err error) {
	act := fhir.Act{Interaction: fhir.Disclose, Type: "Task", ID: task, Recipient: org}
	err = c.Gate.View(ctx, act, func(in fhir.Reader) error {
		rs = nil
		for _, s := range sent {
			k, _ := fhir.ParseKey(s)
			r, err := readable(in.Read(ctx, k))
			if err != nil {
				return err
			}
			if !r.IsZero() && !mistaken(r.Root()) {
				rs = append(rs, r)
			}
		}
		return nil
	})
	return rs, err
}

// newest is when the youngest of some resources was written.
func newest(rs []fhir.Resource) (at time.Time) {
	for _, r := range rs {
		if r.Updated.After(at) {
			at = r.Updated
		}
	}
	return at
}

// sumOf tells whether two notes read alike, whenever they were made.
func sumOf(doc document.Referral) (string, error) {
	doc.At = time.Time{}
	page, err := doc.Page()
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(page)
	return hex.EncodeToString(h[:16]), nil
}
