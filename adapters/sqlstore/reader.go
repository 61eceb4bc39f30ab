package sqlstore

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// reader is a store.Reader over the statements of one transaction.
type reader struct {
	session
	t      *tenant
	writes bool
	fresh  fresh
}

// The states of a res row and of a version.
const (
	referred int64 = iota // only somebody else names it
	there
	deleted
)

// version is a row of res or version, its terms still as numbers.
type version struct {
	rid, typ, state, version, updated, class int64
	id                                       string
	facts                                    []byte
}

const headColumns = `r.rid, r.type, r.id, r.state, r.version, r.updated, r.class, r.facts`

func (v *version) columns() []any {
	return []any{&v.rid, &v.typ, &v.id, &v.state, &v.version, &v.updated, &v.class, &v.facts}
}

// heads turns rows into heads.
func (r *reader) heads(ctx context.Context, vs []version) ([]store.Head, error) {
	if len(vs) == 0 {
		return nil, nil
	}
	text := make(map[int64]string, 4)
	for _, v := range vs {
		text[v.typ], text[v.class] = "", ""
	}
	if err := r.texts(ctx, text); err != nil {
		return nil, err
	}
	hs := make([]store.Head, len(vs))
	for i, v := range vs {
		f, err := readFacts(v.facts)
		if err != nil {
			return nil, err
		}
		f.Class = fhir.Class(text[v.class])
		hs[i] = store.Head{Facts: f, Head: fhir.Head{
			Key: fhir.Key{Type: text[v.typ], ID: v.id}, Version: v.version,
			Updated: time.UnixMicro(v.updated).UTC(), Deleted: v.state == deleted,
		}}
	}
	return hs, nil
}

// versionColumns are those of a version, which has no id of its own.
const versionColumns = `v.tx, v.n, v.rid, v.type, v.state, v.version, v.updated, v.class, v.facts`

func (v *version) read(w row, at *fhir.Seq) error {
	return w.scan(&at.Tx, &at.N, &v.rid, &v.typ, &v.state, &v.version, &v.updated, &v.class, &v.facts)
}

// named gives versions the ids of their resources and returns the current version of
// each. Apart from them and not by a join: PostgreSQL would look through all.
func (r *reader) named(ctx context.Context, vs []version) (now []version, err error) {
	if len(vs) == 0 {
		return nil, nil
	}
	var rids numbers
	for _, v := range vs {
		rids = append(rids, v.rid)
	}
	slices.Sort(rids)
	by := make(map[int64]version, len(rids))
	err = all(ctx, r, `SELECT `+headColumns+` FROM res r WHERE r.tenant = $1 AND r.rid IN $$2`, []any{r.t.id, slices.Compact(rids)}, func(w row) error {
		var v version
		err := w.scan(v.columns()...)
		by[v.rid] = v
		return err
	})
	now = make([]version, len(vs))
	for i := range vs {
		now[i] = by[vs[i].rid]
		vs[i].id = now[i].id
	}
	return now, err
}

// current reads the rows of keys; one that was never written is left out.
func (r *reader) current(ctx context.Context, ks []fhir.Key) ([]version, error) {
	types := make([]string, 0, 4)
	for _, k := range ks {
		if !slices.Contains(types, k.Type) {
			types = append(types, k.Type)
		}
	}
	number, err := r.find(ctx, types...)
	if err != nil {
		return nil, err
	}
	args := make([][]any, 0, len(ks))
	for _, k := range ks {
		if n, ok := number[k.Type]; ok {
			args = append(args, []any{r.t.id, n, k.ID})
		}
	}
	vs := make([]version, 0, len(args))
	err = r.each(ctx, `SELECT `+headColumns+` FROM res r WHERE r.tenant = $1 AND r.type = $2 AND r.id = $3 AND r.state > 0`, args, func(_ int, w row) error {
		var v version
		err := w.scan(v.columns()...)
		vs = append(vs, v)
		return err
	})
	return vs, err
}

// Heads implements store.Reader.
func (r *reader) Heads(ctx context.Context, s fhir.Sight, ks ...fhir.Key) ([]store.Head, error) {
	vs, err := r.current(ctx, ks)
	if err != nil {
		return nil, err
	}
	hs, err := r.heads(ctx, vs)
	if err != nil {
		return nil, err
	}
	admits, err := r.judge(ctx, s, hs)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(hs, func(h store.Head) bool { return !admits(h) }), nil
}

// judge returns what Sight.Admits says of each of some heads, for which it reads
// what is known of their patients.
func (r *reader) judge(ctx context.Context, s fhir.Sight, hs []store.Head) (func(store.Head) bool, error) {
	var ks []fhir.Key
	for _, h := range hs {
		if e := s.Of(h.Type); e.IsAll() || e.IsNone() {
			continue
		}
		for _, k := range h.Patients {
			if !slices.Contains(ks, k) {
				ks = append(ks, k)
			}
		}
	}
	ps, err := r.Patients(ctx, ks...)
	if err != nil {
		return nil, err
	}
	known := make(map[fhir.Key]fhir.PatientFacts, len(ps))
	for _, p := range ps {
		known[p.Patient] = p
	}
	return func(h store.Head) bool {
		return s.Admits(h.Type, h.Facts, func(k fhir.Key) fhir.PatientFacts { return known[k] })
	}, nil
}

