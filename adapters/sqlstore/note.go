package sqlstore

import (
	"context"
	"sync"

	"rapport/fhir"
)

// Notes keeps sealed process notes of one tenant, apart from all resources: in a file
// or a schema of their own, which no query, history, feed or list of a store reaches.
// They cannot be listed here either.
type Notes struct {
	db     *DB
	tenant string
}

// noteEngine is where notes lie.
type noteEngine interface {
	put(ctx context.Context, tenant, id string, sealed []byte) (kept bool, err error)
	replace(ctx context.Context, tenant, id string, was, sealed []byte) (replaced bool, err error)
	get(ctx context.Context, tenant, id string) ([]byte, error)
	close() error
}

// Notes returns the process notes of a tenant.
func (db *DB) Notes(tenant string) (*Notes, error) { return &Notes{db, tenant}, nil }

// PutNote keeps a new note and returns when it is on disk. [fhir.Duplicate] if the id
// is in use.
func (n *Notes) PutNote(ctx context.Context, id string, sealed []byte) error {
	kept, err := n.db.notes.put(ctx, n.tenant, id, sealed)
	if err == nil && !kept {
		err = &fhir.Error{Code: fhir.Duplicate, Detail: "The id of the note is in use."}
	}
	return err
}

// ReplaceNote keeps a note in the place of one that is still as it was and returns when
// it is on disk. [fhir.Conflict] if it is another by now, or none.
func (n *Notes) ReplaceNote(ctx context.Context, id string, was, sealed []byte) error {
	replaced, err := n.db.notes.replace(ctx, n.tenant, id, was, sealed)
	if err == nil && !replaced {
		err = &fhir.Error{Code: fhir.Conflict, Detail: "The note was changed meanwhile. Try again."}
	}
	return err
}

// Note returns a sealed note, nil if there is none of that id.
func (n *Notes) Note(ctx context.Context, id string) ([]byte, error) {
	return n.db.notes.get(ctx, n.tenant, id)
}

// noteFile is a SQLite file of notes, opened at its first use.
type noteFile struct {
	path    string
	lasting bool
	told    func(context.Context)

	mu     sync.Mutex
	c      *conn
	closed bool
}

func (f *noteFile) open(ctx context.Context) (*conn, error) {
	if f.closed {
		return nil, errClosed
	}
	if f.c != nil {
		return f.c, nil
	}
	if err := migrateSQLite(ctx, f.path, "notes"); err != nil {
		return nil, err
	}
	if err := ownFiles(f.path); err != nil {
		return nil, err
	}
	level := durable
	if !f.lasting {
		level = fleeing
	}
	c, err := openConn(f.path, `PRAGMA busy_timeout = 10000; PRAGMA secure_delete = ON;`+level, f.told)
	f.c = c
	return c, err
}

func (f *noteFile) put(ctx context.Context, tenant, id string, sealed []byte) (kept bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.open(ctx)
	if err != nil {
		return false, err
	}
	var n int
	kept, err = one(ctx, c, `INSERT INTO note (tenant, id, sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1`, []any{tenant, id, sealed}, &n)
	return kept, fault(err)
}

func (f *noteFile) replace(ctx context.Context, tenant, id string, was, sealed []byte) (replaced bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.open(ctx)
	if err != nil {
		return false, err
	}
	var n int
	replaced, err = one(ctx, c, `UPDATE note SET sealed = $4 WHERE tenant = $1 AND id = $2 AND sealed = $3 RETURNING 1`, []any{tenant, id, was, sealed}, &n)
	return replaced, fault(err)
}

func (f *noteFile) get(ctx context.Context, tenant, id string) (sealed []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	_, err = one(ctx, c, `SELECT sealed FROM note WHERE tenant = $1 AND id = $2`, []any{tenant, id}, &sealed)
	return sealed, fault(err)
}

func (f *noteFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.c == nil {
		return nil
	}
	err := f.c.Close()
	f.c = nil
	return err
}
