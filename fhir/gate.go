package fhir

import (
	"context"
	"time"
)

// Gate is the only way to resources for everything that serves a caller. Only
// policy makes one, for one principal and tenant. Whatever passes it is decided
// and audited; nothing can be had beside it.
//
// Errors: [Forbidden] when the interaction as such is not allowed (told before
// any look-up); [NotFound], the same whether a thing does not exist or may not
// be known of; [Transient] when a decision or its record cannot be made.
// A Gate is safe for concurrent use.
type Gate interface {
	// View runs f over one snapshot. f may run again from the start, so it touches
	// nothing but what it overwrites whole.
	View(ctx context.Context, a Act, f func(Reader) error) error
	// Update runs f in one serialisable transaction: all of it is committed and
	// synced, with its audit records, when Update returns nil; nothing of it
	// otherwise. f may run again from the start, so it touches nothing but tx and
	// what it overwrites whole. An error that f returns is returned as it is.
	Update(ctx context.Context, a Act, f func(Tx) error) error
}

// Act is what is about to be done, for the decision and the record.
type Act struct {
	Interaction Interaction
	Type, ID    string
	Operation   string // "$everything"; "" for a plain interaction
	Recipient   Key    // whom a disclosure goes to
	Query       []byte // what was asked for, for the sealed part of the audit record; PHI
}

// Interaction is a RESTful interaction as the CapabilityStatement names it, or
// one of our own acts.
//
// Source: https://hl7.org/fhir/R4/valueset-type-restful-interaction.html
type Interaction string

// The interactions, then our own acts.
const (
	Read            Interaction = "read"
	VRead           Interaction = "vread"
	Create          Interaction = "create"
	Update          Interaction = "update"
	Delete          Interaction = "delete"
	Patch           Interaction = "patch"
	HistoryInstance Interaction = "history-instance"
	HistoryType     Interaction = "history-type"
	HistorySystem   Interaction = "history-system"
	SearchType      Interaction = "search-type"
	Transaction     Interaction = "transaction"
	Batch           Interaction = "batch"
	Capabilities    Interaction = "capabilities"
	Operation       Interaction = "operation"
	Disclose        Interaction = "disclose" // hand to a partner: Act.Recipient
	NoteWrite       Interaction = "process-note-write"
	NoteRead        Interaction = "process-note-read"
	Export          Interaction = "export" // read, to hand over in bulk as it is
	Study           Interaction = "study"  // read, to hand over in bulk only as a treatment leaves it: research
)

// Reader answers questions within one View or Update, for its principal.
type Reader interface {
	// Read returns the current version. [NotFound], or [Deleted] to whom could
	// read the last version.
	Read(ctx context.Context, k Key) (Resource, error)
	// ReadVersion returns one version; it and the current one must be visible.
	ReadVersion(ctx context.Context, k Key, version int64) (Resource, error)
	Search(ctx context.Context, q Query) (Set, error)
	History(ctx context.Context, s Scope, span Span) (Set, error)
}

// Tx is a Reader that writes.
type Tx interface {
	Reader
	// As returns the same transaction for another act: each entry of a Bundle is
	// decided and audited by itself.
	As(a Act) Tx
	// Put writes r as the next version. r.ID is set: see [NewIDs]. Meta that the
	// server owns is replaced.
	Put(ctx context.Context, r Resource, c Condition) (Written, error)
	// Delete writes a tombstone. Deleting what is deleted or was never there
	// succeeds with Unchanged, so that nothing is told.
	Delete(ctx context.Context, k Key, c Condition) (Written, error)
	// Derive writes what follows from parent by the product's own rules: scores,
	// flags, tasks. Allowed by a rule table, not by the caller's own rights, and
	// audited as derived. Content that did not change makes no version. A Resource of
	// no more than a key, see [Tombstone], takes back what followed from an earlier
	// version: it is deleted, if it is there.
	Derive(ctx context.Context, parent Head, rs ...Resource) ([]Written, error)
	// Enqueue hands work to the outbox with this transaction.
	Enqueue(ctx context.Context, w Work) error
	// Remember keeps a small value, free of content, for the same caller to Recall in a
	// later transaction, for d. It is kept with this transaction or not at all.
	Remember(ctx context.Context, key string, value []byte, d time.Duration) error
	// Recall returns what the caller keeps under key; nil: nothing, or no longer.
	Recall(ctx context.Context, key string) ([]byte, error)
}

// Condition must hold for a write.
type Condition struct {
	IfMatch        int64  // the current version; 0: any. Otherwise [Stale]
	IfMatchAny     bool   // [Stale] unless a version is there that the caller sees; where such a write is [NotFound] anyhow, that
	IfNoneMatchAny bool   // [Stale] if a version is there that the caller sees
	IfNoneExist    *Query // create only if nothing visible matches; one match is returned as Existing; more: [Multiple]
	MustCreate     bool   // [Duplicate] if the id is in use, visible or not
	SkipUnchanged  bool   // the same content apart from server-owned meta makes no version
}

// Effect is what a write did.
type Effect uint8

// The effects.
const (
	Unchanged Effect = iota
	Created
	Updated
	Removed
	Existing // a conditional create found its match
)

// Written is the result of a write.
type Written struct {
	Head
	Effect   Effect
	Resource Resource // as stored; zero for a tombstone
	By       []Key    // the Organizations that wrote it as a partner; nil: the house itself
}

// Deriver works out what follows from a resource that is about to be stored: a
// response's scores, flags and tasks. in reads as the gate does, below the
// caller's sight where an earlier score is needed. It returns nothing for what
// it does not know, and the same output (ids too) for the same input. Of what was
// deleted it gets the [Tombstone], and answers with those of what is to go with it.
type Deriver interface {
	Derive(ctx context.Context, in Reader, r Resource) ([]Resource, error)
}

// Follow does in the same transaction what must come of a write: derived resources,
// outgoing work. Whoever writes resources for a caller runs the list that the
// composition root made after each write that made a version. An error undoes all.
type Follow func(ctx context.Context, tx Tx, w Written) error

// Deriving is the Follow of a Deriver.
func Deriving(d Deriver) Follow {
	return func(ctx context.Context, tx Tx, w Written) error {
		r := w.Resource
		if r.IsZero() {
			r = Tombstone(w.Key, w.Version)
		}
		rs, err := d.Derive(ctx, tx, r)
		if err != nil || len(rs) == 0 {
			return err
		}
		_, err = tx.Derive(ctx, w.Head, rs...)
		return err
	}
}

// Tombstone is what stands for a resource that was deleted, or is to be: it has a
// key and no content.
func Tombstone(k Key, version int64) Resource { return Resource{Key: k, Version: version} }

// Transform rewrites a resource for a recipient (de-identification); keep false drops it.
type Transform func(ctx context.Context, r Resource) (out Resource, keep bool, err error)

// Release returns of rs what a partner may have, and why not the others.
type Release func(ctx context.Context, to Key, rs []Resource) ([]Resource, error)

// Clock tells the time; tests hand in a still one.
type Clock func() time.Time

// NewIDs makes ids for new resources; tests hand in a counter.
type NewIDs func() string
