package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"

	"rapport/fhir"
	"rapport/fhir/store"
)

// decisionLife bounds how old a cached decision may be, whatever did not change.
const decisionLife = time.Minute

// caller is a principal with what follows from it.
type caller struct {
	Principal
	id     string // equal for principals that everything is decided alike for
	ties   []tie
	actors []string // whom consents may name
}

// tie is one way in which a caller and resources may belong together.
type tie struct {
	Tie
	reach  fhir.Reach
	actors []fhir.Key
}

func newCaller(p Principal) *caller {
	c := &caller{Principal: p}
	h := sha256.New()
	decides := p
	decides.TokenID, decides.Expires = "", time.Time{}
	h.Write(must(json.Marshal(decides)))
	c.id = hex.EncodeToString(h.Sum(nil))

	var related, own, party []fhir.Key
	switch {
	case practitioner(p.User):
		related = []fhir.Key{p.User}
	case p.User.IsZero() && p.Role == Partner:
		for _, g := range p.Grants {
			if g.Type == "Organization" {
				related = append(related, asPartner(g))
			}
		}
	case p.User.IsZero():
		for _, g := range p.Grants {
			if g.Type == "Organization" || g.Type == "Group" {
				related = append(related, g)
			}
		}
	}
	if p.User.Type == "Patient" {
		own = []fhir.Key{p.User}
	} else if p.Role == Patient && p.User.IsZero() && !p.Patient.IsZero() {
		own = []fhir.Key{p.Patient}
	}
	if !p.User.IsZero() {
		party = []fhir.Key{p.User}
	} else {
		party = slices.Clone(p.Grants)
	}
	for _, k := range slices.Concat([]fhir.Key{p.User}, p.Grants) {
		if !k.IsZero() {
			c.actors = append(c.actors, k.String())
		}
	}
	c.ties = []tie{{TieLoose, fhir.Loose, nil}, {TieAnyone, fhir.Anyone, nil}}
	for _, t := range []tie{{TieRelated, fhir.Related, related}, {TieOwn, fhir.Own, own}, {TieParty, fhir.Party, party}} {
		if len(t.actors) > 0 {
			c.ties = append(c.ties, t)
		}
	}
	return c
}

// states in the order of grant.states.
var states = [...]ConsentState{NoConsent, Permitted, Denied, Barred}

// grant is what the rules give for one class and one tie, by state of consent.
type grant struct {
	tie    tie
	class  class
	states [len(states)]Judgement
}

func (g grant) some() bool {
	return slices.ContainsFunc(g.states[:], func(j Judgement) bool { return j.Allow })
}

func (g grant) every() bool {
	return !slices.ContainsFunc(g.states[:], func(j Judgement) bool { return !j.Allow })
}

// judge keeps what the rules said. Its caches never hold a decision across
// versions of the policy, of the classes and profiles in use, or for longer than
// decisionLife.
type judge struct {
	factor   *Factor
	said     *otter.Cache[asked, Judgement]
	profiles *otter.Cache[fhir.Profile, profile]
	sights   *otter.Cache[sightKey, decided]
	doors    *otter.Cache[doorKey, bool]
}

type asked struct {
	digest string
	Question
}

type doorKey struct {
	id, digest string
	verb       Verb
	letter     letter
	typ        string
}

type sightKey struct {
	id, digest string
	epoch      int64
	verb       Verb
	typ        string
	confined   bool
	tied       bool
}

// decided is a cached decision about one type.
type decided struct {
	extent fhir.Extent
	sight  fhir.Sight // of the one type, to be copied and dated
	by     []string   // rules that allow something of it
	made   time.Time
}

