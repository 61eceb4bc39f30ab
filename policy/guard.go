package policy

import (
	"context"
	"errors"
	"slices"
	"time"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/store"
)

// Config is what a Guard needs. Fields are required unless said otherwise.
type Config struct {
	Store    func(tenant string) (store.Store, error)
	Engine   Engine
	Recorder Recorder
	Index    Indexer
	Keys     Sealer // *keyring.Ring
	Clock    fhir.Clock
	IDs      fhir.NewIDs
	Served   *spec.Served // nil: spec.Capability()
	// Grace is for how long a caseload outlives the end of its episode. Zero: not at all.
	Grace time.Duration
	// Narrow makes clauses of a granular scope's parameters, Match says whether a
	// resource meets all of some clauses. Without them granular scopes allow nothing.
	Narrow func(typ string, ps []Param) ([]fhir.Clause, error)
	Match  func(all []fhir.Clause, r fhir.Resource, ix []fhir.Index) bool
	// Notes is where process notes are kept. nil: there are none.
	Notes func(tenant string) (NoteStore, error)
	// Alarm counts what must not happen: a store that answered with more than the
	// caller may see. what names the check, never a resource. nil: nobody counts.
	Alarm func(what string)
}

// Sealer seals cursors and process notes; *keyring.Ring is one.
type Sealer interface {
	Seal(tenant, purpose string, plaintext, aad []byte) []byte
	SealDeterministic(tenant, purpose string, plaintext, aad []byte) []byte
	Open(tenant, purpose string, sealed, aad []byte) ([]byte, error)
}

// Guard makes gates. It is safe for concurrent use.
type Guard struct {
	Config
	factor *Factor
	judge  *judge
}

// NewGuard returns a guard.
func NewGuard(c Config) (*Guard, error) {
	switch {
	case c.Store == nil, c.Engine == nil, c.Recorder == nil, c.Index == nil, c.Keys == nil, c.Clock == nil, c.IDs == nil:
		return nil, errors.New("policy: Config lacks a required field")
	}
	if c.Served == nil {
		c.Served = spec.Capability()
	}
	if c.Alarm == nil {
		c.Alarm = func(string) {}
	}
	f, err := NewFactor(spec.R4(), c.Served, c.Index)
	if err != nil {
		return nil, err
	}
	return &Guard{Config: c, factor: f, judge: newJudge(f)}, nil
}

// About returns the Patients whom a resource is about, as far as it says so itself.
func (g *Guard) About(r fhir.Resource) []fhir.Key { return g.factor.patients(r) }

// For returns the gate of one principal. It is the only way to make one.
func (g *Guard) For(p Principal) fhir.Gate { return &gate{Guard: g, caller: newCaller(p)} }

type gate struct {
	*Guard
	caller *caller
}

// session is one View or Update, one attempt of it.
type session struct {
	*gate
	rules   Rules
	verb    Verb // what reading is asked about as: ToRead, or the act's own
	now     time.Time
	request string
	entries []*entry

	land      *store.Landscape
	tied      *bool
	fresh     freshness
	decisions map[sightKey]decided // made with what only this transaction sees
}

// freshness is what this transaction itself added to what is in use, and whom it
// created.
type freshness struct {
	classes  []fhir.Class
	profiles []fhir.Profile
	heads    map[fhir.Key]int64      // written, and their versions
	left     map[fhir.Key][]fhir.Key // written, and whom they were about before and are no longer
}

func (g *gate) session(a fhir.Act) (*session, error) {
	now := g.Clock()
	if !g.caller.Expires.IsZero() && !now.Before(g.caller.Expires) {
		return nil, &fhir.Error{Code: fhir.Login, Detail: "The token has expired; get a new one."}
	}
	rules := g.Engine.Rules()
	if rules == nil {
		return nil, undecided(errors.New("no policy is loaded"))
	}
	verb := ToRead
	if bulk[a.Interaction] {
		verb = interactions[a.Interaction].verb
	}
	return &session{gate: g, rules: rules, verb: verb, now: now, request: g.IDs()}, nil
}

