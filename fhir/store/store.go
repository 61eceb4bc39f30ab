// Package store says what a store must offer below the gate. Callers of the gate
// never see it: only policy and the packages that the house table lists import it.
// storetest is its conformance suite; what the comments here promise, it tests.
//
// # Decisions
//
// A Sight goes with each question, not with the transaction (see fhir's doc.go).
//
// Classes and profiles are text to callers and small integers inside a store. The
// [Landscape] of those in use is what policy evaluates its rules over.
//
// Relations and profiles are rows of their own, kept per patient, so that a
// closed episode or a new consent touches a few rows and not every resource.
package store

import (
	"context"
	"time"

	"rapport/fhir"
)

// Store keeps one tenant's resources. It is safe for concurrent use.
//
// Errors are *fhir.Error where the caller can do something about them (Stale,
// Duplicate, Conflict, NotSupported, Transient); anything else is a fault.
type Store interface {
	// View runs f over one snapshot, opened at its first need. f may run again from
	// the start, over another one. Readers outlive f by no means.
	View(ctx context.Context, f func(Reader) error) error
	// Update runs f in a serialisable transaction and returns when it is committed
	// and synced. f may run several times. If f fails or ctx is cancelled before
	// f starts, nothing of it remains, and others that were committed in the same
	// group are untouched. Neither success nor an error of f is told before the
	// group that it rested on is durable.
	Update(ctx context.Context, f func(Tx) error) error
	fhir.Feed
	fhir.Queue
	fhir.Memos
	Journal
}

// Reader reads within one View or Update.
type Reader interface {
	// Heads returns the current versions that sight admits, in the order asked for,
	// leaving out what does not exist or is not admitted. A tombstone is judged by
	// the facts of the last version.
	Heads(ctx context.Context, s fhir.Sight, ks ...fhir.Key) ([]Head, error)
	// Find answers a query. Chains, _has, includes, sorts and totals all see with s.
	Find(ctx context.Context, s fhir.Sight, q fhir.Query) (Page, error)
	// Changes returns versions, newest first, of which both that version and the
	// current one are admitted.
	Changes(ctx context.Context, s fhir.Sight, of fhir.Scope, span fhir.Span) (Changes, error)
	// Bodies returns immutable versions, in the order asked for; one that does not
	// exist or is a tombstone is the zero Resource. No sight: the caller had the
	// Ref from Heads, Find or Changes.
	Bodies(ctx context.Context, refs ...Ref) ([]fhir.Resource, error)
	// Patients returns what is known of patients, in the order asked for; an unknown
	// one has only its Key.
	Patients(ctx context.Context, ks ...fhir.Key) ([]fhir.PatientFacts, error)
	// Landscape returns the classes and profiles in use.
	Landscape(ctx context.Context) (Landscape, error)
	// Memo returns a memo, with Version 0 if there is none or it has expired.
	Memo(ctx context.Context, space, key string) (fhir.Memo, error)
}

// Tx is a Reader that writes. It sees its own writes.
type Tx interface {
	Reader
	// Lock takes the keys, in a fixed order, until the transaction ends, before
	// anything that rests on them is read. See MatchKey.
	Lock(ctx context.Context, ks ...MatchKey) error
	// Put writes r as the next version of r.Key and replaces its index entries and
	// relations. It assigns version (1, 2, …, also across tombstones) and time (never
	// earlier than that of any version of the tenant committed before) and returns
	// the resource stamped with them.
	Put(ctx context.Context, r fhir.Resource, rec Record, c Condition) (Head, fhir.Resource, error)
	// Delete writes a tombstone that keeps the facts of the last version. What does
	// not exist or is deleted already: Head with Version 0 or the tombstone, no error.
	Delete(ctx context.Context, k fhir.Key, c Condition) (Head, error)
	// SetProfile records what a patient's consents come to.
	SetProfile(ctx context.Context, patient fhir.Key, p fhir.Profile, until time.Time) error
	SetMemo(ctx context.Context, m fhir.Memo) error
	Enqueue(ctx context.Context, w fhir.Work) error
	// Append records audit entries with this transaction.
	Append(ctx context.Context, es ...Entry) error
}

