package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"rapport/fhir"
)

var postgresWords = &dialect{
	insertVersion: `INSERT INTO version (tx, tenant, n, rid, type, version, updated, state, class, facts, body)
		VALUES (pg_current_xact_id()::text::bigint, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
	insertEntry: `INSERT INTO entry (tx, tenant, n, id, writer, at, place, hash, body)
		VALUES (pg_current_xact_id()::text::bigint, $1, $2, $3, $4, $5, 0, '', $6) ON CONFLICT DO NOTHING`,
	position: func(text, part string) string { return "strpos(" + text + ", " + part + ")" },
	tokens: func(codes, systems int) string {
		return fmt.Sprintf("(SELECT * FROM unnest($%d::text[], $%d::bigint[]))", codes, systems)
	},
	// OFFSET 0 keeps the planner from making joins of look-ups, or others of ours, an
	// ARRAY from running a query once a row: without statistics it takes ten thousand
	// rows for one, and that is how it is after an import.
	lateral: true,
	blocks:  true,
	exists:  func(q string) string { return "EXISTS (" + q + " OFFSET 0)" },
	within:  func(x, q string) string { return x + " = ANY (ARRAY(" + q + "))" },
	clean:   cleanText,
}

// longestText is how many bytes of a text an index of PostgreSQL takes; what is
// indexed is shorter but for texts that grow by folding.
const longestText = 2000

func cleanText(s string) string {
	s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	if len(s) <= longestText {
		return s
	}
	n := longestText
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// postgres is one database of a server, with a line of writers for each tenant.
type postgres struct {
	pool    *pgxpool.Pool // of readers
	writers *pgxpool.Pool // apart: who reads and waits for a writer must not take its place
	log     *slog.Logger
	told    func(context.Context)

	mu     sync.Mutex
	lines  map[int64]*line
	closed bool
}

// Limits of a transaction, so that one that hangs does not hold up its tenant.
const (
	idleInTransaction = 20 * time.Second
	longestUpdate     = 60 * time.Second
)

// maxWriters is how many tenants are written to at once.
const maxWriters = 8

// writing is the first half of a tenant's advisory lock, which its writer holds.
const writing = 0x72617070

// OpenPostgres opens a database of a PostgreSQL server (14 or later) and brings its
// schema up to date. dsn is a URL or key=value; pool_max_conns bounds
// the connections of readers.
// Several processes may have it open. Nothing but committed and synced transactions is
// acknowledged: synchronous_commit must not be off for the role.
func OpenPostgres(ctx context.Context, dsn string, o Options) (db *DB, err error) {
	o.fill()
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the connection string of PostgreSQL cannot be read")
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		c.MaxConns = maxReaders
	}
	set := c.ConnConfig.RuntimeParams
	set["application_name"] = "rapport"
	set["idle_in_transaction_session_timeout"] = fmt.Sprint(idleInTransaction.Milliseconds())
	set["jit"] = "off"
	// Everything that is asked has an index, also before there are statistics.
	set["enable_seqscan"] = "off"
	if err := migratePostgres(ctx, c.ConnConfig); err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	db = &DB{Options: o, tenants: map[string]*tenant{}}
	p := &postgres{log: o.Log, told: db.told, lines: map[int64]*line{}}
	if p.pool, err = pgxpool.NewWithConfig(ctx, c); err != nil {
		return nil, err
	}
	w := c.Copy()
	w.MaxConns, w.MinConns, w.MinIdleConns = maxWriters, 0, 0
	if p.writers, err = pgxpool.NewWithConfig(ctx, w); err != nil {
		p.pool.Close()
		return nil, err
	}
	db.engine, db.notes = p, p.notes()
	return db, nil
}

func migratePostgres(ctx context.Context, c *pgx.ConnConfig) error {
	db := stdlib.OpenDB(*c)
	defer db.Close()
	l, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	return migrate(ctx, goose.DialectPostgres, db, "postgres", goose.WithSessionLocker(l))
}

func (p *postgres) ping(ctx context.Context) error { return p.pool.Ping(ctx) }

// close lets what is queued finish.
func (p *postgres) close() error {
	p.mu.Lock()
	p.closed = true
	lines := slices.Collect(maps.Values(p.lines))
	p.mu.Unlock()
	for _, l := range lines {
		l.close()
	}
	p.writers.Close()
	p.pool.Close()
	return nil
}

func (p *postgres) view(ctx context.Context, f func(session) error) error {
	s := &pgSession{p: p, ctx: ctx, saved: -1}
	defer s.undo()
	return pgFault(ctx, f(s))
}

func (p *postgres) update(ctx context.Context, tenant int64, f func(session) error) error {
	p.mu.Lock()
	l := p.lines[tenant]
	if l == nil && !p.closed {
		l = newLine(p.log, func() group { return &pgSession{p: p, writes: true, tenant: tenant} }, func() {})
		p.lines[tenant] = l
	}
	p.mu.Unlock()
	if l == nil {
		return errClosed
	}
	return l.update(ctx, f)
}

// pgFault is an error of PostgreSQL as others may act upon it.
func pgFault(ctx context.Context, err error) error {
	var e *fhir.Error
	var pg *pgconn.PgError
	switch {
	case err == nil, errors.As(err, &e):
		return err
	case errors.As(err, &pg):
		switch pg.Code[:2] {
		case "08", "25", "40", "53", "55", "57", "58": // connection, transaction ended or undone, resources, not ready, shutdown, I/O
			return unavailable(err)
		}
		return err
	case errors.Is(err, errUnknown):
		return &fhir.Error{Code: fhir.Transient, Detail: "The database did not answer. It is not known whether anything was stored: look before you try again.", Err: err}
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return over(ctx)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || pgconn.SafeToRetry(err) || errors.Is(err, errBroken) {
		return unavailable(err)
	}
	return err
}
