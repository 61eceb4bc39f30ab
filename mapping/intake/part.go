package intake

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/mapping"
	"rapport/mapping/practice"
	"rapport/mapping/site"
)

// parts are the rows that take back something which went into the records of
// others, by the text of the detail that says their key; for those that name their
// record by themselves, by its key.
type parts struct {
	open map[string][]part
	done map[string]bool        // something was taken out
	came map[string]*site.Table // rows that a record holds and did not before, as details
}

// part is one such row.
type part struct {
	row   site.Row
	table *site.Table
	came  bool // it went into a record of this upload, and may be in a former one besides
}

func newParts() parts {
	return parts{open: map[string][]part{}, done: map[string]bool{}, came: map[string]*site.Table{}}
}

// in returns the parts of a detail that are to be taken out of a resource.
func (r *run) in(res fhir.Resource, at string) []part {
	ps := r.parts.open[at]
	if len(ps) > 0 && ps[0].came {
		if kind := ps[0].table.Delete.Kind; r.ledger.has(site.Ref{Kind: kind, Key: r.keyIn(res, kind)}) {
			return nil
		}
	}
	return ps
}

func (ps *parts) add(r *run, t *site.Table, row site.Row, key string) {
	at := detailKey(t.Delete.System, t.Delete.Code, key)
	if t.Delete.Short > 0 {
		target, _ := t.Target(row.Values)
		at = r.Mapper.KeyOf(practice.SourceKey{System: r.Site.System, Kind: t.Delete.Kind, Key: target}).String()
	}
	ps.open[at] = append(ps.open[at], part{row: row, table: t})
}

func detailKey(system, code, key string) string { return system + "\x00" + code + "\x00" + key }

// took notes what went with a resource that is gone.
func (ps *parts) took(res fhir.Resource) {
	if len(ps.open) == 0 {
		return
	}
	for _, at := range append(detailsOf(res), res.Key.String()) {
		if len(ps.open[at]) > 0 {
			ps.done[at] = true
		}
	}
}

// detailsOf lists the details of a resource as texts.
func detailsOf(res fhir.Resource) (out []string) {
	for e := range res.Root().Get("extension").Elements() {
		if at, ok := detailOf(e); ok {
			out = append(out, at)
		}
	}
	return out
}

func detailOf(e fhir.Node) (string, bool) {
	if e.Get("url").Text() != detailURL {
		return "", false
	}
	var about fhir.Node
	var value string
	for x := range e.Get("extension").Elements() {
		switch x.Get("url").Text() {
		case "about":
			about = x.Get("valueCoding")
		case "value":
			value = x.Get("valueString").Text()
		}
	}
	return detailKey(about.Get("system").Text(), about.Get("code").Text(), value), true
}

const detailURL = mapping.Canonical + "/StructureDefinition/source-detail"

// untie takes out of records what the remaining parts put there. Those that name
// their record are looked up; the others are looked for, since the source does not
// say where they went.
func (r *run) untie(ctx context.Context) error {
	for at, t := range r.parts.came {
		if len(r.parts.open[at]) == 0 {
			r.parts.open[at] = []part{{table: t, came: true}}
		}
	}
	kinds := map[string]bool{}
	for at, ps := range r.parts.open {
		if t := ps[0].table; t.Delete.Short == 0 {
			kinds[t.Delete.Kind] = true
			continue
		}
		k, _ := fhir.ParseKey(at)
		if err := r.untieFrom(ctx, k); err != nil {
			return err
		}
	}
	for kind := range kinds {
		first := r.Mapper.KeyOf(practice.SourceKey{System: r.Site.System, Kind: kind, Key: "-"})
		for _, typ := range []string{first.Type, otherwise[kind]} {
			if typ == "" {
				continue
			}
			var found []fhir.Key
			err := r.Gate.View(ctx, fhir.Act{Interaction: fhir.SearchType, Type: typ}, func(in fhir.Reader) error {
				found = found[:0]
				for res, err := range fhir.Matches(ctx, in, fhir.Query{Type: typ, Count: pageOf}) {
					if err != nil {
						return err
					}
					if slices.ContainsFunc(detailsOf(res), func(at string) bool { return len(r.in(res, at)) > 0 }) {
						found = append(found, res.Key)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			for _, k := range found {
				if err := r.untieFrom(ctx, k); err != nil {
					return err
				}
			}
		}
	}
	for at, ps := range r.parts.open {
		o := Unchanged // what they put somewhere is not there any more
		if r.parts.done[at] {
			o = Removed
		}
		for _, p := range ps {
			if !p.came { // that was told where it went
				r.ended(p.row.Place, o)
			}
		}
	}
	return nil
}

// lists are the lists of resources that stand for those of records.
var lists = map[string][]string{"practitioners": {"participant"}, "referrals": {"referralRequest"}}

// untieFrom takes out of one resource what the rows say, or retracts its record
// where that rests on one of them.
func (r *run) untieFrom(ctx context.Context, k fhir.Key) error {
	var done effects
	var from *origin
	var taken []string
	err := r.Gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
		done, from, taken = effects{}, &origin{}, nil
		res, err := tx.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}).Read(ctx, k)
		if absent(err) {
			return nil
		}
		if err != nil {
			return err
		}
		var next fhir.Resource
		var whole string
		if next, whole, taken, err = r.untied(res); err != nil {
			return err
		}
		if whole != "" {
			gone, err := r.retract(ctx, tx, site.Ref{Kind: whole, Key: r.keyIn(res, whole)}, &done)
			for _, g := range gone {
				from.target(g.Key)
			}
			if err != nil {
				return err
			}
			return from.put(ctx, tx, r)
		}
		w, err := tx.As(fhir.Act{Interaction: fhir.Update, Type: k.Type, ID: k.ID}).Put(ctx, next, fhir.Condition{SkipUnchanged: true})
		if err != nil || w.Effect == fhir.Unchanged {
			return err
		}
		done.derived = append(done.derived, w)
		from.target(k)
		if err := r.follow(ctx, tx, w, &done); err != nil {
			return err
		}
		return from.put(ctx, tx, r)
	})
	if err != nil {
		return err
	}
	if !from.key.IsZero() {
		r.sum.Provenance = append(r.sum.Provenance, from.key)
	}
	r.counted(done)
	for _, at := range taken {
		r.parts.done[at] = true
	}
	return nil
}

