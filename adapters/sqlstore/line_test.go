package sqlstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

func goal(id string) fhir.Resource {
	r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Goal","id":%q}`, id))
	if err != nil {
		panic(err)
	}
	return r
}

var plain = store.Record{Facts: fhir.Facts{Class: "c"}, Index: []fhir.Index{{Param: "identifier", Kind: fhir.Token, System: "urn:s", Code: "x"}}}

func write(ctx context.Context, s store.Store, id string) error {
	return s.Update(ctx, func(tx store.Tx) error {
		_, _, err := tx.Put(ctx, goal(id), plain, store.Condition{})
		return err
	})
}

// exists reports whether a Goal is there and is found.
func exists(t *testing.T, s store.Store, id string) (there bool) {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) error {
		k := fhir.Key{Type: "Goal", ID: id}
		hs, err := r.Heads(t.Context(), fhir.Omniscient(), k)
		if err != nil || len(hs) == 0 {
			return err
		}
		p, err := r.Find(t.Context(), fhir.Omniscient(), fhir.Query{Type: "Goal", Count: 1, Where: []fhir.Clause{
			{Param: "_id", Any: []fhir.Operand{{Code: id}}}, asked("identifier", "urn:s", "x")}})
		if err != nil {
			return err
		}
		b, err := r.Bodies(t.Context(), store.Ref{Key: k, Version: hs[0].Version})
		if there = len(p.Found) == 1 && !b[0].IsZero(); err == nil && !there {
			err = fmt.Errorf("%s is half there: %d found, body %v", k, len(p.Found), !b[0].IsZero())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// held makes the writer wait in a closure while more are queued, and lets it go.
func held(t *testing.T, s store.Store, f func(session) error) (release func() error) {
	t.Helper()
	inside, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		defer func() {
			if p := recover(); p != nil {
				ended <- fmt.Errorf("panic: %v", p)
			}
		}()
		ended <- s.(*tenant).update(t.Context(), func(w *writer) error {
			once.Do(func() { close(inside); <-goOn })
			return f(w.session)
		})
	}()
	<-inside
	return func() error { close(goOn); return <-ended }
}

// beside queues n writes and returns what they were told.
func beside(t *testing.T, d *sqlite, s store.Store, n int) (wait func() []error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = write(t.Context(), s, fmt.Sprint("g", i)) })
	}
	for end := time.Now().Add(10 * time.Second); len(d.line.queue) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d are queued", len(d.line.queue), n)
		}
	}
	return func() []error { wg.Wait(); return errs }
}

func allThere(t *testing.T, s store.Store, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("write %d: %v", i, err)
		}
		if !exists(t, s, fmt.Sprint("g", i)) {
			t.Errorf("write %d is not there", i)
		}
	}
}

func TestAGroupWhoseCommitFailsIsTriedOneByOne(t *testing.T) {
	db := openSQLite(t, ":memory:", Options{})
	s, d := opened(t, db, "t"), db.engine.(*sqlite)
	commits := 0
	release := held(t, s, func(w session) error {
		if commits++; commits > 1 {
			return nil // it runs again
		}
		c := w.(*conn)
		c.CommitHook(func() bool {
			c.CommitHook(nil)
			return false
		})
		return nil
	})
	wait := beside(t, d, s, 10)
	if err := release(); err != nil {
		t.Error(err)
	}
	allThere(t, s, wait())
	if commits != 2 {
		t.Errorf("the first closure ran %d times, want 2", commits)
	}
}

