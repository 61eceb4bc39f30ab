package research_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/adapters/source"
	"rapport/adapters/sqlstore"
	"rapport/fhir"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/mapping"
	"rapport/mapping/deid"
	"rapport/mapping/instrument"
	"rapport/mapping/intake"
	"rapport/mapping/research"
	"rapport/mapping/site"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
	"rapport/testdata"
)

func still() time.Time { return time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC) }

var library = sync.OnceValues(instrument.Load)

// definitions are those of the gateway.
var definitions = sync.OnceValues(func() ([]fhir.Resource, error) {
	l, err := library()
	if err != nil {
		return nil, err
	}
	systems, err := l.CodeSystems()
	own, err2 := mapping.Definitions()
	return append(own, systems...), errors.Join(err, err2)
})

// memos keeps Memos.
type memos struct{ m map[[2]string]fhir.Memo }

func newMemos() *memos { return &memos{map[[2]string]fhir.Memo{}} }

func (m *memos) Memo(_ context.Context, space, key string) (fhir.Memo, error) {
	return m.m[[2]string{space, key}], nil
}

func (m *memos) SetMemo(_ context.Context, n fhir.Memo) error {
	k := [2]string{n.Space, n.Key}
	if m.m[k].Version != n.Version {
		return fhir.Errorf(fhir.Conflict, "", "another write came between")
	}
	n.Version++
	m.m[k] = n
	return nil
}

// counting is random enough for a test, and the same at every run.
type counting struct{ n uint64 }

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		if i%32 == 0 {
			c.n++
			sum := sha256.Sum256(fmt.Appendf(nil, "drawn %d", c.n))
			copy(b[i:], sum[:])
		}
	}
	return len(b), nil
}

// desk is where releases are made: what outlasts them.
type desk struct {
	memos   *memos
	secrets deid.Memoed
}

func newDesk() *desk {
	m := newMemos()
	return &desk{m, deid.Memoed{Memos: m, Random: &counting{}}}
}

