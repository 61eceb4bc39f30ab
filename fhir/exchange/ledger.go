package exchange

import (
	"context"
	"fmt"
	"time"

	"rapport/fhir"
)

// ledger is what is known of a Task's way to or from a partner. It holds keys, times and
// sums, no content.
type ledger struct {
	Partner string    `json:"partner"`
	Begun   time.Time `json:"begun,omitzero"` // when a package was last sent
	// Delivered is the version whose package is known to have arrived, Theirs the
	// partner's Task, as the partner said.
	Delivered int64  `json:"delivered,omitempty"`
	Theirs    string `json:"theirs,omitempty"`
	Told      int64  `json:"told,omitempty"`  // newest version whose answer was begun
	Doubt     bool   `json:"doubt,omitempty"` // a person must say whether the package arrived: see Settle
	Anew      bool   `json:"anew,omitempty"`  // an operator wants the package as things stand today

	// Of the note at the partner, see renew.go: what it was made of, our keys; whether
	// something was kept back; the sum of what it says; how many were made in its place,
	// and the sum of the last that was sent.
	Sent     []string `json:"sent,omitempty"`
	Withheld bool     `json:"withheld,omitempty"`
	Note     string   `json:"note,omitempty"`
	Notes    int      `json:"notes,omitempty"`
	Renewed  string   `json:"renewed,omitempty"`
}

const ledgerSpace = "referral"

func (c *Courier) ledger(ctx context.Context, task string) (ledger, error) {
	return ledgerOf(ctx, c.Memos, task)
}

func ledgerOf(ctx context.Context, memos fhir.Memos, task string) (ledger, error) {
	l, _, err := recalled[ledger](ctx, memos, ledgerSpace, task)
	return l, err
}

// note changes the ledger of a Task. It does not overwrite what another courier
// noted at the same moment: that is a [fhir.Conflict].
func (c *Courier) note(ctx context.Context, task string, change func(*ledger)) error {
	l, m, err := recalled[ledger](ctx, c.Memos, ledgerSpace, task)
	if err != nil {
		return err
	}
	change(&l)
	return revised(ctx, c.Memos, m, l)
}

// noteStep records a step of a Task as Provenance, in the same transaction. Its
// agent is the organisation that took it; the person stands in the audit.
func noteStep(ctx context.Context, tx fhir.Tx, w fhir.Written, side Side) error {
	who := w.Resource.Root().Get("owner")
	if side == Sender {
		who = w.Resource.Root().Get("requester")
	}
	if side == Either || !who.Exists() {
		return nil // whose step it was is not known
	}
	agent := fhir.NewObject()
	for name, v := range who.Members() {
		agent.Set(name, v)
	}
	r, err := provenance("step", w.Head, w.Updated, agent,
		fhir.Concept("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "UPDATE", "revise")).Resource()
	if err != nil {
		return err
	}
	_, err = tx.Derive(ctx, w.Head, r)
	return err
}

// receipt records that a version of a Task reached the partner.
func (c *Courier) receipt(ctx context.Context, kind string, task fhir.Head, to Partner) error {
	agent := fhir.NewObject().Set("type", "Device").Set("display", "Referral courier")
	r, err := provenance(kind, task, c.Clock(), agent,
		fhir.Concept("http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "transmit", "Transmit Record Lifecycle Event")).
		Set("entity", []*fhir.Object{fhir.NewObject().Set("role", "derivation").Set("what", fhir.NewObject().
			Set("type", "Organization").Set("identifier", fhir.NewObject().Set("system", to.System).Set("value", to.Value)))}).Resource()
	if err != nil {
		return err
	}
	act := fhir.Act{Interaction: fhir.Create, Type: r.Type}
	err = c.Gate.Update(ctx, act, func(tx fhir.Tx) error {
		_, err := tx.Put(ctx, r, fhir.Condition{MustCreate: true})
		return err
	})
	if fhir.Is(err, fhir.Duplicate) {
		return nil // recorded when it was delivered before
	}
	return err
}

// provenance of one version of a Task; the same for the same, so that it is
// recorded once.
func provenance(kind string, task fhir.Head, at time.Time, who, activity *fhir.Object) *fhir.Object {
	target := fmt.Sprintf("%s/_history/%d", task.Key, task.Version)
	return fhir.NewResource(fhir.Key{Type: "Provenance", ID: uuid(kind + " " + target)}).
		Set("target", []*fhir.Object{fhir.NewObject().Set("reference", target)}).
		Set("recorded", at).
		Set("activity", activity).
		Set("agent", []*fhir.Object{fhir.NewObject().Set("who", who)})
}
