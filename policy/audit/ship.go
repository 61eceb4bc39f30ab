package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"rapport/fhir/store"
)

// recover takes up what an earlier process of this folder did not ship.
func (j *Journal) recover() error {
	files, err := segments(j.Folder)
	if err != nil {
		return fmt.Errorf("audit journal: %w", err)
	}
	var before []byte
	// What a living process writes is its own to ship: a command beside a server.
	files = slices.DeleteFunc(files, func(f segmentFile) bool { return held(f.path) })
	for i, f := range files {
		if i == 0 || files[i-1].writer != f.writer {
			before = nil
		}
		last, err := readSegment(f.path, before, func(_ int, l local) error {
			l.writer = f.writer
			j.pending = append(j.pending, l)
			return nil
		})
		switch {
		case errors.Is(err, errTorn):
			j.Log.Warn("the audit journal's last line was not whole; no answer rested on it", "segment", f.path)
		case err != nil:
			// Evidence stays where it is; verify names it.
			j.Log.Error("the audit journal has a fault; gateway audit verify says more", "err", err)
			continue
		}
		before = last
		j.done = append(j.done, f)
	}
	return nil
}

// ship appends pending records to their tenants' stores, in order, and removes
// segments of which nothing is missing there.
func (j *Journal) ship(ctx context.Context) {
	j.mu.Lock()
	batch := j.pending
	closed := len(j.done)
	j.mu.Unlock()
	if len(batch) > 0 {
		if err := j.append(ctx, batch); err != nil {
			if ctx.Err() == nil {
				j.Log.WarnContext(ctx, "audit records wait for the store", "records", len(batch), "err", err)
			}
			return
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pending = append(j.pending[:0:0], j.pending[len(batch):]...)
	// What was closed before the batch was taken is wholly in the store.
	for _, f := range j.done[:closed] {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			j.Log.Warn("a shipped audit segment cannot be removed", "err", err)
		}
	}
	j.done = append(j.done[:0:0], j.done[closed:]...)
	if len(j.pending) == 0 && j.size > segmentSize/4 && j.fault == nil {
		_ = j.rotate() // the fault is kept and told to whoever writes next
	}
}

func (j *Journal) append(ctx context.Context, batch []local) error {
	by := map[string][]store.Entry{}
	for _, l := range batch {
		w := l.writer
		if w == "" {
			w = j.writer
		}
		by[l.Tenant] = append(by[l.Tenant], store.Entry{ID: l.ID, Writer: w, At: time.UnixMicro(l.At).UTC(), Body: l.Body})
	}
	for tenant, es := range by {
		s, err := j.Store(ctx, tenant)
		if err != nil {
			return err
		}
		if err := s.Append(ctx, store.Synced, es...); err != nil {
			return err
		}
		j.sealer(tenant).wake()
	}
	return nil
}
