package sqlstore

import (
	"context"
	"strconv"
	"time"

	"rapport/fhir"
)

// Memo implements fhir.Memos.
func (t *tenant) Memo(ctx context.Context, space, key string) (m fhir.Memo, err error) {
	err = t.view(ctx, func(r *reader) (err error) {
		m, err = r.Memo(ctx, space, key)
		return err
	})
	return m, err
}

// keepExpired is how long an expired memo lies before it is swept away; its version
// counts on until then.
const keepExpired = 24 * time.Hour

// sweepAt most memos go with one that is set.
const sweepAtMost = 20

// SetMemo implements fhir.Memos.
func (t *tenant) SetMemo(ctx context.Context, m fhir.Memo) error {
	return t.update(ctx, func(w *writer) error {
		if err := w.SetMemo(ctx, m); err != nil {
			return err
		}
		return w.exec(ctx, `DELETE FROM memo WHERE tenant = $1 AND (space, key) IN
			(SELECT o.space, o.key FROM memo o WHERE o.tenant = $1 AND o.expires < $2 LIMIT $3)`,
			t.id, t.db.micros()-keepExpired.Microseconds(), sweepAtMost)
	})
}

// Feed implements fhir.Feed.
func (t *tenant) Feed(ctx context.Context, after fhir.Seq, most int) (cs []fhir.Change, safe fhir.Seq, err error) {
	err = t.view(ctx, func(r *reader) error {
		cs, safe = nil, fhir.Seq{}
		if _, err := one(ctx, r, `SELECT tx, n FROM version WHERE tenant = $1 ORDER BY tx DESC, n DESC LIMIT 1`, []any{t.id}, &safe.Tx, &safe.N); err != nil {
			return err
		}
		if most <= 0 || !before(after, safe) {
			return nil
		}
		var vs []version
		var seqs []fhir.Seq
		err := all(ctx, r, `SELECT `+versionColumns+` FROM version v WHERE v.tenant = $1 AND (v.tx, v.n) > ($2, $3) ORDER BY v.tx, v.n LIMIT $4`,
			[]any{t.id, after.Tx, after.N, most}, func(w row) error {
				var q fhir.Seq
				var v version
				err := v.read(w, &q)
				vs, seqs = append(vs, v), append(seqs, q)
				return err
			})
		if err != nil {
			return err
		}
		if _, err := r.named(ctx, vs); err != nil {
			return err
		}
		hs, err := r.heads(ctx, vs)
		for i, h := range hs {
			cs = append(cs, fhir.Change{Seq: seqs[i], Head: h.Head, Facts: h.Facts})
		}
		return err
	})
	return cs, safe, err
}

func before(a, b fhir.Seq) bool { return a.Tx < b.Tx || a.Tx == b.Tx && a.N < b.N }

const workColumns = `w.seq, w.id, w.lane, w.kind, w.body, w.due, w.born, w.attempt, w.state, w.note`

// The states of a work.
const (
	queued = iota
	done
	dead
)

func readWork(r row) (seq int64, w fhir.Work, err error) {
	var due, born int64
	var state int
	err = r.scan(&seq, &w.ID, &w.Lane, &w.Kind, &w.Body, &due, &born, &w.Attempt, &state, &w.Note)
	w.Due, w.Born, w.Dead = moment(due), moment(born), state == dead
	return seq, w, err
}

// due are works that may be leased: the oldest of their lanes, and nobody has them.
const due = ` FROM work w WHERE w.tenant = $1 AND w.kind = $2 AND w.state = 0 AND w.due <= $3 AND w.until <= $3
	AND NOT EXISTS (SELECT 1 FROM work o WHERE o.tenant = w.tenant AND o.kind = w.kind AND o.lane = w.lane AND o.state = 0 AND o.seq < w.seq)
	ORDER BY w.seq LIMIT $4`

