package exchange

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"rapport/fhir"
)

// position is how far the changes of the tenant were looked through.
const (
	positionSpace = "referral-changes"
	positionKey   = "seen"
	changesAtOnce = 500
	changesMost   = 10_000 // in one run; the rest is for the next
)

// changes looks through what was written since it last looked, and sets going the
// correction of what partners have in an earlier version. It may be stopped anywhere:
// works have ids, and the position is noted behind them.
func (c *Courier) changes(ctx context.Context) error {
	at, m, err := recalled[fhir.Seq](ctx, c.Memos, positionSpace, positionKey)
	if err != nil {
		return err
	}
	for seen := 0; seen < changesMost; {
		cs, _, err := c.Feed.Feed(ctx, at, changesAtOnce)
		if err != nil || len(cs) == 0 {
			return err
		}
		seen += len(cs)
		if err := c.set(ctx, cs); err != nil {
			return err
		}
		at = cs[len(cs)-1].Seq
		if err := revised(ctx, c.Memos, m, at); err != nil {
			if fhir.Is(err, fhir.Conflict) {
				return nil // another courier looks through the same
			}
			return err
		}
		m.Version++
	}
	return nil
}

// outdated is a resource that a partner is to get again, because of a change: its own, or
// that of a consent.
type outdated struct {
	partner string
	has     share
	is      fhir.Key
	since   fhir.Head
}

