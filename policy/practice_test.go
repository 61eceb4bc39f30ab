package policy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/search"
	"rapport/fhir/spec"
	"rapport/fhir/store"
	"rapport/fhir/store/storetest"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/opa"
)

// practice is a gateway's policy side over the smallest store, with a clock that
// stands still until it is moved.
type practice struct {
	t      testing.TB
	store  store.Store
	guard  *policy.Guard
	search *search.Engine
	notes  *notes
	log    *log
	alarms []string

	mu  sync.Mutex
	now time.Time
	ids int
}

var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// remembering is an Engine whose rules judge a question once for all guards of all tests.
type remembering struct {
	policy.Rules
	said sync.Map // policy.Question → policy.Judgement
}

func (r *remembering) Judge(ctx context.Context, q policy.Question) (policy.Judgement, error) {
	if j, ok := r.said.Load(q); ok {
		return j.(policy.Judgement), nil
	}
	j, err := r.Rules.Judge(ctx, q)
	if err == nil {
		r.said.Store(q, j)
	}
	return j, err
}

type engine struct{ rules policy.Rules }

func (e engine) Rules() policy.Rules { return e.rules }

// parts that are the same for every test and dear to make.
var parts = sync.OnceValue(func() (p struct {
	rules  *remembering
	search *search.Engine
	keys   *keyring.Ring
}) {
	rules, err := opa.New(context.Background())
	if err != nil {
		panic(err)
	}
	p.rules = &remembering{Rules: rules.Rules()}
	if p.search, err = search.New(spec.R4(), spec.Capability()); err != nil {
		panic(err)
	}
	p.keys = keyring.Random()
	return p
})

func open(t testing.TB, change ...func(*policy.Config)) *practice {
	t.Helper()
	p := &practice{t: t, now: began, search: parts().search, log: &log{}, notes: &notes{kept: map[string][]byte{}}}
	p.store = storetest.NewMemory(p.clock)
	c := policy.Config{
		Store:    func(string) (store.Store, error) { return p.store, nil },
		Engine:   engine{parts().rules},
		Recorder: p.log, Index: p.search.Index, Keys: parts().keys, Clock: p.clock,
		IDs: func() string {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.ids++
			return fmt.Sprint("made-", p.ids)
		},
		Grace: 30 * 24 * time.Hour,
		Narrow: func(typ string, ps []policy.Param) ([]fhir.Clause, error) {
			vs := url.Values{}
			for _, p := range ps {
				vs.Add(p.Name, p.Value)
			}
			return p.search.Narrow(typ, vs)
		},
		Match: p.search.Match,
		Notes: func(string) (policy.NoteStore, error) { return p.notes, nil },
		Alarm: func(what string) { p.alarms = append(p.alarms, what) },
	}
	for _, f := range change {
		f(&c)
	}
	g, err := policy.NewGuard(c)
	if err != nil {
		t.Fatal(err)
	}
	p.guard = g
	t.Cleanup(func() {
		if len(p.alarms) > 0 {
			t.Errorf("the store answered beyond what may be seen: %q", p.alarms)
		}
	})
	return p
}

func (p *practice) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *practice) move(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// log is a Recorder that keeps what it is told, or fails.
type log struct {
	mu   sync.Mutex
	kept []policy.Record
	fail bool
}

func (l *log) keep(rs []policy.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail {
		return errors.New("the disk is full")
	}
	l.kept = append(l.kept, rs...)
	return nil
}

func (l *log) InTx(_ context.Context, _ store.Tx, rs ...policy.Record) error { return l.keep(rs) }
func (l *log) Before(_ context.Context, _ string, rs ...policy.Record) error { return l.keep(rs) }

// last returns the newest record.
func (l *log) last() policy.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) == 0 {
		return policy.Record{}
	}
	return l.kept[len(l.kept)-1]
}

func (l *log) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kept)
}

// notes is a NoteStore.
type notes struct {
	kept    map[string][]byte
	between func() // runs before a new one is kept
}

func (n *notes) PutNote(_ context.Context, id string, sealed []byte) error {
	if n.between != nil {
		n.between()
	}
	if _, ok := n.kept[id]; ok {
		return &fhir.Error{Code: fhir.Duplicate}
	}
	n.kept[id] = sealed
	return nil
}

func (n *notes) ReplaceNote(_ context.Context, id string, was, sealed []byte) error {
	if !bytes.Equal(n.kept[id], was) {
		return &fhir.Error{Code: fhir.Conflict}
	}
	n.kept[id] = sealed
	return nil
}

func (n *notes) Note(_ context.Context, id string) ([]byte, error) { return n.kept[id], nil }

func k(s string) fhir.Key {
	key, ok := fhir.ParseKey(s)
	if !ok {
		panic(s)
	}
	return key
}

var everything = []policy.Scope{{Context: "system", Type: "*", Create: true, Read: true, Update: true, Delete: true, Search: true}}

