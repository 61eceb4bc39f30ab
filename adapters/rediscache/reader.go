package rediscache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"

	"rapport/fhir"
	"rapport/fhir/store"
)

// reader looks at what is held before it asks the store.
type reader struct {
	store.Reader
	c  *Cache
	at epoch // before the snapshot was opened
}

// Heads judges what is held with the sight asked for; only what is not held costs
// a statement.
func (r *reader) Heads(ctx context.Context, s fhir.Sight, ks ...fhir.Key) ([]store.Head, error) {
	if !r.c.usable() {
		return r.Reader.Heads(ctx, s, ks...)
	}
	found := make(map[fhir.Key]store.Head, len(ks))
	var miss []fhir.Key
	for _, k := range ks {
		if h, ok := r.c.heads.GetIfPresent(k); ok {
			found[k] = h
		} else {
			miss = append(miss, k)
		}
	}
	if len(miss) > 0 {
		// What exists is held whoever asked; who may see it is judged below.
		hs, err := r.Reader.Heads(ctx, fhir.Omniscient(), miss...)
		if err != nil {
			return nil, err
		}
		for _, h := range hs {
			found[h.Key] = h
			r.c.keep(r.at, h.Type, func() { r.c.heads.Set(h.Key, h) })
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

// Patients returns what is known of patients.
func (r *reader) Patients(ctx context.Context, ks ...fhir.Key) ([]fhir.PatientFacts, error) {
	if len(ks) == 0 {
		return nil, nil
	}
	if !r.c.usable() {
		return r.Reader.Patients(ctx, ks...)
	}
	out := make([]fhir.PatientFacts, len(ks))
	var miss []fhir.Key
	var at []int
	for i, k := range ks {
		if p, ok := r.c.patients.GetIfPresent(k); ok {
			out[i] = p
		} else {
			miss, at = append(miss, k), append(at, i)
		}
	}
	if len(miss) == 0 {
		return out, nil
	}
	ps, err := r.Reader.Patients(ctx, miss...)
	if err != nil {
		return nil, err
	}
	for i, p := range ps {
		out[at[i]] = p
		// Facts of a patient may change with a write of any type.
		r.c.keep(r.at, "", func() { r.c.patients.Set(miss[i], p) })
	}
	return out, nil
}

// Landscape returns the classes and profiles in use.
func (r *reader) Landscape(ctx context.Context) (store.Landscape, error) {
	if r.c.usable() {
		r.c.mu.Lock()
		l := r.c.landscape
		r.c.mu.Unlock()
		if l != nil {
			return *l, nil
		}
	}
	l, err := r.Reader.Landscape(ctx)
	if err == nil {
		r.c.keep(r.at, "", func() { r.c.landscape = &l })
	}
	return l, err
}

// Find keeps pages of heads under the query, the sight and the epoch of every type
// that the query touches.
func (r *reader) Find(ctx context.Context, s fhir.Sight, q fhir.Query) (store.Page, error) {
	if !r.c.usable() {
		return r.Reader.Find(ctx, s, q)
	}
	key := r.page(s, q)
	if p, ok := r.c.pages.GetIfPresent(key); ok {
		return p, nil
	}
	p, err := r.Reader.Find(ctx, s, q)
	if err == nil {
		r.c.pages.Set(key, p) // under epochs of before the snapshot: outdated ones are never asked for
	}
	return p, err
}

func (r *reader) page(s fhir.Sight, q fhir.Query) [32]byte {
	canonical := q.Canonical()
	b := binary.AppendUvarint(nil, uint64(len(canonical)))
	b = append(b, canonical...)
	b = binary.AppendUvarint(b, uint64(len(q.After)))
	b = append(b, q.After...)
	// A relation or a profile may change with a write of any type, so one count
	// stands for all: finer ones would have to know which types make facts.
	b = binary.AppendUvarint(b, r.at[""])
	return sha256.Sum256(s.AppendCanonical(b, pageStep))
}