// set enqueues what changes ask for.
func (c *Courier) set(ctx context.Context, cs []fhir.Change) error {
	var all []outdated
	for _, ch := range cs {
		if ch.Type == "Consent" {
			again, err := c.permitted(ctx, ch)
			if err != nil {
				return err
			}
			all = append(all, again...)
			continue
		}
		if ch.Version == 1 || !slices.Contains(corrected, ch.Type) {
			continue
		}
		s, err := c.sharesOf(ctx, ch.Key)
		if err != nil {
			return err
		}
		for name, x := range s {
			if x.Version < ch.Version && c.serves(name) {
				all = append(all, outdated{name, x, ch.Key, ch.Head})
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return c.Gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction, Operation: Correct}, func(tx fhir.Tx) error {
		for _, d := range all {
			cause := fmt.Sprint(d.since.Version)
			if d.since.Key != d.is {
				cause = fmt.Sprintf("%s@%d", d.since.Key, d.since.Version)
			}
			if err := correction(ctx, tx, d.partner, d.has, d.is, cause); err != nil {
				return err
			}
			for _, task := range d.has.Noted {
				if err := renewal(ctx, tx, d.partner, task, fmt.Sprintf("%s@%s", d.is, cause), c.Clock()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// correct brings to a partner what has changed of a resource that it has of us, or that
// it was deleted: see deleted.go. Only the elements in which a version that it may have
// differs from the present one are written, into its own present version: what it added
// stays.
func (c *Courier) correct(ctx context.Context, to Partner, j job) error {
	k, ok := fhir.ParseKey(j.Resource)
	if !ok {
		return &fhir.Error{Code: fhir.Invalid, Detail: "the work cannot be read"}
	}
	all, err := c.sharesOf(ctx, k)
	if err != nil {
		return err
	}
	s := all[to.Name]
	org, err := c.recipient(ctx, to)
	if err != nil {
		return err
	}
	then, now, err := c.versions(ctx, org, k, s.Version, s.Tried)
	if err != nil || now.IsZero() || now.Version <= s.Version {
		return err
	}
	released, err := c.Release(ctx, org, []fhir.Resource{now.Resource})
	if err != nil {
		return err
	}
	if len(released) == 0 {
		// The record of the release says why. The partner keeps what it has. A consent that
		// is given meanwhile finds the note, or is seen at the second look.
		if err := c.withhold(ctx, j.Task, fhir.Head{Key: k, Version: now.Version}, to); err != nil {
			return err
		}
		if released, err = c.Release(ctx, org, []fhir.Resource{now.Resource}); err != nil || len(released) == 0 {
			return err
		}
	}
	now.Resource = released[0]
	kept, err := c.keeps(ctx, to, s.Task, then[0], now)
	if err != nil {
		return err
	}
	var theirs fhir.Resource
	if kept {
		if theirs, err = c.atPartner(ctx, to, s.Task, k); err != nil {
			return err
		}
	}
	if theirs.IsZero() {
		return c.neverThere(ctx, to, s, now)
	}
	if err := now.untold(); err != nil {
		return err
	}
	merged, err := c.corrected(ctx, to, then, now.Resource, theirs)
	if err != nil {
		return err
	}
	same := fhir.SameContent(merged, theirs)
	if same && s.Tried > s.Version && c.Clock().Sub(s.At) < underWay {
		// An earlier one that is late would still be taken: nothing written now keeps it out.
		return &fhir.Error{Code: fhir.Transient, Detail: "an earlier correction was sent and may yet arrive"}
	}
	if !same {
		if err := c.share(ctx, k, to, func(s *share) { s.Tried, s.At = max(s.Tried, now.Version), c.Clock() }); err != nil {
			return err
		}
		if _, err := c.Channel.Put(ctx, to, merged, theirs.Version); err != nil {
			return err
		}
		if err := c.receipt(ctx, Correct, fhir.Head{Key: k, Version: now.Version}, to); err != nil {
			return err
		}
	}
	return c.share(ctx, k, to, func(s *share) { s.Version, s.At = max(s.Version, now.Version), c.Clock() })
}

// mostBetween bounds how many versions are compared; of a resource with more, every
// element is written.
const mostBetween = 30

// versions reads the newest version, and those that the partner may have.
func (c *Courier) versions(ctx context.Context, org, k fhir.Key, from, to int64) (then []fhir.Resource, now standing, err error) {
	act := fhir.Act{Interaction: fhir.Disclose, Type: k.Type, ID: k.ID, Recipient: org}
	err = c.Gate.View(ctx, act, func(in fhir.Reader) (err error) {
		then = nil
		if now, err = latest(ctx, in, k); err != nil || now.IsZero() {
			return err
		}
		if from == 0 || to-from >= mostBetween {
			then = []fhir.Resource{{}}
			return nil
		}
		for v := from; v <= max(from, min(to, now.Version-1)); v++ {
			r, err := versionOf(ctx, in, k, v)
			if err != nil {
				return err
			}
			then = append(then, r)
		}
		return nil
	})
	return then, now, err
}

// atPartner finds what a partner has of a resource of ours: by the key that it gave
// when it was created, else by our identifier. The zero Resource: it has none.
func (c *Courier) atPartner(ctx context.Context, to Partner, task string, k fhir.Key) (fhir.Resource, error) {
	d := &delivery{Courier: c}
	if err := d.load(ctx, task); err != nil {
		return fhir.Resource{}, err
	}
	if home, ok := fhir.ParseKey(d.Posted[k.String()].Remote); ok {
		return c.one(ctx, to, home.Type, url.Values{"_id": {home.ID}}, func(r fhir.Resource) bool { return r.Key == home })
	}
	system := c.Base + "/" + k.Type
	return c.one(ctx, to, k.Type, identified(token(system, k.ID)), func(r fhir.Resource) bool { return bears(r, system, k.ID) })
}

// one returns the match of a search that is what was asked for, whatever else the
// partner answers with.
func (c *Courier) one(ctx context.Context, at Partner, typ string, params url.Values, is func(fhir.Resource) bool) (fhir.Resource, error) {
	found, err := c.Channel.Search(ctx, at, typ, params)
	if err != nil {
		return fhir.Resource{}, err
	}
	found = slices.DeleteFunc(found, func(r fhir.Resource) bool { return !is(r) })
	switch len(found) {
	case 0:
		return fhir.Resource{}, nil
	case 1:
		return found[0], nil
	}
	return fhir.Resource{}, fhir.Errorf(fhir.Multiple, "", "the partner shows several copies of a %s of ours", typ)
}

// keeps reports whether a partner may have a resource of ours by itself, which was sent as
// was. What it got in single creates is known or found out, and asking for a type that it
// does not serve is an error there. A patient is its own: it was looked up, and what has
// changed of ours stands in the note.
func (c *Courier) keeps(ctx context.Context, to Partner, task string, was fhir.Resource, now standing) (bool, error) {
	way, known, err := c.reach(ctx, to)
	if err != nil || way != Creates {
		return true, err
	}
	d, err := c.resumed(ctx, to, known, newPack(c.Base, to, nil, nil), task)
	if err != nil {
		return false, err
	}
	if d.Posted[now.Key.String()].State == unknown { // of what is gone or an error no delivery finds out any more
		if was.IsZero() {
			was = now.Resource
		}
		if _, done, err := d.sought(ctx, was); err != nil {
			return false, err
		} else if !done {
			return false, d.put(ctx, now.Key, posted{})
		}
	}
	switch {
	case d.Posted[now.Key.String()].State != there:
		return false, nil
	case now.Type == "Patient":
		return false, now.untold()
	case !known.Types[now.Type].Update:
		return false, fhir.Errorf(fhir.BusinessRule, "", "a %s that the partner has of us %s, and it lets nobody change it there; tell them, then drop the work", now.Type, now.became())
	}
	return true, nil
}

// neverThere: what did not arrive needs no correction, and what the partner removed is
// its own affair. What stands in the note and not in the partner's records is corrected
// there; of notes that an earlier gateway sent a person must tell.
func (c *Courier) neverThere(ctx context.Context, to Partner, s share, now standing) error {
	if c.Clock().Sub(s.At) < underWay {
		return &fhir.Error{Code: fhir.Transient, Detail: "what is to be corrected was sent and may yet arrive"}
	}
	l, err := c.ledger(ctx, s.Task)
	if err != nil || l.Delivered == 0 || len(l.Sent) > 0 || slices.Contains([]string{"Patient", "ServiceRequest"}, now.Type) {
		return err
	}
	way, known, err := c.reach(ctx, to)
	if err != nil || way == Transaction && (len(known.Types) == 0 || known.Types[now.Type].Create) {
		return err
	}
	return fhir.Errorf(fhir.BusinessRule, "", "a %s that stands in the papers of a referral %s, and the partner keeps none; tell them, then drop the work", now.Type, now.became())
}

// corrected returns theirs with the elements in which our versions differ.
func (c *Courier) corrected(ctx context.Context, to Partner, then []fhir.Resource, now, theirs fhir.Resource) (fhir.Resource, error) {
	changed := []string{"meta"}
	if now.Type == "Condition" && mistaken(now.Root()) {
		changed = append(changed, "clinicalStatus") // con-5: an error has none, nor the partner's own
	}
	for _, before := range then {
		for _, r := range []fhir.Resource{now, before} {
			for name := range r.Root().Members() {
				a, b := before.Root().Get(name), now.Root().Get(name)
				if !slices.Contains(own, name) && !slices.Contains(changed, name) && (a.Exists() != b.Exists() || !a.Same(b)) {
					changed = append(changed, name)
				}
			}
		}
	}
	return c.merged(ctx, to, now, theirs, changed)
}

// merged returns theirs with the named elements as ours has them, in the partner's words.
func (c *Courier) merged(ctx context.Context, to Partner, now, theirs fhir.Resource, names []string) (fhir.Resource, error) {
	p := newPack(c.Base, to, nil, []fhir.Resource{now})
	for _, name := range names {
		if err := c.locate(ctx, p, now.Root().Get(name)); err != nil {
			return fhir.Resource{}, err
		}
	}
	o, err := p.resource(now)
	if err != nil {
		return fhir.Resource{}, err
	}
	ours, err := o.Resource()
	if err != nil {
		return fhir.Resource{}, err
	}
	return with(theirs, ours, names)
}

// locate finds where at the partner's what an element refers to is.
func (c *Courier) locate(ctx context.Context, p *pack, n fhir.Node) error {
	switch n.Kind() {
	case fhir.Arr:
		for m := range n.Elements() {
			if err := c.locate(ctx, p, m); err != nil {
				return err
			}
		}
	case fhir.Obj:
		for _, m := range n.Members() {
			if err := c.locate(ctx, p, m); err != nil {
				return err
			}
		}
	}
	k, ok := n.Ref()
	if _, known := p.home[k]; !ok || known {
		return nil
	}
	var r fhir.Resource
	err := c.Gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}, func(in fhir.Reader) (err error) {
		r, err = readable(in.Read(ctx, k))
		return err
	})
	if err != nil || r.IsZero() {
		return err
	}
	if home, theirs := p.origin(r); theirs {
		p.home[k] = home
		return nil
	}
	s, err := c.sharesOf(ctx, k)
	if _, shared := s[p.to.Name]; err != nil || !shared && slices.Contains(corrected, k.Type) {
		return err
	}
	found, err := c.one(ctx, p.to, k.Type, identified(p.identifier(r)), func(x fhir.Resource) bool { return p.is(x, r) })
	if err == nil && !found.IsZero() {
		p.home[k] = found.Key
	}
	return err
}

// own are the elements that each side has of its own.
var own = []string{"id", "resourceType", "identifier", "meta"}

// with returns theirs with the named elements as ours has them, there or not. Labels
// are added and none is taken off.
func with(theirs, ours fhir.Resource, names []string) (fhir.Resource, error) {
	o := fhir.NewObject()
	set := func(name string) {
		if name == "meta" {
			o.Set(name, labelled(theirs.Root().Get(name), ours.Root().Get(name)))
		} else if v := ours.Root().Get(name); v.Exists() {
			o.Set(name, v)
		}
	}
	for name, v := range theirs.Root().Members() {
		if slices.Contains(names, name) {
			set(name)
			continue
		}
		o.Set(name, v)
	}
	for _, name := range names {
		if !theirs.Root().Get(name).Exists() {
			set(name)
		}
	}
	return o.Resource()
}

// labelled is a meta with another's labels besides its own.
func labelled(theirs, ours fhir.Node) *fhir.Object {
	m := fhir.NewObject()
	var labels []fhir.Node
	for name, v := range theirs.Members() {
		if name != "security" {
			m.Set(name, v)
			continue
		}
		labels = slices.Collect(v.Elements())
	}
	for l := range ours.Get("security").Elements() {
		if !slices.ContainsFunc(labels, func(x fhir.Node) bool {
			return x.Get("system").Text() == l.Get("system").Text() && x.Get("code").Text() == l.Get("code").Text()
		}) {
			labels = append(labels, l)
		}
	}
	return m.Set("security", labels)
}
