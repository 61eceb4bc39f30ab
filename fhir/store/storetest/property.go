package storetest

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/fhir/store"
)

var queries = []testCase{
	{"find, see and count what the reference does, over random worlds", func(t *testing.T, s store.Store) {
		var n atomic.Int64
		rapid.Check(t, func(rt *rapid.T) {
			c := newScene(n.Add(1))
			w := c.build(t, rt, s)
			for range 6 {
				c.compare(t, rt, s, w, c.sight(rt), c.query(rt))
			}
			c.judged(t, rt, s, w, c.sight(rt))
		})
	}},
	{"a parameter of a modifier that is not served is refused", func(t *testing.T, s store.Store) {
		put(t, s, key("Goal", "1"), "a", about("c"))
		q := fhir.Query{Type: "Goal", Count: 1, Where: []fhir.Clause{{Param: "code", Kind: fhir.Token, Modifier: "in", Any: []fhir.Operand{{Code: "x"}}}}}
		_, err := tryAsk(within(t), s, func(ctx context.Context, r store.Reader) (store.Page, error) { return r.Find(ctx, all, q) })
		refused(t, err, fhir.NotSupported)
	}},
	{"the zero sight finds nothing and counts nothing", func(t *testing.T, s store.Store) {
		put(t, s, key("Goal", "1"), "a", about("c"))
		p := find(t, s, fhir.Sight{}, fhir.Query{Type: "Goal", Count: 5, Total: true})
		if len(p.Found) != 0 || p.Total == nil || *p.Total != 0 || p.Next != "" {
			t.Errorf("got %+v", p)
		}
	}},
	{"no total is told that was not asked for, and none but the total with count 0", func(t *testing.T, s store.Store) {
		put(t, s, key("Goal", "1"), "a", about("c"))
		if p := find(t, s, all, fhir.Query{Type: "Goal", Count: 5}); p.Total != nil || len(p.Found) != 1 {
			t.Errorf("not asked for: %+v", p)
		}
		if p := find(t, s, all, fhir.Query{Type: "Goal", Total: true}); p.Total == nil || *p.Total != 1 || len(p.Found) != 0 {
			t.Errorf("count 0: %+v", p)
		}
	}},
	{"what many are asked for at once is found", func(t *testing.T, s store.Store) {
		var any []fhir.Operand
		update(t, s, func(ctx context.Context, tx store.Tx) error {
			for i := range 30 {
				if _, _, err := tx.Put(ctx, made(key("Goal", id("g", i)), "a"), identified(id("v", i)), store.Condition{}); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 1500 {
			any = append(any, fhir.Operand{System: "urn:s", HasSystem: true, Code: id("v", i)})
		}
		q := fhir.Query{Type: "Goal", Count: 50, Total: true, Where: []fhir.Clause{{Param: "identifier", Kind: fhir.Token, Any: any}}}
		if p := find(t, s, all, q); len(p.Found) != 30 || *p.Total != 30 {
			t.Errorf("%d found, %d counted of 30", len(p.Found), *p.Total)
		}
	}},
}

// build writes a random world in two transactions: first versions, then changes.
func (c scene) build(t *testing.T, rt *rapid.T, s store.Store) *world {
	type step struct {
		k       fhir.Key
		rec     store.Record
		removed bool
	}
	var first, second []step
	for _, k := range c.all() {
		if rapid.IntRange(0, 9).Draw(rt, "absent") > 0 {
			first = append(first, step{k: k, rec: c.record(rt, k)})
		}
	}
	for _, st := range some(rt, "changed", first, 4) {
		second = append(second, step{k: st.k, rec: c.record(rt, st.k), removed: rapid.IntRange(0, 2).Draw(rt, "removed") == 0})
	}
	w := &world{patients: map[fhir.Key]fhir.PatientFacts{}}
	for _, p := range some(rt, "profiled", c.patients, 3) {
		w.patients[p] = fhir.PatientFacts{Patient: p, Profile: one(rt, "profile", profileNames...), Until: momentOrNone(rt, "until")}
	}
	rows := map[fhir.Key]row{}
	for _, steps := range [][]step{first, second} {
		update(t, s, func(ctx context.Context, tx store.Tx) error {
			for _, st := range steps {
				if st.removed {
					h, err := tx.Delete(ctx, st.k, store.Condition{})
					if err != nil {
						return err
					}
					rows[st.k] = row{Head: h, Record: store.Record{Facts: rows[st.k].Record.Facts}}
					continue
				}
				h, _, err := tx.Put(ctx, made(st.k, "x"), st.rec, store.Condition{})
				if err != nil {
					return err
				}
				rows[st.k] = row{Head: h, Record: st.rec}
			}
			for p, f := range w.patients {
				if err := tx.SetProfile(ctx, p, f.Profile, f.Until); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, k := range c.all() {
		r, ok := rows[k]
		if !ok {
			continue
		}
		r.Head.Facts = r.Record.Facts // not what the store says they are
		w.rows = append(w.rows, r)
		for _, rel := range r.Relations {
			p := w.patient(rel.Patient)
			p.Relations = append(slices.Clone(p.Relations), rel)
			w.patients[rel.Patient] = p
		}
	}
	return w
}

// compare asks the store and the reference the same.
func (c scene) compare(t *testing.T, rt *rapid.T, s store.Store, w *world, sight fhir.Sight, q fhir.Query) {
	want := w.matches(sight, q)
	var got []row
	seen := map[fhir.Key]row{}
	for _, r := range w.rows {
		seen[r.Key] = r
	}
	for page := 0; ; page++ {
		if page > len(want)+1 {
			rt.Fatalf("pages do not end: %s", q.Canonical())
		}
		p := find(t, s, sight, q)
		if p.Total == nil || *p.Total != len(want) {
			rt.Fatalf("total %v, want %d: %s", p.Total, len(want), q.Canonical())
		}
		ms, inc := keysOf(p)
		if len(ms) > q.Count {
			rt.Fatalf("%d matches on a page of %d: %s", len(ms), q.Count, q.Canonical())
		}
		var on []row
		for _, k := range ms {
			on = append(on, seen[k])
		}
		got = append(got, on...)
		c.sameIncluded(rt, inc, w.included(sight, q, on), q)
		if p.Next == "" {
			break
		}
		q.After = p.Next
	}
	for _, cl := range q.Where {
		for _, r := range w.rows {
			if cl.Chain == nil && cl.Has == nil && !r.Deleted && cl.Meets(r.Head.Head, r.Index) != w.holds(sight, r, cl) {
				rt.Fatalf("the reference and fhir.Clause.Meets differ about %s: %s", r.Key, q.Canonical())
			}
		}
	}
	if d := cmp.Diff(sorted(want), sorted(got)); d != "" {
		rt.Fatalf("matches (-want +got):\n%s\n%s", d, q.Canonical())
	}
	for i := 1; i < len(got); i++ {
		if compareBy(q.Sort, got[i-1], got[i]) > 0 {
			rt.Fatalf("%s before %s: %s", got[i-1].Key, got[i].Key, q.Canonical())
		}
	}
}

func (c scene) sameIncluded(rt *rapid.T, got []fhir.Key, want map[fhir.Key]bool, q fhir.Query) {
	rest := map[fhir.Key]bool{}
	for _, k := range got {
		if rest[k] {
			rt.Fatalf("%s is included twice: %s", k, q.Canonical())
		}
		rest[k] = true
	}
	if d := cmp.Diff(want, rest, cmpopts.EquateEmpty()); d != "" {
		rt.Fatalf("included (-want +got):\n%s\n%s", d, q.Canonical())
	}
}

// judged compares Heads and Changes with Admits, tombstones too.
func (c scene) judged(t *testing.T, rt *rapid.T, s store.Store, w *world, sight fhir.Sight) {
	var want []fhir.Key
	for _, r := range w.rows {
		if w.admits(sight, r) {
			want = append(want, r.Key)
		}
	}
	var got []fhir.Key
	for _, h := range heads(t, s, sight, c.all()...) {
		got = append(got, h.Key)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		rt.Fatalf("heads (-want +got):\n%s", d)
	}
	for _, r := range w.rows {
		past := ask(t, s, func(ctx context.Context, rd store.Reader) (store.Changes, error) {
			return rd.Changes(ctx, sight, fhir.Scope{Type: r.Type, ID: r.ID}, fhir.Span{Count: 10})
		})
		if !w.admits(sight, r) && len(past.Heads) > 0 {
			rt.Fatalf("%s has a history of %d to whom its current version is hidden", r.Key, len(past.Heads))
		}
		for _, h := range past.Heads {
			if !sight.Admits(h.Type, h.Facts, w.patient) {
				rt.Fatalf("the history of %s holds version %d, which is hidden", r.Key, h.Version)
			}
		}
		if w.admits(sight, r) && (len(past.Heads) == 0 || past.Heads[0].Version != r.Version) {
			rt.Fatalf("the history of %s lacks its current version", r.Key)
		}
	}
}

func sorted(rs []row) (ks []fhir.Key) {
	for _, r := range rs {
		ks = append(ks, r.Key)
	}
	slices.SortFunc(ks, fhir.Key.Compare)
	return ks
}
