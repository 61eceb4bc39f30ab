package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"rapport/fhir"
	"rapport/fhir/store"
)

var postgresWords = &dialect{
	insertVersion: `INSERT INTO version (tx, tenant, n, rid, type, version, updated, state, class, facts, body)
		VALUES (pg_current_xact_id()::text::bigint, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
	insertEntry: `INSERT INTO entry (tx, tenant, n, id, writer, at, place, hash, body)
		VALUES (pg_current_xact_id()::text::bigint, $1, $2, $3, $4, $5, 0, '', $6) ON CONFLICT DO NOTHING`,
	// Whatever has a smaller number than the oldest transaction that runs is committed
	// and seen, or is not to come.
	safe:     `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, 9223372036854775807 WHERE $1::bigint > 0`,
	settled:  `v.tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint`,
	position: func(text, part string) string { return "strpos(" + text + ", " + part + ")" },
	tokens: func(codes, systems int) string {
		return fmt.Sprintf("(SELECT * FROM unnest($%d::text[], $%d::bigint[]))", codes, systems)
	},
	// OFFSET 0 keeps the planner from making joins of look-ups, or others of ours, an
	// ARRAY from running a query once a row: without statistics it takes ten thousand
	// rows for one, and that is how it is after an import.
	lateral: true,
	exists:  func(q string) string { return "EXISTS (" + q + " OFFSET 0)" },
	within:  func(x, q string) string { return x + " = ANY (ARRAY(" + q + "))" },
	clean:   cleanText,
	apart:   true,
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

// postgres is one database of a server.
type postgres struct {
	pool *pgxpool.Pool
	side *pgxpool.Pool // for what is committed apart: terms and times
	log  *slog.Logger
	told func(context.Context)
}

// Limits of a transaction. One that nobody goes on with holds back the feed.
const (
	idleInTransaction = 20 * time.Second
	longestUpdate     = 60 * time.Second
	maxAttempts       = 40
	aloneAfter        = 8 // attempts, then the transaction runs without others beside it
)

// everyone is the advisory lock that writers share and that who must run alone takes.
const everyone = 0x7261_7070_6f72_7401

// OpenPostgres opens a database of a PostgreSQL server (14 or later) and brings its
// schema up to date. dsn is a URL or key=value; pool_max_conns bounds the connections.
// Several processes may have it open. Nothing but committed and synced transactions is
// acknowledged: synchronous_commit must not be off for the role.
func OpenPostgres(ctx context.Context, dsn string, o Options) (db *DB, err error) {
	o.fill()
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the connection string of PostgreSQL cannot be read")
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		c.MaxConns = 16
	}
	set := c.ConnConfig.RuntimeParams
	set["application_name"] = "rapport"
	set["idle_in_transaction_session_timeout"] = fmt.Sprint(idleInTransaction.Milliseconds())
	set["jit"] = "off"
	// A sequential scan would lock a whole table against other serialisable
	// transactions. Everything that is asked has an index.
	set["enable_seqscan"] = "off"
	if err := migratePostgres(ctx, c.ConnConfig); err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	db = &DB{Options: o, tenants: map[string]*tenant{}}
	p := &postgres{log: o.Log, told: db.told}
	if p.pool, err = pgxpool.NewWithConfig(ctx, c); err != nil {
		return nil, err
	}
	side := c.Copy()
	side.MaxConns, side.MinConns = 2, 0
	// In the log it stands before the transaction that rests on it, and is on disk
	// with that.
	side.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	if p.side, err = pgxpool.NewWithConfig(ctx, side); err != nil {
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

func (p *postgres) close() error {
	p.pool.Close()
	p.side.Close()
	return nil
}

func (p *postgres) view(ctx context.Context, f func(session) error) error {
	s := &pgSession{p: p, begin: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`, reads: ctx}
	defer s.end()
	err := f(s)
	if err == nil {
		err = s.failed // told nowhere else
	}
	return pgFault(ctx, err)
}

// update retries what could not be serialised. From some attempt on it runs alone, so
// that it comes to an end.
func (p *postgres) update(ctx context.Context, f func(session) error) error {
	if err := over(ctx); err != nil {
		return err
	}
	var locks []store.MatchKey
	for attempt := 1; ; attempt++ {
		s := &pgSession{p: p, begin: `BEGIN ISOLATION LEVEL SERIALIZABLE`, writes: true, locks: locks, alone: attempt > aloneAfter}
		err := s.run(ctx, f)
		var more *relock
		switch {
		case err == nil:
			return nil
		case errors.As(err, &more):
			locks = more.keys
			attempt--
			continue
		case attempt == maxAttempts || !again(err):
			return pgFault(ctx, err)
		}
		if err := over(ctx); err != nil {
			return err
		}
		// Those that met must not meet again.
		time.Sleep(rand.N(time.Duration(min(attempt, 10)) * time.Millisecond))
	}
}

// relock is how a closure that locks too late is made to run again with the locks
// taken before its snapshot.
type relock struct{ keys []store.MatchKey }

func (*relock) Error() string { return "the transaction begins again with its locks" }

// again reports whether a transaction failed for what another one did at the same time.
func again(err error) bool {
	var e *pgconn.PgError
	// A unique violation is how a race for a new key may be told.
	return errors.As(err, &e) && slices.Contains([]string{"40001", "40P01", "23505"}, e.Code)
}

// pgFault is an error of PostgreSQL as others may act upon it.
func pgFault(ctx context.Context, err error) error {
	var e *fhir.Error
	var pg *pgconn.PgError
	switch {
	case err == nil, errors.As(err, &e):
		return err
	case errors.As(err, &pg):
		if again(err) {
			return &fhir.Error{Code: fhir.Conflict, Detail: "Other requests changed the same data at the same time. Try again.", Err: err}
		}
		switch pg.Code[:2] {
		case "08", "25", "53", "55", "57", "58": // connection, transaction ended, resources, not ready, shutdown, I/O
			return unavailable(err)
		}
		return err
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return over(ctx)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || pgconn.SafeToRetry(err) || errors.Is(err, errBroken) {
		return unavailable(err)
	}
	return err
}