func TestAFullDiskIsTransientAndLosesNothing(t *testing.T) {
	db := openSQLite(t, ":memory:", Options{})
	s := opened(t, db, "t")
	full := func(pages int) {
		t.Helper()
		err := s.(*tenant).update(t.Context(), func(w *writer) error {
			var n int
			_, err := one(t.Context(), w, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages), nil, &n)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := write(t.Context(), s, "before"); err != nil {
		t.Fatal(err)
	}
	full(1) // no more than there are
	var failed error
	for i := 0; i < 200 && failed == nil; i++ {
		failed = s.Append(t.Context(), store.Synced, store.Entry{ID: fmt.Sprint(i), Writer: "w", At: began, Body: make([]byte, 10_000)})
	}
	if !fhir.Is(failed, fhir.Transient) {
		t.Errorf("told %v, want transient", failed)
	}
	full(1 << 20)
	if err := write(t.Context(), s, "after"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if !exists(t, s, "before") || !exists(t, s, "after") {
		t.Error("a write that was acknowledged is gone")
	}
}

func TestAPanicReachesItsCallerAndNobodyBesideIt(t *testing.T) {
	db := openSQLite(t, ":memory:", Options{})
	s, d := opened(t, db, "t"), db.engine.(*sqlite)
	release := held(t, s, func(w session) error { panic("of the closure") })
	wait := beside(t, d, s, 10)
	if err := release(); err == nil || !strings.Contains(err.Error(), "of the closure") {
		t.Errorf("the caller was told %v", err)
	}
	allThere(t, s, wait())
}

func TestAClosureThatFailsLeavesNothingOfItself(t *testing.T) {
	both(t, func(t *testing.T, open func(Options) *DB) {
		s := opened(t, open(Options{}), "t")
		refused := errors.New("refused")
		inside, goOn := make(chan struct{}), make(chan struct{})
		errs := make([]error, 5)
		var wg sync.WaitGroup
		closure := func(i int, wait bool) {
			wg.Go(func() {
				errs[i] = s.(*tenant).update(t.Context(), func(w *writer) error {
					if _, _, err := w.Put(t.Context(), goal(fmt.Sprint("g", i)), plain, store.Condition{}); err != nil {
						return err
					}
					if wait {
						close(inside)
						<-goOn
					}
					if i%2 == 0 {
						return refused
					}
					return nil
				})
			})
		}
		closure(0, true)
		<-inside
		for i := range 4 {
			closure(i+1, false)
		}
		close(goOn)
		wg.Wait()
		for i, err := range errs {
			if failed := i%2 == 0; errors.Is(err, refused) != failed || !failed && err != nil {
				t.Errorf("closure %d was told %v", i, err)
			}
			if got := exists(t, s, fmt.Sprint("g", i)); got != (i%2 != 0) {
				t.Errorf("of closure %d there is something: %v", i, got)
			}
		}
	})
}

func TestNobodyIsToldBeforeTheGroupIsCommitted(t *testing.T) {
	db := openSQLite(t, ":memory:", Options{})
	s, d := opened(t, db, "t"), db.engine.(*sqlite)
	release := held(t, s, func(session) error { return nil })
	told := make(chan string, 2)
	go func() {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			told <- "ran"
			_, _, err := tx.Put(t.Context(), goal("a"), plain, store.Condition{IfMatch: 9})
			return err
		})
		told <- fmt.Sprint(fhir.Is(err, fhir.Stale))
	}()
	for len(d.line.queue) == 0 {
		time.Sleep(time.Millisecond)
	}
	// The last of the group: it runs before the commit, when the one before it has failed.
	wrong := make(chan string, 1)
	last := make(chan error, 1)
	go func() {
		last <- s.Update(t.Context(), func(store.Tx) error {
			if got := <-told; got != "ran" {
				wrong <- got
			}
			select {
			case got := <-told:
				wrong <- got
			case <-time.After(30 * time.Millisecond):
			}
			return nil
		})
	}()
	for len(d.line.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := <-last; err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-wrong:
		t.Errorf("told %q before the commit", got)
	default:
	}
	if got := <-told; got != "true" {
		t.Error("the error did not come after the commit")
	}
}

func TestAQueuedWriteThatIsCancelledNeverRuns(t *testing.T) {
	db := openSQLite(t, ":memory:", Options{})
	s, d := opened(t, db, "t"), db.engine.(*sqlite)
	release := held(t, s, func(session) error { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- write(ctx, s, "gone") }()
	for len(d.line.queue) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("told %v while the writer was busy", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if exists(t, s, "gone") {
		t.Error("it ran though it was cancelled")
	}
}

func TestCloseLetsQueuedWritesFinishAndRefusesLaterOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := OpenSQLite(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, d := opened(t, db, "t"), db.engine.(*sqlite)
	release := held(t, s, func(session) error { return nil })
	wait := beside(t, d, s, 5)
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	if err := release(); err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := write(t.Context(), s, "late"); err == nil {
		t.Error("a write after Close was accepted")
	}
	again := openSQLite(t, path, Options{})
	allThere(t, opened(t, again, "t"), wait())
}

// diary is set in the process that is killed.
const diary = "SQLSTORE_WRITES_TO"

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	if path := os.Getenv(diary); path != "" {
		scribble(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "store.db")
	cmd := exec.Command(os.Args[0], "-test.run=^TestWhatWasAcknowledgedSurvivesAKill$")
	cmd.Env = append(os.Environ(), diary+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acked []string
	for in := bufio.NewScanner(out); in.Scan(); {
		if id, ok := strings.CutPrefix(in.Text(), "ack "); ok {
			if acked = append(acked, id); len(acked) == 400 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	_ = cmd.Wait()
	if len(acked) < 400 {
		t.Fatalf("only %d writes were acknowledged", len(acked))
	}
	s := opened(t, openSQLite(t, path, Options{}), "t")
	for _, id := range acked {
		if !exists(t, s, id) {
			t.Errorf("%s was acknowledged and is gone", id)
		}
		if _, err := entryOf(t, s, id); err != nil {
			t.Error(err)
		}
	}
	ws, err := s.Works(t.Context(), false, 1<<20)
	if err != nil || len(ws) < len(acked) {
		t.Errorf("%d works of %d writes, %v", len(ws), len(acked), err)
	}
}

// scribble writes until it is killed and says what was acknowledged.
func scribble(t *testing.T, path string) {
	s := opened(t, openSQLite(t, path, Options{}), "t")
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("w%d-%d", w, i)
				err := s.Update(t.Context(), func(tx store.Tx) error {
					_, _, err := tx.Put(t.Context(), goal(id), plain, store.Condition{})
					return errors.Join(err, tx.Append(t.Context(), store.Entry{ID: id, Writer: "w", At: began, Body: []byte(id)}),
						tx.Enqueue(t.Context(), fhir.Work{ID: id, Lane: id, Kind: "k"}))
				})
				if err != nil {
					return
				}
				mu.Lock()
				fmt.Println("ack " + id)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func entryOf(t *testing.T, s store.Store, id string) (e store.Entry, err error) {
	t.Helper()
	err = s.(*tenant).view(t.Context(), func(r *reader) error {
		found, err := one(t.Context(), r, `SELECT body FROM entry WHERE tenant = $1 AND id = $2`, []any{r.t.id, id}, &e.Body)
		if err == nil && (!found || string(e.Body) != id) {
			err = fmt.Errorf("the audit entry of %s is gone", id)
		}
		return err
	})
	return e, err
}
