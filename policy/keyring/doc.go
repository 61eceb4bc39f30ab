// Package keyring holds the one secret of an installation: a file of root keys
// from which every other key is derived, by tenant and by purpose.
//
//   - file.go: the file: made, opened, rotated; strict, and readable by its owner alone.
//   - ring.go: root keys and what is derived from them.
//   - seal.go, xaes.go: sealing, with a random or a synthetic nonce.
//   - sign.go: Ed25519 signatures of the audit trail and the issuer's key.
//
// # The file
//
//	version: 1
//	active: k3f9a0c71d2e4b685   # seals and signs from now on
//	stable: k3f9a0c71d2e4b685   # ids and pseudonyms, for ever
//	keys:
//	  - id: k3f9a0c71d2e4b685
//	    made: 2026-03-01T09:00:00Z
//	    secret: <32 bytes, base64>
//
// JSON of the same shape works too. Its loss is the loss of what was sealed
// (process notes) and of the link between a source's records and our ids: back it
// up apart from the data. Whoever has it and the data has everything.
//
// # Rotation
//
// [Rotate] adds a root key and makes it the active one. What older keys sealed
// still opens, what they signed still verifies, since each sealed value and each
// signature names its key. The purposes [IDs] and [Pseudonyms] do not move: their
// keys come from the root named stable, whatever is active, because an id that
// changed with a rotation would make a second resource of each known record.
// Replacing the stable root is a migration of the data, not a rotation, and
// there is no command for it. A stable root that leaked lets its finder test
// guessed record numbers against ids; it opens nothing that newer keys sealed.
//
// # Limits
//
// At most 64 root keys. Root keys lie in the file in clear: the file's mode is its
// protection (where the system has modes; elsewhere the folder's). No key is
// wiped from memory: Go cannot promise that. A root is never removed by a command,
// since nothing here knows whether something sealed under it is still kept.
//
// # Decisions
//
// HKDF-SHA256 with every part of info length-prefixed, so that tenant "a", purpose
// "bc" and tenant "ab", purpose "c" never meet.
//
// XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM under a key derived per
// nonce of 24 bytes. Plain AES-GCM with random 96-bit nonces wants a new key after
// 2^32 messages, which a busy cache reaches within months; this does not within
// any lifetime. Cost: about half a microsecond a message.
//
// Deterministic sealing makes the nonce by HMAC of message and context under a
// key of its own: equal cursors are equal, and nothing else is told. AES-GCM-SIV is
// not in the standard library.
//
// The issuer's signing key is derived as well (P-256), so that a restart keeps it and
// there is no second secret file to lose. An RSA key cannot be derived so.
package keyring
