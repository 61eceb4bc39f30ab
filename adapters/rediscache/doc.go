// Package rediscache wraps a store so that what was read lately is not read again.
//
//   - cache.go: Wrap, what is held in process, and how it is kept true.
//   - reader.go: the Reader that looks there first.
//   - follow.go: other processes' commits, by the store's Feed.
//   - body.go: immutable version bodies, in process and sealed in Redis.
//
// Held in process: current heads with their facts, patients' facts, the landscape,
// and pages of heads. Held in Redis: version bodies, which never change, each
// sealed with AES-GCM under its own key as additional data, the key an HMAC.
// Without Redis the rest works as it is.
//
// Whatever is wrong with Redis (down, slow, flushed, forged, swapped) is a miss.
//
// # Decisions
//
// Facts never come from Redis: who can write there must not be able to widen what
// anybody sees. Pages of heads stay in process too: a page is worth nothing without
// the facts of its heads, and those would have to be read from the store, which is
// the work the page was to save.
//
// What a process wrote it forgets before the write is acknowledged; what others
// wrote within a Feed poll. If the Feed cannot be followed for a second, nothing
// held is used until it can.
//
// A value read before an invalidation must not be put in after it. Commits that are
// known of are counted; the count is noted before a snapshot is opened and compared
// under the lock that invalidation holds; a late value is dropped.
//
// A View sees one moment. What it was told from memory is compared with the snapshot
// when that is opened; if it differs, f runs again over the snapshot alone. Keeping
// old versions in memory instead would not help: the snapshot is the newer of the two.
// From then on memory is not asked in that View, and not either once another commit
// is known of.
//
// What ends by the clock is in no change. A profile past its end is not answered from
// memory, a page is answered only while all on it is still admitted, and the landscape
// is looked at anew every 0.8 s, behind requests.
package rediscache
