package keyring

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrOpen is why something sealed does not open. Which of altered, sealed for
// another tenant, purpose or context, and of an unknown key it is, callers need
// not know.
var ErrOpen = errors.New("keyring: this does not open: it was altered, or sealed for another tenant, purpose or context, or by a key that is not in the ring")

// A sealed value is kind (1 byte), length of the key id (1), key id, nonce (24),
// then ciphertext and tag. All in front of the nonce is authenticated.
const (
	randomNonce    byte = 1
	syntheticNonce byte = 2
)

// Overhead is by how many bytes at most a sealed value is longer than what it holds.
const Overhead = 2 + maxID + xaesNonce + 16

// Seal encrypts plaintext for tenant and purpose. It opens only with the same
// tenant, purpose and aad; aad says where it belongs (a key, a column) and is not
// stored. Sealing twice gives two values.
func (r *Ring) Seal(tenant, purpose string, plaintext, aad []byte) []byte {
	var nonce [xaesNonce]byte
	rand.Read(nonce[:]) // never fails: the process ends instead
	return r.seal(randomNonce, r.current(purpose), tenant, purpose, nonce[:], plaintext, aad)
}

// SealDeterministic is Seal with a nonce that is made of key, plaintext and aad:
// equal arguments give equal values (until a rotation), so it tells that two are equal.
func (r *Ring) SealDeterministic(tenant, purpose string, plaintext, aad []byte) []byte {
	id := r.current(purpose)
	key, _ := r.derive(derivation{id, tenant, purpose, "nonce"})
	m := hmac.New(sha256.New, key[:])
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(aad))))
	m.Write(aad)
	m.Write(plaintext)
	return r.seal(syntheticNonce, id, tenant, purpose, m.Sum(nil)[:xaesNonce], plaintext, aad)
}

// Open returns what was sealed, by either way; else an [ErrOpen].
func (r *Ring) Open(tenant, purpose string, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < 2 || sealed[0] != randomNonce && sealed[0] != syntheticNonce {
		return nil, ErrOpen
	}
	head := 2 + int(sealed[1])
	if len(sealed) < head+xaesNonce {
		return nil, ErrOpen
	}
	id := string(sealed[2:head])
	x, ok := r.sealer(sealed[0], id, tenant, purpose)
	if !ok {
		return nil, ErrOpen
	}
	plaintext, err := x.open(sealed[head:head+xaesNonce], sealed[head+xaesNonce:], bound(sealed[:head], aad))
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// SealedBy returns the id of the key that sealed a value, for finding what a
// rotation left behind. It is not authenticated.
func SealedBy(sealed []byte) (id string, err error) {
	if len(sealed) < 2 || len(sealed) < 2+int(sealed[1]) || !validID(string(sealed[2:2+int(sealed[1])])) {
		return "", fmt.Errorf("%w: no key is named", ErrOpen)
	}
	return string(sealed[2 : 2+int(sealed[1])]), nil
}

func (r *Ring) seal(kind byte, id, tenant, purpose string, nonce, plaintext, aad []byte) []byte {
	x, _ := r.sealer(kind, id, tenant, purpose)
	out := make([]byte, 0, 2+len(id)+len(nonce)+len(plaintext)+16)
	out = append(append(out, kind, byte(len(id))), id...)
	full := bound(out, aad)
	out = append(out, nonce...)
	return x.seal(out, nonce, plaintext, full)
}

func (r *Ring) sealer(kind byte, id, tenant, purpose string) (*xaes, bool) {
	d := derivation{id, tenant, purpose, "random"}
	if kind == syntheticNonce {
		d.part = "synthetic"
	}
	if x, ok := r.sealers.Load(d); ok {
		return x.(*xaes), true
	}
	key, ok := r.derive(d)
	if !ok {
		return nil, false
	}
	x, _ := r.sealers.LoadOrStore(d, newXAES(key))
	return x.(*xaes), true
}

// bound joins header and context so that neither can pass for part of the other.
func bound(head, aad []byte) []byte {
	b := make([]byte, 0, len(head)+len(aad))
	return append(append(b, head...), aad...) // head tells its own length
}
