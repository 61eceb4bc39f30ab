package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"rapport/adapters/issuer"
	"rapport/adapters/partner"
	"rapport/fhir"
	"rapport/mapping"
	"rapport/mapping/site"
	"rapport/policy"
	"rapport/policy/token"
)

// The story's tenants, and what its organisations are called in testdata/practice.
const (
	clinicTenant   = "lindental"
	hospitalTenant = "seespital"
	lindenhof      = "lindenhof"
	bruecke        = "bruecke"
	seespital      = "seespital"
	kartenwerk     = "kartenwerk"
	practiceSite   = "practice-csv"
)

// side is one of the two gateways.
type side struct {
	dir string
	i   *instance
	run *running
}

// cast is who plays: people and organisations of the clinic by their resources, and how
// each of them speaks to a gateway.
type cast struct {
	practice  *site.Mapping
	vendorKey *token.SigningKey
	// researchKey is the university's.
	researchKey *token.SigningKey

	therapist, admin, vendor *caller // at the clinic
	hospitalDesk             *caller // at the hospital

	client, other fhir.Key // of Lindenhof: the story's; of Bruecke: outside the vendor's grant
	episode       fhir.Key
	doctor        fhir.Key // the Practitioner who treats client
}

// open makes both instances, with the keys by which they know one another, and starts
// them.
func (s *story) open(ctx context.Context) (err error) {
	if s.practice, err = site.Embedded(practiceSite); err != nil {
		return err
	}
	clinicAt, hospitalAt, err := addresses()
	if err != nil {
		return err
	}
	s.clinic, s.hospital = &side{dir: filepath.Join(s.dir, "clinic")}, &side{dir: filepath.Join(s.dir, "hospital")}
	keys := map[string]*token.SigningKey{}
	for name, file := range map[string]string{"clinic": "clinic/hospital.jwk", "hospital": "hospital/clinic.jwk", "vendor": "vendor.jwk", "research": "research.jwk"} {
		path := filepath.Join(s.dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if keys[name], err = token.GenerateSigningKey(name); err != nil {
			return err
		}
		if err := keys[name].WriteFile(path); err != nil {
			return err
		}
	}
	s.vendorKey, s.researchKey = keys["vendor"], keys["research"]
	organisation := func(key string) partner.Identifier {
		return partner.Identifier{System: mapping.IdentifierSystem(s.practice.System, "organisation"), Value: key}
	}
	grant := func(key string) string {
		id := organisation(key)
		return "Organization?identifier=" + id.System + "|" + id.Value
	}
	clinic := &Config{
		Listen: clinicAt, Redis: s.redis,
		Tenants: []Tenant{{ID: clinicTenant, System: s.practice.System}},
		Clients: map[string]issuer.Client{
			seespital:  {Tenant: clinicTenant, Role: policy.Partner, Grants: []string{grant(seespital)}, Scope: "system/*.cruds", Purpose: "TREAT", JWKS: public(keys["hospital"])},
			kartenwerk: {Tenant: clinicTenant, Role: policy.EHR, Grants: []string{grant(lindenhof), grant(kartenwerk)}, Scope: "system/*.rs", Purpose: "TREAT", JWKS: public(keys["vendor"])},
			hochschule: {Tenant: clinicTenant, Role: policy.Researcher, Scope: "system/*.rs", Purpose: "HRESCH", JWKS: public(keys["research"])},
		},
		Projects: []Project{{ID: project, Tenant: clinicTenant, Clients: []string{hochschule}}},
		Partners: []Partner{{Tenant: clinicTenant, Config: partner.Config{
			Name: seespital, Base: "http://" + hospitalAt + fhirPath, Organization: organisation(seespital), Client: lindenhof, Key: "hospital.jwk"}}},
	}
	hospital := &Config{
		Listen: hospitalAt, Redis: s.redis,
		Tenants: []Tenant{{ID: hospitalTenant, System: "urn:rapport:" + hospitalTenant}},
		Clients: map[string]issuer.Client{
			lindenhof: {Tenant: hospitalTenant, Role: policy.Partner, Grants: []string{grant(lindenhof)}, Scope: "system/*.cruds", Purpose: "TREAT", JWKS: public(keys["clinic"])},
		},
		Partners: []Partner{{Tenant: hospitalTenant, Config: partner.Config{
			Name: lindenhof, Base: "http://" + clinicAt + fhirPath, Organization: organisation(lindenhof), Client: seespital, Key: "clinic.jwk"}}},
	}
	for _, p := range []struct {
		*side
		c *Config
	}{{s.clinic, clinic}, {s.hospital, hospital}} {
		if err := makeDevelopment(p.dir, p.c); err != nil {
			return err
		}
		if err := p.start(ctx); err != nil {
			return err
		}
	}
	return s.greet(ctx)
}

// start puts an instance together from its folder, as serve --data does, and serves it.
func (p *side) start(ctx context.Context) error {
	cfg, err := Development(p.dir)
	if err != nil {
		return err
	}
	if p.i, err = build(ctx, cfg, quiet(os.Stderr)); err != nil {
		return err
	}
	p.run, err = p.i.start(ctx)
	return err
}

// greet makes the two organisations known to the hospital, as a partner is when a
// contract is signed.
func (s *story) greet(ctx context.Context) error {
	gate := s.hospital.i.guard.For(process(hospitalTenant, "setup", policy.Integration))
	return gate.Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
		for key, name := range map[string]string{lindenhof: "Praxis Lindenhof", seespital: "Seespital"} {
			org, err := fhir.NewResource(fhir.Key{Type: "Organization", ID: key}).
				Set("identifier", []*fhir.Object{fhir.NewObject().Set("system", mapping.IdentifierSystem(s.practice.System, "organisation")).Set("value", key)}).
				Set("active", true).Set("name", name).Resource()
			if err != nil {
				return err
			}
			if _, err := tx.As(fhir.Act{Interaction: fhir.Update, Type: org.Type, ID: org.ID}).Put(ctx, org, fhir.Condition{}); err != nil {
				return err
			}
		}
		return nil
	})
}

func public(k *token.SigningKey) string {
	b, err := k.JWKS()
	if err != nil { // a public key just made
		panic(err)
	}
	return string(b)
}

// addresses are 127.0.0.1:8080 and :8081, or free ones where those are taken.
func addresses() (a, b string, err error) {
	pick := func(port int) (string, error) {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil && port != 0 {
			l, err = net.Listen("tcp", "127.0.0.1:0")
		}
		if err != nil {
			return "", err
		}
		defer l.Close()
		return l.Addr().String(), nil
	}
	if a, err = pick(8080); err != nil {
		return "", "", err
	}
	b, err = pick(8081)
	return a, b, err
}

// speaks makes a caller with a token for a day, and the file that lets curl speak
// for it.
func (s *story) speaks(ctx context.Context, p *side, name string, g issuer.Grant) (*caller, error) {
	g.TTL = demoTTL
	t, err := p.i.mint(ctx, g)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(p.dir, name+".curl")
	quoted, err := json.Marshal("Authorization: Bearer " + t)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, append([]byte("header = "), quoted...), 0o600); err != nil {
		return nil, err
	}
	return &caller{base: p.i.cfg.URL, token: t, file: file}, nil
}
