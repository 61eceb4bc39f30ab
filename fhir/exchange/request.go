package exchange

import (
	"context"
	"slices"

	"rapport/fhir"
)

// The ServiceRequest belongs to the sender alone. It begins with its Task, ends with
// it, and stays active where the receiver did not take or finish it: then the sender
// sends another Task, or revokes it.
//
// Source: https://hl7.org/fhir/R4/request.html#statemachine; HL7 FHIR Clinical Order
// Workflows: «only the initiating party may create or modify a Request».
var requests = map[string]struct {
	by   Side // whose step of the Task moves it
	to   string
	from []string
}{
	"requested": {Sender, "active", []string{"draft"}},
	"completed": {Either, "completed", []string{"draft", "active", "on-hold"}},
	"cancelled": {Sender, "revoked", []string{"draft", "active", "on-hold"}},
}

// alive are the statuses of a Task for which its ServiceRequest must not end.
var alive = []string{"draft", "requested", "accepted", "in-progress", "on-hold"}

// keepRequest brings the ServiceRequest of a Task in step with the Task, in the same
// transaction. later: the writer may not read the ServiceRequest (a partner, an intake
// desk), and it is left to the courier.
func keepRequest(ctx context.Context, tx fhir.Tx, task fhir.Written, side Side) (later bool, err error) {
	m, ok := requests[task.Resource.Root().Get("status").Text()]
	if !ok || m.by&side == 0 {
		return false, nil
	}
	next, err := requestAfter(ctx, tx, task.Resource)
	if fhir.Is(err, fhir.NotFound) || fhir.Is(err, fhir.Forbidden) {
		return true, nil
	}
	if err != nil || next.IsZero() {
		return false, err
	}
	_, err = tx.Derive(ctx, task.Head, next)
	return false, err
}

// requestAfter returns the ServiceRequest of a Task as it must become, nothing where
// it stays as it is.
func requestAfter(ctx context.Context, in fhir.Reader, task fhir.Resource) (fhir.Resource, error) {
	m := requests[task.Root().Get("status").Text()]
	focus, _ := task.Root().Get("focus").Ref()
	r, err := in.Read(ctx, focus)
	if err != nil {
		return fhir.Resource{}, err
	}
	patient, ok := task.Root().Get("for").Ref()
	if subject, _ := r.Root().Get("subject").Ref(); !ok || subject != patient {
		return fhir.Resource{}, nil // it is about somebody else: not ours to change
	}
	if !slices.Contains(m.from, r.Root().Get("status").Text()) {
		return fhir.Resource{}, nil
	}
	if m.to == "revoked" {
		other, err := otherTask(ctx, in, focus, task.Key)
		if err != nil || other {
			return fhir.Resource{}, err
		}
	}
	return r.Apply(fhir.Replace(r.Root().Get("status"), fhir.AppendQuote(nil, m.to)))
}

// otherTask reports whether another Task still asks for a ServiceRequest.
func otherTask(ctx context.Context, in fhir.Reader, request, but fhir.Key) (bool, error) {
	set, err := in.Search(ctx, fhir.Query{Type: "Task", Count: 50, Where: []fhir.Clause{
		{Param: "focus", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: request}}},
		{Param: "status", Kind: fhir.Token, Any: codes(alive)},
	}})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(set.Entries, func(e fhir.Entry) bool { return e.Key != but && isReferral(e.Resource.Root()) }), nil
}

// codes are operands of any system.
func codes(list []string) (out []fhir.Operand) {
	for _, c := range list {
		out = append(out, fhir.Operand{Code: c})
	}
	return out
}

// settle does what [keepRequest] left to the courier.
func (c *Courier) settle(ctx context.Context, j job) error {
	key := fhir.Key{Type: "Task", ID: j.Task}
	return c.Gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction, Operation: Settle, Type: key.Type, ID: key.ID}, func(tx fhir.Tx) error {
		task, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: key.Type, ID: key.ID}).Read(ctx, key)
		if err != nil {
			return err
		}
		if _, moves := requests[task.Root().Get("status").Text()]; !moves {
			return nil
		}
		next, err := requestAfter(ctx, tx.As(fhir.Act{Interaction: fhir.Read, Type: "ServiceRequest"}), task)
		if err != nil || next.IsZero() {
			return err
		}
		_, err = tx.As(fhir.Act{Interaction: fhir.Update, Type: next.Type, ID: next.ID}).Put(ctx, next, fhir.Condition{IfMatch: next.Version})
		return err
	})
}
