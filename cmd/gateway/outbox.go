package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"rapport/fhir"
	"rapport/fhir/exchange"
	"rapport/policy"
)

// outboxCommand is the operator's way to what goes to partners. It shows keys, times
// and our own words about failures; whom a referral is about it does not say. It works
// beside a running server, whose couriers find what is set going within seconds.
type outboxCommand struct {
	List   outboxList   `cmd:"" help:"What waits for partners, and what was given up."`
	Retry  outboxRetry  `cmd:"" help:"Set works going again, now."`
	Drop   outboxDrop   `cmd:"" help:"End works without their being done."`
	Settle outboxSettle `cmd:"" help:"Say whether a resource arrived of which that could not be decided, and retry."`
}

// outboxTenant says whose outbox.
type outboxTenant struct {
	where
	Tenant string `help:"Tenant; default: the first one." placeholder:"T"`
}

// outboxChoice says which works.
type outboxChoice struct {
	IDs     []string `arg:"" optional:"" name:"id" help:"Works, as outbox list names them."`
	Partner string   `help:"All that was given up for this partner." placeholder:"NAME"`
	AllDead bool     `help:"All that was given up."`
}

func (c outboxChoice) chosen() (exchange.Chosen, error) {
	if len(c.IDs) == 0 && c.Partner == "" && !c.AllDead {
		return exchange.Chosen{}, errors.New("say which works: their ids, --partner NAME or --all-dead")
	}
	if len(c.IDs) > 0 && (c.Partner != "" || c.AllDead) {
		return exchange.Chosen{}, errors.New("say which works in one way: their ids, or --partner and --all-dead")
	}
	return exchange.Chosen{IDs: c.IDs, Partner: c.Partner, Dead: len(c.IDs) == 0}, nil
}

type outboxList struct {
	outboxTenant
	Partner string `help:"Only for this partner." placeholder:"NAME"`
	Dead    bool   `help:"Only what was given up."`
	JSON    bool   `help:"One work a line." name:"json"`
}

// Run lists works.
func (c outboxList) Run(ctx context.Context) error {
	return c.with(ctx, func(d *desk) error {
		if err := d.record(ctx, "outbox-list", fhir.Key{}); err != nil {
			return err
		}
		items, err := d.List(ctx, exchange.Chosen{Partner: c.Partner, Dead: c.Dead})
		if err != nil {
			return err
		}
		if c.JSON {
			return writeItems(os.Stdout, items)
		}
		return showItems(os.Stdout, items)
	})
}

type outboxRetry struct {
	outboxTenant
	outboxChoice
	Current bool `help:"Make packages anew of what is so today; else they go as they were begun, and what changed since follows as a correction."`
}

// Run sets works going.
func (c outboxRetry) Run(ctx context.Context) error {
	which, err := c.chosen()
	if err != nil {
		return err
	}
	return c.with(ctx, func(d *desk) error {
		return d.each(ctx, which, "outbox-retry", "set going again", func(i exchange.Item) error { return d.Retry(ctx, i, c.Current) })
	})
}

type outboxDrop struct {
	outboxTenant
	outboxChoice
	Yes bool `help:"Do not ask."`
}

// Run ends works, when that is confirmed.
func (c outboxDrop) Run(ctx context.Context) error {
	which, err := c.chosen()
	if err != nil {
		return err
	}
	return c.with(ctx, func(d *desk) error {
		items, err := d.List(ctx, which)
		if err != nil || len(items) == 0 {
			fmt.Println("nothing to drop")
			return err
		}
		if !c.Yes {
			if err := showItems(os.Stdout, items); err != nil {
				return err
			}
			if err := confirm(os.Stdin, os.Stdout, len(items)); err != nil {
				return err
			}
		}
		return d.each(ctx, which, "outbox-drop", "dropped", func(i exchange.Item) error { return d.Drop(ctx, i) })
	})
}

type outboxSettle struct {
	outboxTenant
	ID       string `arg:"" help:"The work, as outbox list names it."`
	Resource string `help:"Our resource: Type/id. Without it, those in doubt are listed." placeholder:"KEY"`
	There    string `help:"Its key at the partner's: Type/id." placeholder:"KEY" xor:"found"`
	Absent   bool   `help:"It is not there and may be sent." xor:"found"`
}

