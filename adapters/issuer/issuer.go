package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rapport/fhir"
	"rapport/policy"
	"rapport/policy/keyring"
	"rapport/policy/token"
)

// Options are what an Issuer needs of the rest of the gateway.
type Options struct {
	Ring  *keyring.Ring
	Clock fhir.Clock
	IDs   fhir.NewIDs
	Known token.Known
	// Memos returns where a tenant's one-use ids are kept.
	Memos func(tenant string) (fhir.Memos, error)
	// Development allows [Issuer.Mint], and makes verifiers accept its tokens.
	Development bool
	Log         *slog.Logger // nil: none
}

// Issuer issues access tokens. It is safe for concurrent use.
type Issuer struct {
	Config
	opts    Options
	clients map[string]client
	signer  jose.Signer
	keys    []keyring.TokenKey // the first signs
}

type client struct {
	Client
	keys    *token.KeySource
	ceiling []policy.Scope
}

// New makes an Issuer. Key files of clients are read now; key addresses when they are
// needed.
func New(c Config, o Options) (*Issuer, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Issuer{Config: c, opts: o, clients: map[string]client{}, keys: o.Ring.TokenKeys(c.URL)}
	for id, cl := range c.Clients {
		set, err := cl.keySet()
		if err != nil {
			return nil, fmt.Errorf("issuer: clients.%s.jwksFile: %w", id, err)
		}
		keys, err := token.NewKeySource(cl.JWKSURL, set, o.Clock)
		if err != nil {
			return nil, fmt.Errorf("issuer: clients.%s.jwks: %w", id, err)
		}
		ceiling, err := token.ParseCeiling(cl.Scope, o.Known)
		if err != nil {
			return nil, fmt.Errorf("issuer: clients.%s.scope: %w", id, err)
		}
		s.clients[id] = client{cl, keys, ceiling}
	}
	var err error
	s.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.keys[0].Key, KeyID: s.keys[0].ID}},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return s, nil
}

// Trust returns how this process's verifier must see the issuer: the same clients, its
// keys without a request to itself.
func (s *Issuer) Trust() token.Issuer {
	i := s.trust(s.opts.Development)
	i.Source = func(context.Context) ([]byte, error) { return s.JWKS() }
	return i
}

// TokenURL is where clients ask for tokens, and the aud of their assertions.
func (s *Issuer) TokenURL() string { return s.URL + "/token" }

// JWKS returns the public keys that verify tokens still alive.
func (s *Issuer) JWKS() ([]byte, error) {
	overlap := time.Hour + TokenLife
	if s.opts.Development {
		overlap = time.Hour + maxMinted
	}
	var set jose.JSONWebKeySet
	for i, k := range s.keys {
		// Newest first behind the active one: each was replaced when the one in front was made.
		if i > 0 && s.opts.Clock().After(s.keys[i-1].Made.Add(overlap)) {
			continue
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Key.Public(), KeyID: k.ID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return json.Marshal(set)
}

// Grant is what a developer's token is to say.
type Grant struct {
	Tenant       string
	Role         policy.Role
	Client       string // a registered client, whose role, tenant and grants then hold; else the developer's
	Practitioner string // id of ours
	Patient      string // id of ours: the patient themself, or for other roles the one in context
	Scope        string // default by role
	TTL          time.Duration
}

// Mint issues a token without anybody having proved anything: for a developer who owns
// the instance. It is refused unless Options.Development is set. TTL is up to a day;
// default an hour, and five minutes for a client.
func (s *Issuer) Mint(_ context.Context, g Grant) (string, error) {
	if !s.opts.Development {
		return "", errors.New("issuer: tokens are minted on a development instance only; configure an issuer, or a client with a key")
	}
	c := claims{Subject: developer, Client: developer, Tenant: g.Tenant, Role: g.Role, Scope: g.Scope}
	life := g.TTL
	if g.Client != "" {
		cl, ok := s.clients[g.Client]
		if !ok {
			return "", fmt.Errorf("issuer: there is no client %q", g.Client)
		}
		c.Subject, c.Client, c.Tenant, c.Role = g.Client, g.Client, cl.Tenant, cl.Role
		if c.Scope == "" {
			c.Scope = cl.Scope
		}
		if life == 0 {
			life = TokenLife
		}
	}
	if life == 0 {
		life = time.Hour
	}
	if life < time.Second || life > maxMinted {
		return "", fmt.Errorf("issuer: a token lives a second to %v", maxMinted)
	}
	if s.trust(true).Role.Map[string(c.Role)] == "" {
		return "", fmt.Errorf("issuer: %q is no role", c.Role)
	}
	if c.Tenant == "" {
		return "", errors.New("issuer: say for which tenant")
	}
	for _, id := range []string{g.Practitioner, g.Patient} {
		if id != "" && !fhir.ValidID(id) {
			return "", errors.New("issuer: practitioner and patient are ids of this gateway, such as 0b9f…, without a type")
		}
	}
	scope := "user/*.cruds"
	switch c.Role {
	case policy.Patient:
		if g.Patient == "" {
			return "", errors.New("issuer: say which patient")
		}
		c.User, c.Patient, scope = "Patient/"+g.Patient, g.Patient, "patient/*.cruds"
	case policy.Therapist:
		if g.Practitioner == "" {
			return "", errors.New("issuer: say which practitioner")
		}
		fallthrough
	default:
		c.Patient = g.Patient
		if g.Practitioner != "" {
			c.User = "Practitioner/" + g.Practitioner
		}
	}
	switch c.Role {
	case policy.EHR, policy.Partner, policy.Integration, policy.Researcher:
		scope = "system/*.cruds"
	}
	if c.Scope == "" {
		c.Scope = scope
	}
	if _, err := token.ParseCeiling(c.Scope, s.opts.Known); err != nil {
		return "", fmt.Errorf("issuer: %w", err)
	}
	if c.User != "" {
		c.Subject = c.User
	}
	return s.sign(c, life)
}

// claims of an access token.
//
// Source: RFC 9068, 2.2
type claims struct {
	Issuer   string      `json:"iss"`
	Subject  string      `json:"sub"`
	Audience string      `json:"aud"`
	Expires  int64       `json:"exp"`
	IssuedAt int64       `json:"iat"`
	ID       string      `json:"jti"`
	Client   string      `json:"client_id"`
	Scope    string      `json:"scope"`
	Tenant   string      `json:"tenant"`
	Role     policy.Role `json:"role"`
	User     string      `json:"fhirUser,omitempty"`
	Patient  string      `json:"patient,omitempty"`
}

func (s *Issuer) sign(c claims, life time.Duration) (string, error) {
	now := s.opts.Clock()
	c.Issuer, c.Audience, c.ID = s.URL, s.Audience, s.opts.IDs()
	c.IssuedAt, c.Expires = now.Unix(), now.Add(life).Unix()
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("issuer: %w", err)
	}
	jws, err := s.signer.Sign(b)
	if err != nil {
		return "", fmt.Errorf("issuer: %w", err)
	}
	return jws.CompactSerialize()
}
