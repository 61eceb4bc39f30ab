package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
	"rapport/fhir/store"
)

// both runs f on either database.
func both(t *testing.T, f func(t *testing.T, open func(o Options) *DB)) {
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "store.db")
		f(t, func(o Options) *DB { return openSQLite(t, path, o) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := pgtest.Start(t, "fsync=off")
		f(t, func(o Options) *DB { return openPostgres(t, dsn, o) })
	})
}

func TestTenantsKnowNothingOfEachOther(t *testing.T) {
	both(t, func(t *testing.T, open func(Options) *DB) {
		db := open(Options{})
		a, b := opened(t, db, "a"), opened(t, db, "b")
		practise(t, a, 30)
		ctx := t.Context()
		if err := a.SetMemo(ctx, fhir.Memo{Space: "s", Key: "k", Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		if err := a.Append(ctx, store.Synced, store.Entry{ID: "1", Writer: "w", At: began, Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		err := a.Update(ctx, func(tx store.Tx) error {
			return tx.Enqueue(ctx, fhir.Work{ID: "1", Lane: "l", Kind: "k"})
		})
		if err != nil {
			t.Fatal(err)
		}
		nothing := func(what string, n int, err error) {
			t.Helper()
			if err != nil || n > 0 {
				t.Errorf("%s of the other tenant: %d, %v", what, n, err)
			}
		}
		err = b.View(ctx, func(r store.Reader) error {
			hs, err := r.Heads(ctx, fhir.Omniscient(), patientKey(0))
			nothing("heads", len(hs), err)
			for name, q := range searches {
				q.Total = true
				p, err := r.Find(ctx, fhir.Omniscient(), q)
				nothing(name, len(p.Found)+*p.Total, err)
			}
			c, err := r.Changes(ctx, fhir.Omniscient(), fhir.Scope{}, fhir.Span{})
			nothing("versions", len(c.Heads), err)
			rs, err := r.Bodies(ctx, store.Ref{Key: patientKey(0), Version: 1})
			nothing("bodies", len(rs[0].Body()), err)
			ps, err := r.Patients(ctx, patientKey(0))
			nothing("relations", len(ps[0].Relations)+len(ps[0].Profile), err)
			l, err := r.Landscape(ctx)
			nothing("classes", len(l.Classes)+len(l.Profiles)-1, err)
			m, err := r.Memo(ctx, "s", "k")
			nothing("memos", int(m.Version), err)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		cs, _, err := b.Feed(ctx, fhir.Seq{}, 10)
		nothing("changes", len(cs), err)
		es, _, err := b.Entries(ctx, store.Entries{})
		nothing("entries", len(es), err)
		ws, err := b.Works(ctx, false, 10)
		nothing("works", len(ws), err)
		if ws, err := b.Lease(ctx, "k", 10, time.Minute); err != nil || len(ws) > 0 {
			t.Errorf("leased another tenant's work: %v, %v", ws, err)
		}
		names, err := db.Tenants(ctx)
		if err != nil || !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("tenants %q, %v", names, err)
		}
	})
}

func TestTwoProcessesShareADatabase(t *testing.T) {
	both(t, func(t *testing.T, open func(Options) *DB) {
		// The clock of the second is an hour behind.
		behind := func() time.Time { return time.Now().Add(-time.Hour) }
		ss := []store.Store{opened(t, open(Options{}), "t"), opened(t, open(Options{Clock: behind}), "t")}
		ctx := t.Context()
		var wg sync.WaitGroup
		for w, s := range ss {
			for i := range 4 {
				wg.Go(func() {
					for n := range 10 {
						r, rec := observation(n)
						err := s.Update(ctx, func(tx store.Tx) error {
							_, _, err := tx.Put(ctx, r, rec, store.Condition{})
							return err
						})
						if err != nil {
							t.Errorf("process %d, writer %d: %v", w, i, err)
							return
						}
					}
				})
			}
		}
		wg.Wait()
		for w, s := range ss {
			var cs []fhir.Change
			for end := time.Now().Add(10 * time.Second); len(cs) < 80 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				var err error
				if cs, _, err = s.Feed(ctx, fhir.Seq{}, 1000); err != nil {
					t.Fatal(err)
				}
			}
			if len(cs) != 80 {
				t.Errorf("process %d sees %d changes of 80", w, len(cs))
			}
			last := map[fhir.Key]fhir.Change{}
			for _, c := range cs {
				if p := last[c.Key]; c.Version != p.Version+1 || c.Updated.Before(p.Updated) {
					t.Errorf("process %d: %s@%d of %s follows @%d of %s", w, c.Key, c.Version, c.Updated, p.Version, p.Updated)
				}
				last[c.Key] = c
			}
			err := s.View(ctx, func(r store.Reader) error {
				p, err := r.Find(ctx, fhir.Omniscient(), fhir.Query{Type: "Observation", Count: 50, Total: true, Where: []fhir.Clause{ofPatient(3)}})
				if err == nil && (len(p.Found) != 1 || *p.Total != 1 || p.Found[0].Version != 8) {
					err = fmt.Errorf("process %d finds %+v", w, p)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStatementsAreCountedByOrigin(t *testing.T) {
	both(t, func(t *testing.T, open func(Options) *DB) {
		var requests, background atomic.Int64
		db := open(Options{Statement: func(origin string) {
			if origin == "request" {
				requests.Add(1)
			} else {
				background.Add(1)
			}
		}})
		s := opened(t, db, "t")
		count := func(what string, ctx context.Context, f func(ctx context.Context) error, r, b bool) {
			t.Helper()
			requests.Store(0)
			background.Store(0)
			if err := f(ctx); err != nil {
				t.Fatal(err)
			}
			if got := requests.Load() > 0; got != r {
				t.Errorf("%s: %d statements of requests", what, requests.Load())
			}
			if got := background.Load() > 0; got != b {
				t.Errorf("%s: %d statements in the background", what, background.Load())
			}
		}
		put := func(ctx context.Context) error { return write(ctx, s, "a") }
		feed := func(ctx context.Context) error { _, _, err := s.Feed(ctx, fhir.Seq{}, 1); return err }
		count("a write", t.Context(), put, true, false)
		count("a write in the background", store.Background(t.Context()), put, false, true)
		count("the feed", store.Background(t.Context()), feed, false, true)
		count("a view that asks nothing", t.Context(), func(ctx context.Context) error {
			return s.View(ctx, func(store.Reader) error { return nil })
		}, false, false)
	})
}

func TestProcessNotesAreKeptApart(t *testing.T) {
	ctx := t.Context()
	secret := []byte("sealed-and-nowhere-else")
	dir := t.TempDir()
	both(t, func(t *testing.T, open func(Options) *DB) {
		db := open(Options{})
		n, err := db.Notes("a")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := n.Note(ctx, "1"); b != nil || err != nil {
			t.Errorf("before: %q, %v", b, err)
		}
		if err := n.PutNote(ctx, "1", secret); err != nil {
			t.Fatal(err)
		}
		if err := n.PutNote(ctx, "1", []byte("other")); !fhir.Is(err, fhir.Duplicate) {
			t.Errorf("the id twice: %v", err)
		}
		if b, err := n.Note(ctx, "1"); !bytes.Equal(b, secret) || err != nil {
			t.Errorf("read back %q, %v", b, err)
		}
		if err := n.ReplaceNote(ctx, "1", []byte("another"), []byte("third")); !fhir.Is(err, fhir.Conflict) {
			t.Errorf("in the place of what it is not: %v", err)
		}
		if err := n.ReplaceNote(ctx, "2", secret, []byte("third")); !fhir.Is(err, fhir.Conflict) {
			t.Errorf("in the place of none: %v", err)
		}
		if err := n.ReplaceNote(ctx, "1", secret, []byte("second")); err != nil {
			t.Errorf("in its place: %v", err)
		}
		if b, err := n.Note(ctx, "1"); string(b) != "second" || err != nil {
			t.Errorf("then it reads %q, %v", b, err)
		}
		other, err := db.Notes("b")
		if err != nil {
			t.Fatal(err)
		}
		if err := other.ReplaceNote(ctx, "1", []byte("second"), secret); !fhir.Is(err, fhir.Conflict) {
			t.Errorf("another tenant's replaced: %v", err)
		}
		if b, err := other.Note(ctx, "1"); b != nil || err != nil {
			t.Errorf("another tenant reads %q, %v", b, err)
		}
		if err := other.PutNote(ctx, "1", secret); err != nil {
			t.Errorf("the same id in another tenant: %v", err)
		}
	})
	db, err := OpenSQLite(ctx, filepath.Join(dir, "rapport.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, _ := db.Notes("a")
	if err := n.PutNote(ctx, "1", secret); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"rapport.db": false, "rapport-notes.db": true} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || bytes.Contains(b, secret) != want {
			t.Errorf("%s holds the note: want %v, %v", name, want, err)
		}
	}
}

func TestAnExpiredMemoIsSweptAwayInTime(t *testing.T) {
	both(t, func(t *testing.T, open func(Options) *DB) {
		now := atomic.Int64{}
		now.Store(began.UnixNano())
		s := opened(t, open(Options{Clock: func() time.Time { return time.Unix(0, now.Load()) }}), "t")
		ctx := t.Context()
		count := func() (n int) {
			err := s.(*tenant).view(ctx, func(r *reader) error {
				_, err := one(ctx, r, `SELECT count(*) FROM memo WHERE tenant = $1`, []any{r.t.id}, &n)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for i := range 5 {
			if err := s.SetMemo(ctx, fhir.Memo{Space: "s", Key: fmt.Sprint(i), Value: []byte("v"), Expires: began.Add(time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
		now.Add(int64(keepExpired))
		if n := count(); n != 5 {
			t.Errorf("%d memos before", n)
		}
		now.Add(int64(time.Hour))
		if err := s.SetMemo(ctx, fhir.Memo{Space: "s", Key: "new"}); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 1 {
			t.Errorf("%d memos after, want the new one", n)
		}
	})
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	db := openSQLite(t, filepath.Join(dir, "rapport.db"), Options{})
	if err := write(t.Context(), opened(t, db, "t"), "a"); err != nil {
		t.Fatal(err)
	}
	n, err := db.Notes("t")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.PutNote(t.Context(), "1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		i, err := f.Info()
		if err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %s, %v", f.Name(), i.Mode(), err)
		}
	}
}

func TestEveryKindOfParameterSorts(t *testing.T) {
	both(t, func(t *testing.T, open func(Options) *DB) {
		s := opened(t, open(Options{}), "t")
		ctx := t.Context()
		names := []string{"c", "a", "none", "d", "b"}
		err := s.Update(ctx, func(tx store.Tx) error {
			for i, name := range names {
				rec := store.Record{Facts: fhir.Facts{Class: "c"}}
				if name != "none" {
					n := int64(name[0])
					rec.Index = []fhir.Index{
						{Param: "token", Kind: fhir.Token, System: "s", Code: name}, {Param: "ref", Kind: fhir.Reference, Ref: fhir.Key{Type: "Task", ID: name}},
						{Param: "url", Kind: fhir.Reference, URL: "http://" + name}, {Param: "date", Kind: fhir.Date, Low: n, High: n},
						{Param: "string", Kind: fhir.String, Text: name}, {Param: "uri", Kind: fhir.URI, Code: name},
						{Param: "number", Kind: fhir.Number, Num: fmt.Sprint(n * n)},
					}
				}
				if _, _, err := tx.Put(ctx, goal(fmt.Sprint(i, name)), rec, store.Condition{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for param, kind := range map[string]fhir.ParamKind{"token": fhir.Token, "ref": fhir.Reference, "url": fhir.Reference, "date": fhir.Date,
			"string": fhir.String, "uri": fhir.URI, "number": fhir.Number} {
			for _, desc := range []bool{false, true} {
				q := fhir.Query{Type: "Goal", Count: 2, Sort: []fhir.Order{{Param: param, Kind: kind, Desc: desc}}}
				var got []string
				for range names {
					err := s.View(ctx, func(r store.Reader) error {
						p, err := r.Find(ctx, fhir.Omniscient(), q)
						for _, f := range p.Found {
							got = append(got, f.ID[1:])
						}
						q.After = p.Next
						return err
					})
					if err != nil {
						t.Fatal(err)
					}
					if q.After == "" {
						break
					}
				}
				want := []string{"a", "b", "c", "d", "none"}
				if desc {
					slices.Reverse(want)
				}
				if !slices.Equal(got, want) {
					t.Errorf("by %s, downwards %v: %q", param, desc, got)
				}
			}
		}
	})
}

func TestACaseloadTooLargeForAListIsSeenAsWell(t *testing.T) {
	both(t, func(t *testing.T, open func(Options) *DB) {
		s := opened(t, open(Options{}), "t")
		ctx := t.Context()
		actor := fhir.Key{Type: "Organization", ID: "o"}
		const n = maxCaseload + 5
		err := s.Update(ctx, func(tx store.Tx) error {
			for i := range n + 10 { // ten are not tied
				rec := store.Record{Facts: fhir.Facts{Class: "c", Patients: []fhir.Key{patientKey(i)}}}
				if i < n {
					rec.Relations = []fhir.Relation{{Actor: actor, Patient: patientKey(i)}}
				}
				if _, _, err := tx.Put(ctx, goal(fmt.Sprint(i)), rec, store.Condition{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for reach, actors := range map[fhir.Reach][]fhir.Key{fhir.Related: {actor}, fhir.Own: func() (ks []fhir.Key) {
			for i := range n {
				ks = append(ks, patientKey(i))
			}
			return ks
		}()} {
			sight := fhir.SightOf(began, began, map[string]fhir.Extent{"Goal": fhir.Some(fhir.Rule{Reach: reach, Actors: actors, Classes: []fhir.Class{"c"}, Profiles: []fhir.Profile{""}})})
			err = s.View(ctx, func(r store.Reader) error {
				p, err := r.Find(ctx, sight, fhir.Query{Type: "Goal", Total: true, Count: 1})
				if err == nil && (*p.Total != n || len(p.Found) != 1) {
					err = fmt.Errorf("reach %d: %d of %d", reach, *p.Total, n)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}
