package exchange

import (
	"context"
	"errors"
	"slices"
	"time"

	"rapport/fhir"
)

// parcel is what is known of a package that goes in single creates: of each resource
// of ours where it is at the partner's. It holds keys and times, no content.
type parcel struct {
	Posted map[string]posted `json:"posted"` // by our key
}

// posted is one create. Its state is noted before the request, so that one whose
// answer was lost is known as such whatever happens to us.
type posted struct {
	State  string    `json:"state"`
	At     time.Time `json:"at"`               // of the last request
	Remote string    `json:"remote,omitempty"` // the partner's key
	Note   string    `json:"note,omitempty"`   // why it was refused
	Sum    string    `json:"sum,omitempty"`    // of the document that was sent: it may read otherwise by now
}

// The states of a posted resource; "" is not sent.
const (
	unknown = "unknown" // sent, and no answer that says what became of it
	there   = "there"
	refused = "refused" // the partner does not want it; what it says stands in the document too
)

const parcelSpace = "referral-parcel"

// budget is how long one run goes on creating; the rest is for the next one, well
// within the lease.
const budget = 45 * time.Second

// delivery is one run over a parcel.
type delivery struct {
	*Courier
	to    Partner
	known capability
	p     *pack
	memo  fhir.Memo
	parcel
}

// creates sends a package one by one to a partner that takes nothing else: what it
// declares to create, once each. theirs is its Task, "" if it makes none.
//
// Source: https://hl7.org/fhir/R4/http.html#create; a create whose answer was lost is
// looked for before it is sent again, since nothing there keeps it from being made twice.
func (c *Courier) creates(ctx context.Context, to Partner, known capability, p *pack, task string) (theirs string, err error) {
	d, err := c.resumed(ctx, to, known, p, task)
	if err != nil {
		return "", err
	}
	started := c.Clock()
	for _, r := range d.order() {
		if c.Clock().Sub(started) > budget {
			return "", &fhir.Error{Code: fhir.Transient, Detail: "part of the package is delivered; the rest follows"}
		}
		k, err := d.bring(ctx, r)
		if err != nil {
			return "", err
		}
		if !k.IsZero() {
			p.home[r.Key] = k
		}
		if r.Type == "Task" {
			theirs = d.Posted[r.Key.String()].Remote
		}
	}
	return theirs, nil
}

// resumed is a delivery as far as it has come.
func (c *Courier) resumed(ctx context.Context, to Partner, known capability, p *pack, task string) (*delivery, error) {
	d := &delivery{Courier: c, to: to, known: known, p: p}
	if err := d.load(ctx, task); err != nil {
		return nil, err
	}
	p.in = map[fhir.Key]bool{} // nothing goes along in one body
	for ours, s := range d.Posted {
		k, _ := fhir.ParseKey(ours)
		if home, ok := fhir.ParseKey(s.Remote); ok && s.State == there {
			p.home[k] = home
		}
	}
	return d, nil
}

// order lists what to bring: the patient first, the document last, so that it can refer
// to the request, and between them what the partner creates. Who takes part in the
// referral the partner keeps its own books about.
func (d *delivery) order() (out []fhir.Resource) {
	var last []fhir.Resource
	for _, r := range d.p.sent {
		switch r.Type {
		case "Patient":
			out = append(out, r)
		case "DocumentReference":
			if r.Key != noteKey(d.p.task(), 0) && !d.known.Types[r.Type].Create {
				continue
			}
			last = append(last, r)
		case "Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "RelatedPerson":
		default:
			if d.known.Types[r.Type].Create {
				out = append(out, r)
			}
		}
	}
	return append(out, last...)
}

// task is the referral's.
func (p *pack) task() fhir.Key {
	if i := slices.IndexFunc(p.sent, func(r fhir.Resource) bool { return r.Type == "Task" }); i >= 0 {
		return p.sent[i].Key
	}
	return fhir.Key{}
}

// bring sees to it that a resource is at the partner's, once, and returns its key
// there; the zero Key for what the partner does not want and can do without.
func (d *delivery) bring(ctx context.Context, r fhir.Resource) (fhir.Key, error) {
	now := d.Posted[r.Key.String()]
	switch now.State {
	case there:
		k, _ := fhir.ParseKey(now.Remote)
		return k, nil
	case refused:
		return fhir.Key{}, nil
	}
	if r.Type == "Patient" {
		k, err := d.patient(ctx, r)
		if err != nil || !k.IsZero() {
			return d.found(ctx, r, k, err)
		}
		if !d.known.Types["Patient"].Create {
			return fhir.Key{}, &fhir.Error{Code: fhir.BusinessRule, Detail: "the partner has no such patient and creates none; have the client registered there, then retry"}
		}
	}
	if now.State == unknown {
		if k, done, err := d.sought(ctx, r); err != nil || done {
			return k, err
		}
	}
	return d.create(ctx, r, now.State == unknown)
}

