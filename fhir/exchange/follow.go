package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rapport/fhir"
)

// Kind is that of all works that a courier takes. It is one, so that the works of a
// Task, which are one lane, never overtake each other.
const Kind = "referral"

// What a work is to do; its id begins with it and a slash.
const (
	Deliver  = "deliver"  // bring a new referral to the partner that shall take it
	Amend    = "amend"    // tell it what else was changed in the Task
	Ask      = "ask"      // ask that partner to stop
	Withdraw = "withdraw" // tell that partner that it is cancelled or was an error
	Answer   = "answer"   // bring status and output back to the partner that sent it
	Correct  = "correct"  // bring a later version of what a partner has
	Renew    = "renew"    // bring the note up to date with it
	Settle   = "settle"   // bring our ServiceRequest in step with its Task
)

// job is the body of a Work: keys, no content.
type job struct {
	Do      string `json:"do"`
	Task    string `json:"task"`    // id
	Version int64  `json:"version"` // that set it going
	Partner string `json:"partner"`
	// Resource is what is corrected, our key.
	Resource string `json:"resource,omitempty"`
}

// Referrals watches Tasks. It is immutable and safe for concurrent use.
type Referrals struct {
	Partners []Partner
	// Wake, a channel with room for one, is told that there will be work as soon as the
	// transaction is committed; it is the courier's Wake. nil: the courier finds the work
	// when it looks next.
	Wake chan<- struct{}
}

// committed is when a transaction is likely to have committed, and nearly sure to: the
// courier is woken twice, and what is slower it finds when it looks next.
var committed = [...]time.Duration{20 * time.Millisecond, 250 * time.Millisecond}

// Follow is the [fhir.Follow] of referrals: it refuses an illegal step of a
// referral's Task, notes a legal one as Provenance, and enqueues what must go to a
// partner. What a Task that is under way asks for, and that Task, are not deleted.
func (f Referrals) Follow(ctx context.Context, tx fhir.Tx, w fhir.Written) error {
	switch {
	case w.Type == "ServiceRequest" && w.Effect == fhir.Removed:
		return f.asked(ctx, tx, w.Key)
	case w.Type != "Task":
		return nil
	}
	before, again, err := versionBefore(ctx, tx, w)
	if err != nil {
		return err
	}
	if asksToStop(before) || asksToStop(w.Resource.Root()) && !isReferral(before) {
		return f.stop(ctx, tx, w, before, again)
	}
	if w.Effect == fhir.Removed {
		return f.ends(ctx, tx, before)
	}
	if w.Resource.IsZero() || w.Effect != fhir.Created && w.Effect != fhir.Updated {
		return nil
	}
	task := w.Resource.Root()
	if !isReferral(before) && !isReferral(task) {
		return nil
	}
	p, err := f.parties(ctx, tx, task, w.By)
	if err != nil {
		return err
	}
	if again {
		err = f.returns(ctx, tx, before, task)
	} else {
		err = f.remains(ctx, tx, before, task, p)
	}
	if err != nil || !isReferral(task) {
		return err
	}
	if again || !isReferral(before) {
		before = fhir.Node{} // it begins as one
	}
	from := before.Get("status").Text()
	side, err := p.side()
	if err != nil {
		return err
	}
	if p.to != nil && p.writer == p.to && from != "" {
		if err := urgency(before, task); err != nil {
			return err
		}
	}
	status := task.Get("status").Text()
	if from == "" {
		err = begin(status)
	} else {
		err = p.check(from, status, side)
	}
	if err != nil {
		return err
	}
	if err := guard(task); err != nil {
		return err
	}
	if code := BusinessOf(task); from != "" && code != BusinessOf(before) {
		if err := CheckBusiness(status, code, side); err != nil {
			return err
		}
	}
	if from != "" && from != status {
		if err := noteStep(ctx, tx, w, side); err != nil {
			return err
		}
	}
	// A Task that begins otherwise than «requested» is a record, and so is its request.
	if p.from == nil && from != status && (from != "" || status == "requested") {
		later, err := keepRequest(ctx, tx, w, side)
		if err == nil && later && p.to != nil {
			err = f.enqueue(ctx, tx, Settle, w.Head, w.ID, p.to.Name)
		}
		if err != nil {
			return err
		}
	}
	do, to := p.sets(from, status)
	if do == "" && p.to != nil && p.house && from == status && status != "draft" && len(Next(status, Receiver)) > 0 && len(amended(before, task)) > 0 {
		do, to = Amend, p.to
	}
	if do != "" {
		return f.enqueue(ctx, tx, do, w.Head, w.ID, to.Name)
	}
	return nil
}

// isReferral: a Task that asks somebody to fulfil a ServiceRequest.
func isReferral(task fhir.Node) bool {
	k, ok := task.Get("focus").Ref()
	return ok && k.Type == "ServiceRequest" && task.Get("code").HasCoding("http://hl7.org/fhir/CodeSystem/task-code", "fulfill")
}