// Lease implements fhir.Queue. Where nothing is due it does not write.
func (t *tenant) Lease(ctx context.Context, kind string, n int, d time.Duration) (ws []fhir.Work, err error) {
	found := false
	err = t.view(ctx, func(r *reader) (err error) {
		var seq int64
		found, err = one(ctx, r, `SELECT w.seq`+due, []any{t.id, kind, t.db.micros(), 1}, &seq)
		return err
	})
	if err != nil || !found || n <= 0 {
		return nil, err
	}
	err = t.update(ctx, func(w *writer) error {
		ws = nil
		var seqs []int64
		now := t.db.micros()
		err := all(ctx, w, `SELECT `+workColumns+due, []any{t.id, kind, now, n}, func(r row) error {
			seq, x, err := readWork(r)
			ws, seqs = append(ws, x), append(seqs, seq)
			return err
		})
		if err != nil {
			return err
		}
		for i := range ws {
			ws[i].Attempt++
			ws[i].Lease = strconv.Itoa(ws[i].Attempt)
			if err := w.exec(ctx, `UPDATE work SET attempt = $3, until = $4 WHERE tenant = $1 AND seq = $2`, t.id, seqs[i], ws[i].Attempt, now+d.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
	return ws, err
}

// Finish implements fhir.Queue. A lease is known by its attempt.
func (t *tenant) Finish(ctx context.Context, x fhir.Work, o fhir.Outcome) error {
	attempt, err := strconv.Atoi(x.Lease)
	if err != nil {
		return lost()
	}
	state := queued
	switch {
	case o.Done:
		state, x.Body, o.Note = done, nil, ""
	case o.Dead:
		state = dead
	}
	return t.update(ctx, func(w *writer) error {
		var body []byte
		held, err := one(ctx, w, `SELECT body FROM work WHERE tenant = $1 AND id = $2 AND attempt = $3 AND state = 0 AND until > $4`,
			[]any{t.id, x.ID, attempt, t.db.micros()}, &body)
		if err != nil {
			return err
		}
		if !held {
			return lost()
		}
		if o.Done {
			body = nil
		}
		return w.exec(ctx, `UPDATE work SET state = $3, due = $4, note = $5, until = $6, body = $7 WHERE tenant = $1 AND id = $2`,
			t.id, x.ID, state, since(o.Retry), o.Note, always, body)
	})
}

func lost() error {
	return &fhir.Error{Code: fhir.Conflict, Detail: "The lease of this work ran out. Somebody else has it now, or finished it."}
}

// Revive implements fhir.Queue.
func (t *tenant) Revive(ctx context.Context, id string) error {
	return t.idle(ctx, id, func(w *writer) error {
		return w.exec(ctx, `UPDATE work SET state = 0, due = $3, born = $3, until = $4 WHERE tenant = $1 AND id = $2`, t.id, id, t.db.micros(), always)
	})
}

// Drop implements fhir.Queue.
func (t *tenant) Drop(ctx context.Context, id string) error {
	return t.idle(ctx, id, func(w *writer) error {
		var nothing []byte
		return w.exec(ctx, `UPDATE work SET state = 1, body = $3, note = '' WHERE tenant = $1 AND id = $2`, t.id, id, nothing)
	})
}

// idle runs f on a work that is not done and that nobody has.
func (t *tenant) idle(ctx context.Context, id string, f func(*writer) error) error {
	return t.update(ctx, func(w *writer) error {
		var state int
		var until int64
		found, err := one(ctx, w, `SELECT state, until FROM work WHERE tenant = $1 AND id = $2`, []any{t.id, id}, &state, &until)
		switch {
		case err != nil:
			return err
		case !found || state == done:
			return &fhir.Error{Code: fhir.NotFound, Detail: "There is no such work, or it is done."}
		case state == queued && until > t.db.micros():
			return &fhir.Error{Code: fhir.Conflict, Detail: "Somebody is at this work now. Look again in a moment."}
		}
		return f(w)
	})
}

// Works implements fhir.Queue.
func (t *tenant) Works(ctx context.Context, isDead bool, most int) (ws []fhir.Work, err error) {
	state := "0"
	if isDead {
		state = "2"
	}
	err = t.view(ctx, func(r *reader) error {
		ws = nil
		return all(ctx, r, `SELECT `+workColumns+` FROM work w WHERE w.tenant = $1 AND w.state = `+state+` ORDER BY w.seq LIMIT $2`, []any{t.id, most}, func(r row) error {
			_, x, err := readWork(r)
			ws = append(ws, x)
			return err
		})
	})
	return ws, err
}
