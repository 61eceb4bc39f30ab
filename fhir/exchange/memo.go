package exchange

import (
	"context"
	"encoding/json"
	"fmt"

	"rapport/fhir"
)

// recalled reads a memo, the zero T if there is none.
func recalled[T any](ctx context.Context, memos fhir.Memos, space, key string) (v T, m fhir.Memo, err error) {
	m, err = memos.Memo(ctx, space, key)
	m.Space, m.Key = space, key
	if err == nil && m.Version != 0 {
		if err = json.Unmarshal(m.Value, &v); err != nil {
			err = fmt.Errorf("memo %s: %w", space, err)
		}
	}
	return v, m, err
}

// revised writes over a memo that was read. [fhir.Conflict]: somebody was faster.
func revised[T any](ctx context.Context, memos fhir.Memos, m fhir.Memo, v T) (err error) {
	if m.Value, err = json.Marshal(v); err != nil {
		return fmt.Errorf("memo %s: %w", m.Space, err)
	}
	return memos.SetMemo(ctx, m)
}

// revise changes a memo whoever else does so at the same moment: then change runs again,
// on what is there by then. It reports whether anything is to be written.
func revise[T any](ctx context.Context, memos fhir.Memos, space, key string, change func(*T) (bool, error)) error {
	for {
		v, m, err := recalled[T](ctx, memos, space, key)
		if err != nil {
			return err
		}
		if write, err := change(&v); err != nil || !write {
			return err
		}
		if err = revised(ctx, memos, m, v); !fhir.Is(err, fhir.Conflict) || ctx.Err() != nil {
			return err
		}
	}
}
