package exchange

import (
	"context"
	"slices"
	"time"

	"rapport/fhir"
)

// NoticeCodes is the code system of Task.code of what the staff is asked to look at.
const NoticeCodes = "https://rapport.example/fhir/CodeSystem/referral-notice"

// What the staff is told of a referral.
const (
	Unanswered  = "unanswered"  // nothing was said to it in time
	Unfinished  = "unfinished"  // the time that the sender set is over
	Undelivered = "undelivered" // it did not reach the partner yet
	GivenUp     = "given-up"    // a message about it was given up; the two sides may differ
)

// noticeTexts say what is to be done, and nothing of whom it is about: Tasks are read
// by those who run the practice, too.
var noticeTexts = map[string]string{
	Unanswered:  "A referral has not been answered. Ask the partner, or send it to somebody else.",
	Unfinished:  "The time that was set for a referral is over. Ask the partner how it stands.",
	Undelivered: "A referral has not reached the partner yet. Delivery goes on; if it cannot wait, call.",
	GivenUp:     "A message about a referral could not be brought, and the two sides may differ. Settle it with the partner.",
}

// notice is one thing told about a referral's Task.
type notice struct {
	kind string
	task fhir.Resource
	// key tells one occasion from the next: it is told once.
	key  string
	note string // for whom it may help, free of PHI
	work string // that was given up
}

func (n notice) id(as string) string {
	return uuid(as + " " + n.kind + " " + n.task.Key.String() + " " + n.key)
}

// reminder is a Communication to who sent the referral.
//
// Source: https://hl7.org/fhir/R4/communication.html
func (n notice) reminder(to fhir.Node, at time.Time) (fhir.Resource, error) {
	o := fhir.NewResource(fhir.Key{Type: "Communication", ID: n.id("reminder")}).
		Set("status", "completed").
		Set("category", []*fhir.Object{fhir.Concept("http://terminology.hl7.org/CodeSystem/communication-category", "reminder", "Reminder")}).
		Set("priority", priority(n.task)).
		Set("subject", n.task.Root().Get("for")).
		Set("about", []fhir.Key{n.task.Key}).
		Set("sent", at)
	if to.Exists() {
		o.Set("recipient", []fhir.Node{to})
	}
	return o.Set("payload", []*fhir.Object{fhir.NewObject().Set("contentString", noticeTexts[n.kind])}).Resource()
}

// escalation is a Task for who sent the referral, or for the practice.
func (n notice) escalation(to fhir.Node, at time.Time) (fhir.Resource, error) {
	o := fhir.NewResource(fhir.Key{Type: "Task", ID: n.id("escalation")}).
		Set("status", "requested").
		Set("intent", "order").
		Set("priority", raised(priority(n.task))).
		Set("code", fhir.Concept(NoticeCodes, n.kind, "").Set("text", noticeTexts[n.kind]))
	if n.note != "" {
		o.Set("description", n.note)
	}
	if n.work != "" {
		o.Set("identifier", []*fhir.Object{fhir.NewObject().Set("system", NoticeCodes).Set("value", n.work)})
	}
	o.Set("focus", n.task.Key).Set("for", n.task.Root().Get("for")).Set("authoredOn", at)
	if to.Exists() {
		o.Set("owner", to)
	}
	return o.Resource()
}

// tell writes a notice if it is not there, whatever became of it since.
func tell(ctx context.Context, gate fhir.Gate, r fhir.Resource) (fresh bool, err error) {
	err = gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: r.Type, ID: r.ID}, func(in fhir.Reader) error {
		_, err := in.Read(ctx, r.Key)
		return err
	})
	if !fhir.Is(err, fhir.NotFound) {
		if fhir.Is(err, fhir.Deleted) {
			err = nil
		}
		return false, err
	}
	err = gate.Update(ctx, fhir.Act{Interaction: fhir.Create, Type: r.Type}, func(tx fhir.Tx) error {
		_, err := tx.Put(ctx, r, fhir.Condition{MustCreate: true})
		return err
	})
	if fhir.Is(err, fhir.Duplicate) {
		return false, nil // another courier was faster
	}
	return err == nil, err
}

