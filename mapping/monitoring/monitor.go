package monitoring

import (
	"context"
	"fmt"
	"time"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// Monitor raises Tasks for what is overdue. All fields but Follow are required.
type Monitor struct {
	Rules  *Rules
	Gate   fhir.Gate // of a process that sees all plans and writes Tasks
	Clock  fhir.Clock
	Follow []fhir.Follow // what comes of a write: the same list that the tenant's router runs
}

// Tally is what a pass came to.
type Tally struct {
	Clients                                  int // with plans that ask, or with open Tasks
	Raised, Completed, Cancelled, Reassigned int // Tasks
}

// stretch is how many plans or Tasks one transaction looks at.
const stretch = 50

// Once goes over all active plans and all open Tasks of a tenant once. It reads in
// bounded stretches and writes, a client at a time, only where something is to be
// changed. Passes may overlap, here or in another process: a Task is raised once.
//
// An error ends the pass; the next one takes up what was left.
func (m *Monitor) Once(ctx context.Context) (Tally, error) {
	var sum Tally
	done := map[fhir.Key]bool{}
	for _, w := range []struct {
		q   fhir.Query
		who string
	}{
		{fhir.Query{Type: "CarePlan", Where: []fhir.Clause{coded("status", "active")}, Count: stretch}, "subject"},
		{fhir.Query{Type: "Task", Where: []fhir.Clause{coded("status", open...), overdueTasks()}, Count: stretch}, "for"},
	} {
		for more := true; more; {
			clients, next, err := m.stretch(ctx, w.q, w.who, done)
			if err != nil {
				return sum, fmt.Errorf("monitoring: %w", err)
			}
			for _, c := range clients {
				if err := m.settle(ctx, c, &sum); err != nil {
					return sum, fmt.Errorf("monitoring: %w", err)
				}
			}
			w.q.After, more = next, next != ""
		}
	}
	sum.Clients = len(done)
	return sum, nil
}

// stretch reads a page and returns whose Tasks need a change, of those who were not
// looked at yet.
func (m *Monitor) stretch(ctx context.Context, q fhir.Query, who string, done map[fhir.Key]bool) (clients []fhir.Key, next string, err error) {
	var seen []fhir.Key
	err = m.Gate.View(ctx, fhir.Act{Interaction: fhir.SearchType, Type: q.Type}, func(r fhir.Reader) error {
		clients, seen = nil, nil
		set, err := r.Search(ctx, q)
		if err != nil {
			return err
		}
		next = set.Next
		now := map[fhir.Key]bool{}
		for _, e := range set.Entries {
			k, ok := e.Resource.Root().Get(who).Ref()
			if !ok || k.Type != "Patient" || done[k] || now[k] || q.Type == "CarePlan" && !asks(e.Resource) {
				continue
			}
			now[k] = true
			seen = append(seen, k)
			ws, err := m.wanted(ctx, r, k, m.Clock())
			if err != nil {
				return err
			}
			if len(ws) > 0 {
				clients = append(clients, k)
			}
		}
		return nil
	})
	for _, k := range seen {
		done[k] = true
	}
	return clients, next, err
}

// wanted is one change to a Task.
type wanted struct {
	task   fhir.Resource
	create bool
	again  bool // it was put to rest
	moved  bool // to another therapist
}

// wanted works out what is to be done about one client's Tasks.
func (m *Monitor) wanted(ctx context.Context, r fhir.Reader, client fhir.Key, now time.Time) (out []wanted, err error) {
	items, _, err := m.Rules.client(ctx, r, client, now)
	if err != nil {
		return nil, err
	}
	stands := map[fhir.Key]bool{}
	for _, it := range items {
		k := taskKey(client, it.Instrument, it.Due)
		stands[k] = it.State != Later
		if it.State != Overdue {
			continue
		}
		switch old, err := r.Read(ctx, k); {
		case err == nil && waits(old, it):
			t, err := reassigned(old, it, now)
			if err != nil {
				return nil, err
			}
			out = append(out, wanted{task: t, moved: true})
			continue
		case err == nil && rests(old): // the response was an error, or the plan asks again
			t, err := again(old, it, now)
			if err != nil {
				return nil, err
			}
			out = append(out, wanted{task: t, again: true})
			continue
		case err == nil, fhir.Is(err, fhir.Deleted):
			continue // it is before somebody, or somebody has dealt with it
		case !fhir.Is(err, fhir.NotFound):
			return nil, err
		}
		t, err := task(it, now)
		if err != nil {
			return nil, err
		}
		out = append(out, wanted{task: t, create: true})
	}
	q := fhir.Query{Type: "Task", Where: []fhir.Clause{about(client), coded("status", open...), overdueTasks()}, Count: spell}
	var stale []fhir.Resource
	for t, err := range fhir.VisibleMatches(ctx, r, q) {
		if err != nil {
			return nil, err
		}
		if !stands[t.Key] {
			stale = append(stale, t)
		}
	}
	for _, t := range stale {
		came, err := m.came(ctx, r, client, t, now)
		if err != nil {
			return nil, err
		}
		if t, err = closed(t, came, now); err != nil {
			return nil, err
		}
		out = append(out, wanted{task: t})
	}
	return out, nil
}

// came reports whether a response came since a Task was raised. Which instrument it
// is about, only its id knows.
func (m *Monitor) came(ctx context.Context, r fhir.Reader, client fhir.Key, t fhir.Resource, now time.Time) (bool, error) {
	due := t.Root().At("restriction", "period", "start").Text()
	var in *instrument.Instrument
	for _, x := range m.Rules.Library.All() {
		if taskKey(client, x.Slug, due) == t.Key {
			in = x
		}
	}
	if in == nil {
		return false, nil
	}
	course, err := courseOf(ctx, r, t)
	if err != nil {
		return false, err
	}
	last, err := m.Rules.last(ctx, r, sought{client, in, course}, now)
	before, _ := t.Root().Get("reasonReference").Ref()
	return last != nil && last.Reference != before.String(), err
}

// courseOf returns the course of therapy of the plan that a Task rests on, the zero Key
// where that names none. The plan may stand no longer.
func courseOf(ctx context.Context, r fhir.Reader, t fhir.Resource) (fhir.Key, error) {
	up, _ := t.Root().Get("basedOn").Index(0).Ref()
	for range depth {
		p, err := fhir.Look(ctx, r, up)
		if err != nil || p.IsZero() {
			return fhir.Key{}, err
		}
		if k := instrument.Course(p); !k.IsZero() {
			return k, nil
		}
		up, _ = p.Root().Get("partOf").Index(0).Ref()
	}
	return fhir.Key{}, nil
}

// settle does in a transaction what is to be done about one client's Tasks, as it is
// then.
func (m *Monitor) settle(ctx context.Context, client fhir.Key, sum *Tally) error {
	var did Tally
	err := m.Gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
		did = Tally{}
		ws, err := m.wanted(ctx, tx.As(fhir.Act{Interaction: fhir.SearchType, Type: "Task"}), client, m.Clock())
		if err != nil {
			return err
		}
		for _, w := range ws {
			act := fhir.Act{Interaction: fhir.Update, Type: "Task", ID: w.task.ID}
			n := &did.Cancelled
			switch {
			case w.create:
				act.Interaction, n = fhir.Create, &did.Raised
			case w.again:
				n = &did.Raised
			case w.moved:
				n = &did.Reassigned
			case w.task.Root().Get("status").Text() == "completed":
				n = &did.Completed
			}
			*n++
			in := tx.As(act)
			written, err := in.Put(ctx, w.task, fhir.Condition{SkipUnchanged: true})
			if err != nil {
				return err
			}
			for _, follow := range m.Follow {
				if err := follow(ctx, in, written); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if fhir.Is(err, fhir.Conflict) {
		return nil // somebody else was at it; the next pass sees what is left
	}
	if err == nil {
		sum.Raised += did.Raised
		sum.Completed += did.Completed
		sum.Cancelled += did.Cancelled
		sum.Reassigned += did.Reassigned
	}
	return err
}

func overdueTasks() fhir.Clause {
	return fhir.Clause{Param: "code", Kind: fhir.Token, Any: []fhir.Operand{{System: FollowUp, HasSystem: true, Code: overdueCode}}}
}
