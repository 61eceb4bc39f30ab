package storetest

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// NewMemory returns the smallest store that keeps the contract: a value that is
// copied for each transaction. It is for tests of what stands on a store; the suite
// is tried on it, and on what is left of it when one promise is broken.
func NewMemory(clock fhir.Clock) store.Store { return newMemory(clock) }

type memory struct {
	mu    sync.Mutex
	now   fhir.Clock
	state *state
	fault string
}

type version struct {
	row
	body fhir.Resource
	seq  fhir.Seq
}

type state struct {
	versions []version // in the order of their writing
	profiles map[fhir.Key]fhir.PatientFacts
	classes  []fhir.Class
	known    []fhir.Profile
	epoch    int64
	memos    map[[2]string]fhir.Memo
	works    []fhir.Work
	until    map[string]time.Time // leases by work id
	done     map[string]bool      // works by id
	entries  []store.Entry
	checks   []store.Checkpoint
	tx       int64
	last     time.Time
}

func newMemory(now fhir.Clock) *memory {
	return &memory{now: now, state: &state{profiles: map[fhir.Key]fhir.PatientFacts{}, known: []fhir.Profile{""},
		memos: map[[2]string]fhir.Memo{}, until: map[string]time.Time{}, done: map[string]bool{}}}
}

func (s *state) clone() *state {
	c := *s
	c.versions, c.works, c.entries, c.checks = slices.Clone(s.versions), slices.Clone(s.works), slices.Clone(s.entries), slices.Clone(s.checks)
	c.classes, c.known = slices.Clone(s.classes), slices.Clone(s.known)
	c.profiles, c.memos, c.until, c.done = maps.Clone(s.profiles), maps.Clone(s.memos), maps.Clone(s.until), maps.Clone(s.done)
	return &c
}

func (s *state) latest(k fhir.Key) (version, bool) {
	for i := len(s.versions) - 1; i >= 0; i-- {
		if s.versions[i].Key == k {
			return s.versions[i], true
		}
	}
	return version{}, false
}

func (s *state) world() *world {
	w := &world{patients: maps.Clone(s.profiles)}
	at := map[fhir.Key]int{}
	for _, v := range s.versions {
		i, ok := at[v.Key]
		if !ok {
			i = len(w.rows)
			at[v.Key] = i
			w.rows = append(w.rows, row{})
		}
		w.rows[i] = v.row
	}
	for _, r := range w.rows {
		for _, rel := range r.Relations {
			p := w.patient(rel.Patient)
			p.Relations = append(slices.Clone(p.Relations), rel)
			w.patients[rel.Patient] = p
		}
	}
	return w
}

func (m *memory) View(_ context.Context, f func(store.Reader) error) error {
	return f(&memoryTx{m: m})
}

