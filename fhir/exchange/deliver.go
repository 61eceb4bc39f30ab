package exchange

import (
	"cmp"
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
	g, err := c.gathered(ctx, org, j.Task)
	if err != nil {
		return err
	}
	if g.task.Root().Get("status").Text() != "requested" {
		return nil // withdrawn or answered meanwhile
	}
	if !l.Anew {
		if g.rs, err = c.asBegun(ctx, org, to, j.Task, g.rs); err != nil {
			return err
		}
	}
	released, err := c.Release(ctx, org, g.rs)
	if err != nil {
		return err
	}
	for _, must := range []string{"Task", "ServiceRequest", "Patient"} {
		if !holds(released, must) {
			return fhir.Errorf(fhir.Forbidden, "", "consent or policy does not let this partner have the %s; nothing was sent", must)
		}
	}
	old, err := c.sharing(ctx, to, j.Task, released, true)
	if err != nil {
		return err
	}
	way, known, err := c.reach(ctx, to)
	if err != nil {
		return err
	}
	withheld := len(released) < len(g.rs)
	n, err := newPack(c.Base, to, released, g.rs).summary(g.task, released, withheld, g.task.Updated)
	if err != nil {
		return err
	}
	doc, err := n.resource(noteKey(g.task.Key, 0), "Referral note", fhir.Key{})
	if err != nil {
		return err
	}
	var has string
	err = c.note(ctx, j.Task, func(l *ledger) {
		if l.Note = cmp.Or(l.Note, n.sum); l.Note != n.sum {
			l.Note = either // of several that were sent the partner has one
		}
		has = l.Note
		l.Withheld = l.Withheld || withheld
		for _, r := range released {
			if k := r.Key.String(); !slices.Contains(l.Sent, k) {
				l.Sent = append(l.Sent, k)
			}
		}
	})
	if err != nil {
		return err
	}
	theirs, err := c.send(ctx, to, way, known, newPack(c.Base, to, append(released, doc), g.rs), fhir.Head{Key: g.task.Key, Version: j.Version}, l)
	if fhir.Is(err, fhir.Invalid) || fhir.Is(err, fhir.NotSupported) || fhir.Is(err, fhir.NotFound) {
		if err := c.doubt(ctx, to); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if err := c.behind(ctx, to, j.Task, old, j.Version, len(old) > 0 || has != n.sum); err != nil {
		return err
	}
	if err := c.receipt(ctx, Deliver, fhir.Head{Key: g.task.Key, Version: j.Version}, to); err != nil {
		return err
	}
	return c.note(ctx, j.Task, func(l *ledger) { l.Delivered, l.Theirs = j.Version, theirs })
}

func (c *Courier) gathered(ctx context.Context, org fhir.Key, task string) (g referral, err error) {
	act := fhir.Act{Interaction: fhir.Disclose, Type: "Task", ID: task, Recipient: org}
	err = c.Gate.View(ctx, act, func(in fhir.Reader) (err error) {
		g, err = gather(ctx, in, fhir.Key{Type: "Task", ID: task})
		return err
	})
	return g, err
}

func holds(rs []fhir.Resource, typ string) bool {
	return slices.ContainsFunc(rs, func(r fhir.Resource) bool { return r.Type == typ })
}

// send brings a package to the partner; l is what is known of it before. theirs is
// the partner's Task, as far as it says.
func (c *Courier) send(ctx context.Context, to Partner, way Way, known capability, p *pack, task fhir.Head, l ledger) (theirs string, err error) {
	if way == Transaction { // a message's receiver takes what it likes, and knows the message by its id
		p.keep(known)
		if theirs, err = c.arrived(ctx, to, known, p, task.ID, l); err != nil || theirs != "" {
			return theirs, err
		}
		err = c.alone(ctx, to, p, known, task.ID, func() (err error) {
			if err := c.leave(ctx, to, known, p); err != nil {
				return err
			}
			if err := c.begins(ctx, to, task.ID); err != nil {
				return err
			}
			theirs, err = c.transact(ctx, to, p)
			return err
		})
		return theirs, err
	}
	if err := c.begins(ctx, to, task.ID); err != nil {
		return "", err
	}
	if way == Creates {
		return c.creates(ctx, to, known, p, task.ID)
	}
	return c.message(ctx, to, p, task)
}

// begins notes that a package is about to be sent.
func (c *Courier) begins(ctx context.Context, to Partner, task string) error {
	now := c.Clock()
	return c.note(ctx, task, func(l *ledger) { l.Partner, l.Begun = to.Name, now })
}

// transact sends the package as one transaction.
func (c *Courier) transact(ctx context.Context, to Partner, p *pack) (theirs string, err error) {
	bundle, err := p.bundle()
	if err != nil {
		return "", err
	}
	resp, err := c.Channel.Transact(ctx, to, bundle)
	if err != nil {
		return "", err
	}
	return located(resp, "Task"), nil
}

// keep leaves out what a partner that says what it takes does not take: one resource
// of another type would have the whole package refused.
func (p *pack) keep(known capability) {
	if len(known.Types) == 0 {
		return
	}
	p.sent = slices.DeleteFunc(p.sent, func(r fhir.Resource) bool {
		if slices.Contains([]string{"Task", "ServiceRequest", "Patient", "DocumentReference"}, r.Type) || known.Types[r.Type].Create {
			return false
		}
		delete(p.in, r.Key)
		return true
	})
}

// leave leaves out what a partner that does not create under a condition has by another
// referral of the client already: what refers to it refers to that.
func (c *Courier) leave(ctx context.Context, to Partner, known capability, p *pack) error {
	var left []fhir.Resource
	for _, r := range p.sent {
		if t := known.Types[r.Type]; !t.Once && t.by("identifier") && r.Type != "Task" {
			found, _, err := c.Channel.Look(ctx, to, r.Type, identified(p.identifier(r)))
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(found, func(x fhir.Resource) bool { return x.Type == r.Type && p.is(x, r) }); i >= 0 {
				p.home[r.Key] = found[i].Key
				delete(p.in, r.Key)
				continue
			}
		}
		left = append(left, r)
	}
	p.sent = left
	return nil
}

// arrived looks for a package that was sent and of which it is not known whether it
// arrived, at a partner that does not create under a condition: there it would be made
// a second time. "": it may be sent.
func (c *Courier) arrived(ctx context.Context, to Partner, known capability, p *pack, task string, l ledger) (theirs string, err error) {
	if l.Theirs != "" && l.Delivered == 0 {
		return l.Theirs, nil // a person found it there
	}
	if l.Begun.IsZero() || !p.twice(known) {
		return "", nil
	}
	if !known.Types["Task"].by("identifier") {
		return "", c.doubted(ctx, task)
	}
	found, whole, err := c.Channel.Look(ctx, to, "Task", identified(token(c.Base+"/Task", task)))
	if err != nil {
		return "", err
	}
	found = slices.DeleteFunc(found, func(r fhir.Resource) bool { return !bears(r, c.Base+"/Task", task) })
	switch {
	case len(found) == 1:
		return found[0].Key.String(), nil
	case len(found) > 1 || !whole:
		return "", c.doubted(ctx, task)
	case c.Clock().Sub(l.Begun) < underWay:
		return "", &fhir.Error{Code: fhir.Transient, Detail: "the package was sent and may yet arrive"}
	}
	return "", nil
}

// located returns where a transaction-response says that the resource of a type is.
func located(resp fhir.Resource, typ string) string {
	for e := range resp.Root().Get("entry").Elements() {
		if s := keyIn(e.Get("response").Get("location").Text(), typ); s != "" {
			return s
		}
	}
	return ""
}

// keyIn finds the key of a resource of a type in a URL.
func keyIn(url, typ string) string {
	parts := strings.Split(url, "/")
	if i := slices.Index(parts, typ); i >= 0 && i+1 < len(parts) && fhir.ValidID(parts[i+1]) {
		return typ + "/" + parts[i+1]
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

// underWay is how long a request that was sent may still arrive though nobody
// waits for the answer any more.
const underWay = 5 * time.Minute
