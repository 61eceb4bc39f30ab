package rediscache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"

	"rapport/fhir"
	"rapport/fhir/store"
)

// reader looks at what is held before it asks the store.
type reader struct {
	store.Reader
	c        *Cache
	at       uint64 // commits known of before the snapshot was opened
	followed bool   // and whether others' commits are: what is read now may be held

	opened bool                                      // the snapshot is open: it alone answers
	told   []func(ctx context.Context) (bool, error) // for each answer from memory: is it so in the snapshot?
	torn   bool                                      // one was not
}

// errTorn ends a run of f whose answers are of two moments; View runs f again.
var errTorn = errors.New("rediscache: what was answered from memory is older than the snapshot")

// held reports whether memory may answer.
func (r *reader) held() bool { return !r.opened && r.c.usable(r.at) }

// keep runs put unless something was written meanwhile, or may have been.
func (r *reader) keep(typ string, put func()) {
	if r.followed {
		r.c.keep(r.at, typ, put)
	}
}

// open makes the store's snapshot the one that f sees.
func (r *reader) open(ctx context.Context) error {
	if r.torn {
		return errTorn
	}
	if r.opened {
		return nil
	}
	r.opened = true
	for _, same := range r.told {
		ok, err := same(ctx)
		if err != nil {
			return err
		}
		if !ok {
			r.torn = true
			return errTorn
		}
	}
	return nil
}

// Heads judges what is held with the sight asked for; only what is not held costs
// a statement.
func (r *reader) Heads(ctx context.Context, s fhir.Sight, ks ...fhir.Key) ([]store.Head, error) {
	memory := r.held()
	found := make(map[fhir.Key]store.Head, len(ks))
	var miss []fhir.Key
	for _, k := range ks {
		h, ok := store.Head{}, false
		if memory {
			h, ok = r.c.heads.GetIfPresent(k)
		}
		if ok {
			found[k] = h
			r.told = append(r.told, func(ctx context.Context) (bool, error) {
				hs, err := r.Reader.Heads(ctx, fhir.Omniscient(), k)
				return len(hs) == 1 && hs[0].Version == h.Version, err
			})
		} else {
			miss = append(miss, k)
		}
	}
	if len(miss) > 0 {
		if err := r.open(ctx); err != nil {
			return nil, err
		}
		// What exists is held whoever asked; who may see it is judged below.
		hs, err := r.Reader.Heads(ctx, fhir.Omniscient(), miss...)
		if err != nil {
			return nil, err
		}
		for _, h := range hs {
			found[h.Key] = h
			r.keep(h.Type, func() { r.c.heads.Set(h.Key, h) })
		}
	}
	var out []store.Head
	for _, k := range ks {
		h, ok := found[k]
		if !ok {
			continue
		}
		admitted, err := r.admits(ctx, s, h)
		if err != nil {
			return nil, err
		}
		if admitted {
			out = append(out, h)
		}
	}
	return out, nil
}

func (r *reader) admits(ctx context.Context, s fhir.Sight, h store.Head) (bool, error) {
	e := s.Of(h.Type)
	if e.IsAll() || e.IsNone() {
		return e.IsAll(), nil
	}
	ps, err := r.Patients(ctx, h.Facts.Patients...)
	if err != nil {
		return false, err
	}
	return s.Admits(h.Type, h.Facts, func(k fhir.Key) fhir.PatientFacts {
		for _, p := range ps {
			if p.Patient == k {
				return p
			}
		}
		return fhir.PatientFacts{Patient: k}
	}), nil
}

// Patients returns what is known of patients. A profile that has ended by the
// clock is not held any more: another process may have made a new one, which is in
// no change.
func (r *reader) Patients(ctx context.Context, ks ...fhir.Key) ([]fhir.PatientFacts, error) {
	if len(ks) == 0 {
		return nil, nil
	}
	out := make([]fhir.PatientFacts, len(ks))
	var miss []fhir.Key
	var at []int
	memory, now := r.held(), r.c.Clock()
	for i, k := range ks {
		p, ok := fhir.PatientFacts{}, false
		if memory {
			p, ok = r.c.patients.GetIfPresent(k)
		}
		if !ok || !p.Until.IsZero() && !now.Before(p.Until) {
			miss, at = append(miss, k), append(at, i)
			continue
		}
		out[i] = p
		r.told = append(r.told, func(ctx context.Context) (bool, error) {
			ps, err := r.Reader.Patients(ctx, k)
			return len(ps) == 1 && reflect.DeepEqual(ps[0], p), err
		})
	}
	if len(miss) == 0 {
		return out, nil
	}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	ps, err := r.Reader.Patients(ctx, miss...)
	if err != nil {
		return nil, err
	}
	for i, p := range ps {
		out[at[i]] = p
		// Facts of a patient may change with a write of any type.
		r.keep("", func() { r.c.patients.Set(miss[i], p) })
	}
	return out, nil
}

