package sqlstore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
)

// builder makes the SQL of one question.
type builder struct {
	r     *reader
	ctx   context.Context
	s     fhir.Sight
	args  []any
	n     int                  // aliases given out
	rules map[string][]ruleSet // by type
}

func (r *reader) builder(ctx context.Context, s fhir.Sight) *builder {
	return &builder{r: r, ctx: ctx, s: s, args: []any{r.t.id}}
}

// tenant is the argument that leads every key.
const ofTenant = "$1"

const (
	yes = "1 = 1"
	no  = "1 = 0"
)

func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "$" + itoa(len(b.args))
}

// in is the condition that x is one of a set.
func (b *builder) in(x string, set numbers) string {
	switch len(set) {
	case 0:
		return no
	case 1:
		return x + " = " + b.arg(set[0])
	}
	b.args = append(b.args, set)
	return x + " IN $$" + itoa(len(b.args))
}

func (b *builder) inTexts(x string, set texts) string {
	switch len(set) {
	case 0:
		return no
	case 1:
		return x + " = " + b.arg(set[0])
	}
	b.args = append(b.args, set)
	return x + " IN $$" + itoa(len(b.args))
}

func (b *builder) alias(letter string) string {
	b.n++
	return letter + itoa(b.n)
}

// term returns the number of a text, -1, which nothing has, if it has none.
func (b *builder) term(text string) (int64, error) {
	m, err := b.r.find(b.ctx, text)
	if err != nil {
		return 0, err
	}
	if n, ok := m[text]; ok {
		return n, nil
	}
	return -1, nil
}

func (b *builder) terms(ts []string) (numbers, error) {
	m, err := b.r.find(b.ctx, ts...)
	if err != nil {
		return nil, err
	}
	var out numbers
	for _, n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// ruleSet is rules of one reach and the same actors and profiles.
type ruleSet struct {
	reach            fhir.Reach
	actors, profiles numbers
	classes          numbers
	// Once listed, and only for Related and Own: whom the rules hold for, if they are few.
	listed, few bool
	patients    numbers
}

// ruleSets joins the rules of a type and turns their texts and keys into numbers. What
// has none is nowhere in the store; a rule that admits nothing is left out.
func (b *builder) ruleSets(typ string) (gs []ruleSet, err error) {
	if gs, ok := b.rules[typ]; ok {
		return gs, nil
	}
	for _, r := range b.s.Of(typ).Rules() {
		g := ruleSet{reach: r.Reach}
		if g.classes, err = b.terms(asTexts(r.Classes)); err != nil {
			return nil, err
		}
		if g.profiles, err = b.terms(asTexts(r.Profiles)); err != nil {
			return nil, err
		}
		switch g.reach {
		case fhir.Loose:
			g.profiles = nil
		case fhir.Related, fhir.Own, fhir.Party:
			rids, err := b.r.rids(b.ctx, r.Actors...)
			if err != nil {
				return nil, err
			}
			g.actors = slices.Sorted(maps.Values(rids))
			if len(g.actors) == 0 {
				continue
			}
		case fhir.NoReach:
			continue
		}
		if len(g.classes) == 0 || len(g.profiles) == 0 && g.reach != fhir.Loose && g.reach != fhir.Party {
			continue
		}
		if i := slices.IndexFunc(gs, func(o ruleSet) bool {
			return o.reach == g.reach && slices.Equal(o.actors, g.actors) && slices.Equal(o.profiles, g.profiles)
		}); i >= 0 {
			gs[i].classes = append(gs[i].classes, g.classes...)
			continue
		}
		gs = append(gs, g)
	}
	for i := range gs {
		slices.Sort(gs[i].classes)
		gs[i].classes = slices.Compact(gs[i].classes)
	}
	if b.rules == nil {
		b.rules = map[string][]ruleSet{}
	}
	b.rules[typ] = gs
	return gs, nil
}

// maxCaseload is up to how many patients rules are answered by a list of them.
const maxCaseload = 1000

// list finds the patients whom rules of reach Related or Own hold for, if they are few:
// one query in place of look-ups for each row. It pays where there are many rows.
func (b *builder) list(g *ruleSet) error {
	if g.listed {
		return nil
	}
	g.listed = true
	l := &builder{r: b.r, ctx: b.ctx, s: b.s, args: []any{b.r.t.id}}
	var from, patient, tie string
	switch g.reach {
	case fhir.Related:
		patient, from = "t.patient", "relation t"
		tie = "t.tenant = " + ofTenant + " AND " + l.in("t.actor", g.actors) + " AND " + l.live("t")
	case fhir.Own:
		patient, from = "t.rid", "res t"
		tie = "t.tenant = " + ofTenant + " AND " + l.in("t.rid", g.actors)
	default:
		return nil
	}
	q, args := l.finish("SELECT DISTINCT " + patient + " FROM " + from + " LEFT JOIN patient p ON p.tenant = t.tenant AND p.rid = " + patient +
		" WHERE " + tie + " AND NOT " + expired("p", l.arg(fhir.Micros(b.s.At))) + " AND " + l.in(profile("p"), g.profiles) + " LIMIT " + l.arg(maxCaseload+1))
	err := all(b.ctx, b.r, q, args, func(w row) error {
		var n int64
		err := w.scan(&n)
		g.patients = append(g.patients, n)
		return err
	})
	if g.few = len(g.patients) <= maxCaseload; !g.few {
		g.patients = nil
	}
	slices.Sort(g.patients)
	return err
}

func asTexts[T ~string](ts []T) []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = string(t)
	}
	return out
}

