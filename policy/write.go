package policy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"rapport/fhir"
	"rapport/fhir/store"
)

// writer answers and writes for one act within one transaction.
type writer struct {
	reader
	out store.Tx
}

// As implements fhir.Tx. An act that can never be allowed is refused at its
// first use, before it looks anything up.
func (w *writer) As(a fhir.Act) fhir.Tx {
	e := newEntry(a)
	w.session.entries = append(w.session.entries, e)
	c := *w
	c.reader.entry = e
	return &c
}

// unwritable is the one answer to a write that the caller may not do to a
// resource that it sees, or that would make one that it may not write. It is the
// same whether a patient that the content names exists or not.
func unwritable() error {
	return &fhir.Error{Code: fhir.Forbidden, Detail: "You may not write this resource as it is, or not as it would become. A resource about a client must name a client of yours as its subject."}
}

// taken is said of an id of our own making that stands for what the caller does not see,
// to whoever could have written the same under a free one: that one was taken tells them
// no more than that they cannot have it.
func taken() error {
	return &fhir.Error{Code: fhir.Duplicate, Detail: "This key cannot be used. Take one of your own system that was not used before."}
}

// Put implements fhir.Tx.
func (w *writer) Put(ctx context.Context, r fhir.Resource, c fhir.Condition) (fhir.Written, error) {
	if r.ID == "" {
		return fhir.Written{}, fhir.Errorf(fhir.Required, r.Type+".id", "A resource needs an id to be stored.")
	}
	v, l := ToUpdate, mayUpdate
	if w.entry.act.Interaction == fhir.Create || c.MustCreate || c.IfNoneExist != nil {
		v, l = ToCreate, mayCreate
	}
	if err := w.pass(ctx, v, l, r.Type); err != nil {
		return fhir.Written{}, err
	}
	if c.IfNoneExist != nil {
		found, err := w.existing(ctx, *c.IfNoneExist)
		if err != nil || !found.Resource.IsZero() {
			return found, err
		}
	}
	before, err := w.before(ctx, r.Key)
	if err != nil {
		return fhir.Written{}, err
	}
	if before.lives() && v == ToCreate && !c.MustCreate && c.IfNoneExist == nil {
		// An id of our own making that is in use: a change after all.
		if l = mayUpdate; w.pass(ctx, ToUpdate, l, r.Type) != nil {
			w.entry.deny("interaction", before.head.Patients)
			return fhir.Written{}, unwritable()
		}
	}
	by, err := w.mayReplace(ctx, &before, r, c, l)
	if err != nil {
		return fhir.Written{}, err
	}
	if before.lives() {
		if r, err = w.keepLabels(ctx, before, r); err != nil {
			return fhir.Written{}, err
		}
	}
	facts := w.factsAfter(before, r)
	after, err := w.mayBecome(ctx, before, r, facts, l, c.MustCreate)
	if err != nil {
		return fhir.Written{}, err
	}
	if c.SkipUnchanged && before.lives() && fhir.SameContent(before.body, r) {
		w.entry.touch(r.Key, before.head.Version, WasSame, before.head.Patients, after.by)
		return fhir.Written{Head: before.head.Head, Effect: fhir.Unchanged, Resource: before.body}, nil
	}
	return w.put(ctx, before, r, facts, store.Condition{IfMatch: c.IfMatch, Absent: c.MustCreate}, append(by, after.by...))
}

// existing looks for what a conditional create asks for, on what the caller sees.
// The lock keeps two of them from both finding nothing (attack case A31).
func (w *writer) existing(ctx context.Context, q fhir.Query) (fhir.Written, error) {
	if err := w.pass(ctx, ToRead, maySearch, q.Type); err != nil {
		return fhir.Written{}, err
	}
	if err := w.out.Lock(ctx, matchKeys(w.caller.Tenant, q)...); err != nil {
		return fhir.Written{}, err
	}
	q.Count, q.Total, q.Include, q.RevInclude, q.After = 2, false, nil, nil, ""
	set, err := w.Search(ctx, q)
	if err != nil {
		return fhir.Written{}, err
	}
	switch len(set.Entries) {
	case 0:
		return fhir.Written{}, nil
	case 1:
		e := set.Entries[0]
		return fhir.Written{Head: e.Head, Effect: fhir.Existing, Resource: e.Resource}, nil
	}
	return fhir.Written{}, &fhir.Error{Code: fhir.Multiple, Detail: "Several resources meet the criteria; name one that only one resource meets."}
}

