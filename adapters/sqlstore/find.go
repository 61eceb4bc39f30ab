package sqlstore

import (
	"context"
	"maps"
	"slices"

	"rapport/fhir"
	"rapport/fhir/store"
)

// Find implements store.Reader.
func (r *reader) Find(ctx context.Context, s fhir.Sight, q fhir.Query) (p store.Page, err error) {
	sel, err := r.selection(ctx, s, q)
	if err != nil {
		return p, err
	}
	if q.Total {
		n, err := sel.count()
		if err != nil {
			return p, err
		}
		p.Total = &n
	}
	if q.Count == 0 || sel.where == no {
		return p, nil
	}
	rids, next, err := sel.page(q)
	if err != nil {
		return p, err
	}
	p.Next = next
	matches, err := r.byRid(ctx, rids)
	if err != nil {
		return p, err
	}
	hs, err := r.heads(ctx, matches)
	if err != nil {
		return p, err
	}
	p.Found = make([]store.Found, len(hs))
	for i, h := range hs {
		p.Found[i] = store.Found{Head: h, Mode: fhir.Match}
	}
	more, err := r.included(ctx, s, q, rids)
	if err != nil {
		return p, err
	}
	for _, h := range more {
		p.Found = append(p.Found, store.Found{Head: h, Mode: fhir.Included})
	}
	return p, nil
}

// selection is a query's conditions in SQL.
type selection struct {
	*builder
	from, where string
	rid         string // the expression for a match's number
}

// rank orders conditions by how few they are likely to hold for; the first leads.
func rank(c fhir.Clause) int {
	one := len(c.Any) == 1
	switch {
	case c.Chain != nil, c.Has != nil:
		return 3
	case c.Modifier == fhir.IsMissing, c.Modifier == fhir.Not:
		return none
	case c.Kind == fhir.Special && c.Param == "_id":
		return 0
	case c.Kind == fhir.Token && c.Param == "identifier":
		return 1
	case c.Kind == fhir.Reference && one:
		return 2
	case c.Kind == fhir.String && c.Modifier != fhir.Contains, c.Kind == fhir.URI:
		return 4
	case c.Kind == fhir.Reference:
		return 5
	case c.Kind == fhir.Token:
		return 6
	case c.Kind == fhir.Date:
		return 7
	}
	return none
}

// strong is the rank up to which a condition holds for fewer than a caseload has.
const (
	strong = 3
	none   = 99
)

func (r *reader) selection(ctx context.Context, s fhir.Sight, q fhir.Query) (*selection, error) {
	b := r.builder(ctx, s)
	seen, err := b.admitted("r", q.Type, !strongly(q.Where))
	if err != nil {
		return nil, err
	}
	sel := &selection{builder: b, where: no}
	// Also where nothing is seen: what is not served is refused to everybody.
	if sel.from, sel.where, sel.rid, err = b.led("r", q.Type, q.Where); err != nil {
		return nil, err
	}
	if seen == no || sel.where == no {
		sel.where = no
	} else {
		sel.where += " AND " + seen
	}
	return sel, nil
}

// leader is the condition with the lowest rank, -1 if none can lead.
func leader(cs []fhir.Clause) (lead, best int) {
	lead, best = -1, none
	for i, c := range cs {
		if n := rank(c); n < best {
			lead, best = i, n
		}
	}
	return lead, best
}

// strongly reports whether conditions leave only few rows to be judged.
func strongly(cs []fhir.Clause) bool {
	_, best := leader(cs)
	return best <= strong
}

// leads reports whether the index rows that a condition finds are one a resource.
func leads(c fhir.Clause) bool {
	if len(c.Any) != 1 || c.Modifier != fhir.NoModifier || c.Chain != nil || c.Has != nil {
		return false
	}
	o := c.Any[0]
	return c.Kind == fhir.Token && o.HasSystem && (o.Code != "" || o.System == "") ||
		c.Kind == fhir.Reference && o.URL == "" && o.Ref.Type != ""
}

func (sel *selection) count() (n int, err error) {
	if sel.where == no {
		return 0, nil
	}
	q, args := sel.finish("SELECT count(*) FROM " + sel.from + " WHERE " + sel.where)
	_, err = one(sel.ctx, sel.r, q, args, &n)
	return n, err
}

