package token

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/policy"
	"rapport/policy/keyring"
)

// realm is one issuer, ready for use.
type realm struct {
	Issuer
	keys    *KeySource
	clients map[string]clientRule
}

type clientRule struct {
	Client
	grants  []grant
	ceiling []policy.Scope
}

// check holds a token against the issuer's rules, all but its signature.
func (r *realm) check(c *compact, now time.Time) error {
	if c.jku != "" {
		return BadHeader
	}
	if !slices.Contains(r.Algorithms, c.alg) {
		return BadAlgorithm
	}
	if !slices.ContainsFunc(r.HeaderTypes, func(t string) bool { return strings.EqualFold(t, c.typ) }) {
		return WrongType
	}
	switch typ, there := c.claims["typ"]; {
	case len(r.PayloadTypes) > 0:
		if s, ok := typ.(string); !ok || !slices.Contains(r.PayloadTypes, s) {
			if s == "DPoP" {
				return Bound
			}
			return WrongType
		}
	case there:
		return WrongType
	}
	if _, there := c.claims["cnf"]; there {
		return Bound // as a bearer token it would be worth what its binding forbids
	}
	// ID tokens, logout tokens, delegation: not what a bearer of an access token holds.
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash", "events", "act", "may_act"} {
		if _, there := c.claims[name]; there {
			return WrongType
		}
	}
	if use, there := c.claims["token_use"]; there && use != "access" { // Amazon Cognito
		return WrongType
	}
	if c.exp == 0 || c.iat == 0 || c.jti == "" && !r.NoJTI {
		return MissingClaim
	}
	if !slices.ContainsFunc(c.aud, func(a string) bool { return slices.Contains(r.Audiences, a) }) {
		return WrongAudience
	}
	skew := int64(r.Skew / time.Second)
	switch t := now.Unix(); {
	case t >= c.exp+skew:
		return Expired
	case c.iat > t+skew, c.nbf > t+skew:
		return NotYet
	case c.exp <= c.iat:
		return BadClaim
	case c.exp-c.iat > int64(r.MaxLifetime/time.Second):
		return LivesTooLong
	}
	return nil
}

// principal turns verified claims into a Principal.
func (v *Verifier) principal(ctx context.Context, r *realm, c *compact) (policy.Principal, error) {
	p := policy.Principal{Issuer: c.iss, Subject: c.sub, Expires: time.Unix(c.exp, 0).UTC()}
	client, id, ok := r.client(c)
	if !ok {
		return p, UnknownClient
	}
	p.Client = id
	const itself = "client/" // in front of the id of a client that has no sub
	switch {
	case c.sub == "" && client.NoSub:
		p.Subject = itself + id
	case c.sub == "":
		return p, MissingClaim
	case strings.HasPrefix(c.sub, itself):
		return p, BadClaim
	}
	if p.Tenant, ok = r.tenant(c, client); !ok || !v.tenant(p.Tenant) {
		return p, NoTenant
	}
	if p.Role, ok = r.role(c, client); !ok {
		return p, NoRole
	}
	scopes, ok := r.scopes(c, v.known)
	if !ok {
		return p, TooManyScopes
	}
	p.Scopes = Intersect(scopes, client.ceiling)
	unique := c.jti
	if unique == "" {
		unique = c.raw
	}
	hash := v.ring.Hash(p.Tenant, keyring.TokenHash, c.iss, unique)
	p.TokenID = hex.EncodeToString(hash[:16])
	if err := v.people(ctx, r, c, &p); err != nil {
		return p, err
	}
	return p, v.owed(ctx, r, client, &p)
}

// client returns the registered client that the token was issued to. Two claims
// that differ name nobody.
func (r *realm) client(c *compact) (clientRule, string, bool) {
	names := []string{"client_id", "azp"}
	if r.ClientClaim != "" {
		names = []string{r.ClientClaim}
	}
	id := ""
	for _, n := range names {
		v, there := c.claims.at(n)
		if !there {
			continue
		}
		s, ok := v.(string)
		if !ok || id != "" && s != id {
			return clientRule{}, "", false
		}
		id = s
	}
	rule, ok := r.clients[id]
	return rule, id, ok
}

func (r *realm) tenant(c *compact, client clientRule) (string, bool) {
	t := r.Tenant.Fixed
	if r.Tenant.Claim != "" {
		if v, there := c.claims.at(r.Tenant.Claim); there {
			list, ok := textOrTexts(v)
			if !ok || len(list) != 1 {
				return "", false
			}
			if t = list[0]; len(r.Tenant.Map) > 0 {
				if t = r.Tenant.Map[list[0]]; t == "" {
					return "", false
				}
			}
		}
	}
	if client.Tenant != "" {
		return client.Tenant, t == "" || t == client.Tenant
	}
	return t, t != "" && tenantForm.MatchString(t)
}