func (d *desk) release(t testing.TB, changes ...func(*research.Config)) *research.Release {
	t.Helper()
	l, err := library()
	if err != nil {
		t.Fatal(err)
	}
	defs, err := definitions()
	if err != nil {
		t.Fatal(err)
	}
	c := research.Config{
		Project: "sleep-study", Secrets: d.secrets, History: research.Memoed{Memos: d.memos}, Instruments: l, Definitions: defs, Stamp: still(),
		Key: func(_ context.Context, project string) (deid.Key, error) {
			return sha256.Sum256([]byte("the key of " + project)), nil
		},
	}
	for _, f := range changes {
		f(&c)
	}
	r, err := research.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// outcome is what a release gave.
type outcome struct {
	resources []fhir.Resource
	files     map[string][]byte
	media     map[string]string
}

// run makes a release of resources as a bulk export does.
func run(t testing.TB, r *research.Release, rs []fhir.Resource) (outcome, error) {
	t.Helper()
	ctx := context.Background()
	all := func(types ...string) iter.Seq2[fhir.Resource, error] {
		return func(yield func(fhir.Resource, error) bool) {
			for _, x := range rs {
				if (len(types) == 0 || slices.Contains(types, x.Type)) && !yield(x, nil) {
					return
				}
			}
		}
	}
	o := outcome{files: map[string][]byte{}, media: map[string]string{}}
	if err := r.Survey(ctx, all); err != nil {
		return o, err
	}
	for _, x := range rs {
		out, keep, err := r.Transform(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		if keep {
			o.resources = append(o.resources, out)
		}
	}
	err := r.Attach(ctx, all, func(name, media string) (io.WriteCloser, error) {
		o.media[name] = media
		return &file{o: &o, name: name}, nil
	})
	return o, err
}

// must is for runs that give a release.
func must(t testing.TB) func(outcome, error) outcome {
	return func(o outcome, err error) outcome {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
}

type file struct {
	bytes.Buffer
	o    *outcome
	name string
}

func (f *file) Close() error {
	f.o.files[f.name] = f.Bytes()
	return nil
}

// text is all that leaves, for searching.
func (o outcome) text() string {
	var b strings.Builder
	for _, r := range o.resources {
		b.Write(r.Body())
		b.WriteByte('\n')
	}
	for name, f := range o.files {
		if !strings.HasSuffix(name, ".parquet") { // holds what its CSV does
			b.Write(f)
		}
	}
	return b.String()
}

// noted takes every record for kept.
type noted struct{}

func (noted) InTx(context.Context, store.Tx, ...policy.Record) error { return nil }
func (noted) Before(context.Context, string, ...policy.Record) error { return nil }

// practised is the invented practice of testdata, imported as a practice's export is:
// through intake, gate and scorer. All resources, by key.
var practised = sync.OnceValues(func() ([]fhir.Resource, error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "practice")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, testdata.Practice()); err != nil {
		return nil, err
	}
	m, err := site.Embedded("practice-csv")
	if err != nil {
		return nil, err
	}
	l, err := library()
	if err != nil {
		return nil, err
	}
	src, err := source.Open(dir)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	mapper, err := mapping.New(mapping.Config{IDKey: [32]byte{1}, System: m.System, Instruments: l})
	if err != nil {
		return nil, err
	}
	rules, err := opa.New(ctx)
	if err != nil {
		return nil, err
	}
	index, err := search.New(spec.R4(), spec.Capability())
	if err != nil {
		return nil, err
	}
	db, err := sqlstore.OpenSQLite(ctx, ":memory:", sqlstore.Options{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	st, err := db.Tenant("practice")
	if err != nil {
		return nil, err
	}
	n := 0
	ids := func() string { n++; return fmt.Sprint("made-", n) }
	guard, err := policy.NewGuard(policy.Config{
		Store: func(string) (store.Store, error) { return st, nil }, Engine: rules, Recorder: noted{}, Index: index.Index,
		Keys: keyring.Random(), Clock: still, IDs: ids, Alarm: func(string) {},
	})
	if err != nil {
		return nil, err
	}
	gate := guard.For(policy.Principal{
		Tenant: "practice", Subject: "gateway/import", Role: policy.Integration, Purpose: "TREAT",
		Scopes: []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}},
	})
	sum, err := intake.Run(ctx, intake.Config{
		Gate: gate, Mapper: mapper, Site: m, Source: src, Clock: still, NewID: ids, Instruments: l,
		Follow: []fhir.Follow{fhir.Deriving(instrument.NewDeriver(l))},
	})
	if err != nil {
		return nil, err
	}
	if !sum.Complete() {
		return nil, fmt.Errorf("not all of the practice was imported:\n%s", sum)
	}
	latest := map[fhir.Key]store.Ref{}
	for at := (fhir.Seq{}); ; {
		cs, _, err := st.Feed(ctx, at, 500)
		if err != nil {
			return nil, err
		}
		if len(cs) == 0 {
			break
		}
		for _, c := range cs {
			latest[c.Key] = store.Ref{Key: c.Key, Version: c.Version}
			if c.Deleted {
				delete(latest, c.Key)
			}
		}
		at = cs[len(cs)-1].Seq
	}
	var refs []store.Ref
	for _, r := range latest {
		refs = append(refs, r)
	}
	slices.SortFunc(refs, func(a, b store.Ref) int { return a.Key.Compare(b.Key) })
	var out []fhir.Resource
	err = st.View(ctx, func(r store.Reader) error {
		out, err = r.Bodies(ctx, refs...)
		return err
	})
	return out, err
})

func practice(t testing.TB) []fhir.Resource {
	t.Helper()
	rs, err := practised()
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// consenting returns of resources those that a research consent lets a researcher have:
// people who permit it, what belongs to them, practitioners and organisations.
func consenting(t testing.TB, rs []fhir.Resource) (out []fhir.Resource, people int) {
	t.Helper()
	yes := map[fhir.Key]bool{}
	for _, r := range rs {
		n := r.Root()
		if r.Type != "Consent" || n.Get("status").Text() != "active" || !n.Get("scope").HasCoding("http://terminology.hl7.org/CodeSystem/consentscope", "research") {
			continue
		}
		if k, ok := n.Get("patient").Ref(); ok && n.At("provision", "type").Text() == "permit" {
			yes[k] = true
		}
	}
	for _, r := range rs {
		switch r.Type {
		case "Practitioner", "Organization":
			out = append(out, r)
			continue
		case "Patient":
			if yes[r.Key] {
				out = append(out, r)
			}
			continue
		}
		n := r.Root()
		for _, path := range [][]string{{"subject"}, {"patient"}, {"participant", "actor"}} {
			if k := deid.Subject(n, path...); yes[k] {
				out = append(out, r)
				break
			}
		}
	}
	return out, len(yes)
}

func itoa(n int) string { return strconv.Itoa(n) }

func joinSorted(m map[string]string) string {
	var lines []string
	for _, l := range m {
		lines = append(lines, l)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
