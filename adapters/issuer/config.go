package issuer

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"rapport/policy"
	"rapport/policy/token"
)

// Life of access tokens.
const (
	TokenLife = 5 * time.Minute // of clients; SMART recommends no more
	maxMinted = 24 * time.Hour  // of a developer's
)

// Config says who may ask for tokens.
type Config struct {
	URL      string            `yaml:"url"`      // of this issuer, without a slash at its end; the endpoints are below it
	Audience string            `yaml:"audience"` // the FHIR base that tokens are for
	Clients  map[string]Client `yaml:"clients,omitempty"`
}

// Client is a registered backend. Its keys come from one of JWKS, JWKSFile, JWKSURL.
type Client struct {
	Tenant  string      `yaml:"tenant"`
	Role    policy.Role `yaml:"role"`
	Grants  []string    `yaml:"grants,omitempty"` // as in token.Client
	Scope   string      `yaml:"scope"`            // the most that it is given
	Purpose string      `yaml:"purpose,omitempty"`
	// Basis is what a researcher's project rests on beside consent; see token.Client.
	Basis    policy.Basis `yaml:"basis,omitempty"`
	JWKS     string       `yaml:"jwks,omitempty"` // the key set itself, as JSON
	JWKSFile string       `yaml:"jwksFile,omitempty"`
	JWKSURL  string       `yaml:"jwksURL,omitempty"`
}

// developer is the client that tokens of [Issuer.Mint] are issued to.
const developer = "gateway/development"

// Validate says all that is wrong, each with the field it is about.
func (c Config) Validate() error {
	var errs []error
	say := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf(field+": "+format, args...))
	}
	if strings.HasSuffix(c.URL, "/") {
		say("url", "ends in a slash")
	}
	if c.Audience == "" {
		say("audience", "is missing: the FHIR base that tokens are for")
	}
	for _, id := range slices.Sorted(maps.Keys(c.Clients)) {
		cl, at := c.Clients[id], "clients."+id+"."
		if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return r <= 0x20 || r > 0x7e }) || id == developer {
			say("clients."+id, "a client id is 1 to 128 visible ASCII characters, and not %s", developer)
		}
		switch cl.Role {
		case "":
			say(at+"role", "is missing")
		case policy.Therapist, policy.Patient, policy.Intake, policy.Admin:
			say(at+"role", "%s is a person's role; a client of this issuer is a backend", cl.Role)
		}
		if cl.Tenant == "" {
			say(at+"tenant", "is missing")
		}
		n := 0
		for _, s := range []string{cl.JWKS, cl.JWKSFile, cl.JWKSURL} {
			if s != "" {
				n++
			}
		}
		if n != 1 {
			say(at+"jwks", "give one of jwks, jwksFile, jwksURL")
		}
		if cl.JWKS != "" {
			if ks, err := token.ParseKeys([]byte(cl.JWKS)); err != nil {
				say(at+"jwks", "%w", err)
			} else if ks.Len() == 0 {
				say(at+"jwks", "holds no usable key: kid, use sig, RSA of 2048 bits or EC of P-384")
			}
		}
	}
	// The rest is what the verifier asks of the same clients.
	if err := (token.Config{Issuers: []token.Issuer{c.trust(false)}}).Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			line = strings.TrimPrefix(line, "issuers[0].")
			if len(c.Clients) > 0 || !strings.HasPrefix(line, "clients:") {
				errs = append(errs, errors.New(line))
			}
		}
	}
	return errors.Join(errs...)
}

// trust is this issuer as a verifier must see it.
func (c Config) trust(development bool) token.Issuer {
	i := token.Issuer{
		URL: c.URL, Audiences: []string{c.Audience}, Algorithms: []string{"ES256"}, MaxLifetime: TokenLife,
		Tenant: token.Tenant{Claim: "tenant"}, User: token.User{Claim: "fhirUser", Own: true}, Patient: token.User{Claim: "patient", Own: true},
		Clients: map[string]token.Client{},
	}
	for id, cl := range c.Clients {
		i.Clients[id] = token.Client{Role: cl.Role, Tenant: cl.Tenant, Grants: cl.Grants, Scope: cl.Scope, Purpose: cl.Purpose, Basis: cl.Basis}
	}
	if development {
		i.MaxLifetime = maxMinted
		i.Role = token.RoleRule{Claim: "role", Map: map[string]policy.Role{}}
		for _, r := range []policy.Role{policy.Therapist, policy.Admin, policy.Intake, policy.Patient, policy.EHR, policy.Partner, policy.Researcher, policy.Auditor, policy.Integration} {
			i.Role.Map[string(r)] = r
		}
		i.Clients[developer] = token.Client{Scope: "user/*.cruds patient/*.cruds system/*.cruds", Purpose: "TREAT"}
	}
	return i
}

// keySet returns the inline key set or that of the file.
func (c Client) keySet() ([]byte, error) {
	if c.JWKSFile == "" {
		return []byte(c.JWKS), nil
	}
	f, err := os.Open(c.JWKSFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<20))
}
