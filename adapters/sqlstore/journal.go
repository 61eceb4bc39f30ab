package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Append implements store.Journal. Both durabilities go with the next commit, which
// they share with whatever else is written then.
func (t *tenant) Append(ctx context.Context, _ store.Durability, es ...store.Entry) error {
	if len(es) == 0 {
		return nil
	}
	return t.update(ctx, func(w *writer) error { return w.Append(ctx, es...) })
}

// defaultEntries is how many entries come where nobody says.
const defaultEntries = 1000

// Entries implements store.Journal.
func (t *tenant) Entries(ctx context.Context, sel store.Entries) (es []store.Entry, next string, err error) {
	if sel.Max <= 0 {
		sel.Max = defaultEntries
	}
	where, args, err := t.entriesAfter(sel)
	if err != nil {
		return nil, "", err
	}
	var seqs []fhir.Seq
	err = t.view(ctx, func(r *reader) error {
		es, seqs = nil, nil
		return all(ctx, r, `SELECT e.tx, e.n, e.id, e.writer, e.at, e.place, e.hash, e.body FROM entry e WHERE `+where, args, func(w row) error {
			var q fhir.Seq
			var e store.Entry
			var at int64
			err := w.scan(&q.Tx, &q.N, &e.ID, &e.Writer, &at, &e.N, &e.Hash, &e.Body)
			if e.At = moment(at); e.N == 0 {
				e.Hash = nil
			}
			es, seqs = append(es, e), append(seqs, q)
			return err
		})
	})
	if err != nil || len(es) <= sel.Max {
		return es, "", err
	}
	es = es[:sel.Max]
	last := es[sel.Max-1]
	switch {
	case sel.Unsealed:
		next = fmt.Sprintf("%d.%d", seqs[sel.Max-1].Tx, seqs[sel.Max-1].N)
	case sel.Writer != "":
		next = strconv.FormatInt(last.N, 10)
	default:
		next = strconv.FormatInt(fhir.Micros(last.At), 10) + "." + last.ID
	}
	return es, next, nil
}

// entriesAfter is the condition, order and limit of a selection. One more is read
// than asked for, to know whether there is one.
func (t *tenant) entriesAfter(sel store.Entries) (where string, args []any, err error) {
	arg := func(v any) string {
		args = append(args, v)
		return "$" + itoa(len(args))
	}
	where = "e.tenant = " + arg(t.id)
	if sel.Writer != "" {
		where += " AND e.writer = " + arg(sel.Writer)
	}
	if !sel.Since.IsZero() {
		where += " AND e.at >= " + arg(ceil(sel.Since))
	}
	order := ""
	switch {
	case sel.Unsealed:
		where, order = where+" AND e.place = 0", "e.tx, e.n"
		if sel.After != "" {
			var q fhir.Seq
			if _, err = fmt.Sscanf(sel.After, "%d.%d", &q.Tx, &q.N); err == nil {
				where += " AND (e.tx, e.n) > (" + arg(q.Tx) + ", " + arg(q.N) + ")"
			}
		}
	case sel.Writer != "":
		n := sel.AfterN
		if sel.After != "" {
			n, err = strconv.ParseInt(sel.After, 10, 64)
		}
		where, order = where+" AND e.place > 0 AND e.place > "+arg(n), "e.place"
	default:
		order = "e.at, e.id"
		if sel.After != "" {
			us, id, ok := strings.Cut(sel.After, ".")
			var at int64
			if at, err = strconv.ParseInt(us, 10, 64); err == nil && ok {
				where += " AND (e.at, e.id) > (" + arg(at) + ", " + arg(id) + ")"
			}
		}
	}
	if err != nil {
		return "", nil, &fhir.Error{Code: fhir.Invalid, Detail: "The list cannot be continued. Begin again.", Err: err}
	}
	return where + " ORDER BY " + order + " LIMIT " + arg(sel.Max+1), args, nil
}

// Seal implements store.Journal.
func (t *tenant) Seal(ctx context.Context, es []store.Entry, c store.Checkpoint) error {
	taken := &fhir.Error{Code: fhir.Conflict, Detail: "These audit records were sealed by another process meanwhile."}
	return t.update(ctx, func(w *writer) error {
		for _, e := range es {
			var n int64
			found, err := one(ctx, w, `SELECT place FROM entry WHERE tenant = $1 AND writer = $2 AND place = $3 AND place > 0`, []any{t.id, e.Writer, e.N}, &n)
			if err != nil {
				return err
			}
			if found {
				return taken
			}
			found, err = one(ctx, w, `UPDATE entry SET place = $3, hash = $4 WHERE tenant = $1 AND id = $2 AND place = 0 RETURNING place`, []any{t.id, e.ID, e.N, e.Hash}, &n)
			if err != nil {
				return err
			}
			if !found {
				return taken
			}
		}
		var n int64
		kept, err := one(ctx, w, `INSERT INTO checkpoint (tenant, writer, place, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING place`,
			[]any{t.id, c.Writer, c.N, c.Body}, &n)
		if err == nil && !kept {
			err = taken
		}
		return err
	})
}

// Checkpoints implements store.Journal.
func (t *tenant) Checkpoints(ctx context.Context, writer string) (cs []store.Checkpoint, err error) {
	q, args := `SELECT writer, place, body FROM checkpoint WHERE tenant = $1 ORDER BY writer, place`, []any{t.id}
	if writer != "" {
		q, args = `SELECT writer, place, body FROM checkpoint WHERE tenant = $1 AND writer = $2 ORDER BY place`, append(args, writer)
	}
	err = t.view(ctx, func(r *reader) error {
		cs = nil
		return all(ctx, r, q, args, func(w row) error {
			var c store.Checkpoint
			err := w.scan(&c.Writer, &c.N, &c.Body)
			cs = append(cs, c)
			return err
		})
	})
	return cs, err
}

// Writers implements store.Journal.
func (t *tenant) Writers(ctx context.Context) (ws []string, err error) {
	err = t.view(ctx, func(r *reader) error {
		ws = nil
		return all(ctx, r, `SELECT writer FROM writer WHERE tenant = $1 ORDER BY writer`, []any{t.id}, func(w row) error {
			var s string
			err := w.scan(&s)
			ws = append(ws, s)
			return err
		})
	})
	return ws, err
}