func newJudge(f *Factor) *judge {
	return &judge{
		factor:   f,
		said:     otter.Must(&otter.Options[asked, Judgement]{MaximumSize: 1 << 16}),
		profiles: otter.Must(&otter.Options[fhir.Profile, profile]{MaximumSize: 1 << 14}),
		sights:   otter.Must(&otter.Options[sightKey, decided]{MaximumSize: 1 << 14}),
		doors:    otter.Must(&otter.Options[doorKey, bool]{MaximumSize: 1 << 14}),
	}
}

// ask returns the rules' judgement, from memory if they gave it before.
func (j *judge) ask(ctx context.Context, rules Rules, q Question) (Judgement, error) {
	if !slices.Contains(Roles(), q.Role) {
		return Judgement{}, nil
	}
	k := asked{rules.Digest(), q}
	if got, ok := j.said.GetIfPresent(k); ok {
		return got, nil
	}
	got, err := rules.Judge(ctx, q)
	if err != nil {
		return Judgement{}, undecided(err)
	}
	j.said.Set(k, got)
	return got, nil
}

func (c *caller) question(v Verb, typ string, cl class) Question {
	return Question{Role: c.Role, Purpose: c.Purpose, Verb: v, Type: typ, Group: cl.group, Confidentiality: cl.conf, Labels: cl.labels, Marks: cl.marks, Basis: c.Basis}
}

// grants asks the rules about one class, tie by tie.
func (j *judge) grants(ctx context.Context, rules Rules, c *caller, v Verb, typ string, cl class) ([]grant, error) {
	out := make([]grant, 0, len(c.ties))
	q := c.question(v, typ, cl)
	for _, t := range c.ties {
		g := grant{tie: t, class: cl}
		q.Tie = t.Tie
		for i, s := range states {
			q.Consent = s
			if t.Tie == TieLoose && i > 0 { // nobody's consent is concerned
				g.states[i] = g.states[0]
				continue
			}
			got, err := j.ask(ctx, rules, q)
			if err != nil {
				return nil, err
			}
			g.states[i] = got
		}
		if g.some() {
			out = append(out, g)
		}
	}
	return out, nil
}

// rule makes the fhir.Rule of a grant for those of the profiles that it allows.
func (j *judge) rule(c *caller, v Verb, typ string, g grant, profiles []fhir.Profile) fhir.Rule {
	r := fhir.Rule{Reach: g.tie.reach, Actors: g.tie.actors, Classes: []fhir.Class{g.class.text()}}
	for _, p := range profiles {
		if g.every() || g.states[slices.Index(states[:], j.state(c, v, typ, g.class, p))].Allow {
			r.Profiles = append(r.Profiles, p)
		}
	}
	return r
}

// state is what a patient's profile says about a demand.
func (j *judge) state(c *caller, v Verb, typ string, cl class, t fhir.Profile) ConsentState {
	if t == "" {
		return NoConsent
	}
	p, ok := j.profiles.GetIfPresent(t)
	if !ok {
		p = parseProfile(t)
		j.profiles.Set(t, p)
	}
	actions := []string{"access", "use", "disclose"}
	switch v {
	case ToCreate, ToUpdate, ToDelete, ToRelabel:
		actions = []string{"collect", "correct"}
	}
	return p.state(demand{actors: c.actors, purpose: c.Purpose, actions: actions, typ: typ, class: cl, study: v == ToStudy})
}

// confine turns the rules that a caller has into rules about the one patient of
// a launch. tied says that the caller has a relation to that patient now.
func confine(rs []fhir.Rule, patient fhir.Key, tied bool) (out []fhir.Rule) {
	for _, r := range rs {
		switch r.Reach {
		case fhir.Loose:
			out = append(out, r)
			continue
		case fhir.Related:
			if !tied {
				continue
			}
		case fhir.Own:
			if !slices.Contains(r.Actors, patient) {
				continue
			}
		case fhir.Party: // what names the caller may be about others
			continue
		}
		r.Reach, r.Actors = fhir.Own, []fhir.Key{patient}
		out = append(out, r)
	}
	return out
}

