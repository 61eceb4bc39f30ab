package exchange

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"rapport/fhir"
)

// Outbox is the operator's view of the works that couriers take. It shows keys, times
// and our own words about failures, nothing of whom they are about.
type Outbox struct {
	Queue fhir.Queue
	Memos fhir.Memos
}

// Item is one work.
type Item struct {
	fhir.Work
	Do      string   // Deliver, Amend, Withdraw, Answer, Correct, Renew, Settle
	Task    fhir.Key // ours
	Partner string
}

// Chosen says which works are meant: those of the ids, or all dead ones, of one
// partner where it is named.
type Chosen struct {
	IDs     []string
	Partner string
	Dead    bool // dead ones only
}

// mostItems bounds a list.
const mostItems = 10_000

// List returns works, the oldest first: what waits, then what is dead.
func (o Outbox) List(ctx context.Context, c Chosen) (items []Item, err error) {
	for _, dead := range []bool{false, true} {
		if c.Dead && !dead {
			continue
		}
		ws, err := o.Queue.Works(ctx, dead, mostItems)
		if err != nil {
			return nil, err
		}
		for _, w := range ws {
			var j job
			if w.Kind != Kind {
				continue
			}
			_ = json.Unmarshal(w.Body, &j) // one that cannot be read is shown too
			if c.Partner != "" && j.Partner != c.Partner || len(c.IDs) > 0 && !slices.Contains(c.IDs, w.ID) {
				continue
			}
			items = append(items, Item{Work: w, Do: j.Do, Task: fhir.Key{Type: "Task", ID: j.Task}, Partner: j.Partner})
		}
	}
	var missing []string
	for _, id := range c.IDs {
		if !slices.ContainsFunc(items, func(i Item) bool { return i.ID == id }) {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return nil, fhir.Errorf(fhir.NotFound, "", "There is no such work waiting or dead: %s.", strings.Join(missing, ", "))
	}
	return items, nil
}

// Retry sets one work going now, as if it were new. A package that was sent before goes
// as it went then, and what changed since follows as a correction; anew makes it of
// what is so today. What was entered in error since never goes as it was.
//
// Errors: [fhir.Conflict] when a courier is at it, [fhir.NotFound] when it is done.
func (o Outbox) Retry(ctx context.Context, i Item, anew bool) error {
	if i.Do == Deliver {
		c := &Courier{Memos: o.Memos}
		if err := c.note(ctx, i.Task.ID, func(l *ledger) { l.Anew = anew }); err != nil {
			return err
		}
	}
	return o.Queue.Revive(ctx, i.ID)
}

// Drop ends one work without its being done. Errors as with Retry.
func (o Outbox) Drop(ctx context.Context, i Item) error { return o.Queue.Drop(ctx, i.ID) }

// asBegun puts, of what a package was begun with before, the versions of then in place
// of those of today, but for what has turned out to be an error.
func (c *Courier) asBegun(ctx context.Context, org fhir.Key, to Partner, task string, rs []fhir.Resource) (out []fhir.Resource, err error) {
	act := fhir.Act{Interaction: fhir.Disclose, Type: "Task", ID: task, Recipient: org}
	err = c.Gate.View(ctx, act, func(in fhir.Reader) error {
		out = slices.Clone(rs)
		for n, r := range out {
			all, err := c.sharesOf(ctx, r.Key)
			if err != nil {
				return err
			}
			s, begun := all[to.Name]
			if !begun || s.Task != task || s.Version >= r.Version || mistaken(r.Root()) {
				continue
			}
			then, err := readable(in.ReadVersion(ctx, r.Key, s.Version))
			if err != nil {
				return err
			}
			if !then.IsZero() {
				out[n] = then
			}
		}
		return nil
	})
	return out, err
}
