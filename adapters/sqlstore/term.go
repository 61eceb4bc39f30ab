package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"rapport/fhir"
)

// terms remembers committed numbers of texts and of keys. They never change and
// are never taken back, so that what is remembered is true for every snapshot; one
// that does not know a number yet has no row with it either.
type terms struct {
	mu     sync.RWMutex
	number map[string]int64
	text   map[int64]string
	rid    map[fhir.Key]int64
	marks  map[mark]bool

	rids sync.Mutex
	next int64 // number of the next new resource
	end  int64 // the first that is not this process's to give
}

// blockOfRids is the increment of the sequence res_rid.
const blockOfRids = 64

// nextRid gives out a number that no resource has. One whose transaction is undone is
// lost, which does not matter.
func (t *terms) nextRid(ctx context.Context, s session) (n int64, err error) {
	t.rids.Lock()
	defer t.rids.Unlock()
	if t.next == t.end {
		if _, err := one(ctx, s, `SELECT nextval('res_rid')`, nil, &n); err != nil {
			return 0, err
		}
		t.next, t.end = n, n+blockOfRids
	}
	n = t.next
	t.next++
	return n, nil
}

// mark says that a class or profile is in the landscape, or a writer in its list.
type mark struct {
	kind int
	text string
}

// How many are remembered. Systems and keys are the callers' to invent.
const (
	maxTerms = 50_000
	maxKeys  = 50_000
)

func newTerms() *terms {
	t := &terms{}
	t.forget()
	return t
}

func (t *terms) forget() {
	t.number, t.text, t.rid = map[string]int64{"": 0}, map[int64]string{0: ""}, map[fhir.Key]int64{}
	t.marks = map[mark]bool{}
}

func (t *terms) numberOf(text string) (int64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, ok := t.number[text]
	return n, ok
}

func (t *terms) ridOf(k fhir.Key) (int64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, ok := t.rid[k]
	return n, ok
}

func (t *terms) learn(number map[string]int64, rid map[fhir.Key]int64) {
	if len(number)+len(rid) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.number)+len(number) > maxTerms || len(t.rid)+len(rid) > maxKeys {
		t.forget()
	}
	for s, n := range number {
		t.number[s], t.text[n] = n, s
	}
	maps.Copy(t.rid, rid)
}

func (t *terms) mark(ms []mark) {
	if len(ms) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range ms {
		t.marks[m] = true
	}
}

// first reports whether a mark may not be in the store yet.
func (r *reader) first(m mark) bool {
	r.t.terms.mu.RLock()
	known := r.t.terms.marks[m]
	r.t.terms.mu.RUnlock()
	if known || slices.Contains(r.fresh.marks, m) {
		return false
	}
	r.fresh.marks = append(r.fresh.marks, m)
	return true
}

// find returns the numbers of texts that have one.
func (r *reader) find(ctx context.Context, texts ...string) (map[string]int64, error) {
	out := make(map[string]int64, len(texts))
	var miss []string
	var args [][]any
	for _, s := range texts {
		if n, ok := r.number(s); ok {
			out[s] = n
		} else if _, twice := out[s]; !twice {
			out[s] = -1
			miss, args = append(miss, s), append(args, []any{r.t.id, r.words().clean(s)})
		}
	}
	found := map[string]int64{}
	err := r.each(ctx, `SELECT term FROM term WHERE tenant = $1 AND text = $2`, args, func(i int, w row) error {
		var n int64
		err := w.scan(&n)
		found[miss[i]] = n
		return err
	})
	for _, s := range miss {
		delete(out, s)
	}
	maps.Copy(out, found)
	r.learn(found, nil)
	return out, err
}

// texts fills in the text of each number.
func (r *reader) texts(ctx context.Context, of map[int64]string) error {
	var miss []int64
	var args [][]any
	r.t.terms.mu.RLock()
	for n := range of {
		s, ok := r.t.terms.text[n]
		if !ok {
			s, ok = r.fresh.text[n]
		}
		if of[n] = s; !ok {
			miss, args = append(miss, n), append(args, []any{r.t.id, n})
		}
	}
	r.t.terms.mu.RUnlock()
	if len(miss) == 0 {
		return nil
	}
	found := map[string]int64{}
	err := r.each(ctx, `SELECT text FROM term WHERE tenant = $1 AND term = $2`, args, func(i int, w row) error {
		var s string
		err := w.scan(&s)
		of[miss[i]] = s
		found[s] = miss[i]
		return err
	})
	if err == nil && len(found) != len(miss) {
		err = fmt.Errorf("%d of %d terms are missing in the store", len(miss)-len(found), len(miss))
	}
	r.learn(found, nil)
	return err
}

// fresh is what a transaction numbered and is not committed yet.
type fresh struct {
	number map[string]int64
	text   map[int64]string
	rid    map[fhir.Key]int64
	marks  []mark
}

func (r *reader) number(s string) (int64, bool) {
	if n, ok := r.t.terms.numberOf(s); ok {
		return n, true
	}
	n, ok := r.fresh.number[s]
	return n, ok
}

func (r *reader) rid(k fhir.Key) (int64, bool) {
	if n, ok := r.t.terms.ridOf(k); ok {
		return n, true
	}
	n, ok := r.fresh.rid[k]
	return n, ok
}

// learn remembers what was read: at once if a snapshot has it, which is committed,
// with the commit if a transaction has it, which may have it from a neighbour.
func (r *reader) learn(number map[string]int64, rid map[fhir.Key]int64) {
	if !r.writes {
		r.t.terms.learn(number, rid)
		return
	}
	if r.fresh.number == nil {
		r.fresh.number, r.fresh.text, r.fresh.rid = map[string]int64{}, map[int64]string{}, map[fhir.Key]int64{}
	}
	for s, n := range number {
		r.fresh.number[s], r.fresh.text[n] = n, s
	}
	maps.Copy(r.fresh.rid, rid)
}

// rids returns the numbers of keys that have one.
func (r *reader) rids(ctx context.Context, ks ...fhir.Key) (map[fhir.Key]int64, error) {
	out := make(map[fhir.Key]int64, len(ks))
	var miss []fhir.Key
	var types []string
	for _, k := range ks {
		if n, ok := r.rid(k); ok {
			out[k] = n
		} else {
			miss, types = append(miss, k), append(types, k.Type)
		}
	}
	if len(miss) == 0 {
		return out, nil
	}
	number, err := r.find(ctx, types...)
	if err != nil {
		return nil, err
	}
	args := make([][]any, 0, len(miss))
	asked := miss[:0:0]
	for _, k := range miss {
		if n, ok := number[k.Type]; ok {
			args, asked = append(args, []any{r.t.id, n, k.ID}), append(asked, k)
		}
	}
	found := map[fhir.Key]int64{}
	err = r.each(ctx, `SELECT rid FROM res WHERE tenant = $1 AND type = $2 AND id = $3`, args, func(i int, w row) error {
		var n int64
		err := w.scan(&n)
		found[asked[i]] = n
		return err
	})
	maps.Copy(out, found)
	r.learn(nil, found)
	return out, err
}