// versionBefore returns what the write replaced, nothing if there was nothing. again:
// that was deleted, and before is what had stood there.
func versionBefore(ctx context.Context, tx fhir.Tx, w fhir.Written) (before fhir.Node, again bool, err error) {
	for v := w.Version - 1; v > 0 && v > w.Version-3; v-- { // no tombstone follows another
		r, err := tx.ReadVersion(ctx, w.Key, v)
		if !fhir.Is(err, fhir.Deleted) && !fhir.Is(err, fhir.NotFound) {
			return r.Root(), again, err
		}
		again = true
	}
	return fhir.Node{}, again, nil
}

// parties of a Task: to whom it goes, from whom it came, who writes it. Each is nil
// where it is no configured partner.
type parties struct {
	to, from, writer *Partner
	house            bool // the house itself writes
}

func (f Referrals) parties(ctx context.Context, in fhir.Reader, task fhir.Node, by []fhir.Key) (p parties, err error) {
	p.house = by == nil
	for i, q := range f.Partners {
		for id := range task.Get("identifier").Elements() {
			if id.Get("system").Text() == q.Base+"/Task" {
				p.from = &f.Partners[i]
			}
		}
	}
	if p.to, err = f.party(ctx, in, task.Get("owner")); err != nil {
		return p, err
	}
	for _, k := range by {
		if p.writer, err = f.organization(ctx, in, k); err != nil || p.writer != nil {
			return p, err
		}
	}
	return p, nil
}

// side returns whose act the write is.
func (p parties) side() (Side, error) {
	switch {
	case p.to == nil && p.from == nil:
		return Either, nil // nobody that we carry anything to
	case p.to != nil && p.house:
		return Sender, nil
	case p.to != nil && p.writer == p.to:
		return Receiver, nil
	case p.to == nil && p.house:
		return Receiver, nil
	case p.to == nil && p.writer == p.from:
		return Sender, nil
	}
	return 0, &fhir.Error{Code: fhir.BusinessRule, Detail: "A referral's Task is written by the one who sends it and the one who takes it. An identifier in the system of a partner's Tasks comes from that partner alone.", At: []string{"Task.identifier"}}
}

// check says whether a step is legal.
func (p parties) check(from, to string, side Side) error {
	if p.to == nil && p.from != nil && side == Sender && to == "cancelled" && (from == "in-progress" || from == "on-hold") {
		return nil // it was legal at the sender's, before our beginning came there
	}
	return Check(from, to, side)
}

// sets returns what work a step causes, and for whom.
func (p parties) sets(from, status string) (do string, to *Partner) {
	switch {
	case p.to != nil && p.house && status == "requested" && from != status:
		return Deliver, p.to
	case p.to != nil && p.house && (status == "cancelled" || status == "entered-in-error") && from != status && from != "" && from != "draft":
		return Withdraw, p.to
	case p.to == nil && p.from != nil && p.house && from != "":
		return Answer, p.from // a change of output alone is told too
	}
	return "", nil
}

// party returns the partner that a reference names, nil if none. A
// PractitionerRole stands for its organisation.
func (f Referrals) party(ctx context.Context, in fhir.Reader, ref fhir.Node) (*Partner, error) {
	id := ref.Get("identifier")
	for i, p := range f.Partners {
		if id.Get("system").Text() == p.System && id.Get("value").Text() == p.Value && p.Value != "" {
			return &f.Partners[i], nil
		}
	}
	k, ok := ref.Ref()
	if !ok || len(f.Partners) == 0 {
		return nil, nil
	}
	if k.Type == "PractitionerRole" {
		r, err := readable(in.Read(ctx, k))
		if err != nil || r.IsZero() {
			return nil, err
		}
		k, _ = r.Root().Get("organization").Ref()
	}
	return f.organization(ctx, in, k)
}

func (f Referrals) organization(ctx context.Context, in fhir.Reader, k fhir.Key) (*Partner, error) {
	if k.Type != "Organization" {
		return nil, nil
	}
	r, err := readable(in.Read(ctx, k))
	if err != nil || r.IsZero() {
		return nil, err
	}
	i := slices.IndexFunc(f.Partners, func(p Partner) bool { return p.Is(r.Root()) })
	if i < 0 {
		return nil, nil
	}
	return &f.Partners[i], nil
}

// readable makes nothing of what is not there or not for the caller.
func readable(r fhir.Resource, err error) (fhir.Resource, error) {
	if fhir.Unseen(err) {
		return fhir.Resource{}, nil
	}
	return r, err
}

func (f Referrals) wake() {
	select {
	case f.Wake <- struct{}{}:
	default: // it has been told
	}
}

// enqueue notes work that a Task sets going, in the lane of the referral that it is about.
func (f Referrals) enqueue(ctx context.Context, tx fhir.Tx, do string, task fhir.Head, referral, partner string) error {
	body, err := json.Marshal(job{Do: do, Task: task.ID, Version: task.Version, Partner: partner})
	if err != nil {
		return fmt.Errorf("encode work: %w", err)
	}
	if f.Wake != nil {
		for _, d := range committed {
			time.AfterFunc(d, f.wake)
		}
	}
	return tx.Enqueue(ctx, fhir.Work{
		ID:   fmt.Sprintf("%s/%s@%d", do, task.ID, task.Version),
		Lane: "task/" + referral, Kind: Kind, Body: body,
	})
}
