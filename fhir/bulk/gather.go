package bulk

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// chunkOf is for how many patients one look into the store asks.
const chunkOf = 50

// bulky types may hold attachments: fewer of them fill a page.
var bulky = []string{"DocumentReference", "Binary", "Media"}

// step is one series of pages: a type, and, where an export is confined to some
// patients, one of the parameters that put it into a patient's compartment and some of
// the patients.
type step struct {
	typ   string
	param string
	chunk int
}

// steps lists them in the order in which they are taken. It depends on the job alone.
func (k *kept) steps(members []fhir.Key) (out []step) {
	for _, t := range k.Types {
		params := spec.R4().Compartment("Patient")[t]
		if t == "Patient" {
			params = []string{"_id"}
		}
		if k.Members == nil || len(params) == 0 {
			out = append(out, step{typ: t})
			continue
		}
		for c := 0; c*chunkOf < len(members); c++ {
			for _, p := range params {
				out = append(out, step{t, p, c})
			}
		}
	}
	return out
}

// spool is the file that is being written.
type spool struct {
	data, keys *writer
	f          file
}

func (e *Exports) spool(k *kept, typ string) (*spool, error) {
	s := &spool{f: file{Kind: output, Type: typ}}
	if k.Grant.Treated {
		s.f.Kind = raw
	}
	name := fmt.Sprintf("%03d-%d", len(k.Files), k.Run)
	var err error
	if s.data, err = e.create(k.ID, name+".data"); err != nil {
		return nil, err
	}
	if s.keys, err = e.create(k.ID, name+".keys"); err != nil {
		s.data.close()
	}
	return s, err
}

func (s *spool) close() {
	if s != nil {
		s.data.close()
		s.keys.close()
	}
}

// add writes a line of a file, which has none of its own.
func (f *file) add(w *writer, line []byte) error {
	if bytes.ContainsAny(line, "\r\n") {
		// Bodies are kept as they came. In JSON a bare end of line is only ever white space.
		line = bytes.Map(func(c rune) rune {
			if c == '\r' || c == '\n' {
				return ' '
			}
			return c
		}, line)
	}
	if _, err := w.Write(line); err != nil {
		return err
	}
	_, err := w.Write([]byte{'\n'})
	f.Count++
	f.Bytes += int64(len(line)) + 1
	return err
}

// gather reads, page after page, all that the caller may export, into files. After each
// stretch it brings them to disk and writes down from where to go on.
func (e *Exports) gather(ctx context.Context, gate fhir.Gate, k *kept) error {
	members, err := e.memberList(k)
	if err != nil {
		return err
	}
	g := &gatherer{e: e, k: k, gate: gate, members: members}
	if k.Members == nil && k.Level != System {
		g.confined = true
	}
	defer func() { g.out.close() }()
	steps := k.steps(members)
	for k.Step < len(steps) {
		s := steps[k.Step]
		next, err := g.page(ctx, s)
		if fhir.Is(err, fhir.Forbidden) && k.Cursor == "" {
			if err := g.closedType(ctx, s.typ); err != nil {
				return err
			}
			next, err = "", nil
		}
		if err != nil {
			return err
		}
		k.Cursor = next
		if next == "" {
			k.Step++
		}
		over := k.Step == len(steps) || steps[k.Step].typ != s.typ
		if over || g.pending >= e.Limits.Checkpoint {
			if err := g.checkpoint(ctx, over); err != nil {
				return err
			}
		}
	}
	k.Phase, k.Step, k.Cursor = treating, 0, ""
	if !k.Grant.Treated {
		k.Phase = deleting
	}
	return e.save(ctx, k)
}

type gatherer struct {
	e        *Exports
	k        *kept
	gate     fhir.Gate
	members  []fhir.Key
	confined bool // to patients' compartments, whoever the patients are
	out      *spool
	pending  int64
}

// closedType notes, of a type that was asked for by name, that the caller may have
// nothing of it. Of others it is told nothing: they are not its business.
func (g *gatherer) closedType(_ context.Context, typ string) error {
	n := note{Code: fhir.Forbidden, Detail: "Your role and the scopes of your token do not allow to export " + typ + "."}
	shown := len(g.k.Shown) == 0 || slices.Contains(g.k.Shown, typ) // a release reads more than it shows
	if g.k.Named && shown && !slices.Contains(g.k.Notes, n) {
		g.k.Notes = append(g.k.Notes, n)
	}
	return nil
}