// extent decides what of a type a caller sees, for all classes and profiles in
// use. It is All only where the rules allow every class whatever consents say,
// those that may come included.
func (j *judge) extent(ctx context.Context, rules Rules, c *caller, v Verb, typ string, land store.Landscape, confined, tied bool) (fhir.Extent, []string, error) {
	var out []fhir.Rule
	var by []string
	all := !confined
	judgeClass := func(cl class, stored bool) error {
		gs, err := j.grants(ctx, rules, c, v, typ, cl)
		if err != nil {
			return err
		}
		whole := 0
		for _, g := range gs {
			if (g.tie.Tie == TieLoose || g.tie.Tie == TieAnyone) && g.every() {
				whole++
			}
			if !stored {
				continue
			}
			r := j.rule(c, v, typ, g, land.Profiles)
			if len(r.Profiles) == 0 && r.Reach != fhir.Loose {
				continue
			}
			for _, s := range g.states {
				by = append(by, s.By...)
			}
			out = merge(out, r)
		}
		all = all && whole == 2
		return nil
	}
	for _, t := range land.Classes {
		if err := judgeClass(parseClass(t), true); err != nil {
			return fhir.None(), nil, err
		}
	}
	for _, cl := range j.factor.universe(typ) {
		if err := judgeClass(cl, false); err != nil {
			return fhir.None(), nil, err
		}
	}
	slices.Sort(by)
	by = slices.Compact(by)
	if all {
		return fhir.All(), by, nil
	}
	if confined {
		out = confine(out, c.Patient, tied)
	}
	return fhir.Some(out...), by, nil
}

// merge joins rules that differ in their class alone.
func merge(rs []fhir.Rule, r fhir.Rule) []fhir.Rule {
	for i := range rs {
		if rs[i].Reach == r.Reach && slices.Equal(rs[i].Profiles, r.Profiles) {
			rs[i].Classes = append(rs[i].Classes, r.Classes...)
			return rs
		}
	}
	return append(rs, r)
}

// door says whether an interaction on a type can be allowed at all. It depends on
// who asks and on the rules, never on what is stored: it may be told before any
// look-up.
func (j *judge) door(ctx context.Context, rules Rules, c *caller, v Verb, l letter, typ string) (bool, error) {
	k := doorKey{c.id, rules.Digest(), v, l, typ}
	if open, ok := j.doors.GetIfPresent(k); ok {
		return open, nil
	}
	open := false
	if c.ceiling(typ, l).some {
		for _, cl := range j.factor.universe(typ) {
			gs, err := j.grants(ctx, rules, c, v, typ, cl)
			if err != nil {
				return false, err
			}
			if len(gs) > 0 {
				open = true
				break
			}
			for _, t := range []Tie{TieIntroduced, TieBrought} {
				got, err := j.single(ctx, rules, c, v, typ, cl, t, NoConsent)
				if err != nil {
					return false, err
				}
				open = open || got.Allow
			}
			if open {
				break
			}
		}
	}
	j.doors.Set(k, open)
	return open, nil
}

// single asks about a tie that there is to single resources only.
func (j *judge) single(ctx context.Context, rules Rules, c *caller, v Verb, typ string, cl class, t Tie, consent ConsentState) (Judgement, error) {
	q := c.question(v, typ, cl)
	q.Tie, q.Consent = t, consent
	return j.ask(ctx, rules, q)
}

func undecided(err error) error {
	return &fhir.Error{Code: fhir.Transient, Detail: "Whether this is allowed cannot be decided now. Nothing was done; try again later.", Err: err}
}

func forbidden() error {
	return &fhir.Error{Code: fhir.Forbidden, Detail: "Your role and the scopes of your token do not allow this. Ask the practice which do."}
}

func unrecorded(err error) error {
	return &fhir.Error{Code: fhir.Transient, Detail: "There is no answer without an audit record, and none can be written now. Try again later.", Err: err}
}