// who returns a principal of the practice by a short name.
func who(name string) policy.Principal {
	p := policy.Principal{Tenant: "t", Issuer: "https://idp", Subject: name, Client: "app", Purpose: "TREAT", Scopes: everything, Expires: began.Add(1000 * time.Hour)}
	switch name {
	case "mira", "jon":
		p.Role, p.User = policy.Therapist, k("Practitioner/"+name)
	case "admin":
		p.Role, p.User = policy.Admin, k("Practitioner/office")
	case "intake":
		p.Role, p.User = policy.Intake, k("Practitioner/desk")
	case "anna", "bert":
		p.Role, p.User, p.Patient = policy.Patient, k("Patient/"+name), k("Patient/"+name)
	case "ehr":
		p.Role, p.Grants = policy.EHR, []fhir.Key{k("Organization/clinic")}
	case "other-ehr":
		p.Role, p.Grants = policy.EHR, []fhir.Key{k("Organization/elsewhere")}
	case "hospital":
		p.Role, p.Grants = policy.Partner, []fhir.Key{k("Organization/hospital")}
	case "researcher":
		p.Role, p.Purpose = policy.Researcher, "HRESCH"
	case "auditor":
		p.Role, p.User = policy.Auditor, k("Practitioner/auditor")
	case "import":
		p.Role, p.Client = policy.Integration, "gateway/import"
	default:
		panic(name)
	}
	return p
}

var names = []string{"mira", "jon", "admin", "intake", "anna", "bert", "ehr", "other-ehr", "hospital", "researcher", "auditor", "import"}

func (p *practice) gate(name string) fhir.Gate { return p.guard.For(who(name)) }

func resource(t testing.TB, body string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return r
}

// load stores resources as the import does.
func (p *practice) load(bodies ...string) {
	p.t.Helper()
	ctx := p.t.Context()
	err := p.gate("import").Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
		for _, b := range bodies {
			r := resource(p.t, b)
			if _, err := tx.As(fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}).Put(ctx, r, fhir.Condition{}); err != nil {
				return fmt.Errorf("%s: %w", r.Key, err)
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *practice) remove(key string) {
	p.t.Helper()
	err := p.gate("import").Update(p.t.Context(), fhir.Act{Interaction: fhir.Delete, Type: k(key).Type, ID: k(key).ID}, func(tx fhir.Tx) error {
		_, err := tx.Delete(p.t.Context(), k(key), fhir.Condition{})
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func read(ctx context.Context, g fhir.Gate, key fhir.Key) (r fhir.Resource, err error) {
	err = g.View(ctx, fhir.Act{Interaction: fhir.Read, Type: key.Type, ID: key.ID}, func(in fhir.Reader) error {
		r, err = in.Read(ctx, key)
		return err
	})
	return r, err
}

func vread(ctx context.Context, g fhir.Gate, key fhir.Key, version int64) (r fhir.Resource, err error) {
	err = g.View(ctx, fhir.Act{Interaction: fhir.VRead, Type: key.Type, ID: key.ID}, func(in fhir.Reader) error {
		r, err = in.ReadVersion(ctx, key, version)
		return err
	})
	return r, err
}

func history(ctx context.Context, g fhir.Gate, key fhir.Key) (s fhir.Set, err error) {
	err = g.View(ctx, fhir.Act{Interaction: fhir.HistoryInstance, Type: key.Type, ID: key.ID}, func(in fhir.Reader) error {
		s, err = in.History(ctx, fhir.Scope(key), fhir.Span{})
		return err
	})
	return s, err
}

// query reads "Observation?code=x" as the router does.
func (p *practice) query(s string) fhir.Query {
	p.t.Helper()
	typ, raw, _ := strings.Cut(s, "?")
	vs, err := url.ParseQuery(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := p.search.Parse(typ, vs, false)
	if err != nil {
		p.t.Fatalf("%s: %v", s, err)
	}
	return r.Query
}

func find(ctx context.Context, g fhir.Gate, q fhir.Query) (s fhir.Set, err error) {
	err = g.View(ctx, fhir.Act{Interaction: fhir.SearchType, Type: q.Type}, func(in fhir.Reader) error {
		s, err = in.Search(ctx, q)
		return err
	})
	return s, err
}

// put updates a resource in a transaction of its own.
func put(ctx context.Context, g fhir.Gate, r fhir.Resource, c fhir.Condition) (w fhir.Written, err error) {
	return write(ctx, g, fhir.Update, r, c)
}

func create(ctx context.Context, g fhir.Gate, r fhir.Resource, c fhir.Condition) (w fhir.Written, err error) {
	return write(ctx, g, fhir.Create, r, c)
}

func write(ctx context.Context, g fhir.Gate, i fhir.Interaction, r fhir.Resource, c fhir.Condition) (w fhir.Written, err error) {
	err = g.Update(ctx, fhir.Act{Interaction: i, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
		w, err = tx.Put(ctx, r, c)
		return err
	})
	return w, err
}

// keysIn lists what a set holds, matches and the rest apart.
func keysIn(s fhir.Set) (matches, others []string) {
	for _, e := range s.Entries {
		if e.Mode == fhir.Included {
			others = append(others, e.Key.String())
		} else {
			matches = append(matches, e.Key.String())
		}
	}
	slices.Sort(others)
	return matches, others
}

// told is an error as its caller gets it.
func told(err error) string {
	if err == nil {
		return "ok"
	}
	var parts []string
	for _, e := range fhir.IssuesOf(err) {
		parts = append(parts, e.Code.Issue()+" "+e.Detail+" "+strings.Join(e.At, ","))
	}
	return strings.Join(parts, "; ")
}

func refused(t testing.TB, what string, err error, c fhir.Code) {
	t.Helper()
	if !fhir.Is(err, c) {
		t.Errorf("%s: got %v, want %s", what, err, c.Issue())
	}
}