// untied returns a resource without what the parts take out of it, and which parts
// these are. whole is the kind of the record that goes with one of them altogether.
func (r *run) untied(res fhir.Resource) (next fhir.Resource, whole string, taken []string, err error) {
	next = res
	if len(r.parts.open) == 0 {
		return next, "", nil, nil
	}
	for _, at := range append(detailsOf(res), res.Key.String()) {
		ps := r.in(res, at)
		if len(ps) == 0 {
			continue
		}
		taken = append(taken, at)
		if d := ps[0].table.Delete; d.Field == "" {
			return next, d.Kind, taken, nil
		}
		if next, err = r.without(next, ps, at); err != nil {
			return next, "", nil, err
		}
	}
	return next, "", taken, nil
}

// keyIn reads the business key that a resource bears.
func (r *run) keyIn(res fhir.Resource, kind string) string {
	system := mapping.IdentifierSystem(r.Site.System, kind)
	ids := res.Root().Get("identifier")
	if ids.Kind() == fhir.Obj && ids.Get("system").Text() == system {
		return ids.Get("value").Text()
	}
	for id := range ids.Elements() {
		if id.Get("system").Text() == system {
			return id.Get("value").Text()
		}
	}
	return ""
}

// without returns a resource without the elements that rows put there, and without
// the details that say so. Where a detail names the row, the n-th of them belongs to
// the n-th practitioner: both were written in one order.
func (r *run) without(res fhir.Resource, ps []part, at string) (fhir.Resource, error) {
	d := ps[0].table.Delete
	drop := map[int]bool{} // starts of nodes
	start := func(n fhir.Node) int { _, s, _ := n.Span(); return s }
	for _, name := range lists[d.Field] {
		list := res.Root().Get(name)
		if d.Short > 0 {
			for _, p := range ps {
				meant, one := r.elementOf(p.table, p.row)
				told, err := r.told(p)
				if err != nil {
					return res, err
				}
				for e := range list.Elements() {
					if to, ok := e.Ref(); one && ok && to == meant || !one && !told[to] {
						drop[start(e)] = true
					}
				}
			}
			continue
		}
		n, i := -1, 0
		for e := range res.Root().Get("extension").Elements() {
			if key, ok := detailOf(e); ok && key == at {
				n, drop[start(e)] = i, true
			}
			if key, ok := detailOf(e); ok && strings.HasPrefix(key, detailKey(d.System, d.Code, "")) {
				i++
			}
		}
		i = 0
		for e := range list.Elements() {
			to, ok := e.Get("individual").Ref()
			if !ok {
				to, ok = e.Get("actor").Ref()
			}
			if !ok || to.Type != "Practitioner" {
				continue
			}
			if i == n {
				drop[start(e)] = true
			}
			i++
		}
	}
	return pruned(res, drop)
}

// elementOf returns what the reference of a row leads to; false where it names none.
func (r *run) elementOf(t *site.Table, row site.Row) (fhir.Key, bool) {
	ref, ok := t.Element(row)
	return r.Mapper.KeyOf(practice.SourceKey{System: r.Site.System, Kind: ref.Kind, Key: ref.Key}), ok
}

// told returns what rows of this upload put into the list of the record that a part
// names: a part that names the record alone takes back what was there before them.
func (r *run) told(p part) (map[fhir.Key]bool, error) {
	target, _ := p.table.Target(p.row.Values)
	out := map[fhir.Key]bool{}
	h := r.held[p.table.Name]
	if h == nil {
		return out, nil
	}
	for _, g := range h.by {
		for _, n := range g.under(markOf("", target)) {
			row, err := h.row(n)
			if err != nil {
				return nil, err
			}
			if of, _ := p.table.Target(row.Values); of != target {
				continue
			}
			if k, ok := r.elementOf(p.table, row); ok {
				out[k] = true
			}
		}
	}
	return out, nil
}

// pruned rebuilds a resource without elements of its lists; an empty list is none.
func pruned(res fhir.Resource, drop map[int]bool) (fhir.Resource, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for name, n := range res.Root().Members() {
		raw := n.Raw()
		if n.Kind() == fhir.Arr {
			var keep [][]byte
			for e := range n.Elements() {
				if _, s, _ := e.Span(); !drop[s] {
					keep = append(keep, e.Raw())
				}
			}
			if len(keep) == 0 {
				continue
			}
			if len(keep) < n.Len() {
				raw = slices.Concat([]byte{'['}, bytes.Join(keep, []byte{','}), []byte{']'})
			}
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(fhir.AppendQuote(nil, name))
		b.WriteByte(':')
		b.Write(raw)
	}
	b.WriteByte('}')
	return fhir.Parse(b.Bytes())
}