// sought says what an interaction asks of rules and scopes.
type sought struct {
	verb   Verb
	letter letter
}

var interactions = map[fhir.Interaction]sought{
	fhir.Read:            {ToRead, mayRead},
	fhir.VRead:           {ToRead, mayRead},
	fhir.HistoryInstance: {ToRead, mayRead},
	fhir.Disclose:        {ToRead, mayRead},
	fhir.SearchType:      {ToRead, maySearch},
	fhir.HistoryType:     {ToRead, maySearch},
	fhir.Create:          {ToCreate, mayCreate},
	fhir.Update:          {ToUpdate, mayUpdate},
	fhir.Patch:           {ToUpdate, mayUpdate},
	fhir.Delete:          {ToDelete, mayDelete},
	fhir.Export:          {ToExport, mayExport},
	fhir.Study:           {ToStudy, mayExport},
}

// bulk are the acts whose reading is asked about under a verb of their own.
var bulk = map[fhir.Interaction]bool{fhir.Export: true, fhir.Study: true}

// asked says how a question is put: in an act of export, all reading is exporting.
func (s *session) asked(v Verb, l letter) (Verb, letter) {
	if v == ToRead && s.verb != ToRead {
		return s.verb, mayExport
	}
	return v, l
}

// ceiling is what the scopes leave for this act.
func (s *session) ceiling(typ string, l letter) ceiling {
	if l == mayRead || l == maySearch {
		_, l = s.asked(ToRead, l)
	}
	return s.caller.ceiling(typ, l)
}

// enter decides whether an act may be tried at all.
func (s *session) enter(ctx context.Context, a fhir.Act) error {
	switch a.Interaction {
	case fhir.Transaction, fhir.Batch, fhir.Capabilities, fhir.HistorySystem:
		return nil // each entry, each type is decided by itself
	}
	so, ok := interactions[a.Interaction]
	if bulk[a.Interaction] && a.Type == "" { // of all types: one must be open
		for _, t := range s.Served.Types {
			if open, err := s.judge.door(ctx, s.rules, s.caller, so.verb, so.letter, t.Name); open || err != nil {
				return err
			}
		}
		return forbidden()
	}
	if !ok || a.Type == "" {
		return forbidden()
	}
	return s.pass(ctx, so.verb, so.letter, a.Type)
}

// pass refuses what can never be allowed, before anything is looked up.
func (s *session) pass(ctx context.Context, v Verb, l letter, typ string) error {
	v, l = s.asked(v, l)
	open, err := s.judge.door(ctx, s.rules, s.caller, v, l, typ)
	if err != nil {
		return err
	}
	if !open {
		return forbidden()
	}
	return nil
}

// View implements fhir.Gate.
func (g *gate) View(ctx context.Context, a fhir.Act, f func(fhir.Reader) error) (err error) {
	s, err := g.session(a)
	es := []*entry{newEntry(a)}
	defer g.settle(ctx, s, &es, &err, false)
	if err != nil {
		return err
	}
	if err = s.enter(ctx, a); err != nil {
		return err
	}
	st, err := g.Store(g.caller.Tenant)
	if err != nil {
		return err
	}
	return st.View(ctx, func(r store.Reader) error {
		// f may run again: nothing of an earlier attempt may remain.
		s.land, s.tied = nil, nil
		es = []*entry{newEntry(a)}
		return f(&reader{session: s, in: r, entry: es[0]})
	})
}

// Update implements fhir.Gate.
func (g *gate) Update(ctx context.Context, a fhir.Act, f func(fhir.Tx) error) (err error) {
	s, err := g.session(a)
	es := []*entry{newEntry(a)}
	defer g.settle(ctx, s, &es, &err, true)
	if err != nil {
		return err
	}
	if err = s.enter(ctx, a); err != nil {
		return err
	}
	st, err := g.Store(g.caller.Tenant)
	if err != nil {
		return err
	}
	return st.Update(ctx, func(t store.Tx) error {
		// f may run again: nothing of an earlier attempt may remain.
		attempt := *s
		attempt.land, attempt.tied, attempt.decisions = nil, nil, map[sightKey]decided{}
		attempt.fresh = freshness{heads: map[fhir.Key]int64{}, left: map[fhir.Key][]fhir.Key{}}
		attempt.entries = []*entry{newEntry(a)}
		defer func() { es = attempt.entries }()
		if err := f(&writer{reader: reader{session: &attempt, in: t, entry: attempt.entries[0]}, out: t}); err != nil {
			return err
		}
		rs := make([]Record, len(attempt.entries))
		for i, e := range attempt.entries {
			rs[i] = g.record(s, e, nil)
		}
		if err := g.Recorder.InTx(ctx, t, rs...); err != nil {
			return unrecorded(err)
		}
		return nil
	})
}

