package exchange

import (
	"context"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
)

// deliver sends the package of a referral. It may run again after a success that
// was not known of: the partner then finds what it has.
func (c *Courier) deliver(ctx context.Context, to Partner, j job) error {
	l, err := c.ledger(ctx, j.Task)
	if err != nil || l.Delivered >= j.Version {
		return err
	}
	org, err := c.recipient(ctx, to)
	if err != nil {
		return err
	}
	var g referral
	act := fhir.Act{Interaction: fhir.Disclose, Type: "Task", ID: j.Task, Recipient: org}
	err = c.Gate.View(ctx, act, func(in fhir.Reader) (err error) {
		g, err = gather(ctx, in, fhir.Key{Type: "Task", ID: j.Task})
		return err
	})
	if err != nil {
		return err
	}
	if g.task.Root().Get("status").Text() != "requested" {
		return nil // withdrawn or answered meanwhile
	}
	released, err := c.Release(ctx, org, g.rs)
	if err != nil {
		return err
	}
	for _, must := range []string{"Task", "ServiceRequest", "Patient"} {
		if !slices.ContainsFunc(released, func(r fhir.Resource) bool { return r.Type == must }) {
			return fhir.Errorf(fhir.Forbidden, "", "consent or policy does not let this partner have the %s; nothing was sent", must)
		}
	}
	bundle, err := newPack(c.Base, to, released, g.rs).bundle()
	if err != nil {
		return err
	}
	now := c.Clock()
	if err := c.note(ctx, j.Task, func(l *ledger) { l.Partner, l.Begun = to.Name, now }); err != nil {
		return err
	}
	resp, err := c.Channel.Transact(ctx, to, bundle)
	if err != nil {
		return err
	}
	if err := c.note(ctx, j.Task, func(l *ledger) { l.Delivered, l.Theirs = j.Version, located(resp, "Task") }); err != nil {
		return err
	}
	return c.receipt(ctx, Deliver, fhir.Head{Key: g.task.Key, Version: j.Version}, to)
}

// located returns where a transaction-response says that the resource of a type is.
func located(resp fhir.Resource, typ string) string {
	for e := range resp.Root().Get("entry").Elements() {
		parts := strings.Split(e.Get("response").Get("location").Text(), "/")
		if i := slices.Index(parts, typ); i >= 0 && i+1 < len(parts) && fhir.ValidID(parts[i+1]) {
			return typ + "/" + parts[i+1]
		}
	}
	return ""
}

// recipient finds our Organization of a partner: consents name it, and so does the
// record of a disclosure.
func (c *Courier) recipient(ctx context.Context, p Partner) (k fhir.Key, err error) {
	q := fhir.Query{Type: "Organization", Count: 2, Where: []fhir.Clause{{Param: "identifier", Kind: fhir.Token,
		Any: []fhir.Operand{{System: p.System, HasSystem: true, Code: p.Value}}}}}
	err = c.Gate.View(ctx, fhir.Act{Interaction: fhir.SearchType, Type: q.Type}, func(in fhir.Reader) error {
		set, err := in.Search(ctx, q)
		if err != nil {
			return err
		}
		if len(set.Entries) != 1 {
			return fhir.Errorf(fhir.Invalid, "", "there must be one Organization with the identifier of partner %s here; nothing was sent", p.Name)
		}
		k = set.Entries[0].Key
		return nil
	})
	return k, err
}

// underWay is how long a package that was sent may still arrive though nobody
// waits for the answer any more.
const underWay = 5 * time.Minute
