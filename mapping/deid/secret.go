package deid

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"rapport/fhir"
)

// Secrets gives the random secret of a person, a practitioner, an organisation: made
// at the first call, the same for ever after.
type Secrets interface {
	Secret(ctx context.Context, k fhir.Key) (Secret, error)
}

// Memoed keeps Secrets as Memos. It is safe for concurrent use; of two that draw at
// once, one wins and both get what it drew.
type Memoed struct {
	Memos  fhir.Memos
	Random io.Reader // of cryptographic quality
}

// secretSpace is where the Memos lie.
const secretSpace = "research-secret"

// Secret implements [Secrets].
func (m Memoed) Secret(ctx context.Context, k fhir.Key) (s Secret, err error) {
	for range 3 {
		memo, err := m.Memos.Memo(ctx, secretSpace, k.String())
		if err != nil {
			return s, fmt.Errorf("deid: the secret of a pseudonym: %w", err)
		}
		if memo.Version > 0 {
			b, err := base64.StdEncoding.DecodeString(string(memo.Value))
			if err != nil || len(b) != len(s) {
				return s, &fhir.Error{Code: fhir.Exception, Detail: "A pseudonym's secret cannot be read. Restore it from a backup; nothing was released.", Err: err}
			}
			return Secret(b), nil
		}
		if _, err := io.ReadFull(m.Random, s[:]); err != nil {
			return s, fmt.Errorf("deid: no random numbers: %w", err)
		}
		memo = fhir.Memo{Space: secretSpace, Key: k.String(), Version: memo.Version, Value: []byte(base64.StdEncoding.EncodeToString(s[:]))}
		err = m.Memos.SetMemo(ctx, memo)
		if err == nil {
			return s, nil
		}
		if !fhir.Is(err, fhir.Conflict) {
			return s, fmt.Errorf("deid: the secret of a pseudonym: %w", err)
		}
	}
	return s, fhir.Errorf(fhir.Transient, "", "The pseudonyms are being made by another release. Try again.")
}
