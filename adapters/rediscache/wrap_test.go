package rediscache_test

import (
	"testing"
	"time"

	"rapport/adapters/rediscache"
	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
	"rapport/policy/keyring"
)

// wrapped is a cache over inner, with a poll behind it so that memory answers.
func wrapped(t testing.TB, inner store.Store, keys rediscache.Keys, r *rediscache.Redis, clock fhir.Clock) *rediscache.Cache {
	t.Helper()
	return wrappedAs(t, "t", inner, keys, r, clock)
}

func wrappedAs(t testing.TB, tenant string, inner store.Store, keys rediscache.Keys, r *rediscache.Redis, clock fhir.Clock) *rediscache.Cache {
	t.Helper()
	c := rediscache.Wrap(inner, rediscache.Config{Tenant: tenant, Redis: r, Keys: keys, Clock: clock})
	t.Cleanup(c.Close)
	for end := time.Now().Add(10 * time.Second); !c.Followed(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the feed is not followed")
		}
	}
	return c
}

func newKeys(t testing.TB) *keyring.Ring {
	t.Helper()
	return keyring.Random()
}

func TestACacheWithoutRedisKeepsTheContractOfTheStoreBehindIt(t *testing.T) {
	keys := newKeys(t)
	storetest.Run(t, func(t *testing.T) store.Store { return wrapped(t, storetest.NewMemory(time.Now), keys, nil, time.Now) })
	storetest.RunClock(t, func(t *testing.T, clock fhir.Clock) store.Store {
		return wrapped(t, storetest.NewMemory(clock), keys, nil, clock)
	})
}
