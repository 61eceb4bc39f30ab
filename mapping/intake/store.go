package intake

import (
	"context"
	"errors"
	"fmt"

	"rapport/fhir"
	"rapport/mapping/site"
)

// tries is how often a transaction that lost to another is begun again.
const tries = 3

// flush stores the batch in one transaction. If that fails for a reason that lies
// in a record, the units are stored one by one, so that one keeps no other.
func (r *run) flush(ctx context.Context) error {
	batch := r.batch
	r.batch, r.size = nil, 0
	if len(batch) == 0 {
		return nil
	}
	err := r.store(ctx, batch)
	if err == nil || !ofRecord(err) {
		return err
	}
	for _, u := range batch {
		if len(batch) > 1 {
			if ref, p, lost := r.lost(u); lost { // by one of this batch
				r.quarantine(u.table, u.row, u.kinds, missing(ref, p))
				continue
			}
			if err = r.store(ctx, []*unit{u}); err == nil {
				continue
			}
			if !ofRecord(err) {
				return err
			}
		}
		r.quarantine(u.table, u.row, u.kinds, why(err))
	}
	return nil
}

// lost returns what a unit depends on and is not there, and the row that should have
// given it.
func (r *run) lost(u *unit) (site.Ref, site.Place, bool) {
	for _, rec := range u.records {
		if ref, p, lost := r.ledger.lost(rec.Refs); lost {
			return ref, p, true
		}
	}
	return site.Ref{}, site.Place{}, false
}

func missing(ref site.Ref, p site.Place) string {
	return fmt.Sprintf("depends on the %s of a row that was not stored (%s)", ref.Kind, p)
}

