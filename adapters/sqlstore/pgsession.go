package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgSession is a transaction. Statements without a result wait for the next one that
// has one, or for the commit, and share its round trip.
type pgSession struct {
	p      *postgres
	ctx    context.Context // of a view its caller's, who may go at any moment
	writes bool
	tenant int64 // whose writer it is

	c      *pgxpool.Conn
	cancel context.CancelFunc
	begun  bool
	waits  []statement
	saved  int   // place of a savepoint among what waits, -1 if none waits
	failed error // what failed first: the transaction is lost
	n      int64 // places given out
	last   int64 // time of the tenant's last version, once asked for
}

type statement struct {
	sql  string
	args []any
}

// errBroken is a connection that ended within a transaction.
var errBroken = errors.New("the connection to the database was lost")

func (s *pgSession) acquire() error {
	pool := s.p.pool
	if s.writes {
		pool = s.p.writers
	}
	c, err := pool.Acquire(s.ctx)
	if err == nil {
		s.c = c
		return nil
	}
	if s.ctx.Err() != nil && !s.writes {
		return over(s.ctx)
	}
	return unavailable(err)
}

// begin waits until no other transaction of the tenant writes, in whatever process.
// Each statement then sees what those before it committed.
func (s *pgSession) begin() error {
	s.ctx, s.cancel = context.WithTimeout(context.Background(), longestUpdate)
	s.saved, s.failed, s.n, s.last = -1, nil, 0, 0
	return s.open(fmt.Sprintf("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(%d, %d)", writing, s.tenant))
}

// open begins a transaction by the simple protocol, in one round trip.
func (s *pgSession) open(q string) error {
	if err := s.acquire(); err != nil {
		return s.fail(err)
	}
	s.begun = true
	_, err := s.c.Conn().PgConn().Exec(s.ctx, q).ReadAll()
	return s.fail(err)
}

func (s *pgSession) save() error {
	s.saved = len(s.waits)
	s.wait(`SAVEPOINT s`)
	return s.failed
}

func (s *pgSession) keep() error {
	s.wait(`RELEASE s`)
	s.saved = -1
	return s.failed
}

func (s *pgSession) takeBack() error {
	if s.saved >= 0 { // the server knows nothing of it yet
		s.waits = s.waits[:s.saved]
	} else {
		s.wait(`ROLLBACK TO s`)
		s.wait(`RELEASE s`)
	}
	s.saved = -1
	return s.failed
}

func (s *pgSession) lost() bool { return s.failed != nil }

func (s *pgSession) wait(sql string, args ...any) {
	s.waits = append(s.waits, statement{sql, args})
}

// batch is what waits, to be sent with what follows.
func (s *pgSession) batch() *pgx.Batch {
	b := &pgx.Batch{}
	for _, w := range s.waits {
		b.Queue(w.sql, w.args...)
	}
	s.waits, s.saved = s.waits[:0], -1
	return b
}

// commit sends what waits and the commit in one round trip: if one fails, PostgreSQL
// skips the rest.
func (s *pgSession) commit() error {
	if s.failed != nil {
		return s.failed
	}
	b := s.batch()
	n := b.Len()
	b.Queue(`COMMIT`)
	res := s.c.SendBatch(s.ctx, b)
	for range n {
		if _, err := res.Exec(); err != nil {
			res.Close()
			return s.fail(err)
		}
	}
	tag, err := res.Exec()
	if ends := res.Close(); err == nil {
		err = ends
	}
	var told *pgconn.PgError
	switch {
	case err == nil && tag.String() == "COMMIT":
		s.begun = false
		return nil
	case err == nil:
		return s.fail(errors.New("the transaction was rolled back"))
	case errors.As(err, &told):
		return s.fail(err)
	}
	return s.fail(fmt.Errorf("%w: %w", errUnknown, err))
}

// undo takes back what is not committed and gives the connection to others.
func (s *pgSession) undo() {
	if s.c == nil {
		return
	}
	if conn := s.c.Conn(); s.begun && !conn.IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), idleInTransaction)
		defer cancel()
		if _, err := conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
			_ = conn.Close(ctx) // the pool makes another
		}
	}
	s.c.Release()
	s.c, s.begun, s.waits = nil, false, nil
	if s.cancel != nil {
		s.cancel()
	}
}

func (s *pgSession) fault(err error) error { return pgFault(s.ctx, err) }

func (s *pgSession) fail(err error) error {
	if err != nil && s.failed == nil {
		if s.c != nil && s.c.Conn().IsClosed() && (s.writes || s.ctx.Err() == nil) {
			err = fmt.Errorf("%w: %w", errBroken, err)
		}
		s.failed = err
	}
	return s.failed
}

