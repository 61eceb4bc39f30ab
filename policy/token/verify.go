package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"rapport/fhir"
	"rapport/policy"
	"rapport/policy/keyring"
)

const (
	maxVerified   = 50_000 // tokens remembered
	verifyTimeout = 15 * time.Second
)

// Options are what a Verifier needs of the rest of the gateway.
type Options struct {
	Clock    fhir.Clock
	Ring     *keyring.Ring
	Known    Known
	Tenant   func(id string) bool // is it served here
	Resolver Resolver             // nil: nobody is found
	Log      *slog.Logger         // reasons, never tokens or claims; nil: none
}

// Verifier turns bearer tokens into principals. It is safe for concurrent use.
type Verifier struct {
	realms   map[string]*realm
	clock    fhir.Clock
	ring     *keyring.Ring
	known    Known
	tenant   func(string) bool
	resolver Resolver
	log      *slog.Logger
	verified *otter.Cache[[sha256.Size]byte, verified]
	flight   singleflight.Group

	mu      sync.Mutex
	reasons map[Reason]uint64
}

// verified is what a token came to, for as long as it does.
type verified struct {
	principal policy.Principal
	until     time.Time
	source    *KeySource
	keys      *Keys
}

// New makes a Verifier. It does not wait for any issuer: one that is down is not
// ready, and asked again when it is needed. A key file that cannot be read is an error.
func New(c Config, o Options) (*Verifier, error) {
	if err := c.validate(o.Known); err != nil {
		return nil, err
	}
	v := &Verifier{realms: map[string]*realm{}, clock: o.Clock, ring: o.Ring, known: o.Known, tenant: o.Tenant,
		resolver: o.Resolver, log: o.Log, reasons: map[Reason]uint64{}}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	longest := time.Second
	for n, i := range c.Issuers {
		r := &realm{Issuer: i.withDefaults(), clients: map[string]clientRule{}}
		for id, cl := range i.Clients {
			rule := clientRule{Client: cl}
			rule.ceiling, _ = ParseCeiling(cl.Scope, o.Known) // validated above
			for _, s := range cl.Grants {
				g, _ := parseGrant(s)
				rule.grants = append(rule.grants, g)
			}
			r.clients[id] = rule
		}
		r.keys = newSource(i.load(), o.Clock, r.KeyTTL, r.MaxStale)
		if i.JWKSFile != "" {
			if _, err := r.keys.refresh(context.Background()); err != nil {
				return nil, fmt.Errorf("issuers[%d].jwksFile: %w", n, err)
			}
		}
		v.realms[i.URL] = r
		longest = max(longest, r.TokenTTL)
	}
	cache, err := otter.New(&otter.Options[[sha256.Size]byte, verified]{
		MaximumSize: maxVerified, ExpiryCalculator: otter.ExpiryWriting[[sha256.Size]byte, verified](longest),
	})
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	v.verified = cache
	return v, nil
}

func (i Issuer) load() load {
	switch {
	case i.Source != nil:
		return func(ctx context.Context) ([]byte, time.Duration, error) {
			b, err := i.Source(ctx)
			return b, -1, err
		}
	case i.JWKSFile != "":
		return fromFile(i.JWKSFile)
	case i.JWKS != "":
		return fromURL(i.JWKS)
	}
	return fromDiscovery(i.URL)
}

// Run keeps the issuers' keys fresh until ctx ends. Without it keys are fetched
// when a request needs them.
func (v *Verifier) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, r := range v.realms {
		wg.Go(func() { r.keys.run(ctx) })
	}
	wg.Wait()
}

// Verify returns who holds the token. Errors are [fhir.Login] for a token that is not
// accepted, whatever the reason, and [fhir.Transient] while that cannot be known; both
// say nothing of the token. The principal's slices are shared: do not change them.
func (v *Verifier) Verify(ctx context.Context, raw string) (policy.Principal, error) {
	if len(raw) > MaxToken {
		return policy.Principal{}, v.fail(TooLong)
	}
	var buf [2 << 10]byte // most tokens fit, and then nothing is allocated
	hash := sha256.Sum256(append(buf[:0], raw...))
	now := v.clock()
	if known, ok := v.verified.GetIfPresent(hash); ok && now.Before(known.until) && known.source.trusts(known.keys, now) {
		return known.principal, nil
	}
	return v.unknown(ctx, raw, hash, now)
}

