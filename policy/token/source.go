package token

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"rapport/fhir"
)

// Bounds of how long keys are trusted.
const (
	DefaultKeyTTL   = 10 * time.Minute // also the most
	DefaultMaxStale = time.Hour
	minKeyTTL       = time.Minute // for servers that forbid caching
	askEvery        = 10 * time.Second
	fetchTimeout    = 8 * time.Second
	maxAbsent       = 1024 // kids remembered as not there
)

// load fetches a key set. age is how long the server lets it be kept, negative if it
// does not say.
type load func(ctx context.Context) (body []byte, age time.Duration, err error)

// KeySource keeps a key set that lies elsewhere, and never trusts it for longer
// than it is good:
//
//   - a set is fetched again at its end of life: what Cache-Control says, but at least a
//     minute (or the TTL, if that is shorter) and at most the TTL;
//   - a key id that is not in it causes a fetch at once, but after a burst of two only
//     one in 10 s, and none for an id that was just seen not to be there;
//   - while fetching fails, the last set goes on for MaxStale, then nothing is verified;
//   - concurrent needs share one fetch.
//
// It is safe for concurrent use.
type KeySource struct {
	load       load
	clock      fhir.Clock
	ttl, stale time.Duration
	state      atomic.Pointer[keyState]
	retry      atomic.Int64 // no scheduled fetch before: Unix ns
	flight     singleflight.Group

	mu     sync.Mutex
	limit  *rate.Limiter        // fetches for unknown kids
	absent map[string]time.Time // kid → until
	failed int                  // fetches in a row
	err    error                // of the last fetch
	count  [2]uint64            // fetches that worked, that did not
}

type keyState struct {
	keys    *Keys
	fetched time.Time
	fresh   time.Time // until then nobody asks
	stale   time.Time // until then it may be used
}

func newSource(l load, clock fhir.Clock, ttl, stale time.Duration) *KeySource {
	return &KeySource{load: l, clock: clock, ttl: ttl, stale: stale,
		limit: rate.NewLimiter(rate.Every(askEvery), 2), absent: map[string]time.Time{}}
}

// Verify checks the signature of a compact JWS with the key that its header names, if
// alg allows that key, and returns the payload. Errors are a [Reason].
func (s *KeySource) verify(ctx context.Context, raw, kid, alg string) ([]byte, *Keys, error) {
	k, ks, err := s.key(ctx, kid, alg)
	if err != nil {
		return nil, nil, err
	}
	b, err := verifyWith(raw, alg, k)
	return b, ks, err
}

func (s *KeySource) key(ctx context.Context, kid, alg string) (jose.JSONWebKey, *Keys, error) {
	ks, err := s.current(ctx)
	if err != nil {
		return jose.JSONWebKey{}, nil, err
	}
	k, ok, err := ks.find(kid, alg)
	if ok || err != nil {
		return k, ks, err
	}
	if s.mayAsk(kid) {
		if ks, err = s.refresh(ctx); err != nil {
			return k, nil, errors.Join(KeysUnavailable, err)
		}
		if k, ok, err = ks.find(kid, alg); ok || err != nil {
			return k, ks, err
		}
		s.missed(kid)
	}
	if s.down() || ks.Len() == 0 {
		return k, nil, KeysUnavailable // it may be a new key that we cannot see
	}
	return k, nil, UnknownKey
}

// current returns the set to use now, fetching it when it is due.
func (s *KeySource) current(ctx context.Context) (*Keys, error) {
	now := s.clock()
	if st := s.state.Load(); st != nil && now.Before(st.fresh) {
		return st.keys, nil
	}
	err := error(KeysUnavailable)
	if now.UnixNano() >= s.retry.Load() {
		ks, ferr := s.refresh(ctx)
		if ferr == nil {
			return ks, nil
		}
		err = errors.Join(KeysUnavailable, ferr)
	}
	if st := s.state.Load(); st != nil && now.Before(st.stale) {
		return st.keys, nil
	}
	return nil, err
}

// trusts reports whether what was verified with ks still holds, without asking anybody.
func (s *KeySource) trusts(ks *Keys, now time.Time) bool {
	st := s.state.Load()
	if st == nil || st.keys != ks {
		return false
	}
	return now.Before(st.fresh) || now.UnixNano() < s.retry.Load() && now.Before(st.stale)
}

// refresh fetches the set, once for all who want it. It goes on when ctx ends.
func (s *KeySource) refresh(ctx context.Context) (*Keys, error) {
	ch := s.flight.DoChan("", func() (any, error) {
		fctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		body, age, err := s.load(fctx)
		var ks *Keys
		if err == nil {
			ks, err = ParseKeys(body)
		}
		return s.settle(ks, age, err)
	})
	select {
	case r := <-ch:
		ks, _ := r.Val.(*Keys)
		return ks, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *KeySource) settle(ks *Keys, age time.Duration, err error) (*Keys, error) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	if err != nil {
		s.failed++
		s.count[1]++
		wait := min(time.Second<<min(s.failed-1, 4), askEvery, s.ttl)
		s.retry.Store(now.Add(wait).UnixNano())
		return nil, err
	}
	s.failed = 0
	s.count[0]++
	s.retry.Store(0)
	life := s.ttl
	if age >= 0 {
		life = min(max(age, minKeyTTL), s.ttl)
	}
	if old := s.state.Load(); old != nil && old.keys.digest == ks.digest {
		ks = old.keys // what was verified with it still holds
	}
	s.state.Store(&keyState{keys: ks, fetched: now, fresh: now.Add(life), stale: now.Add(life + s.stale)})
	return ks, nil
}

func (s *KeySource) mayAsk(kid string) bool {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return !now.Before(s.absent[kid]) && s.limit.AllowN(now, 1)
}

func (s *KeySource) missed(kid string) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.absent) >= maxAbsent {
		clear(s.absent) // the limit on fetches holds without it
	}
	s.absent[kid] = now.Add(askEvery)
}

func (s *KeySource) down() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// run keeps the set fresh until ctx ends, so that no request waits for a fetch.
func (s *KeySource) run(ctx context.Context) {
	for {
		now := s.clock()
		wait := time.Duration(0)
		if st := s.state.Load(); st != nil {
			wait = st.fetched.Add(st.fresh.Sub(st.fetched) * 4 / 5).Sub(now)
		}
		if r := time.Unix(0, s.retry.Load()).Sub(now); r > wait {
			wait = r
		}
		if wait > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(max(wait, 10*time.Millisecond)):
				continue // the clock may have been set
			}
		}
		if _, err := s.refresh(ctx); ctx.Err() != nil {
			return
		} else if err == nil && s.state.Load().fetched.Before(now) { // a clock that stands still
			return
		}
	}
}

func (s *KeySource) status(url string, now time.Time) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Status{Issuer: url, Fetches: s.count[0], Failed: s.count[1], Err: s.err}
	if st := s.state.Load(); st != nil {
		out.Keys, out.Fetched = st.keys.Len(), st.fetched
		out.Ready = out.Keys > 0 && now.Before(st.stale)
	}
	return out
}
