package rediscache_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rapport/adapters/rediscache"
	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
)

func TestACacheWithRedisKeepsTheContractOfTheStoreBehindIt(t *testing.T) {
	keys := newKeys(t)
	r := startServer(t).dial()
	var n atomic.Int64
	storetest.Run(t, func(t *testing.T) store.Store {
		// One Redis for many tenants, as in a gateway.
		c := rediscache.Wrap(storetest.NewMemory(time.Now), rediscache.Config{Tenant: fmt.Sprint("t", n.Add(1)), Redis: r, Keys: keys, Clock: time.Now})
		t.Cleanup(c.Close)
		until(t, "the feed is followed", c.Followed)
		return c
	})
}

// counted counts what is asked of the store behind a cache.
type counted struct {
	store.Store
	asked *atomic.Int64
}

type countedReader struct {
	store.Reader
	asked *atomic.Int64
}

func (c counted) View(ctx context.Context, f func(store.Reader) error) error {
	return c.Store.View(ctx, func(r store.Reader) error {
		if store.IsBackground(ctx) {
			return f(r)
		}
		return f(countedReader{r, c.asked})
	})
}

func (c countedReader) Heads(ctx context.Context, s fhir.Sight, ks ...fhir.Key) ([]store.Head, error) {
	c.asked.Add(1)
	return c.Reader.Heads(ctx, s, ks...)
}

func (c countedReader) Patients(ctx context.Context, ks ...fhir.Key) ([]fhir.PatientFacts, error) {
	c.asked.Add(1)
	return c.Reader.Patients(ctx, ks...)
}

func (c countedReader) Bodies(ctx context.Context, refs ...store.Ref) ([]fhir.Resource, error) {
	c.asked.Add(1)
	return c.Reader.Bodies(ctx, refs...)
}

func (c countedReader) Find(ctx context.Context, s fhir.Sight, q fhir.Query) (store.Page, error) {
	c.asked.Add(1)
	return c.Reader.Find(ctx, s, q)
}

func (c countedReader) Landscape(ctx context.Context) (store.Landscape, error) {
	c.asked.Add(1)
	return c.Reader.Landscape(ctx)
}

var (
	goal      = fhir.Key{Type: "Goal", ID: "1"}
	client    = fhir.Key{Type: "Patient", ID: "canary-patient-id"}
	therapist = fhir.Key{Type: "Practitioner", ID: "t"}
)

const canary = "canary of what was said"

