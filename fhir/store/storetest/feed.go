package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"rapport/fhir"
	"rapport/fhir/store"
)

func seqLess(a, b fhir.Seq) bool { return a.Tx < b.Tx || a.Tx == b.Tx && a.N < b.N }

// follower reads a Feed as its consumers do and holds it to its word.
type follower struct {
	s     store.Store
	page  int
	after fhir.Seq
	last  map[fhir.Key]int64
	got   []fhir.Change
}

func follow(s store.Store, page int) *follower {
	return &follower{s: s, page: page, last: map[fhir.Key]int64{}}
}

// poll reads to the end and returns what is wrong with what came.
func (f *follower) poll(ctx context.Context) error {
	for {
		cs, safe, err := f.s.Feed(ctx, f.after, f.page)
		if err != nil {
			return err
		}
		if len(cs) > f.page {
			return fmt.Errorf("%d changes, at most %d were asked for", len(cs), f.page)
		}
		for _, c := range cs {
			if !seqLess(f.after, c.Seq) {
				return fmt.Errorf("%s@%d at %v comes at or behind %v", c.Key, c.Version, c.Seq, f.after)
			}
			if want := f.last[c.Key] + 1; c.Version != want {
				return fmt.Errorf("%s: version %d came, want %d", c.Key, c.Version, want)
			}
			f.last[c.Key] = c.Version
			f.after = c.Seq
			f.got = append(f.got, c)
		}
		if seqLess(safe, f.after) {
			return fmt.Errorf("a change at %v was given out that lies beyond safe, %v", f.after, safe)
		}
		if len(cs) < f.page {
			f.after = safe
			return nil
		}
	}
}

var feeds = []testCase{
	{"changes come in the order of their commits with what they are", func(t *testing.T, s store.Store) {
		a, b := key("Goal", "a"), key("Task", "b")
		rec := about("class", key("Patient", "p"))
		first, _ := put(t, s, a, "x", rec)
		put(t, s, b, "x", about("c"))
		put(t, s, a, "x", rec)
		gone := remove(t, s, a)
		f := follow(s, 100)
		if err := f.poll(within(t)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range f.got {
			got = append(got, fmt.Sprintf("%s@%d %v", c.Key, c.Version, c.Deleted))
		}
		same(t, []string{"Goal/a@1 false", "Task/b@1 false", "Goal/a@2 false", "Goal/a@3 true"}, got)
		same(t, rec.Facts, f.got[0].Facts)
		same(t, rec.Facts, f.got[3].Facts)
		if !f.got[0].Updated.Equal(first.Updated) || !f.got[3].Updated.Equal(gone.Updated) {
			t.Error("the times are not those of the versions")
		}
	}},
	{"nothing was written, nothing comes", func(t *testing.T, s store.Store) {
		cs, _, err := s.Feed(within(t), fhir.Seq{}, 10)
		if err != nil || len(cs) > 0 {
			t.Errorf("%d changes, %v", len(cs), err)
		}
	}},
	{"what is followed page by page is all that there is", func(t *testing.T, s store.Store) {
		update(t, s, func(ctx context.Context, tx store.Tx) error { // one transaction over several pages
			for i := range 10 {
				if _, _, err := tx.Put(ctx, made(key("Goal", id("g", i)), "x"), about("c"), store.Condition{}); err != nil {
					return err
				}
			}
			return nil
		})
		for _, page := range []int{1, 3, 5, 10, 11} {
			f := follow(s, page)
			if err := f.poll(within(t)); err != nil || len(f.got) != 10 {
				t.Errorf("by %d: %d of 10 came, %v", page, len(f.got), err)
			}
		}
	}},
	{"nothing is missed and nothing appears behind safe while many commit", func(t *testing.T, s store.Store) {
		ctx := within(t)
		const writers, each = 8, 15
		var wg sync.WaitGroup
		failed := make(chan error, writers*each)
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					err := s.Update(ctx, func(tx store.Tx) error {
						for _, k := range []fhir.Key{key("Goal", id("shared", i%3)), key("Goal", id("own", w))} {
							if _, _, err := tx.Put(ctx, made(k, "x"), about("c"), store.Condition{}); err != nil {
								return err
							}
						}
						if (w+i)%5 == 0 {
							return errWanted // leaves a gap in whatever is counted
						}
						return nil
					})
					if err != nil && (w+i)%5 != 0 {
						failed <- err
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		fine, coarse := follow(s, 3), follow(s, 10_000)
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			for _, f := range []*follower{fine, coarse} {
				if err := f.poll(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		close(failed)
		for err := range failed {
			t.Error(err)
		}
		want := 0
		for w := range writers {
			for i := range each {
				if (w+i)%5 != 0 {
					want += 2
				}
			}
		}
		until(t, "all committed changes have come", func() bool {
			for _, f := range []*follower{fine, coarse} {
				if err := f.poll(ctx); err != nil {
					t.Fatal(err)
				}
			}
			return len(fine.got) >= want && len(coarse.got) >= want
		})
		if len(fine.got) != want || len(coarse.got) != want {
			t.Errorf("%d and %d changes came of %d", len(fine.got), len(coarse.got), want)
		}
	}},
	{"a commit is in the feed soon after it was told", func(t *testing.T, s store.Store) {
		f := follow(s, 100)
		for i := range 5 {
			put(t, s, key("Goal", id("g", i)), "x", about("c"))
			until(t, "the change has come", func() bool {
				if err := f.poll(within(t)); err != nil {
					t.Fatal(err)
				}
				return len(f.got) == i+1
			})
		}
	}},
	{"the end can be asked for", func(t *testing.T, s store.Store) {
		put(t, s, key("Goal", "a"), "x", about("c"))
		ctx := within(t)
		var end fhir.Seq
		until(t, "the first change is safe", func() bool {
			cs, safe, err := s.Feed(ctx, fhir.Seq{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			end = safe
			return len(cs) == 1
		})
		cs, safe, err := s.Feed(ctx, fhir.Seq{Tx: 1<<63 - 1}, 1)
		if err != nil || len(cs) != 0 || seqLess(safe, end) {
			t.Fatalf("from beyond the end: %d changes, safe %v after %v, %v", len(cs), safe, end, err)
		}
		put(t, s, key("Goal", "b"), "x", about("c"))
		until(t, "what came later is seen from there", func() bool {
			cs, _, err := s.Feed(ctx, safe, 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(cs) == 1 && cs[0].ID == "b"
		})
	}},
}
