package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Statement is what a checkpoint says.
type Statement struct {
	Tenant string `json:"tenant"`
	Writer string `json:"writer"`
	N      int64  `json:"n"`    // records in the writer's chain
	Hash   []byte `json:"hash"` // of record N
	At     int64  `json:"at"`   // microseconds since 1970
	// Others is where the tenant's other chains stood, in a writer's first checkpoint.
	Others map[string]Place `json:"others,omitempty"`
}

// Place is a point in a chain.
type Place struct {
	N    int64  `json:"n"`
	Hash []byte `json:"hash"`
}

// Signed is a Statement with its signature, over the Statement's bytes.
type Signed struct {
	Statement json.RawMessage `json:"statement"`
	Key       string          `json:"key"`
	Signature []byte          `json:"signature"`
}

// maxBatch bounds what one checkpoint covers.
const maxBatch = 2000

// sealer knows where the chains of one tenant stand.
type sealer struct {
	tenant string
	due    chan struct{} // something may be there to seal

	mu     sync.Mutex
	places map[string]Place // by writer, as last sealed or read
	swept  time.Time        // when entries of dead writers were last looked for
}

func (j *Journal) sealer(tenant string) *sealer {
	if s, ok := j.tenants.Load(tenant); ok {
		return s.(*sealer)
	}
	s, _ := j.tenants.LoadOrStore(tenant, &sealer{tenant: tenant, due: make(chan struct{}, 1), places: map[string]Place{}})
	return s.(*sealer)
}

func (s *sealer) wake() {
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// seal gives committed entries their places in the chains, tenant by tenant.
func (j *Journal) seal(ctx context.Context) {
	j.tenants.Range(func(_, v any) bool {
		s := v.(*sealer)
		if err := j.sealTenant(ctx, s); err != nil && ctx.Err() == nil {
			s.wake()
			if !fhir.Is(err, fhir.Conflict) {
				j.Log.WarnContext(ctx, "audit records wait for their seal", "err", err)
			}
		}
		return ctx.Err() == nil
	})
	j.tellRefused(ctx, false)
}

func (j *Journal) sealTenant(ctx context.Context, s *sealer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	adopt := j.Clock().Sub(s.swept) > adoptAfter
	select {
	case <-s.due:
	default:
		if !adopt {
			return nil
		}
	}
	st, err := j.Store(ctx, s.tenant)
	if err != nil {
		return err
	}
	if err := j.sealWriter(ctx, st, s, j.writer, time.Time{}); err != nil {
		return err
	}
	if !adopt {
		return nil
	}
	writers, err := st.Writers(ctx)
	if err != nil {
		return err
	}
	for _, w := range writers {
		if w != j.writer {
			if err := j.sealWriter(ctx, st, s, w, j.Clock().Add(-adoptAfter)); err != nil && !fhir.Is(err, fhir.Conflict) {
				return err
			}
		}
	}
	s.swept = j.Clock()
	return nil
}

// sealWriter seals what one writer has without a place; with olderThan only if the
// oldest of it is older: a living process seals its own.
func (j *Journal) sealWriter(ctx context.Context, st store.Store, s *sealer, writer string, olderThan time.Time) error {
	for {
		es, _, err := st.Entries(ctx, store.Entries{Writer: writer, Unsealed: true, Max: maxBatch})
		if err != nil || len(es) == 0 {
			return err
		}
		if !olderThan.IsZero() && es[0].At.After(olderThan) {
			return nil
		}
		at, err := j.place(ctx, st, s, writer)
		if err != nil {
			return err
		}
		first := at.N == 0
		for i := range es {
			at = Place{N: at.N + 1, Hash: chain(at.Hash, es[i].Body)}
			es[i].N, es[i].Hash = at.N, at.Hash
		}
		statement := Statement{Tenant: s.tenant, Writer: writer, N: at.N, Hash: at.Hash, At: j.Clock().UnixMicro()}
		if first {
			if statement.Others, err = others(ctx, st, writer); err != nil {
				return err
			}
		}
		c, err := sign(j.Keys, statement)
		if err != nil {
			return err
		}
		if err := st.Seal(ctx, es, c); err != nil {
			delete(s.places, writer) // somebody else sealed: read where it stands now
			return err
		}
		s.places[writer] = at
		if len(es) < maxBatch {
			return nil
		}
	}
}

// place is where a writer's chain stands.
func (j *Journal) place(ctx context.Context, st store.Store, s *sealer, writer string) (Place, error) {
	if p, ok := s.places[writer]; ok {
		return p, nil
	}
	p := Place{Hash: make([]byte, 32)}
	cs, err := st.Checkpoints(ctx, writer)
	if err != nil {
		return p, err
	}
	if len(cs) > 0 {
		_, last, err := read(cs[len(cs)-1])
		if err != nil {
			return p, fmt.Errorf("the last checkpoint of %s cannot be read; gateway audit verify says more: %w", writer, err)
		}
		p = Place{N: last.N, Hash: last.Hash}
	}
	return p, nil
}

// others is where every other writer of the tenant stands.
func others(ctx context.Context, st store.Store, writer string) (map[string]Place, error) {
	cs, err := st.Checkpoints(ctx, "")
	if err != nil {
		return nil, err
	}
	var out map[string]Place
	for _, c := range cs {
		if c.Writer == writer {
			continue
		}
		_, s, err := read(c)
		if err != nil {
			continue // verify names it
		}
		if out == nil {
			out = map[string]Place{}
		}
		if s.N > out[c.Writer].N {
			out[c.Writer] = Place{N: s.N, Hash: s.Hash}
		}
	}
	return out, nil
}

func sign(k Keys, s Statement) (store.Checkpoint, error) {
	statement, err := json.Marshal(s)
	if err != nil {
		return store.Checkpoint{}, err
	}
	signed := Signed{Statement: statement}
	signed.Key, signed.Signature = k.Sign(s.Tenant, statement)
	body, err := json.Marshal(signed)
	return store.Checkpoint{Writer: s.Writer, N: s.N, Body: body}, err
}

func read(c store.Checkpoint) (Signed, Statement, error) {
	var signed Signed
	var s Statement
	if err := json.Unmarshal(c.Body, &signed); err != nil {
		return signed, s, errors.New("the checkpoint cannot be read")
	}
	if err := json.Unmarshal(signed.Statement, &s); err != nil {
		return signed, s, errors.New("the checkpoint cannot be read")
	}
	return signed, s, nil
}

// proves checks a signature and that the statement is about what it is filed under.
func proves(k Keys, tenant string, c store.Checkpoint) (Statement, error) {
	signed, s, err := read(c)
	if err != nil {
		return s, err
	}
	if s.Tenant != tenant || s.Writer != c.Writer || s.N != c.N {
		return s, errors.New("the checkpoint is filed in another place than it was made for")
	}
	if !k.Verify(tenant, signed.Key, signed.Statement, signed.Signature) {
		return s, errors.New("the checkpoint's signature is not ours")
	}
	return s, nil
}

func (p Place) equal(o Place) bool { return p.N == o.N && bytes.Equal(p.Hash, o.Hash) }
