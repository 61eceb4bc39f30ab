package exchange

import (
	"context"
	"encoding/json"
	"fmt"

	"rapport/fhir"
)

// The kinds of work that a courier takes.
const (
	Deliver = "referral"    // bring a new referral to the partner that shall take it
	Answer  = "task-status" // bring status and output back to the partner that sent it
)

// job is the body of a Work: keys, no content.
type job struct {
	Task    string `json:"task"`    // id
	Version int64  `json:"version"` // that set it going
	Partner string `json:"partner"`
}

// Referrals watches Tasks. It is immutable and safe for concurrent use.
type Referrals struct{ Partners []Partner }

// Follow is the [fhir.Follow] of referrals: it refuses an illegal step of a
// referral's Task, and enqueues what must go to a partner.
func (f Referrals) Follow(ctx context.Context, tx fhir.Tx, w fhir.Written) error {
	if w.Type != "Task" || w.Resource.IsZero() || len(f.Partners) == 0 {
		return nil
	}
	task := w.Resource.Root()
	if !isReferral(task) {
		return nil
	}
	from := ""
	if w.Version > 1 {
		before, err := tx.ReadVersion(ctx, w.Key, w.Version-1)
		switch {
		case err == nil:
			from = before.Root().Get("status").Text()
		case !fhir.Is(err, fhir.Deleted) && !fhir.Is(err, fhir.NotFound):
			return err
		}
	}
	to, err := f.party(ctx, tx, task.Get("owner"))
	if err != nil {
		return err
	}
	sender, err := f.party(ctx, tx, task.Get("requester"))
	if err != nil {
		return err
	}
	status := task.Get("status").Text()
	switch {
	case to != nil:
		if err := Check(from, status, Either); err != nil {
			return err
		}
		if err := guard(task); err != nil {
			return err
		}
		if from != "requested" && status == "requested" {
			return enqueue(ctx, tx, Deliver, w.Head, to.Name)
		}
	case sender != nil:
		// A copy arrives in whatever state its original has.
		if w.Version > 1 {
			if err := Check(from, status, Either); err != nil {
				return err
			}
			if err := guard(task); err != nil {
				return err
			}
			return enqueue(ctx, tx, Answer, w.Head, sender.Name)
		}
	}
	return nil
}

// isReferral: a Task that asks somebody to fulfil a ServiceRequest.
func isReferral(task fhir.Node) bool {
	k, ok := task.Get("focus").Ref()
	return ok && k.Type == "ServiceRequest" && task.Get("code").HasCoding("http://hl7.org/fhir/CodeSystem/task-code", "fulfill")
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
	if !ok {
		return nil, nil
	}
	r, err := in.Read(ctx, k)
	if fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Deleted) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch k.Type {
	case "Organization":
		for i, p := range f.Partners {
			if p.Is(r.Root()) {
				return &f.Partners[i], nil
			}
		}
	case "PractitionerRole":
		if org, ok := r.Root().Get("organization").Ref(); ok && org.Type == "Organization" {
			return f.party(ctx, in, r.Root().Get("organization"))
		}
	}
	return nil, nil
}

func enqueue(ctx context.Context, tx fhir.Tx, kind string, task fhir.Head, partner string) error {
	body, err := json.Marshal(job{Task: task.ID, Version: task.Version, Partner: partner})
	if err != nil {
		return fmt.Errorf("encode work: %w", err)
	}
	return tx.Enqueue(ctx, fhir.Work{
		ID:   fmt.Sprintf("%s/%s@%d", kind, task.ID, task.Version),
		Lane: "task/" + task.ID, Kind: kind, Body: body,
	})
}
