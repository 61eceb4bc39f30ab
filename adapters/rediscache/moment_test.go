package rediscache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"rapport/adapters/rediscache"
	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
)

func profile(t testing.TB, s store.Store, p fhir.Profile, until time.Time) {
	t.Helper()
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.SetProfile(t.Context(), client, p, until) }); err != nil {
		t.Fatal(err)
	}
}

func known(t testing.TB, s store.Store) (p fhir.PatientFacts, l store.Landscape) {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) error {
		ps, err := r.Patients(t.Context(), client)
		if err != nil {
			return err
		}
		p = ps[0]
		l, err = r.Landscape(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, l
}

// A profile that is made anew because its consent ended by the clock is in no change.
func TestAProfileMadeAnewElsewhereIsSeenThoughNoChangeTellsOfIt(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).UnixMicro())
	clock := func() time.Time { return time.UnixMicro(now.Load()).UTC() }
	inner, keys := storetest.NewMemory(clock), newKeys(t)
	here, there := wrapped(t, inner, keys, nil, clock), wrapped(t, inner, keys, nil, clock)
	profile(t, here, "until ten", clock().Add(time.Hour))
	known(t, there)
	if p, _ := known(t, there); p.Profile != "until ten" {
		t.Fatalf("there %q is known", p.Profile)
	}
	now.Add(time.Hour.Microseconds())
	time.Sleep(3 * rediscache.Poll) // memory answers again
	profile(t, here, "from ten on", time.Time{})
	until(t, "the new profile is in the landscape there", func() (listed bool) {
		if err := there.View(t.Context(), func(r store.Reader) error {
			l, err := r.Landscape(t.Context())
			listed = slices.Contains(l.Profiles, "from ten on")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return listed
	})
	if p, _ := known(t, there); p.Profile != "from ten on" {
		t.Errorf("there %q is known after it ended", p.Profile)
	}
}

func TestAPageIsNotAnsweredFromMemoryOnceSomethingOnItEndedByTheClock(t *testing.T) {
	var now atomic.Int64
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	now.Store(start.UnixMicro())
	clock := func() time.Time { return time.UnixMicro(now.Load()).UTC() }
	c := wrapped(t, storetest.NewMemory(clock), newKeys(t), nil, clock)
	written(t, c, "x")
	profile(t, c, "given", start.Add(time.Millisecond))
	page := func() store.Page {
		var p store.Page
		sight := fhir.SightOf(clock(), clock(), map[string]fhir.Extent{"Goal": fhir.Some(fhir.Rule{Reach: fhir.Related, Actors: []fhir.Key{therapist}, Classes: []fhir.Class{"c"}, Profiles: []fhir.Profile{"given"}})})
		if err := c.View(t.Context(), func(r store.Reader) (err error) {
			p, err = r.Find(t.Context(), sight, fhir.Query{Type: "Goal", Count: 5, Total: true})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return p
	}
	page()
	if p := page(); len(p.Found) != 1 || *p.Total != 1 {
		t.Fatalf("found %+v", p)
	}
	now.Add(time.Millisecond.Microseconds())
	if p := page(); len(p.Found) != 0 || *p.Total != 0 {
		t.Errorf("found %+v a millisecond later, when the profile has ended", p)
	}
}

// What was answered from memory and what the store then answers are of one moment.
func TestAViewThatBeganInMemoryRunsAgainWhenTheStoreHasMovedOn(t *testing.T) {
	inner, keys := storetest.NewMemory(time.Now), newKeys(t)
	c, other := wrapped(t, inner, keys, nil, time.Now), wrapped(t, inner, keys, nil, time.Now)
	written(t, c, "0")
	read(t, c)
	ctx := context.Background()
	team := fhir.Key{Type: "CareTeam", ID: "1"}
	runs := 0
	err := c.View(ctx, func(r store.Reader) error {
		runs++
		first, err := r.Heads(ctx, fhir.Omniscient(), goal)
		if err != nil {
			return err
		}
		if runs == 1 {
			written(t, other, "1") // both anew, in one transaction
		}
		second, err := r.Heads(ctx, fhir.Omniscient(), team)
		if err != nil {
			return err
		}
		if first[0].Version != second[0].Version {
			return fmt.Errorf("version %d beside version %d", first[0].Version, second[0].Version)
		}
		return nil
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

// A value that was read before a commit must not be held after it.
func TestALateValueIsNotHeld(t *testing.T) {
	inner := storetest.NewMemory(time.Now)
	c := wrapped(t, inner, newKeys(t), nil, time.Now)
	written(t, c, "0")
	ctx := context.Background()
	if err := c.View(ctx, func(r store.Reader) error {
		if _, err := r.Changes(ctx, fhir.Omniscient(), fhir.Scope{}, fhir.Span{}); err != nil { // opens the snapshot
			return err
		}
		written(t, c, "1")
		_, err := r.Heads(ctx, fhir.Omniscient(), goal) // the version before
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := version(t, c, goal); got != 2 {
		t.Errorf("version %d is current", got)
	}
}

// version is the current one of a resource, as memory has it.
func version(t testing.TB, s store.Store, k fhir.Key) (v int64) {
	t.Helper()
	if err := s.View(t.Context(), func(r store.Reader) error {
		v = 0
		hs, err := r.Heads(t.Context(), fhir.Omniscient(), k)
		if len(hs) > 0 {
			v = hs[0].Version
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return v
}

// lossy is a store that commits and then cannot say so.
type lossy struct{ store.Store }

func (s lossy) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := s.Store.Update(ctx, f); err != nil {
		return err
	}
	return errors.New("the answer was lost")
}

func TestAWriteIsForgottenHoweverItEnded(t *testing.T) {
	inner := storetest.NewMemory(time.Now)
	c := wrapped(t, inner, newKeys(t), nil, time.Now)
	team := fhir.Key{Type: "CareTeam", ID: "1"}
	for want := range int64(3) {
		written(t, c, "x")
		if got := version(t, c, team); got != want+1 {
			t.Fatalf("version %d is current, want %d", got, want+1)
		}
	}
	c = wrapped(t, lossy{inner}, newKeys(t), nil, time.Now)
	version(t, c, team)
	if err := c.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Delete(t.Context(), team, store.Condition{})
		return err
	}); err == nil {
		t.Fatal("nothing was lost")
	}
	if got := version(t, c, team); got != 4 {
		t.Errorf("version %d is current though 4 was committed", got)
	}
}

// A resource that is about somebody else by now took a tie with it of which its
// change says nothing.
func TestATieThatWentElsewhereIsForgottenThere(t *testing.T) {
	inner, keys := storetest.NewMemory(time.Now), newKeys(t)
	here, there := wrapped(t, inner, keys, nil, time.Now), wrapped(t, inner, keys, nil, time.Now)
	written(t, here, "x")
	time.Sleep(3 * rediscache.Poll)
	read(t, there)
	if got, _ := read(t, there); got != "x" {
		t.Fatalf("read %q", got)
	}
	team, err := fhir.Parse([]byte(`{"resourceType":"CareTeam","id":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Update(t.Context(), func(tx store.Tx) error {
		_, _, err := tx.Put(t.Context(), team, store.Record{Facts: fhir.Facts{Class: "c", Patients: []fhir.Key{{Type: "Patient", ID: "other"}}}}, store.Condition{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	within(t, "nothing is known there of the tie", func() bool {
		ps, _ := known(t, there)
		return len(ps.Relations) == 0
	})
}

// brokenFeed is a store whose changes cannot be followed from some moment on.
type brokenFeed struct {
	store.Store
	broken *atomic.Bool
}

func (b brokenFeed) Feed(ctx context.Context, after fhir.Seq, n int) ([]fhir.Change, fhir.Seq, error) {
	if b.broken.Load() {
		return nil, fhir.Seq{}, fmt.Errorf("the feed is broken")
	}
	return b.Store.Feed(ctx, after, n)
}

func TestNothingIsAnsweredFromMemoryWhileOthersChangesAreNotKnown(t *testing.T) {
	inner, keys := storetest.NewMemory(time.Now), newKeys(t)
	var broken atomic.Bool
	c := wrapped(t, brokenFeed{inner, &broken}, keys, nil, time.Now)
	other := rediscache.Wrap(inner, rediscache.Config{Tenant: "t", Keys: keys, Clock: time.Now})
	t.Cleanup(other.Close)
	written(t, c, "0")
	read(t, c)
	broken.Store(true)
	time.Sleep(time.Second + 2*rediscache.Poll)
	written(t, other, "1")
	if got, _ := read(t, c); got != "1" {
		t.Errorf("read %q without knowing what others wrote", got)
	}
	broken.Store(false)
	until(t, "what others write is known again", func() bool {
		written(t, other, "2")
		got, _ := read(t, c)
		return got == "2"
	})
}