// matchKeys returns what a conditional create locks: each identifier that its
// criteria name exactly; the type, where they name none.
func matchKeys(tenant string, q fhir.Query) (ks []store.MatchKey) {
	key := func(parts ...string) store.MatchKey {
		h := sha256.New()
		for _, p := range parts {
			var n [8]byte
			binary.BigEndian.PutUint64(n[:], uint64(len(p)))
			h.Write(n[:])
			h.Write([]byte(p))
		}
		return store.MatchKey(h.Sum(nil)[:16])
	}
	for _, c := range q.Where {
		if c.Param != "identifier" || c.Kind != fhir.Token || c.Modifier != fhir.NoModifier || len(c.Any) == 0 {
			continue
		}
		for _, o := range c.Any {
			// Whoever asks for a bare value must meet whoever asks for it with a system.
			ks = append(ks, key(tenant, q.Type, "identifier", o.Code))
		}
	}
	if len(ks) == 0 {
		ks = append(ks, key(tenant, q.Type))
	}
	slices.SortFunc(ks, func(a, b store.MatchKey) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(ks)
}

// state of a resource before a write, as it is, whoever may see it.
type before struct {
	exists  bool // a version exists, be it a tombstone
	visible bool
	head    store.Head
	body    fhir.Resource // zero for a tombstone
}

func (b before) lives() bool { return b.exists && !b.head.Deleted }

func (w *writer) before(ctx context.Context, k fhir.Key) (b before, err error) {
	hs, err := w.in.Heads(ctx, fhir.Omniscient(), k)
	if err != nil || len(hs) == 0 {
		return b, err
	}
	b.exists, b.head = true, hs[0]
	sight, _, err := w.sees(ctx, mayRead, k.Type)
	if err != nil {
		return b, err
	}
	patient, err := w.known(ctx, b.head.Patients)
	if err != nil {
		return b, err
	}
	b.visible = sight.Admits(k.Type, b.head.Facts, patient)
	if b.head.Deleted {
		return b, nil
	}
	rs, err := w.bodies(ctx, []store.Ref{{Key: k, Version: b.head.Version}})
	if err != nil {
		return b, err
	}
	b.body = rs[0]
	if b.visible {
		alternatives, err := w.narrowing(k.Type, w.caller.ceiling(k.Type, mayRead))
		if err != nil {
			b.visible = false // no read scope at all that could be understood
			return b, nil
		}
		if b.visible, err = w.within(b.body, alternatives); err != nil {
			return b, err
		}
	}
	return b, nil
}

// mayReplace decides about the state before a write. By an update, a caller that
// does not see everything of a type chooses no ids: one that is hidden, free or
// deleted is the same to it (attack case A33).
func (w *writer) mayReplace(ctx context.Context, b *before, r fhir.Resource, c fhir.Condition, l letter) ([]string, error) {
	if c.MustCreate || c.IfNoneExist != nil {
		return nil, nil // the id is a new one of ours; the store refuses one in use
	}
	if b.lives() && b.visible {
		if c.IfNoneMatchAny {
			return nil, &fhir.Error{Code: fhir.Stale, Detail: "The resource is there already, and If-None-Match: * asks to overwrite none. Read it, and update the version that you read."}
		}
		if c.IfMatch != 0 && c.IfMatch != b.head.Version {
			// What the caller took for the present decides nothing; it reads again.
			return nil, &fhir.Error{Code: fhir.Stale, Detail: "The resource has changed since the version that If-Match names. Read it again."}
		}
		return w.mayChange(ctx, b, r, l)
	}
	all, err := w.choosesIDs(ctx, r.Type)
	switch {
	case err != nil:
		return nil, err
	case all && b.lives(): // it sees the type and not this resource: a faulty store
		w.Alarm("hid-from-all-seeing")
		return nil, fhir.Missing(r.Key)
	case !all && (w.entry.act.Interaction == fhir.Update || w.entry.act.Interaction == fhir.Patch || c.IfMatch != 0):
		if b.exists {
			w.entry.deny("not-visible", b.head.Patients)
		}
		return nil, fhir.Missing(r.Key)
	case !all && b.exists && !b.visible: // an id of our own making that another one has
		_, err := w.mayBecome(ctx, before{}, r, w.factsAfter(before{}, r), mayCreate, false)
		w.entry.deny("not-visible", b.head.Patients)
		if err == nil {
			err = taken()
		}
		return nil, err
	case c.IfMatch != 0 && !b.exists:
		return nil, fhir.Missing(r.Key)
	case c.IfMatchAny: // asked of those alone who see that nothing is there
		return nil, nothingMatches()
	}
	return nil, nil
}

// nothingMatches answers If-Match: * where there is nothing that the caller sees.
func nothingMatches() error {
	return &fhir.Error{Code: fhir.Stale, Detail: "If-Match: * asks for a resource that is there, and there is none that you may see. Leave If-Match out to write without it."}
}

// mayChange decides about changing what is there and seen.
func (w *writer) mayChange(ctx context.Context, b *before, r fhir.Resource, l letter) ([]string, error) {
	v, err := w.may(ctx, ToUpdate, l, r.Key, b.head.Facts, w.brought(*b, b.head.Facts))
	if err != nil {
		return nil, err
	}
	alternatives, err := w.narrowing(r.Type, w.caller.ceiling(r.Type, l))
	if err != nil {
		return nil, err
	}
	in, err := w.within(b.body, alternatives)
	if err != nil {
		return nil, err
	}
	if !v.ok || !in {
		w.entry.deny("before-not-writable", b.head.Patients)
		return nil, unwritable()
	}
	if len(v.changeOnly) > 0 && !changesOnly(b.body, r, v.changeOnly) {
		w.entry.deny("elements-not-writable", b.head.Patients)
		return nil, &fhir.Error{Code: fhir.Forbidden, Detail: "You may change some elements of this resource and not others. Send the others as they are."}
	}
	return v.by, nil
}

// choosesIDs reports whether a caller may choose ids of a type: it sees all of it.
func (w *writer) choosesIDs(ctx context.Context, typ string) (bool, error) {
	d, err := w.decide(ctx, mayRead, typ)
	return d.extent.IsAll() && len(w.caller.ceiling(typ, mayRead).where) == 0, err
}

// keepLabels puts back the labels that a caller took off without the right to.
func (w *writer) keepLabels(ctx context.Context, b before, r fhir.Resource) (fhir.Resource, error) {
	kept, err := keepLabels(b.body, r)
	if err != nil || kept.IsZero() {
		return r, err
	}
	q := w.caller.question(ToRelabel, r.Type, parseClass(b.head.Class))
	q.Tie, q.Consent = TieAnyone, NoConsent
	j, err := w.judge.ask(ctx, w.rules, q)
	if err != nil || !j.Allow {
		return kept, err
	}
	return r, nil
}

// factsAfter computes the facts of the state after a write. Who brought the
// resource here stays with it.
func (w *writer) factsAfter(b before, r fhir.Resource) fhir.Facts {
	f := w.factor.FactsOf(r)
	if b.exists {
		f.Parties = append(f.Parties, submitters(b.head.Parties)...)
	} else {
		for _, g := range w.partner() {
			f.Parties = append(f.Parties, fhir.Named{Role: Submitter, Actor: g})
		}
	}
	return f
}

func submitters(ns []fhir.Named) (out []fhir.Named) {
	for _, n := range ns {
		if n.Role == Submitter {
			out = append(out, n)
		}
	}
	return out
}

// mayBecome decides about the state after a write, with the relations that there
// were before it: nobody ties themselves to a patient by the write that needs the
// tie.
func (w *writer) mayBecome(ctx context.Context, b before, r fhir.Resource, f fhir.Facts, l letter, mustCreate bool) (verdict, error) {
	v := ToUpdate
	judged := f
	single := w.brought(b, f)
	if !b.exists || b.head.Deleted || mustCreate { // the store refuses an id in use
		v = ToCreate
		// What the caller brings does not name it a party by being brought.
		judged.Parties = slices.DeleteFunc(slices.Clone(f.Parties), func(n fhir.Named) bool { return n.Role == Submitter })
		introduced, err := w.introduced(ctx, r.Key, f)
		if err != nil {
			return verdict{}, err
		}
		if single = ""; introduced {
			single = TieIntroduced
		}
	}
	got, err := w.may(ctx, v, l, r.Key, judged, single)
	if err != nil {
		return verdict{}, err
	}
	if !got.ok {
		w.entry.deny("after-not-writable", f.Patients)
		return verdict{}, unwritable()
	}
	alternatives, err := w.narrowing(r.Type, w.caller.ceiling(r.Type, l))
	if err != nil {
		return verdict{}, err
	}
	in, err := w.within(r, alternatives)
	if err != nil {
		return verdict{}, err
	}
	if !in {
		w.entry.deny("scope", f.Patients)
		return verdict{}, unwritable()
	}
	return got, nil
}

// introduced reports whether the caller itself brought every patient of a new
// resource into the tenant: as this very resource, or before.
func (w *writer) introduced(ctx context.Context, k fhir.Key, f fhir.Facts) (bool, error) {
	if w.caller.Role != Partner || len(w.caller.Grants) == 0 || len(f.Patients) == 0 {
		return false, nil
	}
	for _, p := range f.Patients {
		if p == k {
			continue
		}
		hs, err := w.in.Heads(ctx, fhir.Omniscient(), p)
		if err != nil {
			return false, err
		}
		if len(hs) != 1 || hs[0].Deleted || !slices.ContainsFunc(submitters(hs[0].Parties), func(n fhir.Named) bool { return slices.Contains(w.caller.Grants, n.Actor) }) {
			return false, nil
		}
	}
	return true, nil
}

// brought says whether the caller itself brought a resource that is there, and would
// leave it about nobody else than it is.
func (w *writer) brought(b before, after fhir.Facts) Tie {
	mine := func(n fhir.Named) bool { return slices.Contains(w.caller.Grants, n.Actor) }
	if w.caller.Role != Partner || !b.lives() || !slices.ContainsFunc(submitters(b.head.Parties), mine) ||
		slices.ContainsFunc(after.Patients, func(k fhir.Key) bool { return !slices.Contains(b.head.Patients, k) }) {
		return ""
	}
	return TieBrought
}

// changesOnly reports whether two versions differ in the named elements alone,
// apart from what the server owns.
func changesOnly(a, b fhir.Resource, names []string) bool {
	free := func(name string) bool {
		return name == "meta" || slices.Contains(names, name) || slices.Contains(names, trimUnderscore(name))
	}
	same := func(x, y fhir.Node) bool {
		for name, v := range x.Members() {
			if w := y.Get(name); !free(name) && (!w.Exists() || !v.Same(w)) {
				return false
			}
		}
		return true
	}
	return same(a.Root(), b.Root()) && same(b.Root(), a.Root())
}

func trimUnderscore(s string) string {
	if len(s) > 0 && s[0] == '_' {
		return s[1:]
	}
	return s
}

// put stores a version that was decided about.
func (w *writer) put(ctx context.Context, b before, r fhir.Resource, f fhir.Facts, c store.Condition, by []string) (fhir.Written, error) {
	rec, err := w.factor.RecordOf(r, w.now)
	if err != nil {
		return fhir.Written{}, err
	}
	rec.Facts = f
	h, stored, err := w.out.Put(ctx, r, rec, c)
	if err != nil {
		return fhir.Written{}, err
	}
	how, effect := WasUpdated, fhir.Updated
	if !b.exists || b.head.Deleted {
		how, effect = WasCreated, fhir.Created
	}
	touched := slices.Concat(f.Patients, b.head.Patients)
	w.entry.touch(r.Key, h.Version, how, touched, by)
	w.wrote(h.Head, f)
	w.leaves(r.Key, b.head.Patients, f.Patients)
	if err := w.consentChanged(ctx, r.Key, b.head.Patients, f.Patients); err != nil {
		return fhir.Written{}, err
	}
	return fhir.Written{Head: h.Head, Effect: effect, Resource: stored, By: w.partner()}, nil
}

// partner returns the Organizations that the caller is as a partner.
func (w *writer) partner() []fhir.Key {
	if w.caller.Role != Partner {
		return nil
	}
	return w.caller.Grants
}

// wrote makes the transaction aware of what it added.
func (w *writer) wrote(h fhir.Head, f fhir.Facts) {
	w.session.tied = nil
	w.session.fresh.heads[h.Key] = h.Version
	if !slices.Contains(w.session.fresh.classes, f.Class) {
		w.session.fresh.classes = append(w.session.fresh.classes, f.Class)
		clear(w.session.decisions)
	}
}

// leaves notes whom a resource is no longer about.
func (w *writer) leaves(k fhir.Key, before, after []fhir.Key) {
	left := w.session.fresh.left
	gone := slices.DeleteFunc(slices.Concat(left[k], before), func(p fhir.Key) bool { return slices.Contains(after, p) })
	if delete(left, k); len(gone) > 0 {
		left[k] = gone
	}
}

// Enqueue implements fhir.Tx.
func (w *writer) Enqueue(ctx context.Context, work fhir.Work) error { return w.out.Enqueue(ctx, work) }
