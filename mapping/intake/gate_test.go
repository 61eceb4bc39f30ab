package intake_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"rapport/fhir"
)

// memory is a gate that lets everything through and keeps the current versions,
// for tests of the run itself. Whether callers may is tested where gates are made.
type memory struct {
	now    map[fhir.Key]fhir.Resource
	past   map[fhir.Key][]fhir.Resource // versions, zero for one that was deleted
	writes int                          // versions written since the last look
	refuse func(fhir.Resource) error    // of a Put; optional
	fail   func() error                 // of an Update as a whole; optional
}

func newMemory() *memory {
	return &memory{now: map[fhir.Key]fhir.Resource{}, past: map[fhir.Key][]fhir.Resource{}}
}

func (m *memory) View(_ context.Context, a fhir.Act, f func(fhir.Reader) error) error {
	if a.Type == "" {
		return fhir.Errorf(fhir.Forbidden, "", "what is read is not said")
	}
	return f(&memoryTx{m: m, now: m.now, past: m.past})
}

func (m *memory) Update(_ context.Context, a fhir.Act, f func(fhir.Tx) error) error {
	if m.fail != nil {
		if err := m.fail(); err != nil {
			return err
		}
	}
	tx := &memoryTx{m: m, now: maps.Clone(m.now), past: maps.Clone(m.past), writes: new(int)}
	if err := f(tx); err != nil {
		return err
	}
	m.now, m.past = tx.now, tx.past
	m.writes += *tx.writes
	return nil
}

func (m *memory) of(typ string) (out []fhir.Resource) {
	for k, r := range m.now {
		if k.Type == typ {
			out = append(out, r)
		}
	}
	return out
}

type memoryTx struct {
	m      *memory
	now    map[fhir.Key]fhir.Resource
	past   map[fhir.Key][]fhir.Resource
	writes *int
	act    fhir.Act
}

func (t *memoryTx) As(a fhir.Act) fhir.Tx { c := *t; c.act = a; return &c }

func (t *memoryTx) Read(_ context.Context, k fhir.Key) (fhir.Resource, error) {
	r, ok := t.now[k]
	if !ok {
		return r, fhir.Missing(k)
	}
	return r, nil
}

func (t *memoryTx) Put(_ context.Context, r fhir.Resource, c fhir.Condition) (fhir.Written, error) {
	right := fhir.Update
	if r.Type == "Provenance" { // is added and never changed
		right = fhir.Create
	}
	if t.act.Type != r.Type || t.act.ID != r.ID || t.act.Interaction != right {
		return fhir.Written{}, fhir.Errorf(fhir.Forbidden, "", "the act is another than the write")
	}
	if t.m.refuse != nil {
		if err := t.m.refuse(r); err != nil {
			return fhir.Written{}, err
		}
	}
	old, there := t.now[r.Key]
	if there && c.SkipUnchanged && fhir.SameContent(old, r) {
		return fhir.Written{Head: fhir.Head{Key: r.Key}, Effect: fhir.Unchanged, Resource: old}, nil
	}
	t.now[r.Key] = r
	version := t.keep(r.Key, r)
	effect := fhir.Created
	if there {
		effect = fhir.Updated
	}
	return fhir.Written{Head: fhir.Head{Key: r.Key, Version: version, Updated: still()}, Effect: effect, Resource: r}, nil
}

func (t *memoryTx) Delete(_ context.Context, k fhir.Key, _ fhir.Condition) (fhir.Written, error) {
	if t.act.Type != k.Type || t.act.Interaction != fhir.Delete {
		return fhir.Written{}, fhir.Errorf(fhir.Forbidden, "", "the act is another than the write")
	}
	if _, ok := t.now[k]; !ok {
		return fhir.Written{Head: fhir.Head{Key: k}, Effect: fhir.Unchanged}, nil
	}
	delete(t.now, k)
	return fhir.Written{Head: fhir.Head{Key: k, Version: t.keep(k, fhir.Resource{})}, Effect: fhir.Removed}, nil
}

// keep adds a version and returns its number.
func (t *memoryTx) keep(k fhir.Key, r fhir.Resource) int64 {
	*t.writes++
	t.past[k] = append(slices.Clone(t.past[k]), r)
	return int64(len(t.past[k]))
}

func (t *memoryTx) Derive(ctx context.Context, _ fhir.Head, rs ...fhir.Resource) (out []fhir.Written, err error) {
	for _, r := range rs {
		if r.IsZero() {
			w, err := t.As(fhir.Act{Interaction: fhir.Delete, Type: r.Type, ID: r.ID}).Delete(ctx, r.Key, fhir.Condition{})
			if err != nil {
				return nil, err
			}
			out = append(out, w)
			continue
		}
		act := fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}
		if r.Type == "Provenance" {
			act.Interaction = fhir.Create
		}
		w, err := t.As(act).Put(ctx, r, fhir.Condition{SkipUnchanged: true})
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// Search finds by ids alone: what a Deriver asks for is not found.
func (t *memoryTx) Search(_ context.Context, q fhir.Query) (s fhir.Set, err error) {
	if t.act.Interaction != fhir.SearchType || t.act.Type != q.Type || len(q.Where) != 1 || q.Where[0].Kind != fhir.Special {
		return s, nil
	}
	for _, o := range q.Where[0].Any {
		if r, ok := t.now[fhir.Key{Type: q.Type, ID: o.Code}]; ok {
			s.Entries = append(s.Entries, fhir.Entry{Head: fhir.Head{Key: r.Key}, Mode: fhir.Match, Resource: r})
		}
	}
	return s, nil
}

func (t *memoryTx) ReadVersion(_ context.Context, k fhir.Key, version int64) (fhir.Resource, error) {
	if version < 1 || version > int64(len(t.past[k])) || t.past[k][version-1].IsZero() {
		return fhir.Resource{}, fhir.Missing(k)
	}
	return t.past[k][version-1], nil
}

func (t *memoryTx) History(context.Context, fhir.Scope, fhir.Span) (fhir.Set, error) {
	return fhir.Set{}, errNotUsed
}

func (t *memoryTx) Enqueue(context.Context, fhir.Work) error { return errNotUsed }

func (*memoryTx) Recall(context.Context, string) ([]byte, error) { return nil, errNotUsed }

func (*memoryTx) Remember(context.Context, string, []byte, time.Duration) error { return errNotUsed }

var errNotUsed = errors.New("an import has no use for this")

// ids counts.
func ids() fhir.NewIDs {
	n := 0
	return func() string { n++; return "run-" + strconv.Itoa(n) }
}

func still() time.Time { return time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC) }
