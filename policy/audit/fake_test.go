package audit

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"slices"
	"sync"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// fakeStore is the journal part of a store, in memory.
type fakeStore struct {
	store.Store
	mu          sync.Mutex
	entries     []store.Entry
	checkpoints []store.Checkpoint
	down        error
}

func (s *fakeStore) Append(_ context.Context, _ store.Durability, es ...store.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	for _, e := range es {
		if !slices.ContainsFunc(s.entries, func(x store.Entry) bool { return x.ID == e.ID }) {
			s.entries = append(s.entries, e)
		}
	}
	return nil
}

func (s *fakeStore) Entries(_ context.Context, sel store.Entries) ([]store.Entry, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []store.Entry
	for _, e := range s.entries {
		if sel.Writer != "" && e.Writer != sel.Writer || sel.Unsealed != (e.N == 0) || e.N > 0 && e.N <= sel.AfterN {
			continue
		}
		out = append(out, e)
	}
	if !sel.Unsealed {
		slices.SortStableFunc(out, func(a, b store.Entry) int { return cmp.Compare(a.N, b.N) })
	}
	if sel.Max > 0 && len(out) > sel.Max {
		out = out[:sel.Max]
	}
	return out, "", nil
}

func (s *fakeStore) Seal(_ context.Context, es []store.Entry, c store.Checkpoint) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range es {
		for _, x := range s.entries {
			if x.Writer == e.Writer && x.N == e.N {
				return &fhir.Error{Code: fhir.Conflict}
			}
		}
	}
	for _, e := range es {
		i := slices.IndexFunc(s.entries, func(x store.Entry) bool { return x.ID == e.ID })
		s.entries[i].N, s.entries[i].Hash = e.N, e.Hash
	}
	s.checkpoints = append(s.checkpoints, c)
	return nil
}

func (s *fakeStore) Checkpoints(_ context.Context, writer string) ([]store.Checkpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []store.Checkpoint
	for _, c := range s.checkpoints {
		if writer == "" || c.Writer == writer {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b store.Checkpoint) int { return cmp.Compare(a.N, b.N) })
	return out, nil
}

func (s *fakeStore) Writers(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.entries {
		if !slices.Contains(out, e.Writer) {
			out = append(out, e.Writer)
		}
	}
	return out, nil
}

// testKeys signs with one key for all tenants.
type testKeys struct{ private ed25519.PrivateKey }

func newTestKeys(seed byte) testKeys {
	return testKeys{ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize))}
}

func (k testKeys) Sign(tenant string, m []byte) (string, []byte) {
	return "k1", ed25519.Sign(k.private, append([]byte(tenant+"\x00"), m...))
}

func (k testKeys) Verify(tenant, key string, m, sig []byte) bool {
	return key == "k1" && ed25519.Verify(k.private.Public().(ed25519.PublicKey), append([]byte(tenant+"\x00"), m...), sig)
}

func (k testKeys) Seal(_ string, plain, _ []byte) []byte {
	out := slices.Clone(plain)
	for i := range out {
		out[i] ^= 0x5a
	}
	return out
}

// counter makes ids.
func counter(prefix string) fhir.NewIDs {
	var mu sync.Mutex
	n := 0
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return prefix + string(rune('a'+n/676%26)) + string(rune('a'+n/26%26)) + string(rune('a'+n%26))
	}
}

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
