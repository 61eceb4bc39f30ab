package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rapport/fhir"
)

// AssertionLife is how long a client assertion is good, in both directions: what we
// sign, and the most that we accept.
const AssertionLife = 5 * time.Minute

// SigningKey signs client assertions (private_key_jwt). Printing it shows its id.
type SigningKey struct {
	id  string
	alg jose.SignatureAlgorithm
	key crypto.Signer
}

// NewSigningKey takes an RSA key of at least 2048 bits (RS384) or one of P-384
// (ES384), the two that SMART Backend Services knows; P-256 (ES256) for others.
func NewSigningKey(id string, key crypto.Signer) (*SigningKey, error) {
	if !validKid(id) {
		return nil, errors.New("token: a key id has 1 to 128 of A-Z a-z 0-9 - _ . =")
	}
	k := &SigningKey{id: id, key: key}
	switch p := key.Public().(type) {
	case *rsa.PublicKey:
		if p.N.BitLen() < minRSA {
			return nil, fmt.Errorf("token: an RSA key needs %d bits", minRSA)
		}
		k.alg = jose.RS384
	case *ecdsa.PublicKey:
		switch p.Curve {
		case elliptic.P384():
			k.alg = jose.ES384
		case elliptic.P256():
			k.alg = jose.ES256
		default:
			return nil, errors.New("token: an EC key is of P-384 or P-256")
		}
	default:
		return nil, errors.New("token: the key is neither RSA nor EC")
	}
	return k, nil
}

// GenerateSigningKey makes a fresh P-384 key.
func GenerateSigningKey(id string) (*SigningKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	return NewSigningKey(id, k)
}

// ReadSigningKey reads a private JSON Web Key from a file that group and others may
// not read. No error quotes the file.
func ReadSigningKey(path string) (*SigningKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("token: %s is open to group or others; run: chmod 600 %s", path, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	var k jose.JSONWebKey
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("token: %s is not a private JSON Web Key", path)
	}
	signer, ok := k.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("token: %s is not a private JSON Web Key of RSA or EC", path)
	}
	return NewSigningKey(k.KeyID, signer)
}

// WriteFile writes the private key as a JSON Web Key, mode 0600, to a new file.
func (k *SigningKey) WriteFile(path string) error {
	b, err := json.Marshal(jose.JSONWebKey{Key: k.key, KeyID: k.id, Algorithm: string(k.alg), Use: "sig"})
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return fmt.Errorf("token: %w", err)
	}
	return f.Close()
}

// JWKS returns the public half as a JSON Web Key Set, for registration with a partner.
func (k *SigningKey) JWKS() ([]byte, error) {
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.key.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig"}}})
}

func (k *SigningKey) String() string   { return "key " + k.id }
func (k *SigningKey) GoString() string { return k.String() }

// Assertion makes a client assertion for the token endpoint aud, good for a minute from
// now. id becomes its jti and must never be used again.
//
// Source: https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html; RFC 7523
func Assertion(k *SigningKey, clientID, aud, id string, now time.Time) (string, error) {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: jose.JSONWebKey{Key: k.key, KeyID: k.id}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	b, err := json.Marshal(map[string]any{
		"iss": clientID, "sub": clientID, "aud": aud, "jti": id, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	jws, err := s.Sign(b)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return jws.CompactSerialize()
}

// NewKeySource makes a source of a client's registered keys: at an address, or, when
// that is "", a set that stays as it is. Addresses are fetched under the same limits
// as those of issuers.
func NewKeySource(address string, set []byte, clock fhir.Clock) (*KeySource, error) {
	l := fromURL(address)
	if address == "" {
		if _, err := ParseKeys(set); err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		l = func(context.Context) ([]byte, time.Duration, error) { return set, -1, nil }
	} else if what := checkURL(address); what != "" {
		return nil, fmt.Errorf("token: %s %s", address, what)
	}
	return newSource(l, clock, DefaultKeyTTL, 0), nil
}

// Assertions checks client assertions at a token endpoint.
type Assertions struct {
	Audiences []string      // what this endpoint is called: its URL
	Clock     fhir.Clock    //
	Skew      time.Duration // of clocks
}

// Client returns the client that an assertion claims to be from. Nothing is verified:
// it only says whose keys to verify with.
func (a Assertions) Client(raw string) (string, error) {
	c, err := parseCompact(raw)
	if err != nil {
		return "", err
	}
	return c.sub, nil
}

// Check verifies an assertion of client with its keys and returns jti and expiry. That
// the jti was not used before is for the caller to see to, until that expiry. jku
// must be absent or jwks, the client's registered address of keys.
//
// RS384 and ES384 are accepted; a life of more than five minutes, a lacking claim, other
// iss, sub or aud are not. Errors are a [Reason].
func (a Assertions) Check(ctx context.Context, raw, client, jwks string, keys *KeySource) (jti string, expires time.Time, err error) {
	c, err := parseCompact(raw)
	if err != nil {
		return "", time.Time{}, err
	}
	now, skew := a.Clock().Unix(), int64(a.Skew/time.Second)
	switch {
	case c.alg != "RS384" && c.alg != "ES384":
		err = BadAlgorithm
	case c.typ != "jwt" && c.typ != "" && c.typ != "client-authentication+jwt":
		err = WrongType
	case c.jku != "" && c.jku != jwks:
		err = BadHeader
	case c.iss == "" || c.sub == "" || c.jti == "" || c.exp == 0 || len(c.aud) == 0:
		err = MissingClaim
	case c.iss != client || c.sub != client:
		err = UnknownClient
	case len(c.aud) != 1 || !slices.Contains(a.Audiences, c.aud[0]):
		err = WrongAudience // one that is good elsewhere too could be passed on
	case now >= c.exp+skew:
		err = Expired
	case c.nbf > now+skew, c.iat > now+skew:
		err = NotYet
	case c.exp > now+int64(AssertionLife/time.Second)+skew, c.iat != 0 && (c.exp <= c.iat || c.exp-c.iat > int64(AssertionLife/time.Second)):
		err = LivesTooLong
	}
	if err != nil {
		return "", time.Time{}, err
	}
	if _, _, err := keys.verify(ctx, raw, c.kid, c.alg); err != nil {
		return "", time.Time{}, err
	}
	return c.jti, time.Unix(c.exp+skew, 0), nil
}
