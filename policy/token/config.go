package token

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/policy"
)

// Config says whose tokens are accepted and what they come to.
type Config struct {
	Issuers []Issuer `yaml:"issuers"`
}

// Issuer is one identity provider. Its keys come by discovery unless JWKS or
// JWKSFile says otherwise.
type Issuer struct {
	URL      string `yaml:"url"`                // exactly as in iss
	JWKS     string `yaml:"jwks,omitempty"`     // address of the key set, instead of discovery
	JWKSFile string `yaml:"jwksFile,omitempty"` // key set in a file, read again after keyTTL

	Audiences  []string `yaml:"audiences"`            // what this gateway is called in aud; one must be there
	Algorithms []string `yaml:"algorithms,omitempty"` // default RS256, RS384, ES256, ES384; never taken from discovery
	// HeaderTypes are the values of the header's typ, without "application/". Default at+jwt
	// (RFC 9068). Issuers that mark access tokens "JWT", as Keycloak does, need it here,
	// and should have PayloadTypes to tell them from ID tokens.
	HeaderTypes  []string      `yaml:"headerTypes,omitempty"`
	PayloadTypes []string      `yaml:"payloadTypes,omitempty"` // values of the claim typ; none: the claim must not be there
	Skew         time.Duration `yaml:"skew,omitempty"`         // of clocks, up to 60 s; default 30 s
	MaxLifetime  time.Duration `yaml:"maxLifetime,omitempty"`  // exp - iat, up to 24 h; default 1 h
	KeyTTL       time.Duration `yaml:"keyTTL,omitempty"`       // how long keys are trusted unseen, up to 10 min, which is the default
	MaxStale     time.Duration `yaml:"maxStale,omitempty"`     // how much longer while the issuer is down, up to 24 h; default 1 h
	TokenTTL     time.Duration `yaml:"tokenTTL,omitempty"`     // how long a verified token is remembered, up to 5 min; default 60 s
	NoJTI        bool          `yaml:"noJTI,omitempty"`        // accept tokens without jti

	ClientClaim string   `yaml:"clientClaim,omitempty"` // default: client_id, azp
	ScopeClaims []string `yaml:"scopeClaims,omitempty"` // default: scope. Several are joined
	Tenant      Tenant   `yaml:"tenant,omitempty"`
	Role        RoleRule `yaml:"role,omitempty"`
	User        User     `yaml:"user,omitempty"`
	Patient     User     `yaml:"patient,omitempty"` // patient in context; only claim and systems.Patient or own
	Purpose     string   `yaml:"purpose,omitempty"` // v3-ActReason, where the client has none

	// Clients are those whose tokens are accepted; any other is refused.
	Clients map[string]Client `yaml:"clients"`

	// Source gives the key set of an issuer in this process; for the composition root.
	Source func(context.Context) ([]byte, error) `yaml:"-"`
}

// Tenant says which tenant a token is for: a fixed one, or by a claim, or each
// client's own.
type Tenant struct {
	Fixed string            `yaml:"fixed,omitempty"`
	Claim string            `yaml:"claim,omitempty"` // name, or JSON Pointer
	Map   map[string]string `yaml:"map,omitempty"`   // claim's value → tenant; without it the value is the tenant
}

// RoleRule finds a user's role by a claim that is a string or a list of strings.
// Values that Map does not hold are ignored. If they come to several roles, the
// first of Precedence that is among them is taken; without Precedence the token
// is refused. Roles are never added up.
type RoleRule struct {
	Claim      string                 `yaml:"claim,omitempty"`
	Map        map[string]policy.Role `yaml:"map,omitempty"`
	Precedence []policy.Role          `yaml:"precedence,omitempty"`
}

// User says who of ours a claim like fhirUser names. The claim is "Type/id" or an
// absolute URL of the same behind Base. The issuer's id is looked up as the value of an
// identifier of the system given for its type, since it is not our id.
type User struct {
	Claim   string            `yaml:"claim,omitempty"`
	Base    string            `yaml:"base,omitempty"`    // FHIR base of absolute URLs; others are refused
	Systems map[string]string `yaml:"systems,omitempty"` // resource type → identifier system
	Type    string            `yaml:"type,omitempty"`    // the claim is a bare identifier value of this type
	Own     bool              `yaml:"own,omitempty"`     // the ids are this gateway's: for its own issuer alone
}

// Client is one registered client of an issuer.
type Client struct {
	Role    policy.Role `yaml:"role,omitempty"`   // a backend's role; without it the user's role decides
	Tenant  string      `yaml:"tenant,omitempty"` // the only one for this client
	Grants  []string    `yaml:"grants,omitempty"` // Organization/id, Group/id, Organization?identifier=system|value
	Scope   string      `yaml:"scope"`            // ceiling over whatever its tokens say
	Purpose string      `yaml:"purpose,omitempty"`
	// Basis "waiver" says that a researcher's project rests on a law or an ethics
	// committee's waiver: whoever does not object is in it. Without it only consent counts.
	Basis policy.Basis `yaml:"basis,omitempty"`
	NoSub bool         `yaml:"noSub,omitempty"` // a backend whose tokens name no sub: it stands for itself
}

