package policy

import (
	"context"
	"slices"

	"rapport/fhir"
	"rapport/fhir/store"
)

// reader answers one act.
type reader struct {
	*session
	in    store.Reader
	entry *entry
}

// landscape returns the classes and profiles in use, those of this transaction
// included.
func (s *session) landscape(ctx context.Context, in store.Reader) (store.Landscape, error) {
	if s.land == nil {
		l, err := in.Landscape(ctx)
		if err != nil {
			return l, err
		}
		s.land = &l
	}
	l := *s.land
	added := false
	for _, c := range s.fresh.classes {
		if !slices.Contains(l.Classes, c) {
			l.Classes, added = append(slices.Clip(l.Classes), c), true
		}
	}
	for _, p := range s.fresh.profiles {
		if !slices.Contains(l.Profiles, p) {
			l.Profiles, added = append(slices.Clip(l.Profiles), p), true
		}
	}
	if added {
		l.Epoch = uncached
	}
	return l, nil
}

// uncached is the epoch of a landscape that only one transaction sees.
const uncached = -1

// sees returns what the caller sees of some types, for one letter of its scopes,
// and which rules make it so. A narrowed type (granular scopes) is seen only as
// main: a search cannot narrow what it merely passes through.
func (rd *reader) sees(ctx context.Context, l letter, main string, types ...string) (fhir.Sight, []string, error) {
	d, err := rd.decide(ctx, l, main)
	if err != nil {
		return fhir.Sight{}, nil, err
	}
	since := rd.now.Add(-rd.Grace)
	if len(types) == 0 {
		sight := d.sight
		sight.At, sight.Since = rd.now, since
		return sight, d.by, nil
	}
	extents := map[string]fhir.Extent{main: d.extent}
	by := slices.Clone(d.by)
	for _, t := range types {
		if _, done := extents[t]; done {
			continue
		}
		if len(rd.ceiling(t, l).where) > 0 {
			continue
		}
		other, err := rd.decide(ctx, l, t)
		if err != nil {
			return fhir.Sight{}, nil, err
		}
		extents[t] = other.extent
		by = append(by, other.by...)
	}
	return fhir.SightOf(rd.now, since, extents), by, nil
}

// decide returns the decision about reading one type.
func (rd *reader) decide(ctx context.Context, l letter, typ string) (decided, error) {
	c := rd.ceiling(typ, l)
	if !c.some {
		return decided{}, nil
	}
	land, err := rd.landscape(ctx, rd.in)
	if err != nil {
		return decided{}, err
	}
	tied := false
	if c.confined {
		if tied, err = rd.contextTied(ctx); err != nil {
			return decided{}, err
		}
	}
	k := sightKey{rd.caller.id, rd.rules.Digest(), land.Epoch, rd.verb, typ, c.confined, tied}
	if land.Epoch == uncached {
		if d, ok := rd.decisions[k]; ok {
			return d, nil
		}
	} else if d, ok := rd.judge.sights.GetIfPresent(k); ok && rd.now.Sub(d.made) < decisionLife && !rd.now.Before(d.made) {
		return d, nil
	}
	d := decided{made: rd.now}
	if d.extent, d.by, err = rd.judge.extent(ctx, rd.rules, rd.caller, rd.verb, typ, land, c.confined, tied); err != nil {
		return decided{}, err
	}
	d.sight = fhir.SightOf(rd.now, rd.now, map[string]fhir.Extent{typ: d.extent})
	if land.Epoch == uncached {
		rd.decisions[k] = d
	} else {
		rd.judge.sights.Set(k, d)
	}
	return d, nil
}

// contextTied reports whether the caller has a live relation to the patient of
// its launch.
func (rd *reader) contextTied(ctx context.Context) (bool, error) {
	if rd.session.tied != nil {
		return *rd.session.tied, nil
	}
	fs, err := rd.in.Patients(ctx, rd.caller.Patient)
	if err != nil {
		return false, err
	}
	judged := fhir.SightOf(rd.now, rd.now.Add(-rd.Grace), nil)
	tied := false
	for _, t := range rd.caller.ties {
		if t.reach != fhir.Related || len(fs) != 1 {
			continue
		}
		tied = slices.ContainsFunc(fs[0].Relations, func(r fhir.Relation) bool {
			return slices.Contains(t.actors, r.Actor) && judged.Live(r, fs[0].Relations)
		})
	}
	rd.session.tied = &tied
	return tied, nil
}

// known returns what is known of patients.
func (rd *reader) known(ctx context.Context, ks []fhir.Key) (func(fhir.Key) fhir.PatientFacts, error) {
	m := make(map[fhir.Key]fhir.PatientFacts, len(ks))
	if len(ks) > 0 {
		fs, err := rd.in.Patients(ctx, ks...)
		if err != nil {
			return nil, err
		}
		for _, f := range fs {
			m[f.Patient] = f
		}
	}
	return func(k fhir.Key) fhir.PatientFacts { return m[k] }, nil
}

