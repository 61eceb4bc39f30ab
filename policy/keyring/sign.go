package keyring

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"strconv"
	"time"
)

// PublicKey verifies audit signatures outside of this installation.
type PublicKey struct {
	ID   string
	Made time.Time
	Key  ed25519.PublicKey
}

// Sign signs message with tenant's present audit key and says which that is.
// The message must itself say what kind of statement it is.
func (r *Ring) Sign(tenant string, message []byte) (id string, signature []byte) {
	id, seed := r.Key(tenant, AuditSign)
	return id, ed25519.Sign(ed25519.NewKeyFromSeed(seed[:]), message)
}

// Verify reports whether signature is that of tenant's audit key id over message.
func (r *Ring) Verify(tenant, id string, message, signature []byte) bool {
	seed, ok := r.KeyByID(id, tenant, AuditSign)
	if !ok {
		return false
	}
	public := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
	return ed25519.Verify(public, message, signature)
}

// PublicKeys returns tenant's audit keys, oldest first, for whoever checks the
// trail without the keyring.
func (r *Ring) PublicKeys(tenant string) []PublicKey {
	out := make([]PublicKey, len(r.roots))
	for i, k := range r.roots {
		seed, _ := r.KeyByID(k.id, tenant, AuditSign)
		out[i] = PublicKey{ID: k.id, Made: k.made, Key: ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)}
	}
	return out
}

// TokenKey is a P-256 key of the built-in issuer.
type TokenKey struct {
	ID   string    // of the root that it comes from
	Made time.Time // when that root was
	Key  *ecdsa.PrivateKey
}

// TokenKeys returns the issuer's signing keys, the active one first, then the
// others, newest first. issuer takes the place of a tenant: two issuers on one
// ring have different keys.
func (r *Ring) TokenKeys(issuer string) []TokenKey {
	out := make([]TokenKey, 0, len(r.roots))
	for i := len(r.roots) - 1; i >= 0; i-- {
		k := TokenKey{ID: r.roots[i].id, Made: r.roots[i].made, Key: r.tokenKey(r.roots[i].id, issuer)}
		if k.ID == r.active {
			out = append([]TokenKey{k}, out...)
		} else {
			out = append(out, k)
		}
	}
	return out
}

// tokenKey derives until the bytes are a scalar of the curve's field, which the first
// ones are but once in 2^32.
func (r *Ring) tokenKey(root, issuer string) *ecdsa.PrivateKey {
	for i := 0; ; i++ {
		b, _ := r.derive(derivation{root, issuer, IssuerSign, strconv.Itoa(i)})
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b[:]); err == nil {
			return k
		}
	}
}
