package bulk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/adapters/sqlstore"
	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
	"rapport/fhir/bulk"
	"rapport/fhir/rest"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/validate"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
)

const base = "https://clinic.example/fhir"

var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// parts that are the same for every test and dear to make.
var parts = sync.OnceValue(func() (p struct {
	engine *opa.Engine
	search *search.Engine
	keys   *keyring.Ring
}) {
	var err error
	if p.engine, err = opa.New(context.Background()); err != nil {
		panic(err)
	}
	if p.search, err = search.New(spec.R4(), spec.Capability(), base); err != nil {
		panic(err)
	}
	p.keys = keyring.Random()
	return p
})

// world is a gateway's FHIR side over a real guard and a real store.
type world struct {
	testing.TB
	store   store.Store
	guard   *policy.Guard
	exports *bulk.Exports
	router  *rest.Router
	folder  string
	ring    *keyring.Ring
	records *records

	mu      sync.Mutex
	now     time.Time
	ids     int
	revoked map[string]bool // clients that are configured no more
	treat   func(ctx context.Context, j bulk.Job) (bulk.Treatment, error)
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

func (w *world) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) id() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("made-%d", w.ids)
}

// records keeps what the guard did.
type records struct {
	mu   sync.Mutex
	kept []policy.Record
}

func (r *records) keep(rs []policy.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, rs...)
	return nil
}
func (r *records) InTx(_ context.Context, _ store.Tx, rs ...policy.Record) error { return r.keep(rs) }
func (r *records) Before(_ context.Context, _ string, rs ...policy.Record) error { return r.keep(rs) }

func newWorld(t *testing.T, change ...func(*bulk.Config)) *world {
	t.Helper()
	w, _ := worldOn(t, ":memory:", t.TempDir(), parts().keys, change...)
	return w
}