// admitted is the condition that a row of res with alias of, of type typ, is admitted:
// fhir.Sight.Admits in SQL. many: it will be asked of more rows than a caseload has
// patients. Sets are arguments; what is asked of a row are look-ups by
// key in about, patient, relation and party.
func (b *builder) admitted(of, typ string, many bool) (string, error) {
	e := b.s.Of(typ)
	switch {
	case e.IsAll():
		return yes, nil
	case e.IsNone():
		return no, nil
	}
	gs, err := b.ruleSets(typ)
	if err != nil {
		return "", err
	}
	at := b.arg(fhir.Micros(b.s.At))
	exists := b.r.words().exists
	var any, each, single []string
	few := true // for the patients of a row it is enough to look into lists
	for i := range gs {
		if many {
			if err := b.list(&gs[i]); err != nil {
				return "", err
			}
		}
		g := gs[i]
		class := b.in(of+".class", g.classes)
		switch g.reach {
		case fhir.Loose:
			any = append(any, "("+of+".about = 0 AND "+class+")")
		case fhir.Party:
			x, a, p := b.alias("x"), b.alias("a"), b.alias("p")
			any = append(any, "("+class+" AND "+exists("SELECT 1 FROM party "+x+" WHERE "+x+".tenant = "+ofTenant+" AND "+x+".rid = "+of+".rid AND "+b.in(x+".actor", g.actors))+
				" AND NOT "+exists(patientsOf(of, a, p)+" AND ("+expired(p, at)+" OR NOT "+b.in(profile(p), g.profiles)+")")+")")
		case fhir.Anyone:
			few = false
			each = append(each, "("+class+" AND "+b.in(profile("p"), g.profiles)+")")
		case fhir.Related, fhir.Own:
			switch {
			case g.few && len(g.patients) > 0:
				each = append(each, "("+class+" AND "+b.in("a.patient", g.patients)+")")
				single = append(single, "("+class+" AND "+b.in(of+".patient", g.patients)+")")
			case !g.few && g.reach == fhir.Own:
				few = false
				each = append(each, "("+class+" AND "+b.in(profile("p"), g.profiles)+" AND "+b.in("a.patient", g.actors)+")")
			case !g.few:
				few = false
				each = append(each, "("+class+" AND "+b.in(profile("p"), g.profiles)+" AND "+b.related("a.patient", g.actors)+")")
			}
		}
	}
	switch {
	case len(each) > 0 && few:
		any = append(any, "("+of+".about = 1 AND ("+strings.Join(single, " OR ")+"))")
		any = append(any, "("+of+".about > 1 AND NOT "+exists("SELECT 1 FROM about a WHERE a.tenant = "+ofTenant+" AND a.rid = "+of+".rid AND NOT ("+strings.Join(each, " OR ")+")")+")")
	case len(each) > 0:
		any = append(any, "("+of+".about > 0 AND NOT "+exists(patientsOf(of, "a", "p")+" AND ("+expired("p", at)+" OR NOT ("+strings.Join(each, " OR ")+"))")+")")
	}
	if len(any) == 0 {
		return no, nil
	}
	return "(" + strings.Join(any, " OR ") + ")", nil
}

