package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// algorithm says what key an algorithm needs. What is not in the table is not
// verified by anyone here: none and the HMAC family are not.
type algorithm struct {
	kty   string
	curve elliptic.Curve
}

var algorithms = map[string]algorithm{
	"RS256": {kty: "RSA"}, "RS384": {kty: "RSA"}, "RS512": {kty: "RSA"},
	"PS256": {kty: "RSA"}, "PS384": {kty: "RSA"}, "PS512": {kty: "RSA"},
	"ES256": {"EC", elliptic.P256()}, "ES384": {"EC", elliptic.P384()}, "ES512": {"EC", elliptic.P521()},
	"EdDSA": {kty: "OKP"},
}

const (
	maxKeys = 100 // in one set
	minRSA  = 2048
)

// Keys is a set of public keys that may verify signatures. It is immutable.
type Keys struct {
	keys   map[keyName]jose.JSONWebKey
	digest [sha256.Size]byte
}

type keyName struct{ kid, kty string }

// ParseKeys reads a JSON Web Key Set and keeps what may sign: a key with a kid, for
// signatures (use "sig", or key_ops with "verify"), public, RSA of at least 2048 bits, EC
// of P-256 or larger, or Ed25519. The others are left out, as a set may hold keys
// for other ends. Two keys of one kid and kty are both left out: which is meant
// cannot be told. An error means that this is no key set at all.
func ParseKeys(b []byte) (*Keys, error) {
	doc, err := decodeObject(b)
	if err != nil {
		return nil, errors.New("not a JSON Web Key Set")
	}
	list, ok := doc["keys"].([]any)
	if !ok || len(list) > maxKeys {
		return nil, errors.New("not a JSON Web Key Set: no list of keys, or too many")
	}
	ks := &Keys{keys: map[keyName]jose.JSONWebKey{}, digest: sha256.Sum256(b)}
	doubled := map[keyName]bool{}
	for _, v := range list {
		m, _ := v.(map[string]any)
		name, k, ok := usable(m)
		if !ok {
			continue
		}
		if _, twice := ks.keys[name]; twice {
			doubled[name] = true
		}
		ks.keys[name] = k
	}
	for name := range doubled {
		delete(ks.keys, name)
	}
	return ks, nil
}

// Len returns how many usable keys there are.
func (ks *Keys) Len() int { return len(ks.keys) }

func usable(m map[string]any) (keyName, jose.JSONWebKey, bool) {
	none := func() (keyName, jose.JSONWebKey, bool) { return keyName{}, jose.JSONWebKey{}, false }
	kid, _ := m["kid"].(string)
	kty, _ := m["kty"].(string)
	if !validKid(kid) {
		return none()
	}
	for _, private := range []string{"d", "k", "p", "q"} {
		if _, there := m[private]; there {
			return none() // a private key that was published is nobody's key
		}
	}
	use, hasUse := m["use"]
	ops, hasOps := m["key_ops"].([]any)
	if hasUse && use != "sig" || hasOps && !slices.Contains(ops, any("verify")) || !hasUse && !hasOps {
		return none()
	}
	b, err := json.Marshal(m)
	if err != nil {
		return none()
	}
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(b); err != nil || !k.Valid() || !k.IsPublic() {
		return none()
	}
	if k.Algorithm != "" && algorithms[k.Algorithm].kty != kty {
		return none()
	}
	switch p := k.Key.(type) {
	case *rsa.PublicKey:
		if p.N.BitLen() < minRSA || p.E < 3 {
			return none()
		}
	case *ecdsa.PublicKey:
		if c := p.Curve; c != elliptic.P256() && c != elliptic.P384() && c != elliptic.P521() {
			return none()
		}
	case ed25519.PublicKey:
	default:
		return none()
	}
	return keyName{kid, kty}, k, true
}

// find returns the one key of that kid that fits alg. Its second result is false when
// the kid is not there; a key of the kid that does not fit is [BadAlgorithm].
func (ks *Keys) find(kid, alg string) (jose.JSONWebKey, bool, error) {
	a := algorithms[alg]
	k, ok := ks.keys[keyName{kid, a.kty}]
	if !ok {
		return k, false, nil
	}
	if k.Algorithm != "" && k.Algorithm != alg {
		return k, true, BadAlgorithm
	}
	if p, ec := k.Key.(*ecdsa.PublicKey); ec && p.Curve != a.curve {
		return k, true, BadAlgorithm
	}
	return k, true, nil
}

// verifyWith checks the signature of a compact JWS and returns its payload.
func verifyWith(raw, alg string, k jose.JSONWebKey) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return nil, BadSignature
	}
	payload, err := jws.Verify(k)
	if err != nil {
		return nil, BadSignature
	}
	return payload, nil
}
