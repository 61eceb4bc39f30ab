package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"rapport/fhir"
	"rapport/fhir/store"
)

// sqlite is one database file: a writer that runs queued closures in groups, and
// readers.
type sqlite struct {
	file string
	log  *slog.Logger
	told func(context.Context)
	line *line

	mu     sync.RWMutex
	closed bool

	readers chan *conn    // at rest
	room    chan struct{} // one for each reader that there may be
	temp    string        // folder to remove in the end
}

// What every connection is set to. A page of 8 KB and a checkpoint every 4,000 of
// them (32 MB) measured best for groups of small resources.
const (
	pragmas = `PRAGMA busy_timeout = 10000; PRAGMA temp_store = memory; PRAGMA wal_autocheckpoint = 4000;`
	writes  = `PRAGMA cache_size = -16000;` // KB
	reads   = `PRAGMA cache_size = -4000; PRAGMA query_only = ON;`
	durable = `PRAGMA synchronous = FULL;`
	fleeing = `PRAGMA synchronous = OFF;` // of :memory:
)

// ownFiles makes a database's files, if there are none, such that only their owner may
// read them: SQLite's driver would leave its log open to all.
func ownFiles(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		f, err := os.OpenFile(path+suffix, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func newSQLite(file, temp string, log *slog.Logger, told func(context.Context)) (*sqlite, error) {
	d := &sqlite{file: file, temp: temp, log: log, told: told}
	d.readers, d.room = make(chan *conn, maxReaders), make(chan struct{}, maxReaders)
	for range maxReaders {
		d.room <- struct{}{}
	}
	if err := ownFiles(file); err != nil {
		return nil, err
	}
	c, err := openConn(file, pragmas+writes+d.synchronous(), told)
	if err != nil {
		return nil, err
	}
	d.line = newLine(log, func() group { return c }, func() {
		if err := c.Close(); err != nil {
			log.Warn("the database could not be closed in order; what was acknowledged is safe", "err", err)
		}
	})
	return d, nil
}

func (d *sqlite) synchronous() string {
	if d.temp != "" {
		return fleeing
	}
	return durable
}

func (d *sqlite) update(ctx context.Context, _ int64, f func(session) error) error {
	return d.line.update(ctx, f)
}

func (c *conn) begin() error {
	c.first = true
	return c.do(`BEGIN IMMEDIATE`)
}

// save makes no savepoint for the first closure: what has only itself to take back is
// taken back by the transaction, and SQLite keeps no second copy of each page meanwhile.
func (c *conn) save() error {
	if c.first {
		return nil
	}
	return c.do(`SAVEPOINT s`)
}

func (c *conn) keep() error {
	if c.first {
		c.first = false
		return nil
	}
	return c.do(`RELEASE s`)
}

func (c *conn) takeBack() error {
	if c.first {
		return errors.Join(c.do(`ROLLBACK`), c.begin())
	}
	return errors.Join(c.do(`ROLLBACK TO s`), c.do(`RELEASE s`))
}

func (c *conn) commit() error { return c.do(`COMMIT`) }

// lost: SQLite rolls back by itself when the disk is full, memory is out, or I/O fails.
func (c *conn) lost() bool { return c.GetAutocommit() }

// undo ends a transaction of which nothing shall remain, if one is open.
func (c *conn) undo() {
	if !c.GetAutocommit() {
		_ = c.do(`ROLLBACK`) // fails only if SQLite rolled back by itself
	}
}

func (c *conn) fault(err error) error { return fault(err) }

// do runs a statement that is not counted: it begins or ends something.
func (c *conn) do(q string) error {
	st, err := c.prepare(q)
	if err != nil {
		return err
	}
	return st.Exec()
}

// fault is an error of SQLite as others may act upon it; others stay what they are.
func fault(err error) error {
	var code sqlite3.ExtendedErrorCode
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &code):
		return err
	}
	switch sqlite3.ErrorCode(code & 0xff) {
	case sqlite3.BUSY, sqlite3.LOCKED, sqlite3.FULL, sqlite3.IOERR, sqlite3.NOMEM, sqlite3.READONLY, sqlite3.CANTOPEN:
		return unavailable(err)
	case sqlite3.INTERRUPT:
		return &fhir.Error{Code: fhir.Timeout, Detail: "The request ended before it was answered.", Err: err}
	}
	return err
}

func unavailable(err error) error {
	return &fhir.Error{Code: fhir.Transient, Detail: "The store cannot do this now. Nothing was changed; try again later.", Err: err}
}

func (d *sqlite) view(ctx context.Context, f func(session) error) error {
	v := &snapshot{d: d, ctx: ctx}
	defer v.end()
	return fault(f(v))
}

// snapshot is a session that takes a reader at its first statement.
type snapshot struct {
	d   *sqlite
	ctx context.Context
	c   *conn
}

func (v *snapshot) open() error {
	if v.c != nil {
		return nil
	}
	c, err := v.d.reader(v.ctx)
	if err != nil {
		return err
	}
	if err := c.do(`BEGIN`); err != nil {
		v.d.putBack(c)
		return err
	}
	c.SetInterrupt(v.ctx)
	v.c = c
	return nil
}

func (v *snapshot) end() {
	if v.c == nil {
		return
	}
	v.c.SetInterrupt(context.Background())
	v.c.undo()
	v.d.putBack(v.c)
	v.c = nil
}

func (v *snapshot) each(ctx context.Context, q string, args [][]any, scan func(int, row) error) error {
	if len(args) == 0 {
		return nil
	}
	if err := v.open(); err != nil {
		return err
	}
	return v.c.each(ctx, q, args, scan)
}

var errReads = errors.New("a view only reads")

func (v *snapshot) exec(context.Context, string, ...any) error         { return errReads }
func (v *snapshot) now(context.Context, int64, int64) (int64, error)   { return 0, errReads }
func (v *snapshot) place() int64                                       { return 0 }
func (v *snapshot) words() *dialect                                    { return sqliteWords }
func (v *snapshot) term(context.Context, int64, string) (int64, error) { return 0, errReads }

// reader takes a connection at rest, opens one, or waits for one.
func (d *sqlite) reader(ctx context.Context) (*conn, error) {
	select {
	case c := <-d.readers:
		return c, nil
	default:
	}
	select {
	case c := <-d.readers:
		return c, nil
	case <-ctx.Done():
		return nil, over(ctx)
	case <-d.room:
	}
	d.mu.RLock()
	closed := d.closed
	d.mu.RUnlock()
	if closed {
		d.room <- struct{}{}
		return nil, errClosed
	}
	c, err := openConn(d.file, pragmas+reads, d.told)
	if err != nil {
		d.room <- struct{}{}
		return nil, fmt.Errorf("open a reader: %w", err)
	}
	return c, nil
}

func (d *sqlite) putBack(c *conn) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if !d.closed {
		d.readers <- c
		return
	}
	c.Close()
	d.room <- struct{}{}
}

func (d *sqlite) ping(ctx context.Context) error {
	return d.view(store.Background(ctx), func(s session) error {
		var n int
		_, err := one(ctx, s, `SELECT 1`, nil, &n)
		return err
	})
}

// close lets what is queued finish, then closes all connections.
func (d *sqlite) close() error {
	d.line.close()
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	for {
		select {
		case c := <-d.readers:
			c.Close()
			continue
		default: // one in use is closed when it is given back
		}
		break
	}
	if d.temp != "" {
		return os.RemoveAll(d.temp)
	}
	return nil
}
