package intake

import (
	"context"

	"rapport/fhir"
)

// questionnaires are those that this run has seen to: what became of each, by the
// canonical that responses name.
type questionnaires map[string]fhir.Effect

// asking is the same as it will be if the transaction commits.
type asking struct {
	done  questionnaires
	fresh questionnaires
}

func (q questionnaires) begin() *asking { return &asking{done: q, fresh: questionnaires{}} }

// commit counts what was stored. Questionnaires are the product's, not the file's:
// they are no targets of the run's Provenance.
func (q *questionnaires) commit(a *asking, r *run) {
	if *q == nil {
		*q = questionnaires{}
	}
	for canonical, e := range a.fresh {
		(*q)[canonical] = e
		count(r.types, "Questionnaire").add(outcomeOf(e), 1)
	}
}

// put stores the Questionnaire that a response answers, if it is one of ours and
// was not seen to before.
func (a *asking) put(ctx context.Context, tx fhir.Tx, r *run, res fhir.Resource) error {
	if r.Instruments == nil || res.Type != "QuestionnaireResponse" {
		return nil
	}
	canonical := res.Root().Get("questionnaire").Text()
	_, before := a.done[canonical]
	if _, now := a.fresh[canonical]; before || now {
		return nil
	}
	in := r.Instruments.ByURL(canonical)
	if in == nil {
		return nil
	}
	q, err := in.Questionnaire()
	if err != nil {
		return err
	}
	w, err := tx.As(fhir.Act{Interaction: fhir.Update, Type: q.Type, ID: q.ID}).Put(ctx, q, fhir.Condition{SkipUnchanged: true})
	if err != nil {
		return err
	}
	a.fresh[canonical] = w.Effect
	return nil
}