// written is a goal of a client, and the tie that lets the therapist see it.
func written(t testing.TB, s store.Store, text string) {
	t.Helper()
	r, err := fhir.Parse([]byte(`{"resourceType":"Goal","id":"1","description":{"text":"` + text + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	team, err := fhir.Parse([]byte(`{"resourceType":"CareTeam","id":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	facts := fhir.Facts{Class: "c", Patients: []fhir.Key{client}}
	err = s.Update(t.Context(), func(tx store.Tx) error {
		if _, _, err := tx.Put(t.Context(), r, store.Record{Facts: facts}, store.Condition{}); err != nil {
			return err
		}
		_, _, err := tx.Put(t.Context(), team, store.Record{Facts: facts, Relations: []fhir.Relation{{Actor: therapist, Patient: client}}}, store.Condition{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read is what one request of the therapist's asks: classes, head, facts, body, a search.
func read(t testing.TB, s store.Store) (text string, found int) {
	t.Helper()
	ctx := context.Background()
	err := s.View(ctx, func(r store.Reader) error {
		text, found = "", 0
		if _, err := r.Landscape(ctx); err != nil {
			return err
		}
		now := time.Now()
		sight := fhir.SightOf(now, now, map[string]fhir.Extent{"Goal": fhir.Some(fhir.Rule{Reach: fhir.Related, Actors: []fhir.Key{therapist}, Classes: []fhir.Class{"c"}, Profiles: []fhir.Profile{""}})})
		hs, err := r.Heads(ctx, sight, goal)
		if err != nil || len(hs) == 0 {
			return err
		}
		rs, err := r.Bodies(ctx, store.Ref{Key: hs[0].Key, Version: hs[0].Version})
		if err != nil {
			return err
		}
		text = rs[0].Root().Get("description").Get("text").Text()
		p, err := r.Find(ctx, sight, fhir.Query{Type: "Goal", Count: 5})
		found = len(p.Found)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text, found
}

func TestASecondReadAsksTheStoreNothing(t *testing.T) {
	var asked atomic.Int64
	c := wrapped(t, counted{storetest.NewMemory(time.Now), &asked}, newKeys(t), nil, time.Now)
	written(t, c, "first")
	if text, found := read(t, c); text != "first" || found != 1 {
		t.Fatalf("read %q, found %d", text, found)
	}
	if asked.Load() == 0 {
		t.Fatal("the first read asked nothing: what was counted?")
	}
	asked.Store(0)
	if text, found := read(t, c); text != "first" || found != 1 {
		t.Errorf("read %q, found %d", text, found)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the second read asked the store %d times", n)
	}
}

// within asks again and again until it is so; what is asked a second from now or
// later must be so, however busy the machine is.
func within(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Second); ; {
		last := time.Now().After(end)
		if so() {
			return
		}
		if last {
			t.Fatalf("asked a second later: not so that %s", what)
		}
	}
}

func TestAChangeIsSeenAtOnceHereAndWithinASecondElsewhere(t *testing.T) {
	inner, keys := storetest.NewMemory(time.Now), newKeys(t)
	here, there := wrapped(t, inner, keys, nil, time.Now), wrapped(t, inner, keys, nil, time.Now)
	written(t, here, "0")
	for i := range 4 {
		read(t, here)
		read(t, there)
		want := fmt.Sprint("text ", i)
		written(t, here, want)
		if got, _ := read(t, here); got != want {
			t.Fatalf("round %d: here %q is read, want %q", i, got, want)
		}
		within(t, "what was written here is read there", func() bool {
			got, _ := read(t, there)
			return got == want
		})
	}
	// What ends a tie is seen there, too, though nothing of the goal changed.
	read(t, there)
	err := here.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Delete(t.Context(), fhir.Key{Type: "CareTeam", ID: "1"}, store.Condition{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := read(t, here); got != "" {
		t.Errorf("here %q is read without a tie", got)
	}
	within(t, "nothing is read there without a tie", func() bool {
		got, _ := read(t, there)
		return got == ""
	})
}

func TestWhatLiesInRedisCannotBeReadNorGuessed(t *testing.T) {
	s := startServer(t)
	c := wrapped(t, storetest.NewMemory(time.Now), newKeys(t), s.dial(), time.Now)
	written(t, c, canary)
	read(t, c)
	plain := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket})
	t.Cleanup(func() { _ = plain.Close() })
	ctx := t.Context()
	var names []string
	until(t, "a body lies in Redis", func() bool {
		names, _ = plain.Keys(ctx, "*").Result()
		return len(names) > 0
	})
	for _, name := range names {
		kind, err := plain.Type(ctx, name).Result()
		if err != nil || kind != "string" {
			t.Fatalf("%q is a %s, %v: look at it, too", name, kind, err)
		}
		value, err := plain.Get(ctx, name).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"canary", "Goal", "resourceType", "patient", "Patient", goal.ID + "/", canary} {
			if strings.Contains(name, word) || strings.Contains(value, word) {
				t.Errorf("%q can be read in Redis", word)
			}
		}
		if ttl, err := plain.TTL(ctx, name).Result(); err != nil || ttl <= 0 || ttl > time.Hour {
			t.Errorf("%q is kept for %v, %v", name, ttl, err)
		}
	}
}

func TestAFreshProcessReadsBodiesFromRedisAndForgedOnesNowhere(t *testing.T) {
	s, keys := startServer(t), newKeys(t)
	var asked atomic.Int64
	inner := storetest.NewMemory(time.Now)
	first := wrapped(t, inner, keys, s.dial(), time.Now)
	written(t, first, "kept")
	read(t, first)
	plain := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket})
	t.Cleanup(func() { _ = plain.Close() })
	var names []string
	until(t, "a body lies in Redis", func() bool {
		names, _ = plain.Keys(t.Context(), "*").Result()
		return len(names) == 1
	})
	body := func(c store.Store) string {
		asked.Store(0)
		var got string
		if err := c.View(t.Context(), func(r store.Reader) error {
			rs, err := r.Bodies(t.Context(), store.Ref{Key: goal, Version: 1})
			got = rs[0].Root().Get("description").Get("text").Text()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	r := s.dial()
	if got := body(wrapped(t, counted{inner, &asked}, keys, r, time.Now)); got != "kept" || asked.Load() != 0 || r.Hits.Load() != 1 {
		t.Errorf("a fresh process read %q, asked the store %d times and hit %d times", got, asked.Load(), r.Hits.Load())
	}
	value, err := plain.Get(t.Context(), names[0]).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for what, forged := range map[string][]byte{
		"a changed byte": append(value[:len(value)-1:len(value)-1], value[len(value)-1]^1),
		"cut short":      value[:10], "empty": {}, "plain JSON": []byte(`{"resourceType":"Goal","id":"1","description":{"text":"forged"}}`),
		"another key's":   keys.Seal("t", "cache", []byte(`{"resourceType":"Goal","id":"1"}`), []byte("rapport:b:other")),
		"another version": keys.Seal("t", "cache", []byte(`{"resourceType":"Goal","id":"1","meta":{"versionId":"2"}}`), []byte(names[0])),
	} {
		if err := plain.Set(t.Context(), names[0], forged, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if got := body(wrapped(t, counted{inner, &asked}, keys, s.dial(), time.Now)); got != "kept" || asked.Load() != 1 {
			t.Errorf("%s: read %q after asking the store %d times", what, got, asked.Load())
		}
		until(t, "the body lies in Redis again", func() bool {
			now, err := plain.Get(t.Context(), names[0]).Bytes()
			return err == nil && !bytes.Equal(now, forged)
		})
	}
}

func TestARedisThatStopsInTheMiddleChangesNoAnswer(t *testing.T) {
	s := startServer(t)
	inner, keys := storetest.NewMemory(time.Now), newKeys(t)
	r := s.dial()
	c := wrapped(t, inner, keys, r, time.Now)
	for i := range 6 {
		if i == 3 {
			s.stop()
			if r.Ping(t.Context()) == nil {
				t.Fatal("it answers though it was stopped")
			}
		}
		want := fmt.Sprint("text ", i)
		written(t, c, want)
		for range 2 {
			if got, found := read(t, c); got != want || found != 1 {
				t.Fatalf("step %d: read %q, found %d", i, got, found)
			}
		}
		// A process that starts now and holds nothing.
		if got, _ := read(t, wrapped(t, inner, keys, r, time.Now)); got != want {
			t.Fatalf("step %d: a fresh process read %q", i, got)
		}
	}
	if r.Failures.Load() == 0 {
		t.Error("the failures were not counted")
	}
}

func TestARedisAddressIsRefusedWithoutTellingItsPassword(t *testing.T) {
	for _, address := range []string{"http://x:secretword@h", "redis://:secretword@h:port", ":secretword", "redis://u:secretword@h/notanumber", "redis://u:%zzsecretword@h"} {
		_, err := rediscache.Dial(address)
		if err == nil || strings.Contains(err.Error(), "secretword") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
