package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/policy"
)

// System is the tenant of what belongs to none.
const System = "system"

// Keys signs and seals for the journal; policy/keyring does it.
type Keys interface {
	// Sign signs for a tenant and says with which key.
	Sign(tenant string, message []byte) (key string, signature []byte)
	Verify(tenant, key string, message, signature []byte) bool
	// Seal hides what was asked for, which may hold PHI.
	Seal(tenant string, plain, aad []byte) []byte
}

// Config is what a Journal needs.
type Config struct {
	Folder string // of the local journal; made if absent
	// Store returns a tenant's store; it is asked again for each piece of work.
	Store func(ctx context.Context, tenant string) (store.Store, error)
	Keys  Keys
	Clock fhir.Clock
	IDs   fhir.NewIDs
	// SyncReads makes every record wait for the disk.
	SyncReads bool
	Log       *slog.Logger
}

// How often background work is done. Together they keep the promise that a record
// is sealed within a second.
const (
	syncEvery   = 10 * time.Millisecond
	shipEvery   = 200 * time.Millisecond
	sealEvery   = 300 * time.Millisecond
	adoptAfter  = 10 * time.Second
	segmentSize = 4 << 20
)

// Journal keeps audit records. It is safe for concurrent use. Close it.
type Journal struct {
	Config
	writer string

	mu      sync.Mutex // the local file and all below
	file    *os.File
	path    string // of file
	n       int    // number of the open segment
	size    int64  // of the open segment
	hash    []byte // last of the local chain
	dirty   bool   // written since the last sync
	fault   error  // the file cannot be trusted any more: nothing is recorded, nothing answered
	synced  *sync.Cond
	wrote   uint64 // lines written
	flushed uint64 // lines known to be on disk
	pending []local
	done    []segmentFile // closed, their records shipped or in pending

	tenants sync.Map // tenant → *sealer
	refused refusals

	stop context.CancelFunc
	idle sync.WaitGroup
}

// Open starts a journal: it picks up what an earlier process left, and works in the
// background until Close.
func Open(c Config) (*Journal, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("audit folder: %w", err)
	}
	j := &Journal{Config: c, writer: c.IDs()}
	j.synced = sync.NewCond(&j.mu)
	if err := j.recover(); err != nil {
		return nil, err
	}
	if err := j.next(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(store.Background(context.Background()))
	j.stop = stop
	for every, work := range map[time.Duration]func(context.Context){syncEvery: j.flush, shipEvery: j.ship, sealEvery: j.seal} {
		j.idle.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					work(ctx)
				}
			}
		})
	}
	return j, nil
}

// Close ships and seals what there is, and stops.
func (j *Journal) Close(ctx context.Context) error {
	j.stop()
	j.idle.Wait()
	ctx = store.Background(ctx)
	j.tellRefused(ctx, true)
	j.flush(ctx)
	j.ship(ctx)
	j.seal(ctx)
	j.ship(ctx) // removes what is sealed now
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault != nil {
		return j.fault
	}
	j.fault = errors.New("the audit journal is closed")
	err := j.file.Close()
	if len(j.pending) == 0 && j.size == 0 {
		err = errors.Join(err, os.Remove(j.path))
	}
	return err
}

// entry makes the store's form of a record.
func (j *Journal) entry(r policy.Record) (store.Entry, error) {
	if r.ID == "" {
		r.ID = j.IDs()
	}
	if r.At.IsZero() {
		r.At = j.Clock()
	}
	var sealed []byte
	if len(r.Query) > 0 {
		sealed = j.Keys.Seal(r.Tenant, r.Query, []byte(r.ID))
	}
	body, err := json.Marshal(struct {
		policy.Record
		Query []byte `json:"query,omitempty"`
	}{r, sealed})
	if err != nil {
		return store.Entry{}, fmt.Errorf("encode audit record: %w", err)
	}
	return store.Entry{ID: r.ID, Writer: j.writer, At: r.At, Body: body}, nil
}