// Landscape returns the classes and profiles in use. What is held may be older
// than the snapshot: a class or profile that is not listed is seen by nobody.
func (r *reader) Landscape(ctx context.Context) (store.Landscape, error) {
	if r.held() {
		r.c.mu.Lock()
		l := r.c.landscape
		r.c.mu.Unlock()
		if l != nil {
			return *l, nil
		}
	}
	if err := r.open(ctx); err != nil {
		return store.Landscape{}, err
	}
	l, err := r.Reader.Landscape(ctx)
	if err == nil {
		r.keep("", func() { r.c.landscape = &l })
	}
	return l, err
}

// Find keeps pages of heads under the query, the sight and the number of commits
// that they come behind.
func (r *reader) Find(ctx context.Context, s fhir.Sight, q fhir.Query) (store.Page, error) {
	key := r.page(s, q)
	if !r.held() {
		return r.find(ctx, s, q, key)
	}
	if p, ok := r.c.pages.GetIfPresent(key); ok {
		if still, err := r.still(ctx, s, p); err != nil {
			return store.Page{}, err
		} else if !still {
			return r.find(ctx, s, q, key)
		}
		r.told = append(r.told, func(ctx context.Context) (bool, error) {
			now, err := r.Reader.Find(ctx, s, q)
			return reflect.DeepEqual(now, p), err
		})
		return p, nil
	}
	return r.find(ctx, s, q, key)
}

func (r *reader) find(ctx context.Context, s fhir.Sight, q fhir.Query, key [32]byte) (store.Page, error) {
	if err := r.open(ctx); err != nil {
		return store.Page{}, err
	}
	p, err := r.Reader.Find(ctx, s, q)
	if err == nil && r.followed {
		r.c.pages.Set(key, p) // under what was known before the snapshot: an outdated one is never asked for
	}
	return p, err
}

// still reports whether a page's moment has not passed: what ends by the clock
// ends between two sights of one key, too.
func (r *reader) still(ctx context.Context, s fhir.Sight, p store.Page) (bool, error) {
	var ks []fhir.Key
	for _, f := range p.Found {
		if !s.Of(f.Type).IsAll() {
			ks = append(ks, f.Facts.Patients...)
		}
	}
	slices.SortFunc(ks, fhir.Key.Compare)
	ks = slices.Compact(ks)
	ps, err := r.Patients(ctx, ks...)
	if err != nil {
		return false, err
	}
	patient := func(k fhir.Key) fhir.PatientFacts {
		if i, ok := slices.BinarySearchFunc(ks, k, fhir.Key.Compare); ok {
			return ps[i]
		}
		return fhir.PatientFacts{Patient: k}
	}
	return !slices.ContainsFunc(p.Found, func(f store.Found) bool { return !s.Admits(f.Type, f.Facts, patient) }), nil
}

// Changes asks the store: histories are long and seldom read twice.
func (r *reader) Changes(ctx context.Context, s fhir.Sight, of fhir.Scope, span fhir.Span) (store.Changes, error) {
	if err := r.open(ctx); err != nil {
		return store.Changes{}, err
	}
	return r.Reader.Changes(ctx, s, of, span)
}

// Memo asks the store: a one-use value must not be remembered.
func (r *reader) Memo(ctx context.Context, space, key string) (fhir.Memo, error) {
	if err := r.open(ctx); err != nil {
		return fhir.Memo{}, err
	}
	return r.Reader.Memo(ctx, space, key)
}

func (r *reader) page(s fhir.Sight, q fhir.Query) [32]byte {
	canonical := q.Canonical()
	b := binary.AppendUvarint(nil, uint64(len(canonical)))
	b = append(b, canonical...)
	b = binary.AppendUvarint(b, uint64(len(q.After)))
	b = append(b, q.After...)
	// A relation or a profile may change with a write of any type, so one count
	// stands for all: finer ones would have to know which types make facts.
	b = binary.AppendUvarint(b, r.at)
	return sha256.Sum256(s.AppendCanonical(b, pageStep))
}