// Person is whom a token names, as the issuer knows them.
type Person struct{ Type, System, Value string }

// Resolver finds our resource of a person. The composition root implements it below
// the gate.
type Resolver interface {
	// Resolve returns the one current resource of p.Type in tenant with the identifier
	// p.System|p.Value; [fhir.NotFound] for none, [fhir.Multiple] for several.
	Resolve(ctx context.Context, tenant string, p Person) (fhir.Key, error)
}

var roles = []policy.Role{policy.Therapist, policy.Admin, policy.Intake, policy.Patient, policy.EHR, policy.Partner,
	policy.Researcher, policy.Auditor, policy.Integration}

var (
	tenantForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	purposeForm = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,31}$`)
	people      = []string{"Practitioner", "PractitionerRole", "Patient", "RelatedPerson"}
)

// withDefaults returns the issuer with what it leaves out filled in.
func (i Issuer) withDefaults() Issuer {
	fill := func(l *[]string, d ...string) {
		if len(*l) == 0 {
			*l = d
		}
	}
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	fill(&i.Algorithms, "RS256", "RS384", "ES256", "ES384")
	fill(&i.HeaderTypes, "at+jwt")
	fill(&i.ScopeClaims, "scope")
	or(&i.Skew, 30*time.Second)
	or(&i.MaxLifetime, time.Hour)
	or(&i.KeyTTL, DefaultKeyTTL)
	or(&i.MaxStale, DefaultMaxStale)
	or(&i.TokenTTL, time.Minute)
	return i
}

// Validate says all that is wrong, each with the field it is about.
func (c Config) Validate() error { return c.validate(func(string, string) bool { return true }) }

func (c Config) validate(known Known) error {
	var errs []error
	seen := map[string]bool{}
	for n, i := range c.Issuers {
		at := fmt.Sprintf("issuers[%d].", n)
		for _, e := range i.faults(known) {
			errs = append(errs, errors.New(at+e))
		}
		if seen[i.URL] {
			errs = append(errs, errors.New(at+"url: there is an issuer of this URL already"))
		}
		seen[i.URL] = true
	}
	return errors.Join(errs...)
}

func (i Issuer) faults(known Known) (out []string) {
	i = i.withDefaults()
	say := func(field, format string, args ...any) { out = append(out, field+": "+fmt.Sprintf(format, args...)) }
	if what := checkURL(i.URL); what != "" {
		say("url", "%s", what)
	}
	if i.JWKS != "" {
		if what := checkURL(i.JWKS); what != "" {
			say("jwks", "%s", what)
		}
		if i.JWKSFile != "" {
			say("jwks", "there is jwksFile too; keep one")
		}
	}
	if len(i.Audiences) == 0 || slices.Contains(i.Audiences, "") {
		say("audiences", "name what this gateway is called in aud; a token for anybody is for nobody")
	}
	for _, a := range i.Algorithms {
		if _, ok := algorithms[a]; !ok {
			say("algorithms", "%q is none of %s", a, strings.Join(slices.Sorted(maps.Keys(algorithms)), " "))
		}
	}
	for _, t := range i.HeaderTypes {
		if t != strings.ToLower(t) && t != "JWT" || t == "" || slices.Contains([]string{"logout+jwt", "dpop+jwt", "secevent+jwt", "id_token+jwt"}, strings.ToLower(t)) {
			say("headerTypes", "%q is no type of access tokens; usual are at+jwt and JWT", t)
		}
	}
	for _, t := range i.PayloadTypes {
		if slices.Contains([]string{"ID", "Refresh", "Offline", "Logout", "DPoP", ""}, t) {
			say("payloadTypes", "%q is no type of bearer access tokens", t)
		}
	}
	for _, d := range []struct {
		field    string
		have     time.Duration
		min, max time.Duration
	}{
		{"skew", i.Skew, 0, time.Minute}, {"maxLifetime", i.MaxLifetime, time.Second, 24 * time.Hour},
		{"keyTTL", i.KeyTTL, time.Second, DefaultKeyTTL}, {"maxStale", i.MaxStale, 0, 24 * time.Hour},
		{"tokenTTL", i.TokenTTL, 0, 5 * time.Minute},
	} {
		if d.have < d.min || d.have > d.max {
			say(d.field, "%v is not within %v to %v", d.have, d.min, d.max)
		}
	}
	i.tenantFaults(say)
	i.roleFaults(say)
	i.User.faults("user", people, say)
	i.Patient.faults("patient", []string{"Patient"}, say)
	if i.Purpose != "" && !purposeForm.MatchString(i.Purpose) {
		say("purpose", "%q is no code of v3-ActReason, such as TREAT", i.Purpose)
	}
	if len(i.Clients) == 0 && i.Source == nil { // our own issuer may have none yet
		say("clients", "name the clients whose tokens are accepted")
	}
	for _, id := range slices.Sorted(maps.Keys(i.Clients)) {
		i.Clients[id].faults(i, known, func(field, format string, args ...any) { say("clients."+id+"."+field, format, args...) })
	}
	return out
}

type sayer func(field, format string, args ...any)

func (i Issuer) tenantFaults(say sayer) {
	t := i.Tenant
	if t.Fixed != "" && t.Claim != "" {
		say("tenant", "fixed and claim exclude each other")
	}
	if t.Fixed != "" && !tenantForm.MatchString(t.Fixed) {
		say("tenant.fixed", "%q is no tenant id", t.Fixed)
	}
	if len(t.Map) > 0 && t.Claim == "" {
		say("tenant.map", "needs tenant.claim")
	}
	for _, v := range slices.Sorted(maps.Keys(t.Map)) {
		if !tenantForm.MatchString(t.Map[v]) {
			say("tenant.map", "%q is no tenant id", t.Map[v])
		}
	}
}

func (i Issuer) roleFaults(say sayer) {
	if (i.Role.Claim == "") != (len(i.Role.Map) == 0) {
		say("role", "claim and map go together: which value is which role")
	}
	for _, v := range slices.Sorted(maps.Keys(i.Role.Map)) {
		if !slices.Contains(roles, i.Role.Map[v]) {
			say("role.map", "%q is no role", i.Role.Map[v])
		}
	}
	for _, r := range i.Role.Precedence {
		if !slices.Contains(roles, r) {
			say("role.precedence", "%q is no role", r)
		}
	}
}

func (u User) faults(field string, types []string, say sayer) {
	if u.Claim == "" {
		if u.Base != "" || len(u.Systems) > 0 || u.Type != "" || u.Own {
			say(field+".claim", "is missing")
		}
		return
	}
	if u.Own == (len(u.Systems) > 0) {
		say(field+".systems", "say which identifier system the issuer's ids are in, such as Practitioner: https://…; or own: true for this gateway's own issuer")
	}
	for _, t := range slices.Sorted(maps.Keys(u.Systems)) {
		if !slices.Contains(types, t) || u.Systems[t] == "" {
			say(field+".systems", "%s: one of %s, with a system", t, strings.Join(types, " "))
		}
	}
	if u.Type != "" && u.Systems[u.Type] == "" {
		say(field+".type", "%q has no identifier system in %s.systems", u.Type, field)
	}
	if u.Base != "" && (checkURL(u.Base) != "" || strings.HasSuffix(u.Base, "/")) {
		say(field+".base", "is not the URL of a FHIR base, without a slash at its end")
	}
}

func (c Client) faults(i Issuer, known Known, say sayer) {
	if c.Role != "" && !slices.Contains(roles, c.Role) {
		say("role", "%q is no role", c.Role)
	}
	if c.Role == "" && i.Role.Claim == "" {
		say("role", "neither the client nor a claim says the role")
	}
	if c.Basis != policy.OnConsent && (c.Basis != policy.OnWaiver || c.Role != policy.Researcher) {
		say("basis", "%q: a client of the role researcher may have waiver, any other none", c.Basis)
	}
	if c.NoSub && c.Role == "" {
		say("noSub", "is for backends, which have a role of their own")
	}
	if c.Tenant != "" && !tenantForm.MatchString(c.Tenant) {
		say("tenant", "%q is no tenant id", c.Tenant)
	}
	if c.Tenant == "" && i.Tenant.Fixed == "" && i.Tenant.Claim == "" {
		say("tenant", "neither the client nor the issuer says the tenant")
	}
	if _, err := ParseCeiling(c.Scope, known); err != nil {
		say("scope", "%v", err)
	}
	if c.Purpose != "" && !purposeForm.MatchString(c.Purpose) {
		say("purpose", "%q is no code of v3-ActReason, such as TREAT", c.Purpose)
	}
	for n, g := range c.Grants {
		if _, ok := parseGrant(g); !ok {
			say(fmt.Sprintf("grants[%d]", n), "%q is none of Organization/id, Group/id, Organization?identifier=system|value", g)
		}
	}
}

// grant is a Key of ours, or a Person to look up.
type grant struct {
	key  fhir.Key
	find Person
}

func parseGrant(s string) (grant, bool) {
	if typ, token, ok := strings.Cut(s, "?identifier="); ok {
		system, value, ok := strings.Cut(token, "|")
		return grant{find: Person{typ, system, value}}, ok && (typ == "Organization" || typ == "Group") && system != "" && value != ""
	}
	k, ok := fhir.ParseKey(s)
	return grant{key: k}, ok && (k.Type == "Organization" || k.Type == "Group")
}
