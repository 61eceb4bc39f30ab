package sqlstore

import (
	"context"
	"fmt"

	"rapport/fhir"
	"rapport/fhir/store"
)

// defaultSpan is how many versions a history page has where nobody says.
const defaultSpan = 100

// Changes implements store.Reader. Versions are judged in Go, by Sight.Admits: a
// history is read backwards until the page is full.
func (r *reader) Changes(ctx context.Context, s fhir.Sight, of fhir.Scope, span fhir.Span) (c store.Changes, err error) {
	if span.Count <= 0 {
		span.Count = defaultSpan
	}
	at := fhir.Seq{Tx: never, N: never}
	if span.After != "" {
		if _, err := fmt.Sscanf(span.After, "%d.%d", &at.Tx, &at.N); err != nil {
			return c, &fhir.Error{Code: fhir.Invalid, Detail: "The page cannot be continued. Begin again with the first page.", Err: err}
		}
	}
	b := r.builder(ctx, s)
	where := ""
	switch {
	case of.ID != "":
		rids, err := r.rids(ctx, fhir.Key(of))
		if err != nil || len(rids) == 0 {
			return c, err
		}
		where = " AND v.rid = " + b.arg(rids[fhir.Key(of)])
	case of.Type != "":
		n, err := b.term(of.Type)
		if err != nil {
			return c, err
		}
		where = " AND v.type = " + b.arg(n)
	}
	if !span.Since.IsZero() {
		where += " AND v.updated >= " + b.arg(ceil(span.Since))
	}
	tx, n := b.arg(at.Tx), b.arg(at.N)
	batch := span.Count + 1
	if !s.Every() {
		batch = max(batch, 50)
	}
	sql, args := b.finish(`SELECT ` + versionColumns + ` FROM version v WHERE v.tenant = ` + ofTenant + where +
		` AND (v.tx, v.n) < (` + tx + `, ` + n + `) ORDER BY v.tx DESC, v.n DESC LIMIT ` + b.arg(batch))
	place := len(args) - 3 // of the cursor: before the limit
	for {
		var seqs []fhir.Seq
		var vs []version
		err := all(ctx, r, sql, args, func(w row) error {
			var q fhir.Seq
			var v version
			err := v.read(w, &q)
			seqs, vs = append(seqs, q), append(vs, v)
			return err
		})
		if err != nil {
			return c, err
		}
		now, err := r.named(ctx, vs)
		if err != nil {
			return c, err
		}
		hs, err := r.heads(ctx, append(vs[:len(vs):len(vs)], now...))
		if err != nil {
			return c, err
		}
		admits, err := r.judge(ctx, s, hs)
		if err != nil {
			return c, err
		}
		for i, h := range hs[:len(vs)] {
			if !admits(h) || !admits(hs[len(vs)+i]) {
				continue
			}
			if len(c.Heads) == span.Count {
				c.Next = fmt.Sprintf("%d.%d", at.Tx, at.N)
				return c, nil
			}
			c.Heads = append(c.Heads, h)
			at = seqs[i]
		}
		if len(vs) < batch {
			return c, nil
		}
		last := seqs[len(seqs)-1]
		args[place], args[place+1] = last.Tx, last.N
	}
}