// statement is the SQL of a page's matches: their numbers, and what they sort by.
func (sel *selection) statement(q fhir.Query) (sql string, args []any, err error) {
	keys := make([]string, len(q.Sort))
	columns := sel.rid + " AS rid"
	for i, o := range q.Sort {
		key, err := sel.sortKey("r", o)
		if err != nil {
			return "", nil, err
		}
		keys[i] = "k" + itoa(i)
		columns += ", " + key + " AS " + keys[i]
	}
	var after cursor
	if q.After != "" {
		if after, err = parseCursor(q.After, len(keys)); err != nil {
			return "", nil, err
		}
	}
	limit := sel.arg(q.Count + 1)
	sql = "SELECT " + columns + " FROM " + sel.from + " WHERE " + sel.where
	if len(keys) == 0 {
		if q.After != "" {
			sql += " AND " + sel.rid + " > " + sel.arg(after.Rid)
		}
		sql += " ORDER BY " + sel.rid
	} else {
		sql = "SELECT * FROM (" + sql + ") q"
		if q.After != "" {
			sql += " WHERE " + sel.behind(keys, q.Sort, "rid", after)
		}
		sql += " ORDER BY " + orderBy(keys, q.Sort, "rid")
	}
	sql, args = sel.finish(sql + " LIMIT " + limit)
	return sql, args, nil
}

// page reads the numbers of a page's matches, and the cursor of the next page.
func (sel *selection) page(q fhir.Query) (rids []int64, next string, err error) {
	sql, args, err := sel.statement(q)
	if err != nil {
		return nil, "", err
	}
	last := cursor{Keys: make([]value, len(q.Sort))}
	into := []any{&last.Rid}
	for i := range last.Keys {
		into = append(into, &last.Keys[i])
	}
	more := false
	err = all(sel.ctx, sel.r, sql, args, func(w row) error {
		if len(rids) == q.Count {
			more = true
			return nil
		}
		if err := w.scan(into...); err != nil {
			return err
		}
		rids = append(rids, last.Rid)
		return nil
	})
	if more {
		next = last.String()
	}
	return rids, next, err
}

// byRid reads current rows in the order of their numbers given.
func (r *reader) byRid(ctx context.Context, rids []int64) ([]version, error) {
	args := make([][]any, len(rids))
	for i, n := range rids {
		args[i] = []any{r.t.id, n}
	}
	vs := make([]version, 0, len(rids))
	err := r.each(ctx, `SELECT `+headColumns+` FROM res r WHERE r.tenant = $1 AND r.rid = $2`, args, func(_ int, w row) error {
		var v version
		err := w.scan(v.columns()...)
		vs = append(vs, v)
		return err
	})
	return vs, err
}

// included returns what matches refer to or are referred to by, each once, without
// the matches themselves: what s admits of it.
func (r *reader) included(ctx context.Context, s fhir.Sight, q fhir.Query, matches []int64) ([]store.Head, error) {
	if len(matches) == 0 || len(q.Include)+len(q.RevInclude) == 0 {
		return nil, nil
	}
	b := r.builder(ctx, s)
	wanted := map[int64][]int64{} // of which types a number may be, by number
	collect := func(typ int64, sql string) error {
		sql, args := b.finish(sql)
		return all(ctx, r, sql, args, func(w row) error {
			var n int64
			err := w.scan(&n)
			if !slices.Contains(wanted[n], typ) {
				wanted[n] = append(wanted[n], typ)
			}
			return err
		})
	}
	for _, inc := range q.Include {
		if inc.Source != q.Type {
			continue
		}
		ns, err := b.termsOf(inc.Param, inc.Target)
		if err != nil {
			return nil, err
		}
		if err := collect(ns[1], "SELECT f.target FROM ix_ref f WHERE f.tenant = "+ofTenant+" AND "+b.in("f.rid", matches)+
			" AND f.param = "+b.arg(ns[0])+" AND f.target <> 0"); err != nil {
			return nil, err
		}
	}
	for _, inc := range q.RevInclude {
		if inc.Target != "" && inc.Target != q.Type {
			continue
		}
		ns, err := b.termsOf(inc.Param, inc.Source)
		if err != nil {
			return nil, err
		}
		if err := collect(ns[1], "SELECT f.rid FROM ix_ref f WHERE f.tenant = "+ofTenant+" AND f.type = "+b.arg(ns[1])+
			" AND f.param = "+b.arg(ns[0])+" AND "+b.in("f.target", matches)); err != nil {
			return nil, err
		}
	}
	for _, n := range matches {
		delete(wanted, n)
	}
	vs, err := r.byRid(ctx, slices.Sorted(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	// The number of no type at all is 0.
	vs = slices.DeleteFunc(vs, func(v version) bool {
		return v.state != there || !slices.Contains(wanted[v.rid], v.typ) && !slices.Contains(wanted[v.rid], 0)
	})
	hs, err := r.heads(ctx, vs)
	if err != nil {
		return nil, err
	}
	admits, err := r.judge(ctx, s, hs)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(hs, func(h store.Head) bool { return !admits(h) }), nil
}
