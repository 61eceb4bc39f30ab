package token

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"rapport/policy"
)

const example = `
issuers:
  - url: https://login.example/realms/practice
    audiences: [https://gateway.example/fhir]
    algorithms: [RS256, ES256]
    headerTypes: [JWT, at+jwt]
    payloadTypes: [Bearer]
    skew: 20s
    keyTTL: 5m
    tenant: {claim: practice, map: {lindenhof: linden}}
    role:
      claim: roles
      map: {therapist: therapist, reception: intake}
      precedence: [intake]
    user:
      claim: fhirUser
      systems: {Practitioner: https://login.example/staff}
    clients:
      console: {scope: user/*.cruds}
      vendor:
        role: ehr
        tenant: linden
        grants: [Organization/north]
        scope: system/Observation.rs
        purpose: TREAT
`

func TestTheExampleConfigurationIsReadAndValid(t *testing.T) {
	var c Config
	if err := yaml.UnmarshalWithOptions([]byte(example), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	i := c.Issuers[0]
	if i.Skew != 20*time.Second || i.Clients["vendor"].Role != policy.EHR || i.Role.Map["reception"] != policy.Intake {
		t.Errorf("%+v", i)
	}
}

func TestAMistakeInConfigurationNamesItsField(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Issuer)
		field  string
	}{
		{"no URL", func(i *Issuer) { i.URL = "" }, "url"}, {"plain http", func(i *Issuer) { i.URL = "http://login.example/" }, "url"},
		{"URL with a query", func(i *Issuer) { i.URL += "?x=1" }, "url"}, {"URL with a user", func(i *Issuer) { i.URL = "https://a:b@login.example" }, "url"},
		{"keys over http", func(i *Issuer) { i.JWKS = "http://login.example/jwks" }, "jwks"}, {"keys twice", func(i *Issuer) { i.JWKS, i.JWKSFile = "https://login.example/jwks", "x" }, "jwks"},
		{"no audience", func(i *Issuer) { i.Audiences = nil }, "audiences"}, {"empty audience", func(i *Issuer) { i.Audiences = []string{""} }, "audiences"},
		{"alg none", func(i *Issuer) { i.Algorithms = []string{"none"} }, "algorithms"}, {"alg HS256", func(i *Issuer) { i.Algorithms = []string{"HS256"} }, "algorithms"},
		{"typ of logout tokens", func(i *Issuer) { i.HeaderTypes = []string{"logout+jwt"} }, "headerTypes"}, {"empty typ", func(i *Issuer) { i.HeaderTypes = []string{""} }, "headerTypes"},
		{"payload typ ID", func(i *Issuer) { i.PayloadTypes = []string{"ID"} }, "payloadTypes"},
		{"skew of 61 s", func(i *Issuer) { i.Skew = 61 * time.Second }, "skew"}, {"negative skew", func(i *Issuer) { i.Skew = -1 }, "skew"},
		{"lifetime of two days", func(i *Issuer) { i.MaxLifetime = 48 * time.Hour }, "maxLifetime"}, {"keys for 11 min", func(i *Issuer) { i.KeyTTL = 11 * time.Minute }, "keyTTL"},
		{"stale for a week", func(i *Issuer) { i.MaxStale = 168 * time.Hour }, "maxStale"}, {"remembered for 6 min", func(i *Issuer) { i.TokenTTL = 6 * time.Minute }, "tokenTTL"},
		{"tenant twice", func(i *Issuer) { i.Tenant.Fixed = "x" }, "tenant"}, {"tenant with a slash", func(i *Issuer) { i.Tenant.Map["x"] = "a/b" }, "tenant.map"},
		{"tenant nowhere", func(i *Issuer) { i.Tenant = Tenant{} }, "clients.app.tenant"},
		{"role map without claim", func(i *Issuer) { i.Role.Claim = "" }, "role"}, {"unknown role", func(i *Issuer) { i.Role.Map["x"] = "root" }, "role.map"},
		{"unknown role first", func(i *Issuer) { i.Role.Precedence = []policy.Role{"root"} }, "role.precedence"},
		{"user without system", func(i *Issuer) { i.User.Systems = nil }, "user.systems"}, {"user both own and foreign", func(i *Issuer) { i.User.Own = true }, "user.systems"},
		{"user of a type that is no person", func(i *Issuer) { i.User.Systems["Device"] = "x" }, "user.systems"}, {"user claim missing", func(i *Issuer) { i.User.Claim = "" }, "user.claim"},
		{"user type without system", func(i *Issuer) { i.User.Type = "RelatedPerson" }, "user.type"}, {"base with a slash", func(i *Issuer) { i.User.Base += "/" }, "user.base"},
		{"patient of another type", func(i *Issuer) { i.Patient.Systems["Practitioner"] = "x" }, "patient.systems"},
		{"purpose in words", func(i *Issuer) { i.Purpose = "treatment" }, "purpose"}, {"no clients", func(i *Issuer) { i.Clients = nil }, "clients"},
		{"client without ceiling", func(i *Issuer) { i.Clients["app"] = Client{} }, "clients.app.scope"},
		{"ceiling with a typing error", func(i *Issuer) { i.Clients["app"] = Client{Scope: "user/Observaton.rs"} }, "clients.app.scope"},
		{"client with unknown role", func(i *Issuer) { i.Clients["app"] = Client{Scope: "user/*.rs", Role: "root"} }, "clients.app.role"},
		{"grant of a patient", func(i *Issuer) {
			i.Clients["app"] = Client{Scope: "user/*.rs", Grants: []string{"Organization/a", "Patient/1"}}
		}, "clients.app.grants[1]"},
		{"user client without sub", func(i *Issuer) { i.Clients["app"] = Client{Scope: "user/*.rs", NoSub: true} }, "clients.app.noSub"},
		{"client with a basis that is none", func(i *Issuer) {
			i.Clients["app"] = Client{Scope: "system/*.rs", Role: policy.Researcher, Basis: "optout"}
		}, "clients.app.basis"},
		{"waiver for no researcher", func(i *Issuer) {
			i.Clients["app"] = Client{Scope: "system/*.rs", Role: policy.EHR, Basis: policy.OnWaiver}
		}, "clients.app.basis"},
		{"client with purpose in words", func(i *Issuer) { i.Clients["app"] = Client{Scope: "user/*.rs", Purpose: "treat"} }, "clients.app.purpose"},
		{"client with a bad tenant", func(i *Issuer) { i.Clients["app"] = Client{Scope: "user/*.rs", Tenant: "-"} }, "clients.app.tenant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := issuerOf(newIDP(t))
			if err := (Config{Issuers: []Issuer{i}}).validate(knownTypes); err != nil {
				t.Fatalf("wrong before the mistake: %v", err)
			}
			c.change(&i)
			err := (Config{Issuers: []Issuer{i}}).validate(knownTypes)
			if err == nil || !strings.Contains("\n"+err.Error(), "\nissuers[0]."+c.field+":") {
				t.Errorf("%v does not name %s", err, c.field)
			}
			if _, err := New(Config{Issuers: []Issuer{i}}, Options{Known: knownTypes}); err == nil {
				t.Error("a Verifier was made of it")
			}
		})
	}
	i := issuerOf(newIDP(t))
	if err := (Config{Issuers: []Issuer{i, i}}).Validate(); err == nil || !strings.Contains(err.Error(), "issuers[1].url") {
		t.Errorf("an issuer twice: %v", err)
	}
}

func TestUnknownKeysOfConfigurationAreRefusedByStrictReading(t *testing.T) {
	var c Config
	err := yaml.UnmarshalWithOptions([]byte(strings.Replace(example, "audiences:", "audience:", 1)), &c, yaml.Strict())
	if err == nil || !strings.Contains(err.Error(), "audience") {
		t.Error(err)
	}
}
