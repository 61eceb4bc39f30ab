package web

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// trial is one record of a dry run.
type trial struct {
	record  practice.Record // nil: err says why
	receipt receipt
	err     error // why the record would be refused
}

// errTried undoes the transaction of a dry run. The audit record says that nothing
// came of it, and that it was a dry run.
var errTried = &fhir.Error{Code: fhir.BusinessRule, Detail: "This was a dry run; nothing of it is stored."}

// tryOne answers what a record would come to.
func (c *Config) tryOne(g *gin.Context, k custodian, rec practice.Record) {
	ts := []trial{{record: rec}}
	err := k.try(g.Request.Context(), ts)
	if err == nil {
		err = ts[0].err
	}
	if err != nil {
		c.fail(g, err)
		return
	}
	c.say(g, http.StatusOK, ts[0].receipt)
}

// maxRounds bounds how often a dry run begins again.
const maxRounds = 8

// try implements custodian. It does with the records what would be done with them, within one transaction
// that is undone, so that each sees those before it. A record that is refused after
// a part of it was written would leave that part to the others: the transaction
// begins again without it.
//
// What the caller gets to see by it is what it may read: every resource is read
// through the gate, and what was there before is read once more afterwards, since
// what an undone transaction records is that nothing came of it.
func (d *clerk) try(ctx context.Context, ts []trial) error {
	made := make([][]fhir.Resource, len(ts))
	warned := make([][]issue, len(ts))
	for i := range ts {
		ts[i].receipt.DryRun = true
		if ts[i].err == nil {
			j := job{clerk: d, record: ts[i].record}
			made[i], warned[i], ts[i].err = j.prepare(ctx)
		}
	}
	lost := 0
	for range maxRounds + tries {
		var now []trial
		var seen *watched
		halfway := -1
		err := d.gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction, Operation: "dry-run"}, func(tx fhir.Tx) error {
			now, seen, halfway = slices.Clone(ts), &watched{wrote: map[fhir.Key]bool{}, read: map[fhir.Key]bool{}}, -1
			for i := range now {
				t := &now[i]
				if t.err != nil {
					continue
				}
				before := seen.writes
				r, err := (&job{clerk: d, record: t.record}).store(ctx, watching{tx, seen}, made[i])
				if err == nil {
					err = show(ctx, tx, &r)
				}
				if err != nil && !refuses(err) {
					return err
				}
				r.DryRun, r.Issues = true, append(warned[i], r.Issues...)
				if t.err = err; err == nil {
					t.receipt = r
				} else if seen.writes > before {
					halfway = i
					return errTried
				}
			}
			return errTried
		})
		switch {
		case fhir.Is(err, fhir.Conflict) && lost < tries-1 && ctx.Err() == nil:
			lost++
		case err == nil:
			return errors.New("a dry run was committed") // no gate does that
		case !errors.Is(err, errTried):
			return err
		case halfway >= 0:
			ts[halfway].err = now[halfway].err
		default:
			copy(ts, now)
			return d.reread(ctx, seen)
		}
	}
	return &fhir.Error{Code: fhir.TooCostly, Detail: "Too many of these records would be refused halfway through; try fewer of them at once."}
}

// refuses reports whether an error is about the record, rather than about the
// transaction or whoever asks.
func refuses(err error) bool {
	switch fhir.CodeOf(err) {
	case fhir.Exception, fhir.Conflict, fhir.Login, fhir.Transient, fhir.Timeout, fhir.Throttled:
		return false
	}
	return true
}

// show puts into a receipt what the resources would be, as far as the caller could
// read them.
func show(ctx context.Context, tx fhir.Tx, r *receipt) error {
	for i := range r.Resources {
		k, ok := fhir.ParseKey(r.Resources[i].Reference)
		if !ok || r.Resources[i].Outcome == removed {
			continue
		}
		res, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}).Read(ctx, k)
		if fhir.Unseen(err) {
			continue
		}
		if err != nil {
			return err
		}
		r.Resources[i].Resource = res.Body()
	}
	return nil
}

// reread reads what a dry run read, so that it is on record that this was seen.
func (d *clerk) reread(ctx context.Context, seen *watched) error {
	var ks []fhir.Key
	for k := range seen.read {
		ks = append(ks, k)
	}
	slices.SortFunc(ks, fhir.Key.Compare)
	if len(ks) == 0 {
		return nil
	}
	return d.gate.View(ctx, fhir.Act{Interaction: fhir.Batch, Operation: "dry-run"}, func(r fhir.Reader) error {
		for _, k := range ks {
			if _, err := r.Read(ctx, k); err != nil && !fhir.Unseen(err) {
				return err
			}
		}
		return nil
	})
}

// watched is what a transaction did.
type watched struct {
	writes int
	wrote  map[fhir.Key]bool
	read   map[fhir.Key]bool // that were there before
}

func (w *watched) put(ws ...fhir.Written) {
	for _, x := range ws {
		w.writes++
		if x.Effect == fhir.Created {
			w.wrote[x.Key] = true
		} else if !w.wrote[x.Key] {
			w.read[x.Key] = true
		}
	}
}

func (w *watched) saw(ks ...fhir.Key) {
	for _, k := range ks {
		if !w.wrote[k] {
			w.read[k] = true
		}
	}
}

// watching is a transaction whose reads and writes are noted.
type watching struct {
	fhir.Tx
	seen *watched
}

// As implements fhir.Tx.
func (w watching) As(a fhir.Act) fhir.Tx { return watching{w.Tx.As(a), w.seen} }

// Read implements fhir.Reader.
func (w watching) Read(ctx context.Context, k fhir.Key) (fhir.Resource, error) {
	r, err := w.Tx.Read(ctx, k)
	if err == nil {
		w.seen.saw(k)
	}
	return r, err
}

// Search implements fhir.Reader.
func (w watching) Search(ctx context.Context, q fhir.Query) (fhir.Set, error) {
	set, err := w.Tx.Search(ctx, q)
	for _, e := range set.Entries {
		w.seen.saw(e.Key)
	}
	return set, err
}

// Put implements fhir.Tx.
func (w watching) Put(ctx context.Context, r fhir.Resource, c fhir.Condition) (fhir.Written, error) {
	out, err := w.Tx.Put(ctx, r, c)
	if err == nil {
		w.seen.put(out)
	}
	return out, err
}

// Delete implements fhir.Tx.
func (w watching) Delete(ctx context.Context, k fhir.Key, c fhir.Condition) (fhir.Written, error) {
	out, err := w.Tx.Delete(ctx, k, c)
	if err == nil {
		w.seen.put(out)
	}
	return out, err
}

// Derive implements fhir.Tx.
func (w watching) Derive(ctx context.Context, parent fhir.Head, rs ...fhir.Resource) ([]fhir.Written, error) {
	out, err := w.Tx.Derive(ctx, parent, rs...)
	w.seen.put(out...)
	return out, err
}
