package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Run holds a store to its contract. open returns the store of a tenant in which
// nothing was written yet, and closes it with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, theme := range themes {
		t.Run(theme.name, func(t *testing.T) {
			for _, c := range theme.cases {
				t.Run(c.name, func(t *testing.T) { c.f(t, open(t)) })
			}
		})
	}
}

// RunClock holds a store to what can be seen only with a clock in hand: times that
// do not run backwards, expiry of memos and leases. open's store tells time by clock.
func RunClock(t *testing.T, open func(t *testing.T, clock fhir.Clock) store.Store) {
	for _, c := range clocked {
		t.Run(c.name, func(t *testing.T) {
			at := &hand{now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
			c.f(t, open(t, at.Now), at)
		})
	}
}

type theme struct {
	name  string
	cases []testCase
}

type testCase struct {
	name string
	f    func(t *testing.T, s store.Store)
}

type clockCase struct {
	name string
	f    func(t *testing.T, s store.Store, at *hand)
}

var themes = []theme{
	{"versions", versions}, {"history", histories}, {"conditions", conditions}, {"races", races},
	{"transactions", transactions}, {"queries", queries}, {"pages", pages}, {"patients", patients},
	{"feed", feeds}, {"memos", memos}, {"outbox", outbox}, {"journal", journals},
}

// hand is a clock that tests move.
type hand struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hand) move(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// patience is how long anything may take before a test calls it stuck.
const patience = 60 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// all sees everything.
var all = fhir.Omniscient()

func key(typ, id string) fhir.Key { return fhir.Key{Type: typ, ID: id} }

// made returns a resource with a text to tell versions apart.
func made(k fhir.Key, text string) fhir.Resource {
	r, err := fhir.Parse([]byte(fmt.Sprintf(`{"resourceType":%q,"id":%q,"language":%q}`, k.Type, k.ID, text)))
	if err != nil {
		panic(err)
	}
	return r
}

// textOf is what made was given.
func textOf(r fhir.Resource) string { return r.Root().Get("language").Text() }

// put writes k in a transaction of its own.
func put(t *testing.T, s store.Store, k fhir.Key, text string, rec store.Record) (store.Head, fhir.Resource) {
	t.Helper()
	h, r, err := tryPut(within(t), s, k, text, rec, store.Condition{})
	if err != nil {
		t.Fatalf("put %s: %v", k, err)
	}
	return h, r
}

func tryPut(ctx context.Context, s store.Store, k fhir.Key, text string, rec store.Record, c store.Condition) (h store.Head, r fhir.Resource, err error) {
	err = s.Update(ctx, func(tx store.Tx) error {
		var err error
		h, r, err = tx.Put(ctx, made(k, text), rec, c)
		return err
	})
	return h, r, err
}

func remove(t *testing.T, s store.Store, k fhir.Key) store.Head {
	t.Helper()
	h, err := tryRemove(within(t), s, k, store.Condition{})
	if err != nil {
		t.Fatalf("delete %s: %v", k, err)
	}
	return h
}

func tryRemove(ctx context.Context, s store.Store, k fhir.Key, c store.Condition) (h store.Head, err error) {
	err = s.Update(ctx, func(tx store.Tx) error {
		var err error
		h, err = tx.Delete(ctx, k, c)
		return err
	})
	return h, err
}

// update runs f in a transaction that must succeed.
func update(t *testing.T, s store.Store, f func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	ctx := within(t)
	if err := s.Update(ctx, func(tx store.Tx) error { return f(ctx, tx) }); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// ask runs one question in a View of its own.
func ask[T any](t *testing.T, s store.Store, f func(ctx context.Context, r store.Reader) (T, error)) T {
	t.Helper()
	out, err := tryAsk(within(t), s, f)
	if err != nil {
		t.Fatalf("view: %v", err)
	}
	return out
}

func tryAsk[T any](ctx context.Context, s store.Store, f func(ctx context.Context, r store.Reader) (T, error)) (out T, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		var err error
		out, err = f(ctx, r)
		return err
	})
	return out, err
}

func heads(t *testing.T, s store.Store, sight fhir.Sight, ks ...fhir.Key) []store.Head {
	t.Helper()
	return ask(t, s, func(ctx context.Context, r store.Reader) ([]store.Head, error) { return r.Heads(ctx, sight, ks...) })
}

func bodies(t *testing.T, s store.Store, refs ...store.Ref) []fhir.Resource {
	t.Helper()
	return ask(t, s, func(ctx context.Context, r store.Reader) ([]fhir.Resource, error) { return r.Bodies(ctx, refs...) })
}

func find(t *testing.T, s store.Store, sight fhir.Sight, q fhir.Query) store.Page {
	t.Helper()
	return ask(t, s, func(ctx context.Context, r store.Reader) (store.Page, error) { return r.Find(ctx, sight, q) })
}

// current returns the version that k has, 0 if it was never written.
func current(t *testing.T, s store.Store, k fhir.Key) int64 {
	t.Helper()
	hs := heads(t, s, all, k)
	if len(hs) == 0 {
		return 0
	}
	return hs[0].Version
}

// keysOf lists what a page found, matches and included apart.
func keysOf(p store.Page) (matches, included []fhir.Key) {
	for _, f := range p.Found {
		if f.Mode == fhir.Included {
			included = append(included, f.Key)
		} else {
			matches = append(matches, f.Key)
		}
	}
	return matches, included
}

// about is a record of facts alone.
func about(class fhir.Class, patients ...fhir.Key) store.Record {
	return store.Record{Facts: fhir.Facts{Class: class, Patients: patients}}
}

// identified is a record that a token finds.
func identified(value string) store.Record {
	return store.Record{Facts: fhir.Facts{Class: "c"}, Index: []fhir.Index{{Param: "identifier", Kind: fhir.Token, System: "urn:s", Code: value}}}
}

func byIdentifier(typ, value string) fhir.Query {
	return fhir.Query{Type: typ, Count: 10, Where: []fhir.Clause{{Param: "identifier", Kind: fhir.Token,
		Any: []fhir.Operand{{System: "urn:s", HasSystem: true, Code: value}}}}}
}

// together runs f n times at once and returns what each said.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// none fails for each error there is.
func none(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// refused fails unless err has the code.
func refused(t *testing.T, err error, c fhir.Code) {
	t.Helper()
	if !fhir.Is(err, c) {
		t.Errorf("got %v, want an error of code %s", err, c.Issue())
	}
}

// errWanted is what closures fail with on purpose.
var errWanted = errors.New("this closure fails")

// until polls ok until it holds.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 10 s still not: %s", what)
		}
	}
}