// settle records, before the answer, a View, and an Update that came to nothing.
// Without a record there is no answer. It must be deferred itself: it looks for a
// panic, records it and lets it go on.
func (g *gate) settle(ctx context.Context, s *session, es *[]*entry, err *error, wrote bool) {
	panicked := recover()
	if panicked != nil {
		*err = errors.New("panic")
	}
	if *err != nil || !wrote {
		rs := make([]Record, len(*es))
		for i, e := range *es {
			rs[i] = g.record(s, e, *err)
		}
		// The caller may be gone; the record must be kept nevertheless.
		if failed := g.Recorder.Before(context.WithoutCancel(ctx), g.caller.Tenant, rs...); failed != nil {
			*err = unrecorded(failed)
		}
	}
	if panicked != nil {
		panic(panicked)
	}
}

// entry gathers what becomes the record of one act.
type entry struct {
	act      fhir.Act
	touched  []Touched
	patients []fhir.Key
	reasons  []string
	denied   string // why, when something was denied
	derived  fhir.Key
}

func newEntry(a fhir.Act) *entry { return &entry{act: a} }

func (e *entry) touch(k fhir.Key, version int64, how How, patients []fhir.Key, by []string) {
	e.touched = append(e.touched, Touched{Key: k, Version: version, How: how})
	e.patients = append(e.patients, patients...)
	e.reasons = append(e.reasons, by...)
}

// deny notes why something was denied and whom it is about.
func (e *entry) deny(why string, patients []fhir.Key) {
	e.denied = why
	e.patients = append(e.patients, patients...)
}

func (g *gate) record(s *session, e *entry, err error) Record {
	p := g.caller.Principal
	patients := slices.Clone(e.patients)
	slices.SortFunc(patients, fhir.Key.Compare)
	reasons := slices.Clone(e.reasons)
	slices.Sort(reasons)
	r := Record{
		ID: g.IDs(), At: g.Clock(), Tenant: p.Tenant, Who: who(p), Purpose: p.Purpose,
		Interaction: e.act.Interaction, Type: e.act.Type, Target: e.act.ID, Operation: e.act.Operation, Recipient: e.act.Recipient, Query: e.act.Query,
		Touched: e.touched, Patients: slices.Compact(patients), Derived: e.derived,
		Decision: Permit, Reasons: slices.Compact(reasons), Outcome: Success,
		Synced: mustSync(e.act, p.Purpose),
	}
	if s != nil {
		r.Request, r.Policy = s.request, s.rules.Digest()
	}
	if err == nil {
		return r
	}
	r.Outcome, r.Failure = Failure, fhir.CodeOf(err).Issue()
	switch {
	case e.denied != "":
		r.Decision, r.Reasons = Deny, []string{e.denied}
	case fhir.Is(err, fhir.Forbidden), fhir.Is(err, fhir.Login):
		r.Decision, r.Reasons = Deny, []string{"interaction"}
	case fhir.Is(err, fhir.Transient) && s == nil:
		r.Decision, r.Reasons = Deny, []string{"no-policy"}
	}
	return r
}

// mustSync: disclosures, exports, process notes and emergencies are on disk before
// there is an answer, whatever they were.
func mustSync(a fhir.Act, purpose string) bool {
	return bulk[a.Interaction] || !a.Recipient.IsZero() || a.Interaction == fhir.NoteRead || a.Interaction == fhir.NoteWrite || purpose == "BTG"
}