// admits is the second look at what a store answered. What it finds is a fault of
// the store or of ours: it is left out and counted.
func (rd *reader) admits(ctx context.Context, s fhir.Sight, hs []store.Head) (func(store.Head) bool, error) {
	var ks []fhir.Key
	for _, h := range hs {
		if !s.Of(h.Type).IsAll() {
			ks = append(ks, h.Patients...)
		}
	}
	slices.SortFunc(ks, fhir.Key.Compare)
	patient, err := rd.known(ctx, slices.Compact(ks))
	if err != nil {
		return nil, err
	}
	return func(h store.Head) bool {
		if s.Admits(h.Type, h.Facts, patient) {
			return true
		}
		rd.Alarm("answered-beyond-sight")
		return false
	}, nil
}

// head returns the current version of k if the caller may see it. found is false
// for what does not exist and for what is hidden alike; the audit alone is told.
func (rd *reader) head(ctx context.Context, s fhir.Sight, k fhir.Key) (h store.Head, found bool, err error) {
	hs, err := rd.in.Heads(ctx, s, k)
	if err != nil {
		return h, false, err
	}
	if len(hs) == 1 && hs[0].Key == k {
		ok, err := rd.admits(ctx, s, hs)
		if err != nil {
			return h, false, err
		}
		if ok(hs[0]) {
			return hs[0], true, nil
		}
	}
	if hs, err = rd.in.Heads(ctx, fhir.Omniscient(), k); err != nil {
		return h, false, err
	}
	if len(hs) == 1 {
		rd.entry.deny("not-visible", hs[0].Patients)
	}
	return h, false, nil
}

// bodies reads versions. One that is gone meanwhile cannot be: versions stay.
func (rd *reader) bodies(ctx context.Context, refs []store.Ref) ([]fhir.Resource, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	rs, err := rd.in.Bodies(ctx, refs...)
	if err != nil {
		return nil, err
	}
	if len(rs) != len(refs) {
		return nil, &fhir.Error{Code: fhir.Exception, Detail: "The store did not answer in full."}
	}
	for i, r := range rs {
		if !r.IsZero() && r.Key != refs[i].Key {
			rd.Alarm("answered-another-resource")
			return nil, &fhir.Error{Code: fhir.Exception, Detail: "The store did not answer what was asked."}
		}
	}
	return rs, nil
}

// Read implements fhir.Reader.
func (rd *reader) Read(ctx context.Context, k fhir.Key) (fhir.Resource, error) {
	if rd.verb != ToRead && k.Type == "Group" {
		return rd.cohort(ctx, k)
	}
	h, alternatives, by, err := rd.look(ctx, k)
	if err != nil {
		return fhir.Resource{}, err
	}
	if h.Deleted {
		if len(alternatives) > 0 { // whether the scope covered it cannot be told any more
			return fhir.Resource{}, fhir.Missing(k)
		}
		return fhir.Resource{}, gone()
	}
	return rd.show(ctx, h, h.Version, alternatives, by)
}

// look passes the door and finds the current version.
func (rd *reader) look(ctx context.Context, k fhir.Key) (store.Head, [][]fhir.Clause, []string, error) {
	if err := rd.pass(ctx, ToRead, mayRead, k.Type); err != nil {
		return store.Head{}, nil, nil, err
	}
	alternatives, err := rd.narrowing(k.Type, rd.ceiling(k.Type, mayRead))
	if err != nil {
		return store.Head{}, nil, nil, err
	}
	sight, by, err := rd.sees(ctx, mayRead, k.Type)
	if err != nil {
		return store.Head{}, nil, nil, err
	}
	h, found, err := rd.head(ctx, sight, k)
	if err != nil {
		return store.Head{}, nil, nil, err
	}
	if !found {
		return store.Head{}, nil, nil, fhir.Missing(k)
	}
	return h, alternatives, by, nil
}

// show reads the body of a version that may be seen and notes it.
func (rd *reader) show(ctx context.Context, h store.Head, version int64, alternatives [][]fhir.Clause, by []string) (fhir.Resource, error) {
	rs, err := rd.bodies(ctx, []store.Ref{{Key: h.Key, Version: version}})
	if err != nil {
		return fhir.Resource{}, err
	}
	if rs[0].IsZero() {
		return fhir.Resource{}, fhir.Missing(h.Key)
	}
	in, err := rd.within(rs[0], alternatives)
	if err != nil {
		return fhir.Resource{}, err
	}
	if !in {
		rd.entry.deny("scope", h.Patients)
		return fhir.Resource{}, fhir.Missing(h.Key)
	}
	rd.entry.touch(h.Key, version, WasRead, h.Patients, by)
	return rs[0], nil
}

