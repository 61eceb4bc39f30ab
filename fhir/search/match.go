package search

import (
	"net/url"

	"rapport/fhir"
)

// Narrow makes clauses of the parameters of a granular scope. It refuses what
// [Engine.Match] cannot say of one resource by itself (chains, _has) and what
// shapes a result rather than narrows it.
func (e *Engine) Narrow(typ string, vs url.Values) ([]fhir.Clause, error) {
	p := parser{engine: e, typ: typ}
	if err := p.read(vs); err != nil {
		return nil, err
	}
	if len(p.q.Where) != len(p.kept) {
		return nil, fhir.Errorf(fhir.NotSupported, "", "A scope for %s is narrowed by search parameters alone.", typ)
	}
	for _, c := range p.q.Where {
		if c.Chain != nil || c.Has != nil {
			return nil, fhir.Errorf(fhir.NotSupported, "", "A scope for %s cannot be narrowed by other resources.", typ)
		}
	}
	return p.q.Where, nil
}

// Match reports whether r, whose index ix is, meets all clauses. What asks about
// other resources is not met.
func (e *Engine) Match(all []fhir.Clause, r fhir.Resource, ix []fhir.Index) bool {
	h := fhir.Head{Key: r.Key, Version: r.Version, Updated: r.Updated}
	for _, c := range all {
		if !c.Meets(h, ix) {
			return false
		}
	}
	return true
}
