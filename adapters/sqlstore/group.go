package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"

	"rapport/fhir"
	"rapport/fhir/store"
)

// sqlite is one database file: a writer that runs queued closures in groups, and
// readers.
type sqlite struct {
	file  string
	log   *slog.Logger
	told  func(context.Context)
	queue chan *job
	idle  sync.WaitGroup // the writer

	mu     sync.RWMutex // held shared while a job is queued, so that none comes after the last
	closed bool

	readers chan *conn    // at rest
	room    chan struct{} // one for each reader that there may be
	temp    string        // folder to remove in the end
}

// How much may wait for the writer, and how many closures share one commit.
const (
	maxQueued = 1024
	maxGroup  = 256
)

// What every connection is set to. A page of 8 KB and a checkpoint every 4,000 of
// them (32 MB) measured best for groups of small resources.
const (
	pragmas = `PRAGMA busy_timeout = 10000; PRAGMA temp_store = memory; PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 4000;`
	durable = `PRAGMA synchronous = FULL;`
	fleeing = `PRAGMA synchronous = OFF;` // of :memory:
)

func newSQLite(file, temp string, log *slog.Logger, told func(context.Context)) (*sqlite, error) {
	d := &sqlite{file: file, temp: temp, log: log, told: told, queue: make(chan *job, maxQueued)}
	n := max(4, 2*runtime.GOMAXPROCS(0))
	d.readers, d.room = make(chan *conn, n), make(chan struct{}, n)
	for range n {
		d.room <- struct{}{}
	}
	c, err := openConn(file, pragmas+d.synchronous(), told)
	if err != nil {
		return nil, err
	}
	d.idle.Go(func() { d.write(c) })
	return d, nil
}

func (d *sqlite) synchronous() string {
	if d.temp != "" {
		return fleeing
	}
	return durable
}

// job is a closure that waits for the writer.
type job struct {
	ctx   context.Context
	f     func(session) error
	state atomic.Int32 // waiting, started, given up
	done  chan struct{}
	err   error
	panic any
}

const (
	waiting int32 = iota
	started
	givenUp
)

func (d *sqlite) update(ctx context.Context, f func(session) error) error {
	if err := over(ctx); err != nil {
		return err
	}
	j := &job{ctx: ctx, f: f, done: make(chan struct{})}
	if err := d.enqueue(ctx, j); err != nil {
		return err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, givenUp) {
			return over(ctx)
		}
		<-j.done // it runs or ran: what it came to must be told
	}
	if j.panic != nil {
		panic(j.panic)
	}
	return j.err
}

func (d *sqlite) enqueue(ctx context.Context, j *job) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return errClosed
	}
	select {
	case d.queue <- j:
		return nil
	case <-ctx.Done():
		return over(ctx)
	}
}

// write is the writer. It ends when the queue is closed and empty.
func (d *sqlite) write(c *conn) {
	defer func() {
		if err := c.Close(); err != nil {
			d.log.Warn("the database could not be closed in order; what was acknowledged is safe", "err", err)
		}
	}()
	for first := range d.queue {
		d.group(c, first)
	}
}

// group runs a closure and whatever waits behind it, each in a savepoint of one
// transaction, and tells nobody anything before the one commit.
func (d *sqlite) group(c *conn, first *job) {
	var ran []*job
	defer func() {
		for _, j := range ran {
			close(j.done)
		}
	}()
	if !first.state.CompareAndSwap(waiting, started) {
		return
	}
	ran = append(ran, first)
	if err := c.begin(); err != nil {
		first.err = fault(err)
		return
	}
	ok := c.attempt(first)
	for ok && len(ran) < maxGroup {
		next := d.waits()
		if next == nil {
			break
		}
		if next.state.CompareAndSwap(waiting, started) {
			ran = append(ran, next)
			ok = c.attempt(next)
		}
	}
	if ok {
		err := c.do(`COMMIT`)
		if err == nil {
			return
		}
		d.log.Warn("a group of writes could not be committed; each is tried again by itself", "writes", len(ran), "err", err)
	}
	c.undo()
	for _, j := range ran {
		c.alone(j)
	}
}

// waits returns the next job, nil if none waits now.
func (d *sqlite) waits() *job {
	select {
	case j := <-d.queue: // nil once the queue is closed and empty
		return j
	default:
		return nil
	}
}

// do runs a statement that is not counted: it begins or ends something.
func (c *conn) do(q string) error {
	st, err := c.prepare(q)
	if err != nil {
		return err
	}
	return st.Exec()
}

func (c *conn) begin() error { return c.do(`BEGIN IMMEDIATE`) }

// undo ends a transaction of which nothing shall remain, if one is open.
func (c *conn) undo() {
	if !c.GetAutocommit() {
		_ = c.do(`ROLLBACK`) // fails only if SQLite rolled back by itself
	}
}

// attempt runs a job in a savepoint and keeps what it says. It returns false if
// the whole transaction is lost.
func (c *conn) attempt(j *job) (ok bool) {
	if j.err = over(j.ctx); j.err != nil {
		return true
	}
	defer func() {
		if p := recover(); p != nil {
			j.panic, ok = p, false
		}
	}()
	if err := c.do(`SAVEPOINT s`); err != nil {
		j.err = fault(err)
		return false
	}
	if j.err = j.f(c); j.err == nil {
		j.err = fault(c.do(`RELEASE s`))
		return j.err == nil
	}
	j.err = fault(j.err)
	if c.GetAutocommit() { // SQLite gave the transaction up: full, out of memory, I/O error
		return false
	}
	return c.do(`ROLLBACK TO s`) == nil && c.do(`RELEASE s`) == nil
}

// alone runs a job in a transaction of its own, after its group was lost.
func (c *conn) alone(j *job) {
	j.err, j.panic = nil, nil
	if err := c.begin(); err != nil {
		j.err = fault(err)
		return
	}
	defer c.undo()
	if ok := c.attempt(j); !ok {
		if j.err == nil && j.panic == nil {
			j.err = fault(errors.New("the transaction was lost"))
		}
		return
	}
	if err := c.do(`COMMIT`); err != nil {
		j.err = fault(err)
	}
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
func (v *snapshot) lock(context.Context, []store.MatchKey) error       { return errReads }
func (v *snapshot) now(context.Context, int64, int64) (int64, error)   { return 0, errReads }
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
	c, err := openConn(d.file, pragmas+`PRAGMA query_only = ON;`, d.told)
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
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	close(d.queue)
	d.mu.Unlock()
	d.idle.Wait()
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
