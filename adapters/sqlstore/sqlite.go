package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

var sqliteWords = &dialect{
	insertVersion: `INSERT INTO version (tenant, n, rid, type, version, updated, state, class, facts, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
	insertEntry: `INSERT INTO entry (tenant, n, id, writer, at, place, hash, body)
		VALUES ($1, $2, $3, $4, $5, 0, x'', $6) ON CONFLICT DO NOTHING`,
	position: func(text, part string) string { return "instr(" + text + ", " + part + ")" },
	tokens: func(codes, systems int) string {
		return fmt.Sprintf("(SELECT c.value, s.value FROM json_each($%d) c JOIN json_each($%d) s ON s.key = c.key)", codes, systems)
	},
	exists: func(q string) string { return "EXISTS (" + q + ")" },
	within: func(x, q string) string { return x + " IN (" + q + ")" },
	clean:  func(s string) string { return s },
}

// conn is a connection to SQLite with its prepared statements. It is used by one
// goroutine at a time.
type conn struct {
	*sqlite3.Conn
	prepared map[string]*sqlite3.Stmt
	told     func(context.Context)
	first    bool // no closure of the transaction has ended well yet
}

// maxPrepared statements are kept; searches make new ones.
const maxPrepared = 400

func openConn(file string, pragmas string, told func(context.Context)) (*conn, error) {
	c, err := sqlite3.OpenFlags(file, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	if err := c.Exec(pragmas); err != nil {
		c.Close()
		return nil, err
	}
	return &conn{Conn: c, prepared: map[string]*sqlite3.Stmt{}, told: told}, nil
}

// Close ends the connection: its statements first, or SQLite keeps it open.
func (c *conn) Close() error {
	c.finalize()
	return c.Conn.Close()
}

func (c *conn) finalize() {
	for _, st := range c.prepared {
		_ = st.Close() // tells of the last run again
	}
	clear(c.prepared)
}

func (c *conn) prepare(q string) (*sqlite3.Stmt, error) {
	if st := c.prepared[q]; st != nil {
		return st, nil
	}
	if len(c.prepared) >= maxPrepared {
		c.finalize()
	}
	st, tail, err := c.PrepareFlags(sqliteSQL(q), sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", q, err)
	}
	if strings.TrimSpace(tail) != "" || st == nil {
		st.Close()
		return nil, fmt.Errorf("not one statement: %s", q)
	}
	c.prepared[q] = st
	return st, nil
}

// sqliteSQL puts SQLite's way of naming arguments and sets in the place of ours.
func sqliteSQL(q string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(q, '$')
		if i < 0 {
			b.WriteString(q)
			return b.String()
		}
		b.WriteString(q[:i])
		q = q[i+1:]
		set := strings.HasPrefix(q, "$")
		if set {
			q = q[1:]
		}
		n := 0
		for n < len(q) && q[n] >= '0' && q[n] <= '9' {
			n++
		}
		if set {
			b.WriteString("(SELECT value FROM json_each(?" + q[:n] + "))")
		} else {
			b.WriteString("?" + q[:n])
		}
		q = q[n:]
	}
}

func (c *conn) each(ctx context.Context, q string, args [][]any, scan func(i int, r row) error) error {
	st, err := c.prepare(q)
	if err != nil {
		return err
	}
	for i, a := range args {
		c.told(ctx)
		if err := bind(st, a); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
		err := func() error {
			for st.Step() {
				if err := scan(i, sqliteRow{st}); err != nil {
					return err
				}
			}
			return st.Err()
		}()
		if again := st.Reset(); err == nil {
			err = again
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) exec(ctx context.Context, q string, args ...any) error {
	c.told(ctx)
	st, err := c.prepare(q)
	if err != nil {
		return err
	}
	if err := bind(st, args); err != nil {
		return fmt.Errorf("%s: %w", q, err)
	}
	return st.Exec()
}

func bind(st *sqlite3.Stmt, args []any) (err error) {
	for i, a := range args {
		switch v := a.(type) {
		case int64:
			err = st.BindInt64(i+1, v)
		case int:
			err = st.BindInt(i+1, v)
		case float64:
			err = st.BindFloat(i+1, v)
		case string:
			err = st.BindText(i+1, v)
		case []byte:
			if len(v) == 0 {
				err = st.BindZeroBlob(i+1, 0)
			} else {
				err = st.BindBlob(i+1, v)
			}
		case numbers, texts:
			var b []byte
			if b, err = json.Marshal(v); err == nil {
				err = st.BindRawText(i+1, b)
			}
		default:
			err = fmt.Errorf("argument %d is a %T", i+1, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type sqliteRow struct{ st *sqlite3.Stmt }

func (r sqliteRow) scan(into ...any) error {
	for i, d := range into {
		switch p := d.(type) {
		case *int64:
			*p = r.st.ColumnInt64(i)
		case *int:
			*p = r.st.ColumnInt(i)
		case *float64:
			*p = r.st.ColumnFloat(i)
		case *string:
			*p = r.st.ColumnText(i)
		case *[]byte:
			*p = append((*p)[:0:0], r.st.ColumnRawBlob(i)...)
		case *value:
			p.read(r.st, i)
		default:
			return fmt.Errorf("column %d cannot be read into a %T", i, d)
		}
	}
	return r.st.Err()
}

// place is always the first: each row has a number of its own.
func (c *conn) place() int64 { return 0 }

func (c *conn) words() *dialect { return sqliteWords }

func (c *conn) term(ctx context.Context, tenant int64, text string) (id int64, err error) {
	found, err := one(ctx, c, `SELECT term FROM term WHERE tenant = $1 AND text = $2`, []any{tenant, text}, &id)
	if err != nil || found {
		return id, err
	}
	_, err = one(ctx, c, `INSERT INTO term (tenant, text) VALUES ($1, $2) RETURNING term`, []any{tenant, text}, &id)
	return id, err
}

// now: the last version is the latest, for one writer gave all their times.
func (c *conn) now(ctx context.Context, tenant, at int64) (int64, error) {
	var last int64
	_, err := one(ctx, c, `SELECT updated FROM version WHERE tenant = $1 ORDER BY tx DESC LIMIT 1`, []any{tenant}, &last)
	return max(at, last), err
}