func (r *realm) role(c *compact, client clientRule) (policy.Role, bool) {
	if client.Role != "" {
		return client.Role, true
	}
	v, there := c.claims.at(r.Role.Claim)
	list, ok := textOrTexts(v)
	if !there || !ok {
		return "", false
	}
	var have []policy.Role
	for _, s := range list {
		if role := r.Role.Map[s]; role != "" && !slices.Contains(have, role) {
			have = append(have, role)
		}
	}
	if len(have) == 1 {
		return have[0], true
	}
	for _, role := range r.Role.Precedence {
		if slices.Contains(have, role) {
			return role, true
		}
	}
	return "", false
}

func (r *realm) scopes(c *compact, known Known) ([]policy.Scope, bool) {
	var all []string
	for _, name := range r.ScopeClaims {
		v, there := c.claims.at(name)
		if !there {
			continue
		}
		if v == "" { // none were granted
			continue
		}
		list, ok := textOrTexts(v)
		if !ok {
			return nil, false
		}
		all = append(all, list...)
	}
	return parseScopes(all, known)
}

// people finds the user and the patient in context among our own resources. A
// therapist and a patient are nobody without being found; others may do without. A
// patient claim that leads nowhere refuses the token; without one, patient/ scopes
// cover nothing and are dropped.
func (v *Verifier) people(ctx context.Context, r *realm, c *compact, p *policy.Principal) error {
	var err error
	if p.User, err = v.person(ctx, r.User, c, p.Tenant, ""); err != nil {
		return err
	}
	staff := p.User.Type == "Practitioner" || p.User.Type == "PractitionerRole"
	switch p.Role {
	case policy.Therapist:
		if !staff {
			return NoUser
		}
	case policy.Patient:
		if p.User.IsZero() || staff {
			return NoUser
		}
	default:
		if !p.User.IsZero() && !staff {
			return NoUser // a client of the practice is no member of its staff
		}
	}
	if p.Patient, err = v.person(ctx, r.Patient, c, p.Tenant, "Patient"); err != nil {
		return err
	}
	if p.Patient.IsZero() {
		if _, there := c.claims.at(r.Patient.Claim); there && r.Patient.Claim != "" {
			return NoUser
		}
		p.Scopes = slices.DeleteFunc(p.Scopes, func(s policy.Scope) bool { return s.Context == "patient" })
	}
	if p.Role == policy.Patient && p.User.Type == "Patient" && !p.Patient.IsZero() && p.Patient != p.User {
		return NoUser
	}
	return nil
}

// person reads a claim that names somebody: the zero Key if it is not there or nobody
// is found, [BadClaim] if it cannot be read. bare is the type of an id without one.
func (v *Verifier) person(ctx context.Context, u User, c *compact, tenant, bare string) (fhir.Key, error) {
	if u.Claim == "" {
		return fhir.Key{}, nil
	}
	value, there := c.claims.at(u.Claim)
	if !there {
		return fhir.Key{}, nil
	}
	s, ok := value.(string)
	if !ok || !validText(s, 512) {
		return fhir.Key{}, BadClaim
	}
	if u.Type != "" {
		return v.lookUp(ctx, tenant, Person{u.Type, u.Systems[u.Type], s})
	}
	if u.Base != "" {
		s = strings.TrimPrefix(s, u.Base+"/")
	}
	if bare != "" && !strings.Contains(s, "/") {
		s = bare + "/" + s
	}
	k, ok := fhir.ParseKey(s)
	if !ok || bare != "" && k.Type != bare || !slices.Contains(people, k.Type) {
		return fhir.Key{}, BadClaim
	}
	if u.Own {
		return k, nil
	}
	system := u.Systems[k.Type]
	if system == "" {
		return fhir.Key{}, nil // a kind of person that this issuer does not speak for
	}
	return v.lookUp(ctx, tenant, Person{k.Type, system, k.ID})
}

// lookUp returns the zero Key for nobody, and for several: which is meant cannot be told.
func (v *Verifier) lookUp(ctx context.Context, tenant string, p Person) (fhir.Key, error) {
	if v.resolver == nil {
		return fhir.Key{}, nil
	}
	k, err := v.resolver.Resolve(ctx, tenant, p)
	switch {
	case err == nil && k.Type == p.Type:
		return k, nil
	case err == nil, fhir.Is(err, fhir.NotFound), fhir.Is(err, fhir.Multiple), fhir.Is(err, fhir.Deleted):
		return fhir.Key{}, nil
	}
	return fhir.Key{}, &lookupError{err}
}

// lookupError is a failure that says nothing about the token.
type lookupError struct{ error }

func (e *lookupError) Unwrap() error { return e.error }
