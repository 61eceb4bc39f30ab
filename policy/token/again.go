package token

import (
	"context"
	"time"

	"rapport/fhir"
	"rapport/policy"
)

// Again returns a principal for work that it started and that runs apart from any
// token, as configuration has it now: never more than the token allowed, and less where
// the client's ceiling, grants or purpose changed. [fhir.Forbidden] when the client is
// not configured any more, or for another role or tenant; [fhir.Transient] when its
// grants cannot be looked up. A user's role, which only a token tells, stays as it was.
func (v *Verifier) Again(ctx context.Context, p policy.Principal) (policy.Principal, error) {
	gone := &fhir.Error{Code: fhir.Forbidden, Detail: "The client that started this may not do it any more. Ask the practice."}
	r, ok := v.realms[p.Issuer]
	if !ok {
		return policy.Principal{}, gone
	}
	c, ok := r.clients[p.Client]
	if !ok || !v.tenant(p.Tenant) || c.Tenant != "" && c.Tenant != p.Tenant || r.Tenant.Fixed != "" && r.Tenant.Fixed != p.Tenant || c.Role != "" && c.Role != p.Role {
		return policy.Principal{}, gone
	}
	p.Scopes, p.Expires = Intersect(p.Scopes, c.ceiling), time.Time{}
	if err := v.owed(ctx, r, c, &p); err != nil {
		return policy.Principal{}, &fhir.Error{Code: fhir.Transient, Detail: "What the client is granted cannot be looked up now.", Err: err}
	}
	return p, nil
}

// owed sets what a client has by configuration, whatever its token says.
func (v *Verifier) owed(ctx context.Context, r *realm, c clientRule, p *policy.Principal) error {
	p.Basis = c.Basis
	if p.Purpose = c.Purpose; p.Purpose == "" {
		p.Purpose = r.Purpose
	}
	p.Grants = nil
	for _, g := range c.grants {
		k, err := g.key, error(nil)
		if k.IsZero() {
			if k, err = v.lookUp(ctx, p.Tenant, g.find); err != nil {
				return err
			}
		}
		if !k.IsZero() { // one that is not there yet grants nothing
			p.Grants = append(p.Grants, k)
		}
	}
	return nil
}
