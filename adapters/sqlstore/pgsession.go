package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"rapport/fhir/store"
)

// pgSession is a transaction that begins with its first statement. Statements without
// a result wait for the next one that has one, or for the commit, and share its round
// trip.
type pgSession struct {
	p      *postgres
	begin  string
	reads  context.Context // the caller of a view: it may go at any moment
	writes bool
	alone  bool
	locks  []store.MatchKey

	c       *pgxpool.Conn
	begun   bool
	waits   *pgx.Batch
	failed  error // the first statement that failed: the transaction is lost
	session bool  // it holds locks of the session
}

// errBroken is a connection that ended within a transaction.
var errBroken = errors.New("the connection to the database was lost")

// run runs f and commits. The caller's going away does not reach the connection: it
// would leave open whether a commit in flight took place.
func (s *pgSession) run(ctx context.Context, f func(session) error) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestUpdate)
	defer cancel()
	s.reads = bounded
	defer s.end()
	if len(s.locks) > 0 || s.alone {
		if err := s.takeLocks(ctx, bounded); err != nil {
			return err
		}
	}
	err := f(s)
	if s.failed != nil {
		return s.failed // whatever f made of it
	}
	if err != nil {
		return err
	}
	return s.commit()
}

func (s *pgSession) acquire(ctx context.Context) error {
	if s.c != nil {
		return nil
	}
	c, err := s.p.pool.Acquire(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return over(ctx)
		}
		return unavailable(err)
	}
	s.c = c
	return nil
}

// takeLocks takes locks of the session before the transaction has a snapshot: a lock
// waited for under a snapshot would show what was before the wait.
func (s *pgSession) takeLocks(ctx, bounded context.Context) error {
	if err := s.acquire(ctx); err != nil {
		return err
	}
	b := &pgx.Batch{}
	if s.alone {
		b.Queue(`SELECT pg_advisory_lock($1)`, int64(everyone))
	}
	for _, k := range s.locks {
		b.Queue(`SELECT pg_advisory_lock($1)`, lockNumber(k))
	}
	s.session = true
	return s.c.SendBatch(bounded, b).Close()
}

func lockNumber(k store.MatchKey) (n int64) {
	for i := range 8 {
		n = n<<8 | int64(k[i]^k[i+8])
	}
	return n
}

func (s *pgSession) lock(_ context.Context, ks []store.MatchKey) error {
	all := slices.Concat(s.locks, ks)
	slices.SortFunc(all, func(a, b store.MatchKey) int { return bytes.Compare(a[:], b[:]) })
	all = slices.Compact(all)
	if len(all) == len(s.locks) {
		return nil
	}
	if s.begun || s.session {
		s.failed = &relock{all}
		return s.failed
	}
	s.locks = all
	return s.takeLocks(s.reads, s.reads)
}

// batch is what waits, the beginning of the transaction before it if need be.
func (s *pgSession) batch() *pgx.Batch {
	b := s.waits
	s.waits = nil
	if b == nil {
		b = &pgx.Batch{}
	}
	return b
}

func (s *pgSession) start() error {
	if s.failed != nil {
		return s.failed
	}
	if s.begun {
		return nil
	}
	if err := s.acquire(s.reads); err != nil {
		s.failed = err
		return err
	}
	s.begun = true
	q := s.begin
	if s.writes && !s.alone {
		q += fmt.Sprintf("; SELECT pg_advisory_xact_lock_shared(%d)", int64(everyone))
	}
	// The simple protocol: both in one round trip.
	_, err := s.c.Conn().PgConn().Exec(s.reads, q).ReadAll()
	return s.fail(err)
}

func (s *pgSession) fail(err error) error {
	if err != nil && s.failed == nil {
		if s.c != nil && s.c.Conn().IsClosed() && s.reads.Err() == nil && !again(err) {
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
	if err := s.start(); err != nil {
		return err
	}
	b := s.batch()
	before := b.Len()
	sql := pgSQL(q)
	for _, a := range args {
		s.p.told(ctx)
		b.Queue(sql, pgArgs(a)...)
	}
	res := s.c.SendBatch(s.reads, b)
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
	if err := s.start(); err != nil {
		return err
	}
	s.p.told(ctx)
	if s.waits == nil {
		s.waits = &pgx.Batch{}
	}
	s.waits.Queue(pgSQL(q), pgArgs(args)...)
	return nil
}

// commit sends what waits and the commit in one round trip: if one fails, PostgreSQL
// skips the rest.
func (s *pgSession) commit() error {
	if !s.begun {
		return nil
	}
	b := s.batch()
	n := b.Len()
	b.Queue(`COMMIT`)
	res := s.c.SendBatch(s.reads, b)
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
	if err == nil && tag.String() != "COMMIT" {
		err = errors.New("the transaction was rolled back")
	}
	if err == nil {
		s.begun = false
	}
	return s.fail(err)
}

// end gives the connection back with nothing open and no lock held.
func (s *pgSession) end() {
	if s.c == nil {
		return
	}
	conn := s.c.Conn()
	q := ""
	if s.begun {
		q = "ROLLBACK;"
	}
	if s.session {
		q += "SELECT pg_advisory_unlock_all()"
	}
	if q != "" && !conn.IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), idleInTransaction)
		defer cancel()
		if _, err := conn.PgConn().Exec(ctx, q).ReadAll(); err != nil {
			_ = conn.Close(ctx) // the pool makes another
		}
	}
	s.c.Release()
	s.c = nil
}

func (s *pgSession) words() *dialect { return postgresWords }

// term commits a new text apart from the transaction: it may be undone, and others
// may need the same text meanwhile.
func (s *pgSession) term(ctx context.Context, tenant int64, text string) (id int64, err error) {
	if s.failed != nil {
		return 0, s.failed
	}
	const known = `SELECT term FROM term WHERE tenant = $1 AND text = $2`
	s.p.told(ctx)
	err = s.p.side.QueryRow(s.reads, known, tenant, text).Scan(&id)
	if !errors.Is(err, pgx.ErrNoRows) {
		return id, s.fail(err)
	}
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO term (tenant, text) VALUES ($1, $2) ON CONFLICT DO NOTHING`, tenant, text)
	b.Queue(known, tenant, text).QueryRow(func(r pgx.Row) error { return r.Scan(&id) })
	return id, s.fail(s.p.side.SendBatch(s.reads, b).Close())
}

// now advances the tenant's clock apart from the transaction, so that writers do not
// wait for each other's commit. What it says is later than any version committed.
func (s *pgSession) now(ctx context.Context, tenant, at int64) (last int64, err error) {
	if s.failed != nil {
		return 0, s.failed
	}
	s.p.told(ctx)
	err = s.p.side.QueryRow(s.reads, `INSERT INTO clock (tenant, at) VALUES ($1, $2)
		ON CONFLICT (tenant) DO UPDATE SET at = greatest(clock.at, excluded.at) RETURNING at`, tenant, at).Scan(&last)
	return last, s.fail(err)
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

func (n pgNotes) get(ctx context.Context, tenant, id string) (sealed []byte, err error) {
	n.p.told(ctx)
	err = n.p.pool.QueryRow(ctx, `SELECT sealed FROM process_notes.note WHERE tenant = $1 AND id = $2`, tenant, id).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return sealed, pgFault(ctx, err)
}

func (n pgNotes) close() error { return nil }