// sought finds out what became of a create whose answer was lost. Neither done nor an
// error: it is not there, and comes no more.
func (d *delivery) sought(ctx context.Context, r fhir.Resource) (k fhir.Key, done bool, err error) {
	if k, done, err := d.decided(ctx, r); err != nil || done {
		return k, done, err
	}
	if r.Type != "Patient" { // who was just looked for
		k, err := d.probe(ctx, r)
		if err != nil || !k.IsZero() {
			k, err = d.found(ctx, r, k, err)
			return k, true, err
		}
	}
	if d.Clock().Sub(d.Posted[r.Key.String()].At) < underWay {
		return fhir.Key{}, false, &fhir.Error{Code: fhir.Transient, Detail: "a create was sent and may yet arrive"}
	}
	return fhir.Key{}, false, nil
}

// found notes what a look-up decided.
func (d *delivery) found(ctx context.Context, r fhir.Resource, k fhir.Key, err error) (fhir.Key, error) {
	if err != nil {
		return fhir.Key{}, err
	}
	return k, d.put(ctx, r.Key, posted{State: there, At: d.Clock(), Remote: k.String()})
}

// vital are the types without which there is no referral; a partner that refuses one
// of them is a person's business.
var vital = []string{"Patient", "ServiceRequest", "Task", "DocumentReference"}

func (d *delivery) create(ctx context.Context, r fhir.Resource, sought bool) (fhir.Key, error) {
	if modified := modifier(r.Root()); modified {
		// Taken off, it would change what the rest says; left on, such partners refuse it.
		return d.refuse(ctx, r, &fhir.Error{Code: fhir.BusinessRule, Detail: "a " + r.Type + " with a modifier extension cannot go to this partner"})
	}
	body, err := d.p.single(r)
	if err != nil {
		return fhir.Key{}, err
	}
	if err := d.put(ctx, r.Key, posted{State: unknown, At: d.Clock(), Sum: contentSum(r.Root())}); err != nil {
		return fhir.Key{}, err
	}
	if k, done, err := d.claim(ctx, r, sought); err != nil || done {
		return k, err
	}
	unless := ""
	if d.known.Types[r.Type].Once {
		unless = identified(d.p.identifier(r)).Encode()
	}
	k, err := d.Channel.Create(ctx, d.to, body, unless)
	switch {
	case err == nil:
		return k, d.put(ctx, r.Key, posted{State: there, At: d.Clock(), Remote: k.String()})
	case errors.Is(err, ErrUnsent), fhir.Is(err, fhir.Throttled), fhir.Is(err, fhir.Login):
		if e := d.put(ctx, r.Key, posted{}); e != nil {
			return fhir.Key{}, e
		}
		return fhir.Key{}, err
	}
	switch fhir.CodeOf(err) {
	case fhir.Transient, fhir.Timeout, fhir.Conflict, fhir.Stale, fhir.Exception:
		return fhir.Key{}, &fhir.Error{Code: fhir.Transient, Detail: "whether a " + r.Type + " arrived is not known; it is looked for before it is sent again", Err: err}
	}
	return d.refuse(ctx, r, err)
}

// refuse notes that the partner does not take a resource. What is vital stops the
// delivery.
func (d *delivery) refuse(ctx context.Context, r fhir.Resource, err error) (fhir.Key, error) {
	if slices.Contains(vital, r.Type) {
		if e := d.put(ctx, r.Key, posted{}); e != nil {
			return fhir.Key{}, e
		}
		return fhir.Key{}, err
	}
	d.log().WarnContext(ctx, "a partner does not take a resource; it stands in the document", "partner", d.to.Name, "type", r.Type, "why", why(err))
	return fhir.Key{}, d.put(ctx, r.Key, posted{State: refused, At: d.Clock(), Note: why(err)})
}

// modifier reports whether an element says that the rest means something else.
func modifier(n fhir.Node) (found bool) {
	switch n.Kind() {
	case fhir.Arr:
		for m := range n.Elements() {
			found = found || modifier(m)
		}
	case fhir.Obj:
		for name, m := range n.Members() {
			found = found || name == "modifierExtension" || modifier(m)
		}
	}
	return found
}

// single is a resource as it goes by itself. Profiles and tags are ours: a partner
// that checks the one does not know them.
func (p *pack) single(r fhir.Resource) (fhir.Resource, error) {
	o, err := p.resource(r)
	if err != nil {
		return fhir.Resource{}, err
	}
	all, err := o.Resource()
	if err != nil {
		return fhir.Resource{}, err
	}
	o = fhir.NewObject()
	for name, v := range all.Root().Members() {
		if name == "meta" {
			o.Set(name, fhir.NewObject().Set("security", v.Get("security")))
			continue
		}
		o.Set(name, v)
	}
	return o.Resource()
}

func (d *delivery) load(ctx context.Context, task string) (err error) {
	if d.parcel, d.memo, err = recalled[parcel](ctx, d.Memos, parcelSpace, task); err != nil {
		return err
	}
	if d.Posted == nil {
		d.Posted = map[string]posted{}
	}
	return nil
}

// put notes the state of one resource; another courier at the same parcel makes it a
// [fhir.Conflict], and nothing is sent.
func (d *delivery) put(ctx context.Context, k fhir.Key, s posted) error {
	if d.Posted[k.String()] = s; s.State == "" {
		delete(d.Posted, k.String())
	}
	if err := revised(ctx, d.Memos, d.memo, d.parcel); err != nil {
		return err
	}
	d.memo.Version++
	return nil
}
