package policy

import (
	"slices"

	"rapport/fhir"
)

// letter is one of SMART's c, r, u, d, s, or what an export takes of them.
type letter byte

const (
	mayCreate letter = 'c'
	mayRead   letter = 'r'
	mayUpdate letter = 'u'
	mayDelete letter = 'd'
	maySearch letter = 's'
	mayExport letter = 'e'
)

func (s Scope) has(l letter) bool {
	switch l {
	case mayCreate:
		return s.Create
	case mayRead:
		return s.Read
	case mayUpdate:
		return s.Update
	case mayDelete:
		return s.Delete
	case maySearch:
		return s.Search
	case mayExport:
		// Only a system scope covers files for which no person asks, and one that narrows
		// covers none (attack case A46).
		return s.Context == "system" && s.Read && s.Search && len(s.Where) == 0
	}
	return false
}

// ceiling is what the scopes of a token leave of one type for one letter. The
// zero ceiling leaves nothing.
type ceiling struct {
	some     bool
	confined bool      // to the patient in context
	where    [][]Param // to what one of these finds; none: not narrowed
}

// ceiling joins the scopes: each one adds what it covers. A patient/ scope covers
// nothing without a patient in context, whatever else the token says (attack case
// A6). Where a user/ or system/ scope stands beside patient/ scopes, those are left
// out: less than was granted at worst, never more.
func (p Principal) ceiling(typ string, l letter) ceiling {
	var open, confined [][]Param
	for _, s := range p.Scopes {
		if s.Type != "*" && s.Type != typ || !s.has(l) {
			continue
		}
		switch s.Context {
		case "user", "system":
			open = append(open, s.Where)
		case "patient":
			if p.Patient.Type == "Patient" && p.Patient.ID != "" {
				confined = append(confined, s.Where)
			}
		}
	}
	c := ceiling{some: true, where: open}
	switch {
	case len(open) > 0:
	case len(confined) > 0:
		c.confined, c.where = true, confined
	default:
		return ceiling{}
	}
	if slices.ContainsFunc(c.where, func(w []Param) bool { return len(w) == 0 }) {
		c.where = nil
	}
	return c
}

// narrowing returns the clauses of a ceiling's alternatives, nil when it narrows
// nothing.
func (g *Guard) narrowing(typ string, c ceiling) ([][]fhir.Clause, error) {
	if len(c.where) == 0 {
		return nil, nil
	}
	if g.Narrow == nil || g.Match == nil {
		return nil, forbidden()
	}
	out := make([][]fhir.Clause, 0, len(c.where))
	for _, ps := range c.where {
		cs, err := g.Narrow(typ, ps)
		if err != nil || len(cs) == 0 {
			return nil, forbidden() // a scope that cannot be understood allows nothing
		}
		out = append(out, cs)
	}
	return out, nil
}

// narrowed adds a narrowing to a query. Alternatives must be about the same
// parameter: a query cannot say «or» otherwise.
func narrowed(q fhir.Query, alternatives [][]fhir.Clause) (fhir.Query, error) {
	switch len(alternatives) {
	case 0:
		return q, nil
	case 1:
		q.Where = slices.Concat(q.Where, alternatives[0])
		return q, nil
	}
	one := alternatives[0][0]
	one.Any = slices.Clone(one.Any)
	for i, a := range alternatives {
		c := a[0]
		if len(a) != 1 || c.Chain != nil || c.Has != nil || c.Param != one.Param || c.Kind != one.Kind || c.Modifier != fhir.NoModifier || one.Modifier != fhir.NoModifier {
			return q, &fhir.Error{Code: fhir.NotSupported, Detail: "The token's scopes narrow this type in several ways that one search cannot join. Read resources by id, or ask for a token with one of them."}
		}
		if i > 0 {
			one.Any = append(one.Any, c.Any...)
		}
	}
	q.Where = append(slices.Clone(q.Where), one)
	return q, nil
}

// within reports whether a resource is in one of the alternatives.
func (g *Guard) within(r fhir.Resource, alternatives [][]fhir.Clause) (bool, error) {
	if len(alternatives) == 0 {
		return true, nil
	}
	ix, err := g.factor.index(r)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(alternatives, func(cs []fhir.Clause) bool { return g.Match(cs, r, ix) }), nil
}
