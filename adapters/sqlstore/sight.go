package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
)

// builder makes the SQL of one question.
type builder struct {
	r    *reader
	ctx  context.Context
	s    fhir.Sight
	args []any
	n    int // aliases given out
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
	actors, profiles []int64
	classes          numbers
}

// ruleSets joins rules and turns their texts and keys into numbers. What has none is
// nowhere in the store; a rule of which nothing is left admits nothing.
func (b *builder) ruleSets(rules []fhir.Rule) (gs []ruleSet, err error) {
	for _, r := range rules {
		g := ruleSet{reach: r.Reach}
		if g.classes, err = b.terms(asTexts(r.Classes)); err != nil {
			return nil, err
		}
		if g.profiles, err = b.terms(asTexts(r.Profiles)); err != nil {
			return nil, err
		}
		if g.reach == fhir.Related || g.reach == fhir.Own || g.reach == fhir.Party {
			rids, err := b.r.rids(b.ctx, r.Actors...)
			if err != nil {
				return nil, err
			}
			for _, n := range rids {
				g.actors = append(g.actors, n)
			}
			slices.Sort(g.actors)
		}
		if i := slices.IndexFunc(gs, func(o ruleSet) bool {
			return o.reach == g.reach && slices.Equal(o.actors, g.actors) && (g.reach == fhir.Loose || slices.Equal(o.profiles, g.profiles))
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
	return gs, nil
}

func asTexts[T ~string](ts []T) []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = string(t)
	}
	return out
}

// admitted is the condition that a row of res with alias of, of type typ, is admitted:
// fhir.Sight.Admits in SQL. Sets are arguments; what is asked of a row are look-ups by
// key in about, patient, relation and party.
func (b *builder) admitted(of, typ string) (string, error) {
	e := b.s.Of(typ)
	switch {
	case e.IsAll():
		return yes, nil
	case e.IsNone():
		return no, nil
	}
	gs, err := b.ruleSets(e.Rules())
	if err != nil {
		return "", err
	}
	at := b.arg(fhir.Micros(b.s.At))
	exists := b.r.words().exists
	var any, each []string
	for _, g := range gs {
		if len(g.classes) == 0 {
			continue
		}
		class := b.in(of+".class", g.classes)
		switch g.reach {
		case fhir.Loose:
			any = append(any, "("+of+".about = 0 AND "+class+")")
			continue
		case fhir.Party:
			if len(g.actors) == 0 {
				continue
			}
			x, a, p := b.alias("x"), b.alias("a"), b.alias("p")
			any = append(any, "("+class+" AND "+exists("SELECT 1 FROM party "+x+" WHERE "+x+".tenant = "+ofTenant+" AND "+x+".rid = "+of+".rid AND "+b.in(x+".actor", g.actors))+
				" AND NOT "+exists(patientsOf(of, a, p)+" AND ("+expired(p, at)+" OR NOT "+b.in(profile(p), g.profiles)+")")+")")
			continue
		case fhir.Anyone, fhir.Related, fhir.Own:
			if len(g.profiles) == 0 || g.reach != fhir.Anyone && len(g.actors) == 0 {
				continue
			}
			rule := class + " AND " + b.in(profile("p"), g.profiles)
			switch g.reach {
			case fhir.Own:
				rule += " AND " + b.in("a.patient", g.actors)
			case fhir.Related:
				rule += " AND " + b.related("a.patient", g.actors)
			}
			each = append(each, "("+rule+")")
		}
	}
	if len(each) > 0 {
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
	t, e := b.alias("t"), b.alias("e")
	from := b.arg(ceil(b.s.Since))
	exists := b.r.words().exists
	lives := exists("SELECT 1 FROM relation " + e + " WHERE " + e + ".tenant = " + ofTenant + " AND " + e + ".patient = " + t + ".patient AND " + e + ".actor = " + t + ".episode AND " + e + ".ended >= " + from)
	return exists("SELECT 1 FROM relation " + t + " WHERE " + t + ".tenant = " + ofTenant + " AND " + t + ".patient = " + patient + " AND " +
		b.in(t+".actor", actors) + " AND " + t + ".ended >= " + from + " AND (" + t + ".episode = 0 OR " + lives + ")")
}

// ceil is the first microsecond that is not before t.
func ceil(t time.Time) int64 {
	us := fhir.Micros(t)
	if time.UnixMicro(us).Before(t) {
		us++
	}
	return us
}