// Record is what is kept with a version besides its body.
type Record struct {
	fhir.Facts
	Index     []fhir.Index
	Relations []fhir.Relation // that come from this resource; each Patient is one of Facts.Patients
}

// Head is a version without its body, with its facts.
type Head struct {
	fhir.Head
	fhir.Facts
}

// Ref names one version.
type Ref struct {
	fhir.Key
	Version int64
}

// Found is one entry of a Page.
type Found struct {
	Head
	Mode fhir.Mode
}

// Page is a page of search results: matches in order, then included resources.
type Page struct {
	Found []Found
	Total *int
	// Next continues behind this page when put into Query.After of the same query;
	// "" on the last page. Pages neither repeat nor skip what existed throughout.
	Next string
}

// Changes is a page of versions.
type Changes struct {
	Heads []Head
	Next  string
}

// Condition must hold for a write.
type Condition struct {
	IfMatch int64 // the current version, else Stale; 0: any
	Absent  bool  // the id was never used, else Duplicate
}

// MatchKey is what concurrent conditional writes must not both find absent: a
// hash of tenant, type and identifier token, or of tenant and type where the
// criteria name no identifier.
type MatchKey [16]byte

// Landscape lists what policy rules are evaluated over. Epoch changes whenever
// the lists do. The slices are shared: do not change them.
type Landscape struct {
	Epoch    int64
	Classes  []fhir.Class
	Profiles []fhir.Profile // "" included
}

// Durability of an Append.
type Durability uint8

// Synced waits for the disk, Batched may be committed with others a little later
// but is in order and in the store when Append returns.
const (
	Synced Durability = iota
	Batched
)

// Entry is one audit record. Body is canonical JSON, made by policy/audit. A store
// keeps it as it is.
type Entry struct {
	ID     string // unique within the tenant; appending it twice keeps the first
	Writer string // the process that made it
	At     time.Time
	Body   []byte
	// N and Hash are its place in the writer's chain, 0 and nil until sealed.
	N    int64
	Hash []byte
}

// Checkpoint is a signed statement about the chain of one writer.
type Checkpoint struct {
	Writer string
	N      int64
	Body   []byte // canonical JSON with signature, made by policy/audit
}

// Entries selects audit entries.
type Entries struct {
	Writer   string    // "" : all
	Unsealed bool      // only entries without a place in the chain, in order of commit
	After    string    // behind this page's Next
	AfterN   int64     // sealed entries of Writer with N greater than this, by N
	Since    time.Time // listing: At not before
	Max      int
}

// Journal is the audit part of a store.
type Journal interface {
	// Append records entries outside a transaction, also after one was rolled back.
	Append(ctx context.Context, d Durability, es ...Entry) error
	// Entries returns entries: unsealed ones in the order of their commit, those of
	// one writer by N, otherwise by time, then id. next is for Entries.After.
	Entries(ctx context.Context, sel Entries) (es []Entry, next string, err error)
	// Seal sets N and Hash of entries and keeps a checkpoint, in one transaction.
	// Conflict if an N of that writer is taken.
	Seal(ctx context.Context, es []Entry, c Checkpoint) error
	// Checkpoints returns a writer's checkpoints by N; all writers' for "".
	Checkpoints(ctx context.Context, writer string) ([]Checkpoint, error)
	// Writers lists the processes that ever appended an entry.
	Writers(ctx context.Context) ([]string, error)
}

type originKey struct{}

// Background marks ctx as not serving a request, for store_statements_total.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, originKey{}, true)
}

// IsBackground reports whether ctx was marked by Background.
func IsBackground(ctx context.Context) bool {
	b, _ := ctx.Value(originKey{}).(bool)
	return b
}
