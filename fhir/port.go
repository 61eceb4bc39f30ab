package fhir

import (
	"context"
	"time"
)

// Work is a piece of outgoing work, kept in the store's outbox from the
// transaction that caused it until it is finished.
type Work struct {
	ID      string // unique; the same ID enqueued twice in one tenant is one Work
	Lane    string // works of one lane are leased in order, one at a time
	Kind    string // what consumer it is for: "referral", "task-status"
	Body    []byte // for the consumer; small: keys, not resources
	Due     time.Time
	Born    time.Time // set by the store
	Attempt int       // how often it was leased, set by the store
	Dead    bool      // given up: see Outcome
	Note    string    // last failure, free of PHI
	Lease   string    // proof of the current lease, set by Queue.Lease
}

// Outcome finishes or postpones a leased Work.
type Outcome struct {
	Done  bool
	Retry time.Time // when not Done: next due time
	Dead  bool      // give up; kept for a person to look at and replay
	Note  string    // why, free of PHI
}

// Queue is the consumer's side of the outbox.
type Queue interface {
	// Lease takes up to n due works of kind, at most one a lane, the oldest of
	// each lane first, for d; a lease that runs out makes the work due again.
	Lease(ctx context.Context, kind string, n int, d time.Duration) ([]Work, error)
	// Finish ends a lease. [Conflict] when the lease ran out meanwhile.
	Finish(ctx context.Context, w Work, o Outcome) error
	// Works lists what is queued or dead, for an operator. dead selects which.
	Works(ctx context.Context, dead bool, max int) ([]Work, error)
	// Revive makes a work that waits or is dead due now, as if born now, in its old
	// place in the lane. [NotFound] when there is none of that id, or it is done;
	// [Conflict] when somebody has it.
	Revive(ctx context.Context, id string) error
	// Drop ends a work that waits or is dead without its being done. Its id stays used.
	// Errors as with Revive.
	Drop(ctx context.Context, id string) error
}

// Seq is a position in the order of all committed changes of one tenant.
type Seq struct{ Tx, N int64 }

// Change is one version that was written.
type Change struct {
	Seq
	Head
	Facts Facts
}

// Feed follows committed changes. It is a total order in which each resource's
// versions ascend, and nothing ever appears at or behind safe.
type Feed interface {
	Feed(ctx context.Context, after Seq, max int) (cs []Change, safe Seq, err error)
}

// Memo is a small value with an expiry: an idempotency key, a one-use id, a
// ledger entry.
type Memo struct {
	Space, Key string
	Value      []byte
	Expires    time.Time // zero: never. An expired Memo is as none
	Version    int64     // 0: none yet. SetMemo succeeds only on the version that was read
}

// Memos keeps Memos.
type Memos interface {
	// Memo returns the memo, with Version 0 if there is none.
	Memo(ctx context.Context, space, key string) (Memo, error)
	// SetMemo stores m if m.Version is still the current one, else [Conflict].
	SetMemo(ctx context.Context, m Memo) error
}
