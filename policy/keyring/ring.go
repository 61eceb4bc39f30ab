package keyring

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"
)

// What keys are for. A purpose is part of the derivation: a key of one purpose
// tells nothing about that of another.
const (
	IDs        = "ids"         // ids of imported resources; from the stable root
	Pseudonyms = "pseudonyms"  // research pseudonyms; from the stable root
	Cursors    = "cursors"     // search continuation links
	Cache      = "cache"       // what lies in Redis
	Notes      = "notes"       // process notes
	AuditSign  = "audit-sign"  // checkpoints of the audit trail
	IssuerSign = "issuer-sign" // access tokens of the built-in issuer
	TokenHash  = "token-hash"  // token ids, for the record
	AuditQuery = "audit-query" // what was asked for, within audit records
	Export     = "export"      // files and spills of bulk exports
)

// KeySize is the size of every key, in bytes.
const KeySize = 32

// Ring is an opened keyring. It is immutable and safe for concurrent use; after a
// rotation, open the file again. Printing it shows key ids alone.
type Ring struct {
	roots   []root // in the order of the file: oldest first
	active  string
	stable  string
	derived sync.Map // derivation → [KeySize]byte
	sealers sync.Map // derivation → *xaes
}

type root struct {
	id     string
	made   time.Time
	secret [KeySize]byte
}

// derivation names one derived key.
type derivation struct{ root, tenant, purpose, part string }

// Info describes a root key without its secret.
type Info struct {
	ID     string
	Made   time.Time
	Active bool
	Stable bool
}

// Infos lists the root keys, oldest first.
func (r *Ring) Infos() []Info {
	out := make([]Info, len(r.roots))
	for i, k := range r.roots {
		out[i] = Info{ID: k.id, Made: k.made, Active: k.id == r.active, Stable: k.id == r.stable}
	}
	return out
}

// Key returns the key of tenant for purpose that is in use now, and the id of the
// root that it comes from: the stable one for [IDs] and [Pseudonyms], else the
// active one. The same arguments give the same key until the next rotation.
func (r *Ring) Key(tenant, purpose string) (id string, key [KeySize]byte) {
	id = r.current(purpose)
	key, _ = r.KeyByID(id, tenant, purpose)
	return id, key
}

// KeyByID returns the key of tenant for purpose that comes from the root id; false
// if the ring has no such root.
func (r *Ring) KeyByID(id, tenant, purpose string) (key [KeySize]byte, ok bool) {
	return r.derive(derivation{root: id, tenant: tenant, purpose: purpose})
}

// Hash is HMAC-SHA256 of parts, each length-prefixed, under tenant's present key for
// purpose: a name for something that must not be written down.
func (r *Ring) Hash(tenant, purpose string, parts ...string) (h [sha256.Size]byte) {
	_, key := r.Key(tenant, purpose)
	m := hmac.New(sha256.New, key[:])
	var b []byte
	for _, p := range parts {
		b = appendPart(b[:0], p)
		m.Write(b)
	}
	m.Sum(h[:0])
	return h
}

func (r *Ring) current(purpose string) string {
	if purpose == IDs || purpose == Pseudonyms {
		return r.stable
	}
	return r.active
}

func (r *Ring) derive(d derivation) (key [KeySize]byte, ok bool) {
	if k, ok := r.derived.Load(d); ok {
		return k.([KeySize]byte), true
	}
	i := slices.IndexFunc(r.roots, func(k root) bool { return k.id == d.root })
	if i < 0 {
		return key, false
	}
	info := appendPart(appendPart(appendPart(nil, d.tenant), d.purpose), d.part)
	b, err := hkdf.Key(sha256.New, r.roots[i].secret[:], []byte("rapport keyring 1"), string(info), KeySize)
	if err != nil { // only for lengths that SHA-256 cannot give
		panic("keyring: " + err.Error())
	}
	key = [KeySize]byte(b)
	r.derived.Store(d, key)
	return key, true
}

// appendPart appends the length of s in 8 bytes, then s.
func appendPart(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

// Format prints ids alone, whatever the verb: a ring never reaches a log.
func (r *Ring) Format(f fmt.State, _ rune) {
	if r == nil {
		fmt.Fprint(f, "keyring(none)")
		return
	}
	fmt.Fprintf(f, "keyring(%d keys, active %s)", len(r.roots), r.active)
}

// MarshalText makes encoders and slog print what Format does.
func (r *Ring) MarshalText() ([]byte, error) { return fmt.Append(nil, r), nil }