// page reads one page and writes it.
func (g *gatherer) page(ctx context.Context, s step) (next string, err error) {
	q := fhir.Query{Type: s.typ, Count: g.e.Limits.Page, After: g.k.Cursor}
	if slices.Contains(bulky, s.typ) {
		q.Count = max(q.Count/20, 1)
	}
	patients := g.of(s)
	switch {
	case s.param == "_id":
		c := fhir.Clause{Param: "_id", Kind: fhir.Special}
		for _, p := range patients {
			c.Any = append(c.Any, fhir.Operand{Code: p.ID})
		}
		q.Where = append(q.Where, c)
	case s.param != "":
		q.Where = append(q.Where, g.about(s.param, patients))
	}
	if !g.k.Since.IsZero() {
		q.Where = append(q.Where, fhir.Clause{Param: "_lastUpdated", Kind: fhir.Special,
			Any: []fhir.Operand{{Prefix: fhir.Gt, Low: g.k.Since.UnixMicro(), High: g.k.Since.UnixMicro()}}})
	}
	var found []fhir.Resource
	err = g.gate.View(ctx, g.k.act(s.typ, ""), func(in fhir.Reader) error {
		found = found[:0]
		set, err := in.Search(ctx, q)
		if err != nil {
			return err
		}
		next = set.Next
		for _, x := range set.Entries {
			r, ok, err := g.asOf(ctx, in, x)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if ok, err = g.belongs(s, r); err != nil {
				return err
			}
			if ok {
				found = append(found, r)
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return next, g.write(s.typ, found)
}

// asOf returns the version of a resource that was current when the job began: none that
// is newer leaves, and none that was there then is left out.
func (g *gatherer) asOf(ctx context.Context, in fhir.Reader, x fhir.Entry) (fhir.Resource, bool, error) {
	if !x.Updated.After(g.k.At) {
		return x.Resource, true, nil
	}
	for v := x.Version - 1; v > 0; v-- {
		r, err := in.ReadVersion(ctx, x.Key, v)
		switch {
		case fhir.Is(err, fhir.NotFound): // it was deleted then, or is not for this caller as it was
			return r, false, nil
		case err != nil:
			return r, false, err
		case !r.Updated.After(g.k.At):
			return r, g.k.Since.IsZero() || r.Updated.After(g.k.Since), nil
		}
	}
	return fhir.Resource{}, false, nil
}

func (g *gatherer) of(s step) []fhir.Key {
	if s.param == "" {
		return nil
	}
	return g.members[s.chunk*chunkOf : min((s.chunk+1)*chunkOf, len(g.members))]
}

func (g *gatherer) about(param string, patients []fhir.Key) fhir.Clause {
	c := fhir.Clause{Param: param, Kind: fhir.Reference}
	for _, p := range patients {
		c.Any = append(c.Any, fhir.Operand{Ref: p})
	}
	return c
}

// belongs reports whether a resource is to be written at this step: it is in a patient's
// compartment, and no earlier step finds it too.
func (g *gatherer) belongs(s step, r fhir.Resource) (bool, error) {
	params := spec.R4().Compartment("Patient")[s.typ]
	if s.typ == "Patient" || len(params) == 0 || s.param == "" && !g.confined {
		return true, nil
	}
	// Nearly everything names one patient, once.
	const patient = `Patient/`
	if n := bytes.Count(r.Body(), []byte(patient)); n == 0 {
		return false, nil
	} else if n == 1 && s.param != "" {
		return true, nil
	}
	ix, err := g.e.Search.Index(r)
	if err != nil {
		return false, err
	}
	at := func(x fhir.Index) (step, bool) {
		if x.Kind != fhir.Reference || x.Ref.Type != "Patient" || !slices.Contains(params, x.Param) {
			return step{}, false
		}
		if s.param == "" {
			return step{typ: s.typ}, true
		}
		n, member := slices.BinarySearchFunc(g.members, x.Ref, fhir.Key.Compare)
		return step{s.typ, x.Param, n / chunkOf}, member
	}
	found := false
	for _, x := range ix {
		o, ok := at(x)
		if !ok {
			continue
		}
		found = true
		if o.chunk < s.chunk || o.chunk == s.chunk && slices.Index(params, o.param) < slices.Index(params, s.param) {
			return false, nil
		}
	}
	return found, nil
}

// write adds resources to the type's file.
func (g *gatherer) write(typ string, rs []fhir.Resource) (err error) {
	if len(rs) == 0 {
		return nil
	}
	if g.out == nil {
		if g.out, err = g.e.spool(g.k, typ); err != nil {
			return err
		}
	}
	var key []byte
	for _, r := range rs {
		if err := g.out.f.add(g.out.data, r.Body()); err != nil {
			return err
		}
		g.pending += int64(len(r.Body()))
		key = append(append(append(append(key[:0], r.Type...), '/'), r.ID...), '\n')
		if _, err := g.out.keys.Write(key); err != nil {
			return err
		}
	}
	g.k.Read += len(rs)
	return nil
}

// checkpoint brings what was written to disk and then writes down from where to go on.
// last says that the type has no more.
func (g *gatherer) checkpoint(ctx context.Context, last bool) error {
	g.pending = 0
	if g.out != nil {
		data, err := g.out.data.sync()
		if err != nil {
			return err
		}
		keys, err := g.out.keys.sync()
		if err != nil {
			return err
		}
		g.k.put(g.out.f, data, keys)
		if err := g.e.crashed("synced"); err != nil {
			return err
		}
		if n := len(g.k.Files) - 1; last || g.k.Files[n].Bytes >= g.e.Limits.File {
			g.out.close()
			g.out = nil
		}
	}
	g.k.Tries = 0
	if err := g.e.save(ctx, g.k); err != nil {
		return err
	}
	return g.e.crashed("checkpoint")
}

// put notes how far a file goes: one that is new, or one whose last part has grown.
func (k *kept) put(f file, data, keys part) {
	f.Parts, f.Keys = []part{data}, []part{keys}
	for n := range k.Files {
		if len(k.Files[n].Parts) == 1 && k.Files[n].Parts[0].Name == data.Name {
			k.Files[n] = f
			return
		}
	}
	k.Files = append(k.Files, f)
}

// memberList reads whom an export is confined to.
func (e *Exports) memberList(k *kept) (ks []fhir.Key, err error) {
	err = e.lines(k.ID, k.Members, func(line []byte) error {
		ks = append(ks, fhir.Key{Type: "Patient", ID: string(line)})
		return nil
	})
	return ks, err
}

// deleted lists what was deleted between _since and the beginning of the job, as
// Bundles of DELETE entries. Of patients' exports it tells nothing: a tombstone does
// not say whose it is.
//
// Source: https://hl7.org/fhir/uv/bulkdata/STU3/export.html#response---output-manifest
func (e *Exports) deleted(ctx context.Context, gate fhir.Gate, k *kept) error {
	if k.Since.IsZero() || k.Level != System {
		return nil
	}
	w, err := e.create(k.ID, fmt.Sprintf("deleted-%d", k.Run))
	if err != nil {
		return err
	}
	defer w.close()
	f := file{Kind: gone}
	for _, typ := range k.Types {
		span := fhir.Span{Since: k.Since, Count: e.Limits.Page}
		for {
			var entries []*fhir.Object
			var next string
			err := gate.View(ctx, k.act(typ, ""), func(in fhir.Reader) error {
				entries = nil
				set, err := in.History(ctx, fhir.Scope{Type: typ}, span)
				if err != nil {
					return err
				}
				next = set.Next
				for _, x := range set.Entries {
					if !x.Deleted || x.Updated.After(k.At) || !x.Updated.After(k.Since) {
						continue
					}
					if _, err := in.Read(ctx, x.Key); !fhir.Is(err, fhir.Deleted) {
						continue // it is there again
					}
					entries = append(entries, fhir.NewObject().Set("request", fhir.NewObject().Set("method", "DELETE").Set("url", x.Key.String())))
				}
				return nil
			})
			if fhir.Is(err, fhir.Forbidden) {
				break
			}
			if err != nil {
				return err
			}
			if len(entries) > 0 {
				if err := f.add(w, fhir.NewObject().Set("resourceType", "Bundle").Set("type", "transaction").Set("entry", entries).JSON()); err != nil {
					return err
				}
			}
			if next == "" {
				break
			}
			span.After = next
		}
	}
	if f.Count == 0 {
		return nil
	}
	p, err := w.sync()
	if err != nil {
		return err
	}
	f.Parts = []part{p}
	k.Files = append(k.Files, f)
	return nil
}