// ReadVersion implements fhir.Reader: the version and the current one must both
// be visible (attack case A4).
func (rd *reader) ReadVersion(ctx context.Context, k fhir.Key, version int64) (fhir.Resource, error) {
	h, alternatives, by, err := rd.look(ctx, k)
	if err != nil {
		return fhir.Resource{}, err
	}
	if h.Deleted && version == h.Version {
		if len(alternatives) > 0 {
			return fhir.Resource{}, fhir.Missing(k)
		}
		return fhir.Resource{}, gone()
	}
	if version != h.Version {
		rs, err := rd.bodies(ctx, []store.Ref{{Key: k, Version: version}})
		if err != nil {
			return fhir.Resource{}, err
		}
		if rs[0].IsZero() {
			return fhir.Resource{}, fhir.Missing(k)
		}
		facts := rd.factor.FactsOf(rs[0])
		facts.Parties = append(facts.Parties, submitters(h.Parties)...)
		v, err := rd.may(ctx, ToRead, mayRead, k, facts, "")
		if err != nil {
			return fhir.Resource{}, err
		}
		if !v.ok {
			rd.entry.deny("version-not-visible", facts.Patients)
			return fhir.Resource{}, fhir.Missing(k)
		}
		if in, err := rd.currently(ctx, h, alternatives); err != nil || !in {
			if err == nil {
				rd.entry.deny("scope", h.Patients)
				err = fhir.Missing(k)
			}
			return fhir.Resource{}, err
		}
	}
	return rd.show(ctx, h, version, alternatives, by)
}

// currently reports whether the current version is within a narrowing.
func (rd *reader) currently(ctx context.Context, h store.Head, alternatives [][]fhir.Clause) (bool, error) {
	if len(alternatives) == 0 {
		return true, nil
	}
	if h.Deleted {
		return false, nil
	}
	rs, err := rd.bodies(ctx, []store.Ref{{Key: h.Key, Version: h.Version}})
	if err != nil || rs[0].IsZero() {
		return false, err
	}
	return rd.within(rs[0], alternatives)
}

func gone() error {
	return &fhir.Error{Code: fhir.Deleted, Detail: "The resource was deleted. Its history tells when."}
}

// verdict is a decision about one resource.
type verdict struct {
	ok         bool
	by         []string
	changeOnly []string // not empty: an update may change these elements alone
}

// may decides about one resource with known facts, as the sights do about many.
// single is a tie that there is to this resource only: TieIntroduced, TieBrought or "".
func (rd *reader) may(ctx context.Context, v Verb, l letter, k fhir.Key, f fhir.Facts, single Tie) (verdict, error) {
	v, l = rd.asked(v, l)
	c := rd.caller.ceiling(k.Type, l)
	if !c.some {
		return verdict{}, nil
	}
	patient, err := rd.known(ctx, f.Patients)
	if err != nil {
		return verdict{}, err
	}
	var profiles []fhir.Profile
	for _, p := range f.Patients {
		profiles = append(profiles, patient(p).Profile)
	}
	tied := false
	if c.confined {
		if tied, err = rd.contextTied(ctx); err != nil {
			return verdict{}, err
		}
	}
	cl := parseClass(f.Class)
	gs, err := rd.judge.grants(ctx, rd.rules, rd.caller, v, k.Type, cl)
	if err != nil {
		return verdict{}, err
	}
	admits := func(rules ...fhir.Rule) bool {
		if c.confined {
			rules = confine(rules, rd.caller.Patient, tied)
		}
		return fhir.SightOf(rd.now, rd.now.Add(-rd.Grace), map[string]fhir.Extent{k.Type: fhir.Some(rules...)}).Admits(k.Type, f, patient)
	}
	var out verdict
	var rules []fhir.Rule
	free := false
	whole := 0
	for _, g := range gs {
		if (g.tie.Tie == TieLoose || g.tie.Tie == TieAnyone) && g.every() && !c.confined {
			whole++
		}
		r := rd.judge.rule(rd.caller, v, k.Type, g, profiles)
		rules = append(rules, r)
		if !admits(r) {
			continue
		}
		for i, s := range states {
			j := g.states[i]
			if !j.Allow || len(profiles) > 0 && !slices.ContainsFunc(profiles, func(p fhir.Profile) bool { return rd.judge.state(rd.caller, v, k.Type, cl, p) == s }) {
				continue
			}
			out.by = append(out.by, j.By...)
			free = free || len(j.ChangeOnly) == 0
			out.changeOnly = append(out.changeOnly, j.ChangeOnly...)
		}
	}
	// What the rules give whatever the patient and the consents needs no facts of
	// patients, not even current ones.
	out.ok = whole == 2 || admits(rules...)
	free = free || whole == 2
	if single != "" && !c.confined {
		asked := []ConsentState{NoConsent}
		if single == TieBrought && len(profiles) > 0 {
			asked = asked[:0] // all whom it is about must agree
			for _, p := range profiles {
				asked = append(asked, rd.judge.state(rd.caller, v, k.Type, cl, p))
			}
		}
		j := Judgement{Allow: true}
		for _, consent := range asked {
			if j.Allow {
				if j, err = rd.judge.single(ctx, rd.rules, rd.caller, v, k.Type, cl, single, consent); err != nil {
					return verdict{}, err
				}
			}
		}
		if j.Allow {
			out.ok, free = true, true
			out.by = append(out.by, j.By...)
		}
	}
	if free {
		out.changeOnly = nil
	}
	return out, nil
}