func (s *pgSession) each(ctx context.Context, q string, args [][]any, scan func(i int, r row) error) error {
	if len(args) == 0 {
		return nil
	}
	if s.failed != nil {
		return s.failed
	}
	if !s.begun {
		if err := s.open(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`); err != nil {
			return err
		}
	}
	b := s.batch()
	before := b.Len()
	sql := pgSQL(q)
	for _, a := range args {
		s.p.told(ctx)
		b.Queue(sql, pgArgs(a)...)
	}
	res := s.c.SendBatch(s.ctx, b)
	err := func() error {
		for range before {
			if _, err := res.Exec(); err != nil {
				return err
			}
		}
		for i := range args {
			rows, err := res.Query()
			if err != nil {
				return err
			}
			for rows.Next() {
				if err := scan(i, pgRow{rows}); err != nil {
					rows.Close()
					return err
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	}()
	if ends := res.Close(); err == nil {
		err = ends
	}
	return s.fail(err)
}

func (s *pgSession) exec(ctx context.Context, q string, args ...any) error {
	if !s.writes {
		return errReads
	}
	if s.failed != nil {
		return s.failed
	}
	s.p.told(ctx)
	s.wait(pgSQL(q), pgArgs(args)...)
	return nil
}

func (s *pgSession) place() int64 { s.n++; return s.n }

func (s *pgSession) words() *dialect { return postgresWords }

func (s *pgSession) term(ctx context.Context, tenant int64, text string) (id int64, err error) {
	if !s.writes {
		return 0, errReads
	}
	found, err := one(ctx, s, `SELECT term FROM term WHERE tenant = $1 AND text = $2`, []any{tenant, text}, &id)
	if err != nil || found {
		return id, err
	}
	_, err = one(ctx, s, `INSERT INTO term (tenant, text) VALUES ($1, $2) RETURNING term`, []any{tenant, text}, &id)
	return id, err
}

// now asks once a group: the writers of a tenant come one after the other, so that its
// last version is the latest.
func (s *pgSession) now(ctx context.Context, tenant, at int64) (int64, error) {
	if s.last == 0 {
		s.last = always
		if _, err := one(ctx, s, `SELECT updated FROM version WHERE tenant = $1 ORDER BY tx DESC, n DESC LIMIT 1`, []any{tenant}, &s.last); err != nil {
			return 0, err
		}
	}
	s.last = max(s.last, at)
	return s.last, nil
}

type pgRow struct{ pgx.Rows }

func (r pgRow) scan(into ...any) error { return r.Scan(into...) }

// pgSQL puts PostgreSQL's way of naming sets in the place of ours.
func pgSQL(q string) string {
	if !strings.Contains(q, "$$") {
		return q
	}
	var b strings.Builder
	for {
		i := strings.Index(q, "IN $$")
		if i < 0 {
			b.WriteString(q)
			return b.String()
		}
		n := i + len("IN $$")
		for n < len(q) && q[n] >= '0' && q[n] <= '9' {
			n++
		}
		b.WriteString(q[:i] + "= ANY($" + q[i+len("IN $$"):n] + ")")
		q = q[n:]
	}
}

func pgArgs(args []any) []any {
	out := args
	for i, a := range args {
		var to any
		switch v := a.(type) {
		case numbers:
			to = []int64(v)
		case texts:
			to = []string(v)
		case []byte:
			if v != nil {
				continue
			}
			to = []byte{}
		default:
			continue
		}
		if &out[0] == &args[0] {
			out = slices.Clone(args)
		}
		out[i] = to
	}
	return out
}

// notes are process notes in a schema of their own.
func (p *postgres) notes() noteEngine { return pgNotes{p} }

type pgNotes struct{ p *postgres }

func (n pgNotes) put(ctx context.Context, tenant, id string, sealed []byte) (bool, error) {
	n.p.told(ctx)
	tag, err := n.p.pool.Exec(ctx, `INSERT INTO process_notes.note (tenant, id, sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, tenant, id, sealed)
	return tag.RowsAffected() == 1, pgFault(ctx, err)
}

func (n pgNotes) replace(ctx context.Context, tenant, id string, was, sealed []byte) (bool, error) {
	n.p.told(ctx)
	tag, err := n.p.pool.Exec(ctx, `UPDATE process_notes.note SET sealed = $4 WHERE tenant = $1 AND id = $2 AND sealed = $3`, tenant, id, was, sealed)
	return tag.RowsAffected() == 1, pgFault(ctx, err)
}

func (n pgNotes) get(ctx context.Context, tenant, id string) (sealed []byte, err error) {
	n.p.told(ctx)
	err = n.p.pool.QueryRow(ctx, `SELECT sealed FROM process_notes.note WHERE tenant = $1 AND id = $2`, tenant, id).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return sealed, pgFault(ctx, err)
}

func (n pgNotes) close() error { return nil }