// onBoth runs f with worlds on either database.
func onBoth(t *testing.T, f func(t *testing.T, newWorld func(...func(*bulk.Config)) *world)) {
	t.Run("SQLite", func(t *testing.T) {
		f(t, func(change ...func(*bulk.Config)) *world { return newWorld(t, change...) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		f(t, func(change ...func(*bulk.Config)) *world {
			dsn := pgtest.Start(t, "fsync=off")
			w, _ := worldIn(t, func(o sqlstore.Options) (*sqlstore.DB, error) { return sqlstore.OpenPostgres(t.Context(), dsn, o) }, t.TempDir(), parts().keys, change...)
			return w
		})
	})
}

// worldOn is a world on a store and a folder that may be another process's too.
func worldOn(t testing.TB, path, folder string, keys *keyring.Ring, change ...func(*bulk.Config)) (*world, *sqlstore.DB) {
	t.Helper()
	return worldIn(t, func(o sqlstore.Options) (*sqlstore.DB, error) { return sqlstore.OpenSQLite(t.Context(), path, o) }, folder, keys, change...)
}

func worldIn(t testing.TB, open func(sqlstore.Options) (*sqlstore.DB, error), folder string, keys *keyring.Ring, change ...func(*bulk.Config)) (*world, *sqlstore.DB) {
	t.Helper()
	w := &world{TB: t, now: began, folder: folder, ring: keys, records: &records{}, revoked: map[string]bool{}}
	db, err := open(sqlstore.Options{Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if w.store, err = db.Tenant("t"); err != nil {
		t.Fatal(err)
	}
	w.guard, err = policy.NewGuard(policy.Config{
		Store:  func(string) (store.Store, error) { return w.store, nil },
		Engine: parts().engine, Recorder: w.records, Index: parts().search.Index, Keys: w.ring, Clock: w.clock, IDs: w.id,
		Alarm: func(what string) { t.Errorf("the store answered beyond what may be seen: %s", what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.serve(change...)
	return w, db
}

// serve makes the exports and the router anew, as a process that starts does.
func (w *world) serve(change ...func(*bulk.Config)) {
	w.Helper()
	c := bulk.Config{
		Tenant: "t", Base: base, Folder: w.folder, Keys: w.ring, Purpose: keyring.Export, Queue: w.store, Memos: w.store,
		Search: parts().search, Served: spec.Capability(), Clock: w.clock, IDs: w.id,
		Grant: func(_ context.Context, r *rest.Request) (bulk.Grant, error) {
			name := r.Header.Get("As")
			return bulk.Grant{Owner: name, Data: []byte(name), Treated: strings.HasPrefix(name, "researcher")}, nil
		},
		GateFor: func(_ context.Context, j bulk.Job) (fhir.Gate, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.revoked[string(j.Grant.Data)] {
				return nil, &fhir.Error{Code: fhir.Forbidden, Detail: "The client is not registered any more."}
			}
			return w.guard.For(who(string(j.Grant.Data))), nil
		},
		Treatment: func(ctx context.Context, j bulk.Job) (bulk.Treatment, error) {
			if w.treat == nil {
				return nil, nil
			}
			return w.treat(ctx, j)
		},
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	if w.exports, err = bulk.New(c); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { w.exports.Close() })
	w.router = rest.New(rest.Config{
		Base: base, Served: spec.Capability(), Search: parts().search, Validate: validate.New(spec.R4()), IDs: w.id, Clock: w.clock,
		Operations: w.exports.Operations(), Software: "test",
	})
}

var everything = []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}}

// who returns a principal of the practice by a short name.
func who(name string) policy.Principal {
	p := policy.Principal{Tenant: "t", Issuer: "https://idp", Subject: name, Client: name, Purpose: "TREAT", Scopes: everything}
	switch name {
	case "import", "import-2":
		p.Role = policy.Integration
	case "mira":
		p.Role, p.User = policy.Therapist, fhir.Key{Type: "Practitioner", ID: "mira"}
	case "admin":
		p.Role = policy.Admin
	case "ehr", "ehr-2":
		p.Role, p.Grants = policy.EHR, []fhir.Key{{Type: "Organization", ID: "clinic"}}
	case "ehr-group":
		p.Role, p.Grants = policy.EHR, []fhir.Key{{Type: "Group", ID: "arm"}}
	case "researcher":
		p.Role, p.Purpose, p.Grants = policy.Researcher, "HRESCH", []fhir.Key{{Type: "Group", ID: "arm"}}
	default:
		panic(name)
	}
	return p
}

// load stores resources as the import does, each in a transaction of its own.
func (w *world) load(bodies ...string) {
	w.Helper()
	g := w.guard.For(who("import"))
	for _, b := range bodies {
		r, err := fhir.Parse([]byte(b))
		if err != nil {
			w.Fatalf("%v: %s", err, b)
		}
		err = g.Update(w.Context(), fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
			_, err := tx.Put(w.Context(), r, fhir.Condition{})
			return err
		})
		if err != nil {
			w.Fatalf("%s: %v", r.Key, err)
		}
	}
}

func (w *world) remove(typ, id string) {
	w.Helper()
	k := fhir.Key{Type: typ, ID: id}
	err := w.guard.For(who("import")).Update(w.Context(), fhir.Act{Interaction: fhir.Delete, Type: typ, ID: id}, func(tx fhir.Tx) error {
		_, err := tx.Delete(w.Context(), k, fhir.Condition{})
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
}

// ask sends "GET Patient/$export?_type=Goal" as somebody.
func (w *world) ask(as, line, body string, header ...string) rest.Response {
	w.Helper()
	method, target, _ := strings.Cut(line, " ")
	target = strings.TrimPrefix(target, base+"/")
	path, raw, _ := strings.Cut(target, "?")
	q, err := url.ParseQuery(raw)
	if err != nil {
		w.Fatal(err)
	}
	h := http.Header{"As": {as}}
	for n := 0; n+1 < len(header); n += 2 {
		h.Add(header[n], header[n+1])
	}
	r := &rest.Request{Method: method, Path: path, Query: q, Header: h, Body: []byte(body), Gate: w.guard.For(who(as))}
	return w.router.Serve(w.Context(), r)
}

// async are the headers of a kick-off.
var async = []string{"Prefer", "respond-async", "Accept", "application/fhir+json"}

// start kicks off and returns where the status is.
func (w *world) start(as, line string) string {
	w.Helper()
	r := w.ask(as, line, "", async...)
	if r.Status != http.StatusAccepted || r.Header.Get("Content-Location") == "" {
		w.Fatalf("%s: %s: %d %s", as, line, r.Status, r.Body)
	}
	return r.Header.Get("Content-Location")
}

// work runs what is due.
func (w *world) work() {
	w.Helper()
	for {
		n, err := w.exports.Once(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

type manifest struct {
	TransactionTime     string `json:"transactionTime"`
	Request             string `json:"request"`
	RequiresAccessToken bool   `json:"requiresAccessToken"`
	Output, Error       []item
	Deleted             []item
	Extension           struct{ Attachments []item }
}

type item struct {
	Type, URL, Name, ContentType string
	Count                        int
	FileSize                     int64
}

func (w *world) manifest(as, status string) (m manifest) {
	w.Helper()
	r := w.ask(as, "GET "+status, "")
	if r.Status != http.StatusOK {
		w.Fatalf("status: %d %s %v", r.Status, r.Body, r.Header)
	}
	if err := json.Unmarshal(r.Body, &m); err != nil {
		w.Fatalf("%v: %s", err, r.Body)
	}
	return m
}

// take downloads a file.
func (w *world) take(as string, i item) string {
	w.Helper()
	r := w.ask(as, "GET "+i.URL, "")
	if r.Status != http.StatusOK || r.Stream == nil {
		w.Fatalf("%s: %d %s", i.URL, r.Status, r.Body)
	}
	var b bytes.Buffer
	if err := r.Stream(&b); err != nil {
		w.Fatal(err)
	}
	if int64(b.Len()) != i.FileSize {
		w.Errorf("%s has %d bytes, the manifest says %d", i.URL, b.Len(), i.FileSize)
	}
	return b.String()
}

// lines are those of all files of a list, checked against their counts and types.
func (w *world) lines(as string, items []item) (out []string) {
	w.Helper()
	for _, i := range items {
		text := w.take(as, i)
		ls := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(ls) != i.Count {
			w.Errorf("%s has %d lines, the manifest says %d", i.URL, len(ls), i.Count)
		}
		for _, l := range ls {
			r, err := fhir.Parse([]byte(l))
			if err != nil || r.Type != i.Type {
				w.Errorf("%s, of %s: %v %s", i.URL, i.Type, err, l)
			}
		}
		out = append(out, ls...)
	}
	return out
}

// export runs one from kick-off to files and returns what is in them, "Type/id".
func (w *world) export(as, line string) []string {
	w.Helper()
	status := w.start(as, line)
	w.work()
	return w.keys(as, w.manifest(as, status))
}

func (w *world) keys(as string, m manifest) (keys []string) {
	w.Helper()
	for _, l := range w.lines(as, m.Output) {
		r, err := fhir.Parse([]byte(l))
		if err != nil {
			w.Fatal(err)
		}
		keys = append(keys, r.Key.String())
	}
	slices.Sort(keys)
	return keys
}

// folders lists what lies on disk.
func (w *world) files() (paths []string) {
	w.Helper()
	err := filepath.WalkDir(w.folder, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, p)
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return paths
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func overwrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func info(t *testing.T, path string) os.FileInfo {
	t.Helper()
	i, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