func (m *memory) Update(ctx context.Context, f func(store.Tx) error) error {
	if m.fault == "snapshot" { // reads at the start what others may change meanwhile
		m.mu.Lock()
		old := m.state
		m.mu.Unlock()
		time.Sleep(time.Millisecond)
		tx := &memoryTx{s: old.clone(), m: m}
		if err := f(tx); err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.state = tx.s
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	s := m.state.clone()
	s.tx++
	err := f(&memoryTx{s: s, m: m})
	if err == nil || m.fault == "keeps what failed" {
		m.state = s
	}
	return err
}

func (m *memory) lock(f func(s *state) error) error {
	return m.Update(context.Background(), func(tx store.Tx) error { return f(tx.(*memoryTx).s) })
}

type memoryTx struct {
	s *state // nil before the first need
	m *memory
}

func (t *memoryTx) at() *state {
	if t.s == nil {
		t.m.mu.Lock()
		t.s = t.m.state
		t.m.mu.Unlock()
	}
	return t.s
}

func (t *memoryTx) Heads(_ context.Context, sight fhir.Sight, ks ...fhir.Key) (hs []store.Head, err error) {
	w := t.at().world()
	for _, k := range ks {
		if v, ok := t.at().latest(k); ok && w.admits(sight, v.row) {
			hs = append(hs, v.Head)
		}
	}
	return hs, nil
}

func (t *memoryTx) Find(_ context.Context, sight fhir.Sight, q fhir.Query) (p store.Page, err error) {
	if slices.ContainsFunc(q.Where, func(c fhir.Clause) bool { return c.Modifier == "in" }) {
		return p, fhir.Errorf(fhir.NotSupported, "", "not served")
	}
	w := t.at().world()
	q.Sort = append(slices.Clone(q.Sort), fhir.Order{Param: "_id"})
	ms := w.matches(sight, q)
	if q.Total {
		n := len(ms)
		if t.m.fault == "total of hidden" {
			n = len(w.matches(all, q))
		}
		p.Total = &n
	}
	// The cursor is the last row as it was, so that it keeps its place.
	if q.After != "" {
		n, _ := strconv.Atoi(q.After)
		last := t.at().versions[n].row
		if t.m.fault == "cursor by id" {
			q.Sort = []fhir.Order{{Param: "_id"}}
		}
		ms = slices.DeleteFunc(ms, func(r row) bool { return compareBy(q.Sort, r, last) <= 0 })
	}
	if len(ms) > q.Count {
		ms = ms[:q.Count]
		if q.Count > 0 {
			p.Next = strconv.Itoa(slices.IndexFunc(t.at().versions, func(v version) bool { return v.Key == ms[q.Count-1].Key && v.Version == ms[q.Count-1].Version }))
		}
	}
	for _, r := range ms {
		p.Found = append(p.Found, store.Found{Head: r.Head})
	}
	inc := w.included(sight, q, ms)
	if t.m.fault == "includes of hidden" {
		inc = w.included(all, q, ms)
	}
	for _, r := range w.rows {
		if inc[r.Key] {
			p.Found = append(p.Found, store.Found{Head: r.Head, Mode: fhir.Included})
		}
	}
	return p, nil
}

func (t *memoryTx) Changes(_ context.Context, sight fhir.Sight, of fhir.Scope, span fhir.Span) (c store.Changes, err error) {
	w := t.at().world()
	from := len(t.at().versions)
	if span.After != "" {
		from, _ = strconv.Atoi(span.After)
	}
	for i := from - 1; i >= 0; i-- {
		v := t.at().versions[i]
		cur, _ := t.at().latest(v.Key)
		if of.Type != "" && v.Type != of.Type || of.ID != "" && v.ID != of.ID || v.Updated.Before(span.Since) || !w.admits(sight, v.row) || !w.admits(sight, cur.row) {
			continue
		}
		if span.Count > 0 && len(c.Heads) == span.Count {
			c.Next = strconv.Itoa(i + 1)
			break
		}
		c.Heads = append(c.Heads, v.Head)
	}
	return c, nil
}

func (t *memoryTx) Bodies(_ context.Context, refs ...store.Ref) ([]fhir.Resource, error) {
	out := make([]fhir.Resource, len(refs))
	for i, ref := range refs {
		for _, v := range t.at().versions {
			if v.Key == ref.Key && v.Version == ref.Version {
				out[i] = v.body
			}
		}
	}
	return out, nil
}

func (t *memoryTx) Patients(_ context.Context, ks ...fhir.Key) ([]fhir.PatientFacts, error) {
	w := t.at().world()
	out := make([]fhir.PatientFacts, len(ks))
	for i, k := range ks {
		out[i] = w.patient(k)
		out[i].Relations = slices.Clone(out[i].Relations)
	}
	return out, nil
}

func (t *memoryTx) Landscape(context.Context) (store.Landscape, error) {
	return store.Landscape{Epoch: t.at().epoch, Classes: t.at().classes, Profiles: t.at().known}, nil
}

func (t *memoryTx) Memo(_ context.Context, space, k string) (fhir.Memo, error) {
	m := t.at().memos[[2]string{space, k}]
	if m.Version == 0 || !m.Expires.IsZero() && !t.m.now().Before(m.Expires) {
		return fhir.Memo{}, nil
	}
	return m, nil
}

func (t *memoryTx) Lock(context.Context, ...store.MatchKey) error { return nil }

func (t *memoryTx) write(v version) version {
	now := t.m.now()
	if now.Before(t.at().last) {
		now = t.at().last
	}
	t.at().last = now
	v.Updated = now.UTC().Truncate(time.Microsecond)
	v.seq = fhir.Seq{Tx: t.at().tx, N: int64(len(t.at().versions))}
	return v
}

func (t *memoryTx) Put(_ context.Context, r fhir.Resource, rec store.Record, c store.Condition) (store.Head, fhir.Resource, error) {
	old, ok := t.at().latest(r.Key)
	if ok && c.Absent {
		return store.Head{}, fhir.Resource{}, fhir.Errorf(fhir.Duplicate, "", "in use")
	}
	if c.IfMatch != 0 && c.IfMatch != old.Version {
		return store.Head{}, fhir.Resource{}, fhir.Errorf(fhir.Stale, "", "another version")
	}
	v := t.write(version{row: row{Record: rec}})
	v.Head = store.Head{Head: fhir.Head{Key: r.Key, Version: old.Version + 1, Updated: v.Updated}, Facts: rec.Facts}
	body, err := r.Stamp(r.ID, v.Version, v.Updated)
	if err != nil {
		return store.Head{}, fhir.Resource{}, err
	}
	v.body = body
	t.at().versions = append(t.at().versions, v)
	if !slices.Contains(t.at().classes, rec.Class) {
		t.at().classes = append(t.at().classes, rec.Class)
		t.at().epoch++
	}
	return v.Head, body, nil
}

func (t *memoryTx) Delete(_ context.Context, k fhir.Key, c store.Condition) (store.Head, error) {
	old, ok := t.at().latest(k)
	if c.IfMatch != 0 && c.IfMatch != old.Version {
		return store.Head{}, fhir.Errorf(fhir.Stale, "", "another version")
	}
	if !ok || old.Deleted {
		return old.Head, nil
	}
	v := t.write(version{row: row{Record: store.Record{Facts: old.Record.Facts}}})
	v.Head = store.Head{Head: fhir.Head{Key: k, Version: old.Version + 1, Updated: v.Updated, Deleted: true}, Facts: old.Record.Facts}
	t.at().versions = append(t.at().versions, v)
	return v.Head, nil
}

func (t *memoryTx) SetProfile(_ context.Context, k fhir.Key, p fhir.Profile, until time.Time) error {
	t.at().profiles[k] = fhir.PatientFacts{Patient: k, Profile: p, Until: until}
	if !slices.Contains(t.at().known, p) {
		t.at().known = append(t.at().known, p)
		t.at().epoch++
	}
	return nil
}

func (t *memoryTx) SetMemo(ctx context.Context, m fhir.Memo) error {
	if old, _ := t.Memo(ctx, m.Space, m.Key); old.Version != m.Version {
		return fhir.Errorf(fhir.Conflict, "", "another version")
	}
	m.Version++
	t.at().memos[[2]string{m.Space, m.Key}] = m
	return nil
}

func (t *memoryTx) Enqueue(_ context.Context, w fhir.Work) error {
	if t.at().done[w.ID] || slices.ContainsFunc(t.at().works, func(x fhir.Work) bool { return x.ID == w.ID }) {
		return nil
	}
	w.Born = t.m.now()
	t.at().works = append(t.at().works, w)
	return nil
}

func (t *memoryTx) Append(_ context.Context, es ...store.Entry) error {
	for _, e := range es {
		if !slices.ContainsFunc(t.at().entries, func(x store.Entry) bool { return x.ID == e.ID }) {
			t.at().entries = append(t.at().entries, e)
		}
	}
	return nil
}