// InTx keeps records with a write.
func (j *Journal) InTx(ctx context.Context, tx store.Tx, rs ...policy.Record) error {
	es := make([]store.Entry, len(rs))
	for i, r := range rs {
		e, err := j.entry(r)
		if err != nil {
			return err
		}
		es[i] = e
		j.sealer(r.Tenant).wake()
	}
	return tx.Append(ctx, es...)
}

// Before keeps records ahead of an answer.
func (j *Journal) Before(ctx context.Context, tenant string, rs ...policy.Record) error {
	var lines []byte
	wait := j.SyncReads
	ls := make([]local, len(rs))
	bodies := make([][]byte, len(rs))
	for i, r := range rs {
		e, err := j.entry(r)
		if err != nil {
			return err
		}
		wait = wait || r.Synced
		ls[i] = local{Tenant: tenant, ID: e.ID, At: e.At.UnixMicro(), Body: e.Body}
		if bodies[i], err = json.Marshal(ls[i]); err != nil {
			return fmt.Errorf("encode audit record: %w", err)
		}
	}
	j.sealer(tenant)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault != nil {
		return j.fault
	}
	hash := j.hash
	for _, b := range bodies {
		hash = chain(hash, b)
		lines = appendLine(lines, hash, b)
	}
	if _, err := j.file.Write(lines); err != nil {
		return j.broken(err)
	}
	j.hash, j.dirty = hash, true
	j.size += int64(len(lines))
	j.wrote += uint64(len(rs))
	j.pending = append(j.pending, ls...)
	if j.size > segmentSize {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	for mine := j.wrote; wait && j.flushed < mine; {
		if j.fault != nil {
			return j.fault
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		j.synced.Wait()
	}
	return nil
}

// broken gives the file up: half a line may stand in it. The next record starts
// another segment if that is possible; until then there is no answer.
func (j *Journal) broken(err error) error {
	j.Log.Error("audit journal cannot be written", "err", err)
	_ = j.file.Truncate(j.size) // if that fails too, verify names the half line
	j.file.Close()
	j.done = append(j.done, segmentFile{path: j.path, writer: j.writer, n: j.n})
	if e := j.open(); e != nil {
		j.fault = fmt.Errorf("audit journal: %w", err)
	}
	j.synced.Broadcast()
	return fmt.Errorf("audit journal: %w", err)
}

// flush syncs what was written since the last time.
func (j *Journal) flush(context.Context) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault != nil {
		if err := j.open(); err == nil { // there is room again
			j.fault = nil
		}
	}
	if !j.dirty || j.fault != nil {
		return
	}
	file, upTo := j.file, j.wrote
	j.dirty = false
	j.mu.Unlock()
	err := file.Sync()
	j.mu.Lock()
	if err != nil && !errors.Is(err, os.ErrClosed) { // rotate synced and closed it meanwhile
		_ = j.broken(err)
		return
	}
	j.flushed = max(j.flushed, upTo)
	j.synced.Broadcast()
}

// rotate closes the open segment, synced, and opens the next.
func (j *Journal) rotate() error {
	if err := j.file.Sync(); err != nil {
		return j.broken(err)
	}
	j.flushed, j.dirty = j.wrote, false
	j.synced.Broadcast()
	if err := j.file.Close(); err != nil {
		return j.broken(err)
	}
	j.done = append(j.done, segmentFile{path: j.path, writer: j.writer, n: j.n})
	return j.open()
}

// next opens the first segment; open the following ones.
func (j *Journal) next() error {
	j.hash = make([]byte, 32)
	return j.open()
}

func (j *Journal) open() error {
	j.n++
	name := filepath.Join(j.Folder, segmentName(j.writer, j.n))
	// Held before it has a segment's name: no other process may take it for a dead one's.
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		if err = errors.Join(hold(f), os.Rename(name+".new", name)); err != nil {
			f.Close()
		}
	}
	if err != nil {
		j.n--
		return fmt.Errorf("audit journal: %w", err)
	}
	j.path = name
	j.file, j.size = f, 0
	return syncFolder(j.Folder)
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