// Run notes what a person found at the partner's.
func (c outboxSettle) Run(ctx context.Context) error {
	return c.with(ctx, func(d *desk) error {
		items, err := d.List(ctx, exchange.Chosen{IDs: []string{c.ID}})
		if err != nil {
			return err
		}
		courier := &exchange.Courier{Memos: d.Memos, Clock: d.i.clock}
		if c.Resource == "" {
			open, err := courier.Undecided(ctx, items[0].Task.ID)
			for _, k := range open {
				fmt.Println(k)
			}
			return err
		}
		ours, ok := fhir.ParseKey(c.Resource)
		theirs, found := fhir.ParseKey(c.There)
		if !ok || !found && !c.Absent {
			return errors.New("say which resource, and --there KEY or --absent")
		}
		if err := d.record(ctx, "outbox-settle", items[0].Task); err != nil {
			return err
		}
		if err := courier.Settle(ctx, items[0].Task.ID, ours, theirs); err != nil {
			return err
		}
		return d.Retry(ctx, items[0], false)
	})
}

// desk is a tenant's outbox with what an operator's acts need.
type desk struct {
	exchange.Outbox
	i    *instance
	gate fhir.Gate
}

func (o outboxTenant) with(ctx context.Context, f func(*desk) error) error {
	i, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer i.close()
	if o.Tenant == "" {
		o.Tenant = i.cfg.Tenants[0].ID
	}
	t, err := i.tenant(o.Tenant)
	if err != nil {
		return err
	}
	p := process(o.Tenant, "outbox", policy.Integration)
	if u, err := user.Current(); err == nil {
		p.Subject += "/" + u.Username // who sat there
	}
	return f(&desk{Outbox: exchange.Outbox{Queue: t.raw, Memos: t.raw}, i: i, gate: i.guard.For(p)})
}

// record writes the audit record of an act, on disk before the act.
func (d *desk) record(ctx context.Context, what string, task fhir.Key) error {
	act := fhir.Act{Interaction: fhir.Transaction, Operation: what, Type: task.Type, ID: task.ID}
	return d.gate.Update(ctx, act, func(fhir.Tx) error { return nil })
}

// each does something with every work chosen and says so. One that a courier has in
// hand is named and left; the error at the end says how many.
func (d *desk) each(ctx context.Context, which exchange.Chosen, act, did string, f func(exchange.Item) error) error {
	items, err := d.List(ctx, which)
	if err != nil {
		return err
	}
	left := 0
	for _, i := range items {
		if err := d.record(ctx, act, i.Task); err != nil {
			return err
		}
		switch err := f(i); {
		case fhir.Is(err, fhir.Conflict), fhir.Is(err, fhir.NotFound):
			left++
			fmt.Fprintf(os.Stderr, "%s: %v\n", i.ID, err)
		case err != nil:
			return err
		default:
			fmt.Println(i.ID, did)
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d works were left as they are", left, len(items))
	}
	if len(items) == 0 {
		fmt.Println("nothing was given up")
	}
	return nil
}

// confirm wants the word typed that says what will happen.
func confirm(in io.Reader, out io.Writer, n int) error {
	fmt.Fprintf(out, "These %d works will never be done. Type drop to go on: ", n)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != "drop" {
		return errors.New("nothing was dropped")
	}
	return nil
}

func state(i exchange.Item) string {
	if i.Dead {
		return "given up"
	}
	return "waits"
}

func showItems(w io.Writer, items []exchange.Item) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tPARTNER\tSTATE\tSINCE\tTRIES\tNEXT\tBECAUSE")
	for _, i := range items {
		next := "-"
		if !i.Dead && !i.Due.IsZero() {
			next = i.Due.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", i.ID, i.Partner, state(i), i.Born.UTC().Format(time.RFC3339), i.Attempt, next, i.Note)
	}
	return t.Flush()
}

func writeItems(w io.Writer, items []exchange.Item) error {
	e := json.NewEncoder(w)
	for _, i := range items {
		err := e.Encode(struct {
			ID      string    `json:"id"`
			Do      string    `json:"do"`
			Task    fhir.Key  `json:"task"`
			Partner string    `json:"partner"`
			State   string    `json:"state"`
			Since   time.Time `json:"since"`
			Tries   int       `json:"tries"`
			Next    time.Time `json:"next,omitzero"`
			Because string    `json:"because,omitempty"`
		}{i.ID, i.Do, i.Task, i.Partner, state(i), i.Born, i.Attempt, i.Due, i.Note})
		if err != nil {
			return err
		}
	}
	return nil
}
