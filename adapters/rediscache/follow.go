package rediscache

import (
	"context"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// follow forgets what other processes wrote.
func (c *Cache) follow(ctx context.Context) {
	var after fhir.Seq
	started := false
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		began := c.Clock()
		safe, err := c.poll(ctx, after, started)
		if err == nil {
			after, started = safe, true
			c.mu.Lock()
			c.fresh = began
			c.forgetOwn()
			c.mu.Unlock()
			if n%profileEvery == 0 {
				c.lookAround(ctx)
			}
		} else if ctx.Err() == nil {
			c.Log.WarnContext(ctx, "the store's changes cannot be followed; nothing is answered from memory", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// poll reads changes to the end. The first time it only learns where the end is:
// nothing is held yet that could be outdated.
func (c *Cache) poll(ctx context.Context, after fhir.Seq, started bool) (fhir.Seq, error) {
	if !started {
		_, safe, err := c.Store.Feed(ctx, fhir.Seq{Tx: 1<<63 - 1}, 1)
		return safe, err
	}
	for {
		const page = 1000
		cs, safe, err := c.Store.Feed(ctx, after, page)
		if err != nil {
			return after, err
		}
		c.changed(cs)
		if len(cs) < page {
			return safe, nil
		}
		after = cs[len(cs)-1].Seq
	}
}

func (c *Cache) changed(cs []fhir.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range cs {
		ref := store.Ref{Key: ch.Key, Version: ch.Version}
		if _, mine := c.own[ref]; mine {
			delete(c.own, ref)
			continue
		}
		c.commits++
		c.last[ch.Type] = c.commits
		before, held := c.heads.Invalidate(ch.Key)
		switch {
		case held:
			for _, p := range before.Facts.Patients {
				c.patients.Invalidate(p)
			}
		case ch.Version > 1:
			// Whom the version before it named is not known here: any of them may
			// have lost a tie.
			c.patients.InvalidateAll()
		}
		for _, p := range ch.Facts.Patients {
			c.patients.Invalidate(p)
		}
		c.outdated(ch.Facts.Class, "")
		if ch.Type == "Consent" {
			c.landscape = nil // a profile may have come up that is in no change
		}
	}
}

// forgetOwn drops what the Feed must have brought by now: it came before the
// commit was noted.
func (c *Cache) forgetOwn() {
	c.polls++
	for ref, n := range c.own {
		if c.polls-n > ownPolls {
			delete(c.own, ref)
		}
	}
}

// lookAround reads the landscape anew if one is held: a profile that came up
// because a consent ended by the clock is in no change.
func (c *Cache) lookAround(ctx context.Context) {
	c.mu.Lock()
	held, at := c.landscape != nil, c.commits
	c.mu.Unlock()
	if !held {
		return
	}
	err := c.Store.View(ctx, func(r store.Reader) error {
		l, err := r.Landscape(ctx)
		if err == nil {
			c.keep(at, "", func() {
				if c.landscape != nil {
					c.landscape = &l
				}
			})
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		c.Log.WarnContext(ctx, "classes and profiles in use cannot be read", "err", err)
	}
}