// unknown verifies a token that is not remembered, once for all who send it now.
func (v *Verifier) unknown(ctx context.Context, raw string, hash [sha256.Size]byte, now time.Time) (policy.Principal, error) {
	c, err := parseCompact(raw)
	if err != nil {
		return policy.Principal{}, v.fail(err)
	}
	r, ok := v.realms[c.iss]
	if !ok {
		return policy.Principal{}, v.fail(UnknownIssuer)
	}
	if err := r.check(c, now); err != nil {
		return policy.Principal{}, v.fail(err)
	}
	ch := v.flight.DoChan(string(hash[:]), func() (any, error) {
		fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), verifyTimeout)
		defer cancel()
		return v.verify(fctx, r, c, hash)
	})
	select {
	case got := <-ch:
		if got.Err != nil {
			return policy.Principal{}, v.fail(got.Err)
		}
		return got.Val.(policy.Principal), nil
	case <-ctx.Done():
		return policy.Principal{}, unavailable(KeysUnavailable, ctx.Err())
	}
}

// verify checks the signature, then makes and remembers the principal.
func (v *Verifier) verify(ctx context.Context, r *realm, c *compact, hash [sha256.Size]byte) (policy.Principal, error) {
	set := &signature{source: r.keys, c: c}
	id, err := oidc.NewVerifier(r.URL, set, &oidc.Config{
		SupportedSigningAlgs: []string{c.alg}, SkipClientIDCheck: true, SkipExpiryCheck: true, // both checked before, more strictly
	}).Verify(ctx, c.raw)
	if set.err != nil {
		return policy.Principal{}, set.err
	}
	// A second reader of the same bytes must have read the same.
	if err != nil || id.Issuer != c.iss || id.Subject != c.sub || id.Expiry.Unix() != c.exp || id.IssuedAt.Unix() != c.iat || !slices.Equal(id.Audience, c.aud) {
		return policy.Principal{}, Malformed
	}
	p, err := v.principal(ctx, r, c)
	if err != nil {
		return policy.Principal{}, err
	}
	until := v.clock().Add(r.TokenTTL)
	if end := p.Expires.Add(r.Skew); end.Before(until) {
		until = end
	}
	v.verified.Set(hash, verified{p, until, r.keys, set.keys})
	return p, nil
}

// signature lets go-oidc verify with our keys; it keeps our error, which go-oidc
// would turn into text.
type signature struct {
	source *KeySource
	c      *compact
	keys   *Keys
	err    error
}

func (s *signature) VerifySignature(ctx context.Context, raw string) (payload []byte, err error) {
	payload, s.keys, s.err = s.source.verify(ctx, raw, s.c.kid, s.c.alg)
	return payload, s.err
}

// fail counts and logs why, and gives the caller's answer.
func (v *Verifier) fail(err error) error {
	r := ReasonOf(err)
	var lookup *lookupError
	if errors.As(err, &lookup) {
		r = LookupFailed
	}
	if r == "" {
		r = Malformed
	}
	v.mu.Lock()
	v.reasons[r]++
	v.mu.Unlock()
	if r == KeysUnavailable || r == LookupFailed {
		v.log.Warn("token cannot be checked", "reason", string(r), "cause", err)
		return unavailable(r, err)
	}
	v.log.Debug("token refused", "reason", string(r))
	return refused(r)
}

// Status is how an issuer stands, for /readyz and metrics.
type Status struct {
	Issuer  string
	Ready   bool      // its tokens can be verified now
	Keys    int       // usable ones
	Fetched time.Time // when they were last seen
	Fetches uint64    // that worked
	Failed  uint64    // that did not
	Err     error     // of the last fetch, if it failed
}

// Status returns how the issuers stand, by URL.
func (v *Verifier) Status() []Status {
	var out []Status
	for url, r := range v.realms {
		out = append(out, r.keys.status(url, v.clock()))
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Issuer, b.Issuer) })
	return out
}

// Refusals returns how many tokens were not accepted, by reason.
func (v *Verifier) Refusals() map[Reason]uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make(map[Reason]uint64, len(v.reasons))
	for r, n := range v.reasons {
		out[r] = n
	}
	return out
}
