package policy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// onceSpace holds what callers keep to recognise a request of theirs that comes again.
const onceSpace = "once"

// onceKey is bound to who asks, not to the token: a request is repeated with a new one.
// The caller's own words do not reach the store.
func (w *writer) onceKey(key string) string {
	h := sha256.New()
	for _, s := range []string{w.caller.Issuer, w.caller.Client, w.caller.Subject, key} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Recall implements fhir.Tx.
func (w *writer) Recall(ctx context.Context, key string) ([]byte, error) {
	m, err := w.in.Memo(ctx, onceSpace, w.onceKey(key))
	if err != nil || m.Version == 0 {
		return nil, err
	}
	return m.Value, nil
}

// Remember implements fhir.Tx.
func (w *writer) Remember(ctx context.Context, key string, value []byte, d time.Duration) error {
	k := w.onceKey(key)
	m, err := w.in.Memo(ctx, onceSpace, k)
	if err != nil {
		return err
	}
	m.Space, m.Key, m.Value, m.Expires = onceSpace, k, value, w.now.Add(d)
	return w.out.SetMemo(ctx, m)
}
