package web

import (
	"context"
	"encoding/json"
	"strconv"

	"rapport/fhir"
	"rapport/fhir/rest"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/mapping/practice"
)

// custodian keeps records of one request for one caller.
type custodian interface {
	keep(context.Context, practice.Record) (receipt, error)
	// try does the same to no effect, so that each record sees those before it. Of one
	// that would be refused, its trial says why; an error is about none of them.
	try(context.Context, []trial) error
}

// clerk stores the records of one request for one caller.
type clerk struct {
	*Practice
	gate   fhir.Gate
	mapper *mapping.Mapper
	follow []fhir.Follow
	voiced *instrument.Library // what is told is told by it
	once   *rest.Once          // of a request that brings one record; nil: it has no Idempotency-Key
}

// keep implements custodian.
func (d *clerk) keep(ctx context.Context, rec practice.Record) (receipt, error) {
	return (&job{clerk: d, record: rec}).do(ctx)
}

// job is one record on its way into the store.
type job struct {
	*clerk
	record practice.Record
}

// The outcomes of a record and of a resource.
const (
	created   = "created"
	updated   = "updated"
	unchanged = "unchanged"
	removed   = "removed"  // of a resource alone
	rejected  = "rejected" // of a record alone, among several
)

// receipt is what is answered about a record, all of it as the transaction left it.
type receipt struct {
	Outcome     string      `json:"outcome"`
	DryRun      bool        `json:"dryRun,omitempty"` // nothing of it was stored
	Resources   []kept      `json:"resources"`        // the record itself first, then what came of it
	Issues      []issue     `json:"issues"`           // warnings; errors refuse the record
	Feedback    *assessment `json:"feedback,omitempty"`
	*noteAnswer             // of a process note, which becomes no resource
	replayed    bool        // it was answered before
}

// location is where the record is found.
func (r receipt) location() string {
	if r.noteAnswer != nil {
		return "/practice/process-notes/" + r.ID
	}
	return "/fhir/" + r.Resources[0].Reference
}

// kept is one resource and the version that stands for the record now.
type kept struct {
	Reference string `json:"reference"`
	VersionID string `json:"versionId"`
	Outcome   string `json:"outcome"`
	// Resource is what a dry run would have stored.
	Resource json.RawMessage `json:"resource,omitempty"`

	version int64 // as VersionID and Outcome say
	effect  fhir.Effect
}

func keptOf(w fhir.Written) kept {
	return kept{
		Reference: w.Key.String(), VersionID: strconv.FormatInt(w.Version, 10), Outcome: effectOf(w),
		version: w.Version, effect: w.Effect,
	}
}

// issue is an issue of an OperationOutcome.
type issue struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Details  struct {
		Text string `json:"text"`
	} `json:"details"`
	Expression []string `json:"expression,omitempty"`
}

func issueOf(e *fhir.Error) issue {
	i := issue{Severity: "error", Code: e.Code.Issue(), Expression: e.At}
	if e.Warn {
		i.Severity = "warning"
	}
	i.Details.Text = e.Detail
	return i
}

// tries is how often a transaction that lost to another is begun again.
const tries = 3

// do maps, checks and stores the record.
func (j *job) do(ctx context.Context) (r receipt, err error) {
	resources, warnings, err := j.prepare(ctx)
	if err != nil {
		return r, err
	}
	for range tries {
		err = j.gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) (err error) {
			r, err = j.storeOnce(ctx, tx, resources)
			return err
		})
		if !fhir.Is(err, fhir.Conflict) || ctx.Err() != nil {
			break
		}
	}
	r.Issues = append(warnings, r.Issues...)
	return r, err
}

// prepare makes and judges the resources of the record, before any transaction.
func (j *job) prepare(ctx context.Context) ([]fhir.Resource, []issue, error) {
	if err := practice.Timely(j.record, j.now()); err != nil {
		return nil, nil, err
	}
	rs, err := j.mapper.ToFHIR(j.record)
	if err != nil {
		return nil, nil, err
	}
	warnings, err := j.check(ctx, rs)
	return rs, warnings, err
}

