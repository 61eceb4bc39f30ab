package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"rapport/fhir"
)

// Courier brings one tenant's outgoing work to its partners: at least once, in
// order for each Task, each Task independent of the others. All fields but Feed,
// Wake, Log and Parallel are required. One Courier may run in each of several processes: leases
// keep them apart.
type Courier struct {
	Gate     fhir.Gate    // of the principal gateway/courier, which reads all and adds Provenance
	Release  fhir.Release // what a partner may have
	Queue    fhir.Queue
	Memos    fhir.Memos
	Feed     fhir.Feed // of all changes; nil: corrections of what was delivered stay here
	Channel  Channel
	Partners []Partner
	Base     string // our own FHIR base, as partners know it
	Clock    fhir.Clock
	Wake     <-chan struct{} // there may be work now
	Log      *slog.Logger
	Parallel int // works at the same time; 0: 8
}

const (
	parallel  = 8
	lease     = 2 * time.Minute // longer than one work takes: a few requests of 30 s at most
	pollEvery = 2 * time.Second
	giveUp    = 72 * time.Hour // by age, not by attempts: a partner down for a day loses nothing
	firstWait = 2 * time.Second
	longest   = 30 * time.Minute
)

// Run works until ctx ends. It returns ctx's error.
func (c *Courier) Run(ctx context.Context) error {
	for {
		n, err := c.Once(ctx)
		if err != nil && ctx.Err() == nil {
			c.log().ErrorContext(ctx, "courier", "err", err)
		}
		if n > 0 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.Wake:
		case <-time.After(pollEvery):
		}
	}
}

// Once takes what is due and returns how many works it tried.
func (c *Courier) Once(ctx context.Context) (int, error) {
	most := c.Parallel
	if most == 0 {
		most = parallel
	}
	if c.Feed != nil {
		if err := c.changes(ctx); err != nil {
			return 0, err
		}
	}
	works, err := c.Queue.Lease(ctx, Kind, most, lease)
	if err != nil {
		return 0, err
	}
	failed := make([]error, len(works))
	var wg sync.WaitGroup
	for n, w := range works { // each of another lane
		wg.Go(func() {
			if err := c.Queue.Finish(ctx, w, c.try(ctx, w)); !fhir.Is(err, fhir.Conflict) {
				failed[n] = err
			}
		})
	}
	wg.Wait()
	return len(works), errors.Join(failed...)
}

// try runs one work and says what becomes of it.
func (c *Courier) try(ctx context.Context, w fhir.Work) fhir.Outcome {
	var j job
	_ = json.Unmarshal(w.Body, &j) // run says what is wrong with it
	err := c.survive(ctx, w)
	if err == nil && w.Attempt > 1 {
		err = c.unflag(ctx, w)
	}
	if err == nil {
		return fhir.Outcome{Done: true}
	}
	note := why(err)
	c.log().WarnContext(ctx, "referral work failed", "work", w.ID, "attempt", w.Attempt, "why", note)
	again := fhir.Outcome{Retry: c.Clock().Add(backoff(w.Attempt)), Note: note}
	switch fhir.CodeOf(err) {
	case fhir.Transient, fhir.Timeout, fhir.Throttled, fhir.Stale, fhir.Conflict, fhir.Login, fhir.Exception:
		if c.Clock().Sub(w.Born) < giveUp {
			return again
		}
	}
	if err := c.flag(ctx, w, j.Task, note); err != nil {
		c.log().ErrorContext(ctx, "nobody could be told that a referral's message is given up", "work", w.ID, "why", why(err))
		return again // nothing is given up in silence
	}
	return fhir.Outcome{Dead: true, Note: note}
}

// survive runs one work and makes an error of a panic: one work must not end the
// process, and end it again after each start.
func (c *Courier) survive(ctx context.Context, w fhir.Work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log().ErrorContext(ctx, "referral work panicked", "work", w.ID, "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	return c.run(ctx, w)
}

// why is what an operator reads of a failure: our own words, nothing of a partner's.
func why(err error) string {
	var e *fhir.Error
	if errors.As(err, &e) {
		return e.Code.Issue() + ": " + e.Detail
	}
	return "internal error"
}

// backoff waits longer each time, with full jitter, so that a partner that comes
// back is not met by everything at once.
func backoff(attempt int) time.Duration {
	d := longest
	if attempt < 20 {
		d = min(firstWait<<max(attempt-1, 0), longest)
	}
	return d/2 + rand.N(d/2+1)
}

func (c *Courier) run(ctx context.Context, w fhir.Work) error {
	var j job
	if err := json.Unmarshal(w.Body, &j); err != nil {
		return &fhir.Error{Code: fhir.Invalid, Detail: "the work cannot be read", Err: err}
	}
	i := slices.IndexFunc(c.Partners, func(p Partner) bool { return p.Name == j.Partner })
	if i < 0 {
		return &fhir.Error{Code: fhir.Invalid, Detail: "no partner of this name is configured any more"}
	}
	switch j.Do {
	case Deliver:
		return c.deliver(ctx, c.Partners[i], j)
	case Amend:
		return c.amend(ctx, c.Partners[i], j)
	case Ask:
		return c.ask(ctx, c.Partners[i], j)
	case Withdraw:
		return c.withdraw(ctx, c.Partners[i], j)
	case Answer:
		return c.answer(ctx, c.Partners[i], j)
	case Correct:
		return c.correct(ctx, c.Partners[i], j)
	case Renew:
		return c.renew(ctx, c.Partners[i], j)
	case Settle:
		return c.settle(ctx, j)
	}
	return &fhir.Error{Code: fhir.Invalid, Detail: "no such kind of work"}
}

func (c *Courier) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}
