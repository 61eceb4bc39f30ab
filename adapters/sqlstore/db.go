package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Options are what a store is opened with. All may be left out.
type Options struct {
	Clock fhir.Clock   // time.Now by default
	Log   *slog.Logger // nothing by default
	// Statement is called for each SQL statement with what it was for: "request" or
	// "background" (see store.Background). It must be safe for concurrent use.
	Statement func(origin string)
	// NotesFile is SQLite's file of process notes; by default one beside the database:
	// rapport.db has rapport-notes.db.
	NotesFile string
}

// DB is an open database of all tenants. It is safe for concurrent use.
type DB struct {
	Options
	engine  engine
	notes   noteEngine
	mu      sync.Mutex
	tenants map[string]*tenant
}

// memoryPath opens a database that is gone when it is closed.
const memoryPath = ":memory:"

// OpenSQLite opens a database file, makes it if there is none, and brings its schema
// up to date. Several processes may have it open. ":memory:" is a database for tests:
// a file in a temporary folder, which nobody waits for to be on disk.
func OpenSQLite(ctx context.Context, path string, o Options) (db *DB, err error) {
	o.fill()
	temp := ""
	if path == memoryPath {
		if temp, err = os.MkdirTemp("", "rapport-*"); err != nil {
			return nil, err
		}
		path, o.NotesFile = filepath.Join(temp, "rapport.db"), ""
	}
	if o.NotesFile == "" {
		ext := filepath.Ext(path)
		o.NotesFile = strings.TrimSuffix(path, ext) + "-notes" + ext
	}
	defer func() {
		if err != nil && temp != "" {
			_ = os.RemoveAll(temp)
		}
	}()
	if err := migrateSQLite(ctx, path, "sqlite"); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db = &DB{Options: o, tenants: map[string]*tenant{}}
	e, err := newSQLite(path, temp, o.Log, db.told)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db.engine, db.notes = e, &noteFile{path: o.NotesFile, lasting: temp == "", told: db.told}
	return db, nil
}

func (o *Options) fill() {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Statement == nil {
		o.Statement = func(string) {}
	}
}

// told counts a statement.
func (db *DB) told(ctx context.Context) {
	if store.IsBackground(ctx) {
		db.Statement("background")
	} else {
		db.Statement("request")
	}
}

func (db *DB) micros() int64 { return fhir.Micros(db.Clock()) }

// Close lets writes that wait finish and closes the database. Nothing may be asked
// of it afterwards.
func (db *DB) Close() error {
	return errors.Join(db.engine.close(), db.notes.close())
}

// Ping asks the database for an answer.
func (db *DB) Ping(ctx context.Context) error { return db.engine.ping(ctx) }

// Tenants lists the tenants that were ever opened.
func (db *DB) Tenants(ctx context.Context) (names []string, err error) {
	err = db.engine.view(store.Background(ctx), func(s session) error {
		names = nil
		return all(store.Background(ctx), s, `SELECT name FROM tenant ORDER BY name`, nil, func(r row) error {
			var n string
			err := r.scan(&n)
			names = append(names, n)
			return err
		})
	})
	return names, err
}

// Tenant returns the store of one tenant, the same one each time. A tenant that is
// new to the database is entered in it.
func (db *DB) Tenant(id string) (store.Store, error) {
	if id == "" {
		return nil, errors.New("a tenant has an id")
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if t := db.tenants[id]; t != nil {
		return t, nil
	}
	n, err := db.enter(store.Background(context.Background()), id)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", id, err)
	}
	t := &tenant{db: db, id: n, terms: newTerms()}
	db.tenants[id] = t
	return t, nil
}

func (db *DB) enter(ctx context.Context, name string) (id int64, err error) {
	const known = `SELECT tenant FROM tenant WHERE name = $1`
	found := false
	err = db.engine.view(ctx, func(s session) (err error) {
		found, err = one(ctx, s, known, []any{name}, &id)
		return err
	})
	if err != nil || found {
		return id, err
	}
	err = db.engine.update(ctx, 0, func(s session) error {
		if err := s.exec(ctx, `INSERT INTO tenant (name) VALUES ($1) ON CONFLICT DO NOTHING`, name); err != nil {
			return err
		}
		_, err := one(ctx, s, known, []any{name}, &id)
		return err
	})
	return id, err
}

// tenant is the store of one tenant.
type tenant struct {
	db    *DB
	id    int64
	terms *terms
}

// View implements store.Store.
func (t *tenant) View(ctx context.Context, f func(store.Reader) error) error {
	return t.view(ctx, func(r *reader) error { return f(r) })
}

func (t *tenant) view(ctx context.Context, f func(*reader) error) error {
	return t.db.engine.view(ctx, func(s session) error { return f(&reader{session: s, t: t}) })
}

// Update implements store.Store.
func (t *tenant) Update(ctx context.Context, f func(store.Tx) error) error {
	return t.update(ctx, func(w *writer) error { return f(w) })
}

func (t *tenant) update(ctx context.Context, f func(*writer) error) error {
	var last *writer
	err := t.db.engine.update(ctx, t.id, func(s session) error {
		last = &writer{reader: reader{session: s, t: t, writes: true}}
		return f(last)
	})
	if err == nil && last != nil {
		t.terms.learn(last.fresh.number, last.fresh.rid)
		t.terms.mark(last.fresh.marks)
	}
	return err
}