// done closes an escalation that nothing is left of, unless somebody has taken it up.
func done(ctx context.Context, gate fhir.Gate, k fhir.Key, why string) error {
	act := fhir.Act{Interaction: fhir.Update, Type: k.Type, ID: k.ID}
	return gate.Update(ctx, act, func(tx fhir.Tx) error {
		r, err := readable(tx.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}).Read(ctx, k))
		if err != nil || r.IsZero() || r.Root().Get("status").Text() != "requested" {
			return err
		}
		o := fhir.NewObject()
		for name, v := range r.Root().Members() {
			if name == "status" {
				o.Set(name, "cancelled").Set("statusReason", fhir.NewObject().Set("text", why))
				continue
			}
			o.Set(name, v)
		}
		closed, err := o.Resource()
		if err != nil {
			return err
		}
		_, err = tx.Put(ctx, closed, fhir.Condition{IfMatch: r.Version})
		return err
	})
}

// responsible returns who of the sender's should look at a referral: who asked.
func responsible(ctx context.Context, in fhir.Reader, task fhir.Resource) (fhir.Node, error) {
	if k, _ := task.Root().Get("requester").Ref(); isPerson(k) {
		return task.Root().Get("requester"), nil
	}
	focus, _ := task.Root().Get("focus").Ref()
	request, err := readable(in.Read(ctx, focus))
	if err != nil || request.IsZero() {
		return fhir.Node{}, err
	}
	if k, _ := request.Root().Get("requester").Ref(); isPerson(k) {
		return request.Root().Get("requester"), nil
	}
	return fhir.Node{}, nil
}

func isPerson(k fhir.Key) bool { return k.Type == "Practitioner" || k.Type == "PractitionerRole" }

// priorities, the least pressing first.
//
// Source: http://hl7.org/fhir/request-priority
var priorities = []string{"routine", "urgent", "asap", "stat"}

// priority of a referral; routine, where none is stated.
func priority(task fhir.Resource) string {
	if p := task.Root().Get("priority").Text(); slices.Contains(priorities, p) {
		return p
	}
	return priorities[0]
}

// raised is the next priority: what was not done in time presses more.
func raised(p string) string {
	return priorities[min(slices.Index(priorities, p)+1, len(priorities)-1)]
}

// flag has people look at a work that was given up.
func (c *Courier) flag(ctx context.Context, w fhir.Work, task, note string) error {
	var r, flag fhir.Resource
	key := fhir.Key{Type: "Task", ID: task}
	err := c.Gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: key.Type, ID: key.ID}, func(in fhir.Reader) (err error) {
		flag = fhir.Resource{}
		if r, err = readable(in.Read(ctx, key)); err != nil || r.IsZero() {
			return err
		}
		to, err := responsible(ctx, in, r)
		if err != nil {
			return err
		}
		if c.copied(r.Root()) {
			to = r.Root().Get("owner") // who asked is the partner's
		}
		flag, err = notice{kind: GivenUp, task: r, key: w.ID + " " + fhir.Instant(w.Born), note: note, work: w.ID}.escalation(to, c.Clock())
		return err
	})
	if err != nil || flag.IsZero() {
		return err
	}
	_, err = tell(ctx, c.Gate, flag)
	return err
}

// copied reports whether a Task is the copy of a partner's.
func (c *Courier) copied(task fhir.Node) bool {
	return slices.ContainsFunc(c.Partners, func(p Partner) bool {
		for id := range task.Get("identifier").Elements() {
			if id.Get("system").Text() == p.Base+"/Task" {
				return true
			}
		}
		return false
	})
}

// unflag closes what [Courier.flag] opened: the work is done after all.
func (c *Courier) unflag(ctx context.Context, w fhir.Work) error {
	q := fhir.Query{Type: "Task", Count: 10, Where: []fhir.Clause{
		{Param: "identifier", Kind: fhir.Token, Any: []fhir.Operand{{System: NoticeCodes, HasSystem: true, Code: w.ID}}},
		{Param: "status", Kind: fhir.Token, Any: codes([]string{"requested"})},
	}}
	var open []fhir.Key
	err := c.Gate.View(ctx, fhir.Act{Interaction: fhir.SearchType, Type: q.Type}, func(in fhir.Reader) error {
		open = nil
		set, err := in.Search(ctx, q)
		for _, e := range set.Entries {
			open = append(open, e.Key)
		}
		return err
	})
	for _, k := range open {
		if err == nil {
			err = done(ctx, c.Gate, k, "The message was brought after all.")
		}
	}
	return err
}
