package web

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/policy"
)

// memory is a Gates over resources in memory, for what /practice asks and no more.
// It sees and allows all but what hides and forbids say.
type memory struct {
	mu       sync.Mutex
	versions map[fhir.Key][]fhir.Resource // the zero Resource: a tombstone
	works    []fhir.Work
	memos    map[string][]byte
	hides    map[fhir.Key]bool
	forbids  func(fhir.Act) bool
	engine   *search.Engine
	fails    []error // of the next transactions, at their end
}

func newMemory(t *testing.T, rs ...fhir.Resource) *memory {
	t.Helper()
	e, err := search.New(spec.R4(), spec.Capability())
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{versions: map[fhir.Key][]fhir.Resource{}, memos: map[string][]byte{}, hides: map[fhir.Key]bool{}, engine: e, forbids: func(fhir.Act) bool { return false }}
	for _, r := range rs {
		m.versions[r.Key] = []fhir.Resource{r}
	}
	return m
}

// get is the current version as it is stored; the zero Resource where there is none.
func (m *memory) get(k fhir.Key) fhir.Resource {
	vs := m.versions[k]
	if len(vs) == 0 {
		return fhir.Resource{}
	}
	return vs[len(vs)-1]
}

// count is how many versions there are of everything.
func (m *memory) count() (n int) {
	for _, vs := range m.versions {
		n += len(vs)
	}
	return n
}

// of lists what is current of a type, by id.
func (m *memory) of(typ string) (out []fhir.Resource) {
	for _, k := range slices.SortedFunc(maps.Keys(m.versions), fhir.Key.Compare) {
		if r := m.get(k); k.Type == typ && !r.IsZero() {
			out = append(out, r)
		}
	}
	return out
}

func (m *memory) For(policy.Principal) fhir.Gate { return m }

func (m *memory) View(_ context.Context, a fhir.Act, f func(fhir.Reader) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return f(&memoryTx{m, a})
}

func (m *memory) Update(_ context.Context, a fhir.Act, f func(fhir.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, works, memos := maps.Clone(m.versions), m.works, m.memos
	err := f(&memoryTx{m, a})
	if err == nil && len(m.fails) > 0 {
		err, m.fails = m.fails[0], m.fails[1:]
	}
	if err != nil {
		m.versions, m.works, m.memos = before, works, memos
	}
	return err
}

type memoryTx struct {
	*memory
	act fhir.Act
}

func (t *memoryTx) As(a fhir.Act) fhir.Tx { return &memoryTx{t.memory, a} }

func (t *memoryTx) pass() error {
	if t.forbids(t.act) {
		return &fhir.Error{Code: fhir.Forbidden, Detail: "You may not do this."}
	}
	return nil
}

func (t *memoryTx) Read(_ context.Context, k fhir.Key) (fhir.Resource, error) {
	if err := t.pass(); err != nil {
		return fhir.Resource{}, err
	}
	switch vs := t.versions[k]; {
	case len(vs) == 0 || t.hides[k]:
		return fhir.Resource{}, fhir.Missing(k)
	case t.get(k).IsZero():
		return fhir.Resource{}, &fhir.Error{Code: fhir.Deleted, Detail: "It was deleted."}
	}
	return t.get(k), nil
}

func (t *memoryTx) ReadVersion(_ context.Context, k fhir.Key, v int64) (fhir.Resource, error) {
	if vs := t.versions[k]; !t.hides[k] && v >= 1 && int(v) <= len(vs) {
		return vs[v-1], nil
	}
	return fhir.Resource{}, fhir.Missing(k)
}

func (t *memoryTx) Search(_ context.Context, q fhir.Query) (fhir.Set, error) {
	var set fhir.Set
	for _, r := range t.of(q.Type) {
		ix, err := t.engine.Index(r)
		if err != nil {
			return set, err
		}
		if t.engine.Match(q.Where, r, ix) {
			set.Entries = append(set.Entries, fhir.Entry{Head: fhir.Head{Key: r.Key, Version: r.Version}, Resource: r})
		}
	}
	when := func(e fhir.Entry) string { return e.Resource.Root().Get("effectiveDateTime").Text() }
	slices.SortFunc(set.Entries, func(a, b fhir.Entry) int { return cmp.Compare(when(a), when(b)) })
	if len(q.Sort) > 0 && q.Sort[0].Desc {
		slices.Reverse(set.Entries)
	}
	return set, nil
}

func (t *memoryTx) History(context.Context, fhir.Scope, fhir.Span) (fhir.Set, error) {
	return fhir.Set{}, fhir.Errorf(fhir.NotSupported, "", "no history here")
}

func (t *memoryTx) Put(_ context.Context, r fhir.Resource, c fhir.Condition) (fhir.Written, error) {
	if err := t.pass(); err != nil {
		return fhir.Written{}, err
	}
	if t.hides[r.Key] {
		return fhir.Written{}, &fhir.Error{Code: fhir.Duplicate, Detail: "This key cannot be used."}
	}
	old, effect := t.get(r.Key), fhir.Updated
	if old.IsZero() {
		effect = fhir.Created
	} else if c.SkipUnchanged && fhir.SameContent(old, r) {
		return fhir.Written{Head: fhir.Head{Key: r.Key, Version: old.Version}, Effect: fhir.Unchanged, Resource: old}, nil
	}
	n := int64(len(t.versions[r.Key]) + 1)
	r, err := r.Stamp(r.ID, n, noon())
	if err != nil {
		return fhir.Written{}, err
	}
	t.versions[r.Key] = append(slices.Clip(t.versions[r.Key]), r)
	return fhir.Written{Head: fhir.Head{Key: r.Key, Version: n}, Effect: effect, Resource: r}, nil
}

func (t *memoryTx) Delete(_ context.Context, k fhir.Key, _ fhir.Condition) (fhir.Written, error) {
	if err := t.pass(); err != nil {
		return fhir.Written{}, err
	}
	if t.get(k).IsZero() {
		return fhir.Written{Head: fhir.Head{Key: k}, Effect: fhir.Unchanged}, nil
	}
	t.versions[k] = append(slices.Clip(t.versions[k]), fhir.Resource{})
	return fhir.Written{Head: fhir.Head{Key: k, Version: int64(len(t.versions[k])), Deleted: true}, Effect: fhir.Removed}, nil
}

func (t *memoryTx) Derive(ctx context.Context, _ fhir.Head, rs ...fhir.Resource) (out []fhir.Written, err error) {
	free := &memoryTx{t.memory, fhir.Act{}}
	for _, r := range rs {
		if r.IsZero() {
			w, err := free.Delete(ctx, r.Key, fhir.Condition{})
			if err != nil {
				return nil, err
			}
			out = append(out, w)
			continue
		}
		w, err := free.Put(ctx, r, fhir.Condition{SkipUnchanged: true})
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

func (t *memoryTx) Enqueue(_ context.Context, w fhir.Work) error {
	t.works = append(slices.Clip(t.works), w)
	return nil
}

func (t *memoryTx) Recall(_ context.Context, key string) ([]byte, error) { return t.memos[key], nil }

func (t *memoryTx) Remember(_ context.Context, key string, value []byte, _ time.Duration) error {
	t.memos = maps.Clone(t.memos)
	t.memos[key] = value
	return nil
}