// check judges the resources as FHIR. What the mapping let pass and R4 does not is
// told in FHIR's terms, since the record has no place for it.
func (j *job) check(ctx context.Context, rs []fhir.Resource) ([]issue, error) {
	warnings := []issue{}
	var wrong fhir.Errors
	for _, res := range rs {
		for _, e := range j.Validate.Resource(ctx, res) {
			if !e.Warn {
				wrong = append(wrong, e)
				continue
			}
			warnings = append(warnings, issueOf(e))
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return warnings, nil
}

// store writes the resources, what comes of them, and takes back what the record
// no longer says, within one transaction. It may run again.
func (j *job) store(ctx context.Context, tx fhir.Tx, rs []fhir.Resource) (r receipt, err error) {
	if rs, err = j.mistaken(ctx, tx, rs); err != nil {
		return r, err
	}
	if r.Issues, err = j.targets(ctx, tx, rs); err != nil {
		return r, err
	}
	var derived []fhir.Written
	var ws []fhir.Written
	for _, res := range rs {
		res, said, err := j.underWay(ctx, tx, res)
		if err != nil {
			return r, err
		}
		r.Issues = append(r.Issues, said...)
		// The id is of our own making, so that this is a create to who posts it
		// first and an update after that; the gate tells them apart.
		if err := j.stays(ctx, tx, res); err != nil {
			return r, err
		}
		w, err := j.put(ctx, tx.As(fhir.Act{Interaction: fhir.Create, Type: res.Type}), res, &derived)
		if err != nil {
			return r, j.placed(err, res)
		}
		ws = append(ws, w)
	}
	gone, err := j.withdraw(ctx, tx, rs, &derived)
	if err != nil {
		return r, err
	}
	r.Outcome = outcomeOf(ws, gone)
	for _, w := range append(ws, append(derived, gone...)...) {
		r.Resources = append(r.Resources, keptOf(w))
	}
	if _, ok := j.record.(*practice.Response); ok {
		r.Feedback, err = j.assess(ctx, tx, ws[0].Resource, derived)
	}
	return r, err
}

// mistaken looks up as what a record stands that is entered in error; see
// [mapping.Mapper.Mistaken].
func (j *job) mistaken(ctx context.Context, tx fhir.Tx, rs []fhir.Resource) ([]fhir.Resource, error) {
	instead, err := j.mapper.Mistaken(ctx, tx, j.record, rs)
	if err != nil || instead == nil {
		return rs, err
	}
	_, err = j.check(ctx, instead)
	return instead, err
}

// put writes one resource and runs what must come of it.
func (j *job) put(ctx context.Context, tx fhir.Tx, res fhir.Resource, derived *[]fhir.Written) (fhir.Written, error) {
	w, err := tx.Put(ctx, res, fhir.Condition{SkipUnchanged: true})
	if fhir.Is(err, fhir.Duplicate) { // the key stands for what the caller may not know of
		return w, j.keyInUse(j.About(res))
	}
	if err != nil || w.Effect != fhir.Created && w.Effect != fhir.Updated {
		return w, err
	}
	return w, j.follows(ctx, tx, w, derived)
}

// follows does what must come of a write.
func (j *job) follows(ctx context.Context, tx fhir.Tx, w fhir.Written, derived *[]fhir.Written) error {
	for _, follow := range j.follow {
		if err := follow(ctx, witness{tx, derived}, w); err != nil {
			return err
		}
	}
	return nil
}

// witness is a transaction that remembers what was derived in it.
type witness struct {
	fhir.Tx
	derived *[]fhir.Written
}

// As implements fhir.Tx.
func (w witness) As(a fhir.Act) fhir.Tx { return witness{w.Tx.As(a), w.derived} }

// Derive implements fhir.Tx.
func (w witness) Derive(ctx context.Context, parent fhir.Head, rs ...fhir.Resource) ([]fhir.Written, error) {
	out, err := w.Tx.Derive(ctx, parent, rs...)
	*w.derived = append(*w.derived, out...)
	return out, err
}

// withdraw takes back what an earlier version of the record gave and this one does
// not, and what followed from it: the Encounter of a session that was a no-show after
// all, the answers of a response that are mere scores now.
func (j *job) withdraw(ctx context.Context, tx fhir.Tx, rs []fhir.Resource, derived *[]fhir.Written) (out []fhir.Written, err error) {
	var whose []fhir.Key
	for _, r := range rs {
		whose = append(whose, j.About(r)...)
	}
	for _, k := range j.mapper.Superseded(j.record, rs) {
		was, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}).Read(ctx, k)
		if fhir.Unseen(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if moved(j.About(was), whose) {
			return nil, j.keyInUse(whose)
		}
		tx := tx.As(fhir.Act{Interaction: fhir.Delete, Type: k.Type, ID: k.ID})
		w, err := tx.Delete(ctx, k, fhir.Condition{})
		if err != nil {
			return nil, err
		}
		if w.Effect == fhir.Removed {
			if err := j.follows(ctx, tx, w, derived); err != nil {
				return nil, err
			}
		}
		out = append(out, w)
	}
	return out, nil
}

// outcomeOf is that of the record: it is new if its first resource is and took the
// place of none.
func outcomeOf(ws, gone []fhir.Written) string {
	changed := false
	for _, w := range append(gone, ws...) {
		changed = changed || w.Effect != fhir.Unchanged
	}
	switch {
	case ws[0].Effect == fhir.Created && len(gone) == 0:
		return created
	case changed:
		return updated
	}
	return unchanged
}

func effectOf(w fhir.Written) string {
	switch w.Effect {
	case fhir.Created:
		return created
	case fhir.Updated:
		return updated
	case fhir.Removed:
		return removed
	}
	return unchanged
}