// ofRecord reports whether an error lies in what is stored, rather than in the
// store, the caller's rights or ourselves; those stop the run.
func ofRecord(err error) bool {
	switch fhir.CodeOf(err) {
	case fhir.Exception, fhir.Login, fhir.Forbidden, fhir.Throttled, fhir.Transient, fhir.Timeout, fhir.Conflict:
		return false
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// why is what a person is told of an error: its code, place and detail, which are
// free of PHI by contract; of an error that is none of ours nothing but that.
func why(err error) string {
	var refusal *site.Refusal
	if errors.As(err, &refusal) {
		return refusal.Error()
	}
	is := fhir.IssuesOf(err)
	s := is[0].Detail
	if len(is[0].At) > 0 {
		s = is[0].At[0] + ": " + s
	}
	if len(is) > 1 {
		s += fmt.Sprintf(" (and %d more)", len(is)-1)
	}
	return s
}

// effects is what storing a unit did.
type effects struct {
	gave    [][]fhir.Resource // per record
	of      [][]fhir.Effect   // per record, per resource
	gone    [][]fhir.Key      // per record: what was withdrawn
	derived []fhir.Written    // what followed
	back    [][]fhir.Resource // per record that is taken back: what it gave
	came    []joined          // rows of other tables that are new in a record
}

// joined is a row that went into a record of another table, as the detail that says its key.
type joined struct {
	table *site.Table
	at    string
}

// store writes units, and who did it and from what, in one transaction.
func (r *run) store(ctx context.Context, units []*unit) error {
	var done []effects
	var from *origin
	var asked *asking
	var err error
	for range tries {
		err = r.Gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
			done, from = make([]effects, len(units)), &origin{}
			asked = r.asked.begin()
			var same []given
			for i, u := range units {
				as, err := r.put(ctx, tx, u, &done[i], from, asked)
				if err != nil {
					return err
				}
				same = append(same, as...)
			}
			if err := r.withdraw(ctx, tx, same, from); err != nil {
				return err
			}
			return from.put(ctx, tx, r)
		})
		if !fhir.Is(err, fhir.Conflict) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	if !from.key.IsZero() {
		r.sum.Provenance = append(r.sum.Provenance, from.key)
	}
	r.asked.commit(asked, r)
	for i, u := range units {
		r.committed(u, done[i])
	}
	return nil
}

// put writes one unit's resources and returns the records that are as they were.
func (r *run) put(ctx context.Context, tx fhir.Tx, u *unit, out *effects, from *origin, asked *asking) (same []given, _ error) {
	out.of, out.gone = make([][]fhir.Effect, len(u.records)), make([][]fhir.Key, len(u.records))
	for i := range u.records {
		rs := u.fhir[i]
		if instead, err := r.Mapper.Mistaken(ctx, tx, u.native[i], rs); err != nil {
			return nil, err
		} else if instead != nil {
			if err := r.check(ctx, instead); err != nil {
				return nil, err
			}
			rs = instead
		}
		out.gave = append(out.gave, rs)
		g := given{u: u, i: i, out: out}
		for _, res := range rs {
			if err := asked.put(ctx, tx, r, res); err != nil {
				return nil, err
			}
			res, _, err := r.Mapper.UnderWay(ctx, tx, u.native[i], res)
			if err != nil {
				return nil, err
			}
			w, err := tx.As(fhir.Act{Interaction: fhir.Update, Type: res.Type, ID: res.ID}).Put(ctx, res, fhir.Condition{SkipUnchanged: true})
			if err != nil {
				return nil, err
			}
			g.ws, out.of[i] = append(g.ws, w), append(out.of[i], w.Effect)
			if w.Effect != fhir.Created && w.Effect != fhir.Updated {
				continue
			}
			from.target(res.Key)
			if err := r.follow(ctx, tx, w, out); err != nil {
				return nil, err
			}
		}
		if g.same() {
			same = append(same, g)
		} else if err := r.settled(ctx, tx, g, from); err != nil {
			return nil, err
		}
	}
	for _, ref := range u.gone {
		gone, err := r.retract(ctx, tx, ref, out)
		if err != nil {
			return nil, err
		}
		out.back = append(out.back, gone)
		for _, g := range gone {
			from.target(g.Key)
		}
	}
	return same, r.alone(ctx, tx, u, out.back)
}

// committed counts a unit that is.
func (r *run) committed(u *unit, es effects) {
	row := Unchanged
	r.counted(es)
	for _, j := range es.came {
		r.parts.came[j.at] = j.table
	}
	for i, gone := range es.back {
		o := Unchanged
		if len(gone) > 0 {
			row, o = Removed, Removed
		}
		count(r.kinds, u.gone[i].Kind).add(o, 1)
		for _, res := range gone {
			count(r.types, res.Type).Removed++
			r.parts.took(res)
		}
	}
	for i, rec := range u.records {
		o := Unchanged
		for _, k := range es.gone[i] {
			count(r.types, k.Type).Removed++
			o = Updated // it was there in another shape
		}
		for j, e := range es.of[i] {
			res := es.gave[i][j]
			c := outcomeOf(e)
			count(r.types, res.Type).add(c, 1)
			switch {
			case j == 0 && c == Created && o != Updated: // the record itself; the others go with it
				o = Created
			case c != Unchanged && o == Unchanged:
				o = Updated
			}
		}
		count(r.kinds, rec.Kind).add(o, 1)
		r.ledger.keep(rec.Ref)
		r.links.follow(r, rec, es.gave[i], u.row.Place)
		if rank(o) > rank(row) {
			row = o
		}
		for _, p := range rec.Used {
			r.used(p, o)
		}
	}
	r.ended(u.row.Place, row)
}

// counted counts what followed.
func (r *run) counted(es effects) {
	for _, w := range es.derived {
		if w.Effect == fhir.Removed {
			count(r.types, w.Key.Type).Removed++
		} else {
			count(r.types, w.Key.Type).add(outcomeOf(w.Effect), 1)
		}
	}
}

// used raises the outcome of a row of a table without records of its own.
func (r *run) used(p site.Place, o Outcome) {
	t := r.Site.Table(p.File)
	if t == nil || len(t.Emits) > 0 {
		return
	}
	if h := r.held[t.Name]; h != nil {
		h.use(p.Line, o, "")
	}
}

func outcomeOf(e fhir.Effect) Outcome {
	switch e {
	case fhir.Created:
		return Created
	case fhir.Updated:
		return Updated
	}
	return Unchanged
}
