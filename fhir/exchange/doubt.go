package exchange

import (
	"context"
	"maps"
	"slices"
	"time"

	"rapport/fhir"
)

// undecided parks what must not be guessed.
func undecided(typ string) error {
	return fhir.Errorf(fhir.BusinessRule, "", "whether the %s arrived cannot be decided from what the partner lets us search; look there and say so with settle, or drop the work", typ)
}

// doubted is that of a package that went as a whole.
func (c *Courier) doubted(ctx context.Context, task string) error {
	if err := c.note(ctx, task, func(l *ledger) { l.Doubt = true }); err != nil {
		return err
	}
	return undecided("Task")
}

// Settle notes what a person found at the partner of a resource of which it could not
// be decided whether it arrived: its key there, or the zero Key if it is not there and
// may be sent. Of a package that goes as a whole it is the Task. The work is then retried.
//
// Errors: [fhir.NotFound] if nothing is unknown of that resource.
func (c *Courier) Settle(ctx context.Context, task string, ours, theirs fhir.Key) error {
	l, err := c.ledger(ctx, task)
	if err != nil {
		return err
	}
	if l.Doubt && ours == (fhir.Key{Type: "Task", ID: task}) {
		return c.note(ctx, task, func(l *ledger) {
			if l.Doubt, l.Theirs = false, theirs.String(); theirs.IsZero() {
				l.Theirs, l.Begun = "", time.Time{}
			}
		})
	}
	d := &delivery{Courier: c}
	if err := d.load(ctx, task); err != nil {
		return err
	}
	if d.Posted[ours.String()].State != unknown {
		return &fhir.Error{Code: fhir.NotFound, Detail: "Of this resource it is not open whether it arrived."}
	}
	if theirs.IsZero() {
		return d.put(ctx, ours, posted{})
	}
	return d.put(ctx, ours, posted{State: there, At: c.Clock(), Remote: theirs.String()})
}

// Undecided lists which resources of a Task's package wait for [Courier.Settle].
func (c *Courier) Undecided(ctx context.Context, task string) (open []fhir.Key, err error) {
	l, err := c.ledger(ctx, task)
	if err != nil {
		return nil, err
	}
	if l.Doubt {
		open = append(open, fhir.Key{Type: "Task", ID: task})
	}
	d := &delivery{Courier: c}
	if err := d.load(ctx, task); err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(d.Posted)) {
		if d.Posted[k].State == unknown {
			key, _ := fhir.ParseKey(k)
			open = append(open, key)
		}
	}
	return open, nil
}
