package rediscache

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Keys seals and names what goes to Redis; policy/keyring does it.
type Keys interface {
	Hash(tenant, purpose string, parts ...string) [32]byte
	Seal(tenant, purpose string, plain, aad []byte) []byte
	Open(tenant, purpose string, sealed, aad []byte) ([]byte, error)
}

// purpose of the keys that Redis's content is sealed and named with.
const purpose = "cache"

// Config is what a cache needs.
type Config struct {
	Tenant string
	Redis  *Redis // nil: in process only
	Keys   Keys
	Clock  fhir.Clock // for how old what is held may be
	Log    *slog.Logger
}

// How much is held in process for one tenant, and for how long at most.
const (
	maxHeads    = 100_000
	maxPatients = 50_000
	maxPages    = 5_000
	maxBodies   = 64 << 20 // bytes
	pollEvery   = 200 * time.Millisecond
	tooOld      = time.Second // since the Feed was last followed
	pageStep    = 5 * time.Second

	profileEvery = 4   // polls, until the landscape is looked at anew
	ownPolls     = 300 // polls, until what was committed here must have come by
)

// Cache is a store in front of a store. Close it.
type Cache struct {
	store.Store
	Config
	heads    *otter.Cache[fhir.Key, store.Head]
	patients *otter.Cache[fhir.Key, fhir.PatientFacts]
	pages    *otter.Cache[[32]byte, store.Page]
	bodies   *otter.Cache[store.Ref, fhir.Resource]

	mu        sync.Mutex
	commits   uint64            // that are known of
	last      map[string]uint64 // by type: the last of them that wrote it
	landscape *store.Landscape
	own       map[store.Ref]uint64 // committed here, to come by in the Feed, and after how many polls
	polls     uint64
	fresh     time.Time // when the Feed was last followed to its end

	stop context.CancelFunc
	idle sync.WaitGroup
}

// Wrap puts a cache in front of one tenant's store.
func Wrap(inner store.Store, c Config) *Cache {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := &Cache{
		Store: inner, Config: c,
		heads:    otter.Must(&otter.Options[fhir.Key, store.Head]{MaximumSize: maxHeads}),
		patients: otter.Must(&otter.Options[fhir.Key, fhir.PatientFacts]{MaximumSize: maxPatients}),
		pages:    otter.Must(&otter.Options[[32]byte, store.Page]{MaximumSize: maxPages}),
		bodies: otter.Must(&otter.Options[store.Ref, fhir.Resource]{MaximumWeight: maxBodies,
			Weigher: func(_ store.Ref, r fhir.Resource) uint32 { return uint32(len(r.Body())) + 256 }}),
		last: map[string]uint64{},
		own:  map[store.Ref]uint64{},
	}
	ctx, stop := context.WithCancel(store.Background(context.Background()))
	k.stop = stop
	k.idle.Go(func() { k.follow(ctx) })
	return k
}

// Close stops following the Feed. The wrapped store stays open.
func (c *Cache) Close() {
	c.stop()
	c.idle.Wait()
}

// View answers from what is held, and opens a snapshot only for what is not. If
// what it answered turns out to be older than that snapshot, f runs again over the
// snapshot alone.
func (c *Cache) View(ctx context.Context, f func(store.Reader) error) error {
	return c.Store.View(ctx, func(in store.Reader) error {
		at, followed := c.note()
		r := &reader{Reader: in, c: c, at: at, followed: followed}
		err := f(r)
		if !r.torn {
			return err
		}
		return f(&reader{Reader: in, c: c, at: at, followed: followed, opened: true})
	})
}

// Update forgets what the transaction touched before it tells of success. After
// an error, too: a commit may have happened whose answer was lost.
func (c *Cache) Update(ctx context.Context, f func(store.Tx) error) error {
	t := &touched{}
	err := c.Store.Update(ctx, func(tx store.Tx) error {
		*t = touched{}
		return f(&writer{Tx: tx, t: t})
	})
	c.forget(t, err == nil)
	return err
}

// note remembers how many commits are known of, before anything is read, and
// whether those of others are known of at all yet.
func (c *Cache) note() (at uint64, followed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commits, !c.fresh.IsZero()
}

// usable reports whether what is held is known to be recent enough, and of the
// moment when at was noted.
func (c *Cache) usable(at uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commits == at && c.Clock().Sub(c.fresh) < tooOld
}

// keep runs put unless something of the type, of any for "", was written since at
// was noted.
func (c *Cache) keep(at uint64, typ string, put func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.commits == at || typ != "" && c.last[typ] <= at {
		put()
	}
}

// touched is what one transaction wrote.
type touched struct {
	heads    []store.Head
	patients []fhir.Key
	profiles []fhir.Profile
}

// forget drops what may no longer be true.
func (c *Cache) forget(t *touched, committed bool) {
	if len(t.heads) == 0 && len(t.patients) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits++
	for _, h := range t.heads {
		c.last[h.Type] = c.commits
		c.heads.Invalidate(h.Key)
		c.outdated(h.Facts.Class, "")
		for _, p := range h.Facts.Patients {
			c.patients.Invalidate(p)
		}
		if committed {
			c.own[store.Ref{Key: h.Key, Version: h.Version}] = c.polls
		}
	}
	for _, p := range t.patients {
		c.patients.Invalidate(p)
	}
	for _, p := range t.profiles {
		c.outdated("", p)
	}
}

// outdated drops the landscape if a class or profile is not in it.
func (c *Cache) outdated(class fhir.Class, profile fhir.Profile) {
	l := c.landscape
	if l == nil {
		return
	}
	if class != "" && !contains(l.Classes, class) || profile != "" && !contains(l.Profiles, profile) {
		c.landscape = nil
	}
}

func contains[T comparable](xs []T, x T) bool {
	for _, y := range xs {
		if x == y {
			return true
		}
	}
	return false
}

// writer notes what is written.
type writer struct {
	store.Tx
	t *touched
}

func (w *writer) Put(ctx context.Context, r fhir.Resource, rec store.Record, cond store.Condition) (store.Head, fhir.Resource, error) {
	// Whoever is no longer named by this version loses ties, too.
	before, err := w.Tx.Heads(ctx, fhir.Omniscient(), r.Key)
	if err != nil {
		return store.Head{}, fhir.Resource{}, err
	}
	for _, h := range before {
		w.t.patients = append(w.t.patients, h.Facts.Patients...)
	}
	h, stored, err := w.Tx.Put(ctx, r, rec, cond)
	if err == nil {
		w.t.heads = append(w.t.heads, h)
		for _, rel := range rec.Relations {
			w.t.patients = append(w.t.patients, rel.Patient)
		}
		w.t.patients = append(w.t.patients, h.Facts.Patients...)
	}
	return h, stored, err
}

func (w *writer) Delete(ctx context.Context, k fhir.Key, cond store.Condition) (store.Head, error) {
	h, err := w.Tx.Delete(ctx, k, cond)
	if err == nil && h.Version > 0 {
		w.t.heads = append(w.t.heads, h)
		w.t.patients = append(w.t.patients, h.Facts.Patients...)
	}
	return h, err
}

func (w *writer) SetProfile(ctx context.Context, patient fhir.Key, p fhir.Profile, until time.Time) error {
	w.t.patients = append(w.t.patients, patient)
	w.t.profiles = append(w.t.profiles, p)
	return w.Tx.SetProfile(ctx, patient, p, until)
}
