package exchange

import (
	"context"
	"errors"

	"rapport/fhir"
)

// remains refuses a write that would make another referral of one that was sent, or
// none at all: its partner has a copy, and would be told nothing. Another receiver, or
// another request, is a Task of its own. is: whose it would be.
func (f Referrals) remains(ctx context.Context, tx fhir.Tx, before, task fhir.Node, is parties) error {
	if !isReferral(before) || before.Get("status").Text() == "draft" {
		return nil
	}
	was := is
	if !before.Get("owner").Same(task.Get("owner")) || !before.Get("identifier").Same(task.Get("identifier")) {
		var err error
		if was, err = f.parties(ctx, tx, before, nil); err != nil {
			return err
		}
	}
	switch {
	case is.to != was.to:
		return changed("owner", "who is asked")
	case was.to == nil && was.from == nil:
		return nil
	case !isReferral(task):
		return changed("code", "that it asks for a ServiceRequest to be fulfilled")
	case is.from != was.from:
		return changed("identifier", "by which the partner knows it")
	}
	names := func(element string) bool {
		a, _ := before.Get(element).Ref()
		b, _ := task.Get(element).Ref()
		return a == b
	}
	switch {
	case !names("focus"):
		return changed("focus", "what is asked for")
	case !names("for"):
		return changed("for", "whom it is about")
	}
	return nil
}

func changed(element, what string) error {
	return fhir.Errorf(fhir.BusinessRule, "Task."+element, "Once a referral was sent, %s stays as it was. Cancel this Task, and send a new one.", what)
}

// ends refuses to delete a referral that is under way with a partner.
func (f Referrals) ends(ctx context.Context, tx fhir.Tx, before fhir.Node) error {
	status := before.Get("status").Text()
	if !isReferral(before) || status == "draft" || len(Next(status, Receiver)) == 0 {
		return nil
	}
	switch p, err := f.parties(ctx, tx, before, nil); {
	case err != nil:
		return err
	case p.to != nil:
		return fhir.Errorf(fhir.BusinessRule, "Task", "This referral is under way: the partner has it. Make it cancelled or entered-in-error first, so that the partner is told.")
	case p.from != nil:
		return fhir.Errorf(fhir.BusinessRule, "Task", "The partner that sent this referral waits for an answer. Make it rejected, cancelled, failed or completed first.")
	}
	return nil
}

// asked refuses to delete a request that a Task under way with a partner asks for: the
// partner would go on with what nobody finds here any more.
func (f Referrals) asked(ctx context.Context, tx fhir.Tx, request fhir.Key) error {
	q := fhir.Query{Type: "Task", Where: []fhir.Clause{{Param: "focus", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: request}}}}}
	for task, err := range fhir.Matches(ctx, tx.As(fhir.Act{Interaction: fhir.SearchType, Type: "Task"}), q) {
		if err != nil {
			return err
		}
		err := f.ends(ctx, tx, task.Root())
		if e := new(fhir.Error); errors.As(err, &e) && e.Code == fhir.BusinessRule {
			return fhir.Errorf(fhir.BusinessRule, "ServiceRequest", "%s asks for it. %s", task.Key, e.Detail)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// returns refuses the id of a deleted referral that a partner knows to another one.
func (f Referrals) returns(ctx context.Context, tx fhir.Tx, last, task fhir.Node) error {
	if !isReferral(last) || !isReferral(task) || last.Get("status").Text() == "draft" {
		return nil
	}
	p, err := f.parties(ctx, tx, last, nil)
	if err == nil && (p.to != nil || p.from != nil) {
		err = fhir.Errorf(fhir.BusinessRule, "Task.id", "A referral of this id was sent and deleted: its partner would take this one for that. Send it as a new Task.")
	}
	return err
}