// patientsOf begins a query over the patients of a resource and what is known of them.
func patientsOf(of, a, p string) string {
	return "SELECT 1 FROM about " + a + " LEFT JOIN patient " + p + " ON " + p + ".tenant = " + a + ".tenant AND " + p + ".rid = " + a + ".patient WHERE " +
		a + ".tenant = " + ofTenant + " AND " + a + ".rid = " + of + ".rid"
}

func profile(p string) string { return "COALESCE(" + p + ".profile, 0)" }

// expired: a profile that must be computed anew admits nothing.
func expired(p, at string) string {
	return "(" + p + ".until IS NOT NULL AND " + p + ".until <= " + at + ")"
}

// related is the condition that a patient has a live relation with one of the actors.
func (b *builder) related(patient string, actors numbers) string {
	t := b.alias("t")
	return b.r.words().exists("SELECT 1 FROM relation " + t + " WHERE " + t + ".tenant = " + ofTenant + " AND " + t + ".patient = " + patient + " AND " +
		b.in(t+".actor", actors) + " AND " + b.live(t))
}

// live is the condition that the relation with alias t ties: fhir.Sight.Live in SQL.
func (b *builder) live(t string) string {
	e, from := b.alias("e"), b.arg(ceil(b.s.Since))
	return t + ".ended >= " + from + " AND (" + t + ".episode = 0 OR " + b.r.words().exists("SELECT 1 FROM relation "+e+" WHERE "+e+".tenant = "+ofTenant+
		" AND "+e+".patient = "+t+".patient AND "+e+".actor = "+t+".episode AND "+e+".ended >= "+from) + ")"
}

// ceil is the first microsecond that is not before t.
func ceil(t time.Time) int64 {
	us := fhir.Micros(t)
	if time.UnixMicro(us).Before(t) {
		us++
	}
	return us
}

// caseload is a query for the numbers of all resources of a type that can be admitted,
// where those are of few patients, or name the caller; "" where they may be anyone's.
// What it gives is judged as everything else.
func (b *builder) caseload(typ string) (string, error) {
	gs, err := b.ruleSets(typ)
	if err != nil || len(gs) == 0 {
		return "", err
	}
	var patients, parties numbers
	for i := range gs {
		if err := b.list(&gs[i]); err != nil {
			return "", err
		}
		g := gs[i]
		switch {
		case g.reach == fhir.Party:
			parties = append(parties, g.actors...)
		case !g.few:
			return "", nil
		default:
			patients = append(patients, g.patients...)
		}
	}
	n, err := b.term(typ)
	if err != nil {
		return "", err
	}
	of := b.arg(n)
	var parts []string
	if len(patients) > 0 {
		slices.Sort(patients)
		parts = append(parts, "SELECT a.rid FROM about a WHERE a.tenant = "+ofTenant+" AND "+b.in("a.patient", slices.Compact(patients))+" AND a.type = "+of)
	}
	if len(parties) > 0 {
		parts = append(parts, "SELECT x.rid FROM party x WHERE x.tenant = "+ofTenant+" AND "+b.in("x.actor", parties)+" AND x.type = "+of)
	}
	return strings.Join(parts, " UNION ALL "), nil
}
