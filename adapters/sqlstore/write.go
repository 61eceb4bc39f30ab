package sqlstore

import (
	"context"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// writer is a store.Tx over the statements of one transaction.
type writer struct {
	reader
	at int64 // when its versions are written, once it wrote one
}

// Lock implements store.Tx. There is nothing to take: no two transactions of a tenant
// run side by side.
func (w *writer) Lock(context.Context, ...store.MatchKey) error { return nil }

// number returns the number of a text, a new one if it has none.
func (w *writer) intern(ctx context.Context, text string) (int64, error) {
	if n, ok := w.number(text); ok {
		return n, nil
	}
	n, err := w.term(ctx, w.t.id, w.words().clean(text))
	if err == nil {
		w.learn(map[string]int64{text: n}, nil)
	}
	return n, err
}

// enter returns the numbers of keys, new ones for those that have none.
func (w *writer) enter(ctx context.Context, ks []fhir.Key) (map[fhir.Key]int64, error) {
	rids, err := w.rids(ctx, ks...)
	if err != nil {
		return nil, err
	}
	for _, k := range ks {
		if _, ok := rids[k]; ok {
			continue
		}
		typ, err := w.intern(ctx, k.Type)
		if err != nil {
			return nil, err
		}
		rid, err := w.insert(ctx, typ, &version{id: k.ID}, nil)
		if err != nil {
			return nil, err
		}
		rids[k] = rid
		w.learn(nil, map[fhir.Key]int64{k: rid})
	}
	return rids, nil
}

func (w *writer) insert(ctx context.Context, typ int64, v *version, ix *rows) (rid int64, err error) {
	values := []any{w.t.id, typ, v.id, v.state, v.version, v.updated, v.class, ix.about(), ix.patient(), ix.held(), v.facts}
	if w.words().blocks {
		if rid, err = w.t.terms.nextRid(ctx, w); err != nil {
			return 0, err
		}
		return rid, w.exec(ctx, `INSERT INTO res (tenant, type, id, state, version, updated, class, about, patient, held, facts, rid)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, append(values, rid)...)
	}
	_, err = one(ctx, w, `INSERT INTO res (tenant, type, id, state, version, updated, class, about, patient, held, facts)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING rid`, values, &rid)
	return rid, err
}

// before reads the row of a key, whatever its state; rid is 0 if there is none.
func (w *writer) before(ctx context.Context, k fhir.Key) (v version, held int64, err error) {
	if v.typ, err = w.intern(ctx, k.Type); err != nil {
		return v, 0, err
	}
	v.id = k.ID
	_, err = one(ctx, w, `SELECT `+headColumns+`, r.held FROM res r WHERE r.tenant = $1 AND r.type = $2 AND r.id = $3`,
		[]any{w.t.id, v.typ, k.ID}, append(v.columns(), &held)...)
	return v, held, err
}

func check(v version, c store.Condition) error {
	if c.Absent && v.state != referred {
		return &fhir.Error{Code: fhir.Duplicate, Detail: "The id is in use, or was. Choose another, or update what is there."}
	}
	if c.IfMatch != 0 && c.IfMatch != v.version {
		return &fhir.Error{Code: fhir.Stale, Detail: "The resource has changed meanwhile. Read it again and apply your change to the current version."}
	}
	return nil
}

// time is when the versions of this transaction are written, not before last.
func (w *writer) time(ctx context.Context, last int64) (int64, error) {
	if w.at == 0 {
		var err error
		if w.at, err = w.now(ctx, w.t.id, w.t.db.micros()); err != nil {
			return 0, err
		}
	}
	w.at = max(w.at, last)
	return w.at, nil
}

// Put implements store.Tx.
func (w *writer) Put(ctx context.Context, r fhir.Resource, rec store.Record, c store.Condition) (h store.Head, out fhir.Resource, err error) {
	v, held, err := w.before(ctx, r.Key)
	if err != nil {
		return h, out, err
	}
	if err := check(v, c); err != nil {
		return h, out, err
	}
	class, err := w.used(ctx, classKind, string(rec.Class))
	if err != nil {
		return h, out, err
	}
	if v.updated, err = w.time(ctx, v.updated); err != nil {
		return h, out, err
	}
	v.state, v.version, v.class, v.facts = there, v.version+1, class, appendFacts(nil, rec.Facts)
	if out, err = r.Stamp(r.ID, v.version, time.UnixMicro(v.updated)); err != nil {
		return h, out, err
	}
	ix, err := w.entries(ctx, v.typ, rec)
	if err != nil {
		return h, out, err
	}
	if v.rid == 0 {
		// It may have been entered meanwhile: by a reference to itself.
		if v.rid, _ = w.rid(r.Key); v.rid == 0 {
			v.rid, err = w.insert(ctx, v.typ, &v, ix)
			w.learn(nil, map[fhir.Key]int64{r.Key: v.rid})
		} else {
			err = w.replace(ctx, &v, ix)
		}
	} else {
		if err = w.unindex(ctx, v.rid, held); err == nil {
			err = w.replace(ctx, &v, ix)
		}
	}
	if err != nil {
		return h, out, err
	}
	if err := w.record(ctx, &v, out.Body()); err != nil {
		return h, out, err
	}
	if err := w.index(ctx, v.rid, ix); err != nil {
		return h, out, err
	}
	h = store.Head{Facts: rec.Facts, Head: fhir.Head{Key: r.Key, Version: v.version, Updated: time.UnixMicro(v.updated).UTC()}}
	return h, out, nil
}

// replace makes v the current version.
func (w *writer) replace(ctx context.Context, v *version, ix *rows) error {
	return w.exec(ctx, `UPDATE res SET state = $3, version = $4, updated = $5, class = $6, about = $7, patient = $8, held = $9, facts = $10 WHERE tenant = $1 AND rid = $2`,
		w.t.id, v.rid, v.state, v.version, v.updated, v.class, ix.about(), ix.patient(), ix.held(), v.facts)
}

// record adds v to the history.
func (w *writer) record(ctx context.Context, v *version, body []byte) error {
	return w.exec(ctx, w.words().insertVersion, w.t.id, w.place(), v.rid, v.typ, v.version, v.updated, v.state, v.class, v.facts, body)
}

// Delete implements store.Tx.
func (w *writer) Delete(ctx context.Context, k fhir.Key, c store.Condition) (store.Head, error) {
	v, held, err := w.before(ctx, k)
	if err != nil {
		return store.Head{}, err
	}
	if err := check(v, store.Condition{IfMatch: c.IfMatch}); err != nil {
		return store.Head{}, err
	}
	if v.state == referred {
		return store.Head{}, nil
	}
	if v.state == there {
		if v.updated, err = w.time(ctx, v.updated); err != nil {
			return store.Head{}, err
		}
		v.state, v.version = deleted, v.version+1
		if err := w.unindex(ctx, v.rid, held); err != nil {
			return store.Head{}, err
		}
		if err := w.replace(ctx, &v, nil); err != nil {
			return store.Head{}, err
		}
		if err := w.record(ctx, &v, nil); err != nil {
			return store.Head{}, err
		}
	}
	hs, err := w.heads(ctx, []version{v})
	if err != nil {
		return store.Head{}, err
	}
	return hs[0], nil
}

// used returns the number of a class or profile and notes that it is in use.
func (w *writer) used(ctx context.Context, kind int, text string) (int64, error) {
	n, err := w.intern(ctx, text)
	if err != nil || !w.first(mark{kind, text}) {
		return n, err
	}
	return n, w.exec(ctx, `INSERT INTO landscape (tenant, kind, term) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, w.t.id, kind, n)
}

// SetProfile implements store.Tx.
func (w *writer) SetProfile(ctx context.Context, patient fhir.Key, p fhir.Profile, ends time.Time) error {
	n, err := w.used(ctx, profileKind, string(p))
	if err != nil {
		return err
	}
	rids, err := w.enter(ctx, []fhir.Key{patient})
	if err != nil {
		return err
	}
	return w.exec(ctx, `INSERT INTO patient (tenant, rid, profile, until) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant, rid) DO UPDATE SET profile = excluded.profile, until = excluded.until`, w.t.id, rids[patient], n, until(ends))
}

// SetMemo implements store.Tx. One that expired is replaced as if there were none,
// but counts on: who still holds its version must not take the new one for it.
func (w *writer) SetMemo(ctx context.Context, m fhir.Memo) error {
	old, expired, err := w.memo(ctx, m.Space, m.Key)
	if err != nil {
		return err
	}
	current := old.Version
	if expired {
		current = 0
	}
	if m.Version != current {
		return &fhir.Error{Code: fhir.Conflict, Detail: "Another request used the same value at the same time."}
	}
	return w.exec(ctx, `INSERT INTO memo (tenant, space, key, value, expires, version) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant, space, key) DO UPDATE SET value = excluded.value, expires = excluded.expires, version = excluded.version`,
		w.t.id, m.Space, m.Key, m.Value, until(m.Expires), old.Version+1)
}

// Enqueue implements store.Tx.
func (w *writer) Enqueue(ctx context.Context, x fhir.Work) error {
	return w.exec(ctx, `INSERT INTO work (tenant, id, lane, kind, body, due, born, attempt, state, note, until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, '', $8) ON CONFLICT DO NOTHING`,
		w.t.id, x.ID, x.Lane, x.Kind, x.Body, since(x.Due), w.t.db.micros(), always)
}

// Append implements store.Tx.
func (w *writer) Append(ctx context.Context, es ...store.Entry) error {
	for _, e := range es {
		if err := w.exec(ctx, w.words().insertEntry, w.t.id, w.place(), e.ID, e.Writer, fhir.Micros(e.At), e.Body); err != nil {
			return err
		}
		if !w.first(mark{writerKind, e.Writer}) {
			continue
		}
		if err := w.exec(ctx, `INSERT INTO writer (tenant, writer) VALUES ($1, $2) ON CONFLICT DO NOTHING`, w.t.id, e.Writer); err != nil {
			return err
		}
	}
	return nil
}