// Bodies implements store.Reader.
func (r *reader) Bodies(ctx context.Context, refs ...store.Ref) ([]fhir.Resource, error) {
	out := make([]fhir.Resource, len(refs))
	var types []string
	for _, ref := range refs {
		if !slices.Contains(types, ref.Type) {
			types = append(types, ref.Type)
		}
	}
	number, err := r.find(ctx, types...)
	if err != nil {
		return nil, err
	}
	var args [][]any
	var at []int
	for i, ref := range refs {
		if n, ok := number[ref.Type]; ok {
			args, at = append(args, []any{r.t.id, n, ref.ID, ref.Version}), append(at, i)
		}
	}
	bodies := make([][]byte, len(args))
	err = r.each(ctx, `SELECT v.body FROM version v WHERE v.tenant = $1 AND v.version = $4 AND v.state = 1
		AND v.rid = (SELECT r.rid FROM res r WHERE r.tenant = $1 AND r.type = $2 AND r.id = $3)`, args, func(i int, w row) error {
		return w.scan(&bodies[i])
	})
	if err != nil {
		return nil, err
	}
	for i, b := range bodies {
		if b == nil {
			continue
		}
		if out[at[i]], err = fhir.Parse(b); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Patients implements store.Reader.
func (r *reader) Patients(ctx context.Context, ks ...fhir.Key) ([]fhir.PatientFacts, error) {
	out := make([]fhir.PatientFacts, len(ks))
	rids, err := r.rids(ctx, ks...)
	if err != nil {
		return nil, err
	}
	var args [][]any
	var at []int
	for i, k := range ks {
		out[i].Patient = k
		if n, ok := rids[k]; ok {
			args, at = append(args, []any{r.t.id, n}), append(at, i)
		}
	}
	if len(args) == 0 {
		return out, nil
	}
	type tie struct {
		at                 int
		actor, episode     string
		actorOf, episodeOf int64
		ended              int64
	}
	var ties []tie
	profiles := make([]int64, len(args))
	text := map[int64]string{}
	err = r.each(ctx, `SELECT profile, until FROM patient WHERE tenant = $1 AND rid = $2`, args, func(i int, w row) error {
		var u int64
		err := w.scan(&profiles[i], &u)
		text[profiles[i]], out[at[i]].Until = "", moment(u)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = r.each(ctx, `SELECT a.type, a.id, COALESCE(e.type, 0), COALESCE(e.id, ''), t.ended FROM relation t
		JOIN res a ON a.tenant = t.tenant AND a.rid = t.actor LEFT JOIN res e ON e.tenant = t.tenant AND e.rid = t.episode
		WHERE t.tenant = $1 AND t.patient = $2 ORDER BY t.rid, t.n`, args, func(i int, w row) error {
		t := tie{at: at[i]}
		err := w.scan(&t.actorOf, &t.actor, &t.episodeOf, &t.episode, &t.ended)
		ties = append(ties, t)
		text[t.actorOf], text[t.episodeOf] = "", ""
		return err
	})
	if err == nil {
		err = r.texts(ctx, text)
	}
	if err != nil {
		return nil, err
	}
	for i, p := range profiles {
		out[at[i]].Profile = fhir.Profile(text[p])
	}
	for _, t := range ties {
		p := &out[t.at]
		p.Relations = append(p.Relations, fhir.Relation{Actor: fhir.Key{Type: text[t.actorOf], ID: t.actor}, Patient: p.Patient,
			Episode: fhir.Key{Type: text[t.episodeOf], ID: t.episode}, Ended: moment(t.ended)})
	}
	return out, nil
}

// The kinds of a landscape row.
const (
	classKind   = 1
	profileKind = 2
	writerKind  = 3 // of a mark alone
)

// Landscape implements store.Reader. Its epoch is a hash of the lists: a counter
// could count a transaction that was undone.
func (r *reader) Landscape(ctx context.Context) (store.Landscape, error) {
	type used struct{ kind, term int64 }
	var us []used
	text := map[int64]string{}
	err := all(ctx, r, `SELECT kind, term FROM landscape WHERE tenant = $1`, []any{r.t.id}, func(w row) error {
		var u used
		err := w.scan(&u.kind, &u.term)
		us = append(us, u)
		text[u.term] = ""
		return err
	})
	if err == nil {
		err = r.texts(ctx, text)
	}
	if err != nil {
		return store.Landscape{}, err
	}
	slices.SortFunc(us, func(a, b used) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(text[a.term], text[b.term]))
	})
	l := store.Landscape{Profiles: []fhir.Profile{""}}
	h := fnv.New64a()
	for _, u := range us {
		h.Write([]byte{byte(u.kind)})
		h.Write([]byte(text[u.term]))
		h.Write([]byte{0xff})
		switch {
		case u.kind == classKind:
			l.Classes = append(l.Classes, fhir.Class(text[u.term]))
		case u.term != 0:
			l.Profiles = append(l.Profiles, fhir.Profile(text[u.term]))
		}
	}
	l.Epoch = int64(h.Sum64() >> 1)
	return l, nil
}

// Memo implements store.Reader.
func (r *reader) Memo(ctx context.Context, space, key string) (fhir.Memo, error) {
	m, expired, err := r.memo(ctx, space, key)
	if err != nil || expired || m.Version == 0 {
		return fhir.Memo{}, err
	}
	return m, nil
}

// memo reads a memo though it may have expired.
func (r *reader) memo(ctx context.Context, space, key string) (m fhir.Memo, expired bool, err error) {
	var ends int64
	found, err := one(ctx, r, `SELECT value, expires, version FROM memo WHERE tenant = $1 AND space = $2 AND key = $3`,
		[]any{r.t.id, space, key}, &m.Value, &ends, &m.Version)
	if err != nil || !found {
		return fhir.Memo{}, false, err
	}
	m.Space, m.Key, m.Expires = space, key, moment(ends)
	return m, ends <= r.t.db.micros(), nil
}
