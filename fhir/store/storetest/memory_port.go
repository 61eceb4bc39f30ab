package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// The ports of the smallest store: memos, feed, queue, journal.

func (m *memory) Memo(ctx context.Context, space, k string) (out fhir.Memo, err error) {
	err = m.View(ctx, func(r store.Reader) error { out, err = r.Memo(ctx, space, k); return err })
	return out, err
}

func (m *memory) SetMemo(ctx context.Context, v fhir.Memo) error {
	return m.Update(ctx, func(tx store.Tx) error { return tx.SetMemo(ctx, v) })
}

func (m *memory) Append(ctx context.Context, _ store.Durability, es ...store.Entry) error {
	return m.Update(ctx, func(tx store.Tx) error { return tx.Append(ctx, es...) })
}

func (m *memory) Feed(_ context.Context, after fhir.Seq, most int) (cs []fhir.Change, safe fhir.Seq, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.state.versions {
		safe = v.seq
		if seqLess(after, v.seq) && len(cs) < most {
			cs = append(cs, fhir.Change{Seq: v.seq, Head: v.Head.Head, Facts: v.Head.Facts})
		}
	}
	return cs, safe, nil
}

func (m *memory) Lease(_ context.Context, kind string, n int, d time.Duration) (out []fhir.Work, err error) {
	err = m.lock(func(s *state) error {
		now, lanes := m.now(), map[string]bool{}
		for i := range s.works {
			w := &s.works[i]
			if w.Dead || w.Kind != kind || lanes[w.Lane] {
				continue
			}
			lanes[w.Lane] = m.fault != "lanes overtake"
			if len(out) == n || w.Due.After(now) || s.until[w.ID].After(now) {
				continue
			}
			w.Attempt++
			w.Lease = fmt.Sprint(w.ID, w.Attempt)
			s.until[w.ID] = now.Add(d)
			out = append(out, *w)
		}
		return nil
	})
	return out, err
}

func (m *memory) Finish(_ context.Context, w fhir.Work, o fhir.Outcome) error {
	return m.lock(func(s *state) error {
		i := slices.IndexFunc(s.works, func(x fhir.Work) bool { return x.ID == w.ID && x.Lease == w.Lease })
		if i < 0 || !s.until[w.ID].After(m.now()) {
			return fhir.Errorf(fhir.Conflict, "", "the lease ran out")
		}
		delete(s.until, w.ID)
		if o.Done {
			s.done[w.ID] = true
			s.works = slices.Delete(s.works, i, i+1)
			return nil
		}
		x := &s.works[i]
		x.Due, x.Dead, x.Note = o.Retry, o.Dead, o.Note
		return nil
	})
}

func (m *memory) Revive(_ context.Context, id string) error {
	return m.idle(id, func(s *state, i int) {
		w := &s.works[i]
		w.Dead, w.Due, w.Born = false, m.now(), m.now()
	})
}

func (m *memory) Drop(_ context.Context, id string) error {
	return m.idle(id, func(s *state, i int) {
		s.done[id] = true
		s.works = slices.Delete(s.works, i, i+1)
	})
}

func (m *memory) idle(id string, f func(*state, int)) error {
	return m.lock(func(s *state) error {
		i := slices.IndexFunc(s.works, func(w fhir.Work) bool { return w.ID == id })
		switch {
		case i < 0:
			return fhir.Errorf(fhir.NotFound, "", "no such work")
		case s.until[id].After(m.now()):
			return fhir.Errorf(fhir.Conflict, "", "somebody has it")
		}
		f(s, i)
		return nil
	})
}

func (m *memory) Works(_ context.Context, dead bool, most int) (out []fhir.Work, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.state.works {
		if w.Dead == dead && len(out) < most {
			out = append(out, w)
		}
	}
	return out, nil
}

func (m *memory) Entries(_ context.Context, sel store.Entries) (es []store.Entry, next string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.state.entries {
		if sel.Writer != "" && (e.Writer != sel.Writer || !sel.Unsealed && e.N <= sel.AfterN) || sel.Unsealed && e.N > 0 || e.At.Before(sel.Since) {
			continue
		}
		es = append(es, e)
	}
	switch {
	case sel.Unsealed:
	case sel.Writer != "":
		slices.SortFunc(es, func(a, b store.Entry) int { return cmp.Compare(a.N, b.N) })
	default:
		slices.SortFunc(es, func(a, b store.Entry) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
	}
	if sel.After != "" {
		i := slices.IndexFunc(es, func(e store.Entry) bool { return e.ID == sel.After })
		es = es[i+1:]
	}
	if len(es) > sel.Max {
		es = es[:sel.Max]
		next = es[sel.Max-1].ID
	}
	return es, next, nil
}

func (m *memory) Seal(_ context.Context, es []store.Entry, c store.Checkpoint) error {
	return m.lock(func(s *state) error {
		for _, e := range es {
			if slices.ContainsFunc(s.entries, func(x store.Entry) bool { return x.Writer == e.Writer && x.N == e.N }) {
				return fhir.Errorf(fhir.Conflict, "", "taken")
			}
			i := slices.IndexFunc(s.entries, func(x store.Entry) bool { return x.ID == e.ID })
			if i < 0 {
				return errors.New("no such entry")
			}
			s.entries[i].N, s.entries[i].Hash = e.N, e.Hash
		}
		s.checks = append(s.checks, c)
		return nil
	})
}

func (m *memory) Checkpoints(_ context.Context, writer string) (out []store.Checkpoint, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.state.checks {
		if writer == "" || c.Writer == writer {
			out = append(out, c)
		}
	}
	return out, nil
}

func (m *memory) Writers(context.Context) (out []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.state.entries {
		if !slices.Contains(out, e.Writer) {
			out = append(out, e.Writer)
		}
	}
	return out, nil
}
