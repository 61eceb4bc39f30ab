package sqlstore

import (
	"context"
	"errors"
	"math"
	"time"

	"rapport/fhir"
)

// engine is a database: how transactions begin and end in it.
type engine interface {
	// view gives f the statements of one snapshot, opened at the first of them.
	view(ctx context.Context, f func(session) error) error
	// update runs f in a transaction beside which no other of the tenant runs, perhaps
	// several times, and returns when it is durable.
	update(ctx context.Context, tenant int64, f func(session) error) error
	ping(ctx context.Context) error
	close() error
}

// session runs statements within one transaction. SQL is written once for both
// databases: $1 is an argument, $$1 behind IN a set of them.
type session interface {
	// each runs q once with every list of arguments, in one round trip, and hands
	// each row to scan with the number of its list. scan runs no statement.
	each(ctx context.Context, q string, args [][]any, scan func(i int, r row) error) error
	// exec runs q. Its error may be told by the next statement or by the commit only.
	exec(ctx context.Context, q string, args ...any) error
	// term returns the number of a text, a new one if it has none.
	term(ctx context.Context, tenant int64, text string) (int64, error)
	// now returns the time of a version: at, or that of the last version of the
	// tenant that was given a time, if it is later.
	now(ctx context.Context, tenant, at int64) (int64, error)
	// place counts what a transaction adds to the order of all commits.
	place() int64
	words() *dialect
}

// row is the current row of a result. scan copies its columns: into *int64, *int,
// *string, *[]byte.
type row interface{ scan(into ...any) error }

// dialect is what the databases say differently.
type dialect struct {
	insertVersion string // tenant, n, rid, type, version, updated, state, class, facts, body
	insertEntry   string // tenant, n, id, writer, at, body
	position      func(text, part string) string
	tokens        func(codes, systems int) string // set of (code, system)
	exists        func(query string) string       // a look-up for each row, not a join
	lateral       bool                            // joins are look-ups, too, one after the other
	within        func(x, query string) string    // x is one of what a query gives, run once
	clean         func(string) string             // what of a text can be stored
	blocks        bool                            // numbers of resources are given out by the process, in blocks
}

// numbers and texts are sets, for $$n.
type (
	numbers []int64
	texts   []string
)

// one runs q and reads its first row.
func one(ctx context.Context, s session, q string, args []any, into ...any) (found bool, err error) {
	err = s.each(ctx, q, [][]any{args}, func(_ int, r row) error {
		if found {
			return nil
		}
		found = true
		return r.scan(into...)
	})
	return found, err
}

// all runs q and hands each row to scan.
func all(ctx context.Context, s session, q string, args []any, scan func(row) error) error {
	return s.each(ctx, q, [][]any{args}, func(_ int, r row) error { return scan(r) })
}

// A moment that is not there is one beyond all others.
const (
	never  int64 = math.MaxInt64
	always int64 = math.MinInt64
)

// until is a moment in the future, or never.
func until(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return fhir.Micros(t)
}

// since is a moment in the past, or the beginning of all time.
func since(t time.Time) int64 {
	if t.IsZero() {
		return always
	}
	return fhir.Micros(t)
}

func moment(us int64) time.Time {
	if us == never || us == always {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// maxReaders is how many snapshots may be open at once: one more waits. It is more than
// there are cores, for who holds one may open another within.
const maxReaders = 16

var errClosed = errors.New("the store is closed")

// over tells a cancelled caller, in the words of our errors.
func over(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &fhir.Error{Code: fhir.Timeout, Detail: "The request ended before it was carried out. Nothing was changed.", Err: context.Cause(ctx)}
	}
	return nil
}
