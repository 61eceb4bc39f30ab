package partner

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// Config is how to reach one partner.
type Config struct {
	Name string `yaml:"name"` // what routes and logs call it
	Base string `yaml:"base"` // its FHIR base
	// Organization is the identifier by which both sides know it.
	Organization Identifier `yaml:"organization"`
	// Client and Key are our registration at its issuer: the client id, and the file
	// with our private key as a JWK.
	Client string `yaml:"client"`
	Key    string `yaml:"key"`
	Scope  string `yaml:"scope,omitempty"` // to ask for; default system/*.cruds
	Token  string `yaml:"token,omitempty"` // its token endpoint; default: what its smart-configuration says
	// Delivery is how packages go to it: auto (default: by its CapabilityStatement),
	// transaction, message or creates.
	Delivery exchange.Way `yaml:"delivery,omitempty"`
}

// Identifier is a FHIR Identifier.
type Identifier struct {
	System string `yaml:"system"`
	Value  string `yaml:"value"`
}

// Validate says what is wrong, naming the field.
func (c Config) Validate() error {
	if c.Name == "" {
		return fmt.Errorf("name: give the partner a short name")
	}
	u, err := url.Parse(c.Base)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return fmt.Errorf("base: must be the absolute URL of the partner's FHIR base")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fmt.Errorf("base: must be https; plain http is for loopback only")
	}
	if c.Organization.System == "" || c.Organization.Value == "" {
		return fmt.Errorf("organization: needs system and value, the identifier of the partner's Organization")
	}
	if strings.HasSuffix(c.Base, "/") {
		return fmt.Errorf("base: ends in a slash")
	}
	if c.Token != "" {
		if err := trusted(c.Base, c.Token); err != nil {
			return fmt.Errorf("token: must be the absolute https URL of the token endpoint; plain http is for loopback only")
		}
	}
	if c.Delivery != "" && !slices.Contains(exchange.Ways(), c.Delivery) {
		return fmt.Errorf("delivery: is one of auto, transaction, message, creates")
	}
	if c.Client == "" || c.Key == "" {
		return fmt.Errorf("client and key: our registration at the partner's issuer is needed")
	}
	return nil
}

// Partner returns what exchange needs to know of it.
func (c Config) Partner() exchange.Partner {
	return exchange.Partner{Name: c.Name, Base: c.Base, System: c.Organization.System, Value: c.Organization.Value, Delivery: c.Delivery}
}

// Assert signs a client assertion (RFC 7523) for a token endpoint.
type Assert func(client, audience string) (string, error)

// openFor is how long the breaker stays open.
const openFor = 30 * time.Second

// Channel reaches all configured partners of one tenant. It is safe for concurrent use.
type Channel struct {
	peers map[string]*peer
}

// peer is one partner with its token and its breaker.
type peer struct {
	Config
	assert  Assert
	clock   fhir.Clock
	http    *http.Client
	breaker circuitbreaker.CircuitBreaker[any]

	mu       sync.Mutex
	token    string
	expires  time.Time
	endpoint string // the token endpoint, once discovered

	notBefore time.Time // the partner asked to be left alone until then
}

// New returns a channel. assert gives the signer of each partner's key.
func New(cs []Config, assert func(Config) (Assert, error), clock fhir.Clock) (*Channel, error) {
	ch := &Channel{peers: map[string]*peer{}}
	for i, c := range cs {
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("partners[%d].%w", i, err)
		}
		if _, twice := ch.peers[c.Name]; twice {
			return nil, fmt.Errorf("partners[%d].name: there is a partner of this name already", i)
		}
		a, err := assert(c)
		if err != nil {
			return nil, fmt.Errorf("partners[%d].key: %w", i, err)
		}
		if c.Scope == "" {
			c.Scope = "system/*.cruds"
		}
		ch.peers[c.Name] = &peer{Config: c, assert: a, clock: clock, http: client(), endpoint: c.Token,
			breaker: circuitbreaker.NewBuilder[any]().WithFailureThreshold(5).WithSuccessThreshold(1).WithDelay(openFor).Build()}
	}
	return ch, nil
}

func (ch *Channel) peer(p exchange.Partner) (*peer, error) {
	if q, ok := ch.peers[p.Name]; ok {
		return q, nil
	}
	return nil, fhir.Errorf(fhir.Invalid, "", "no partner %s is configured", p.Name)
}

// Transact posts a transaction Bundle.
func (ch *Channel) Transact(ctx context.Context, to exchange.Partner, bundle fhir.Resource) (fhir.Resource, error) {
	p, err := ch.peer(to)
	if err != nil {
		return fhir.Resource{}, err
	}
	r, err := p.do(ctx, http.MethodPost, "", bundle.Body(), nil)
	if err == nil && (r.Type != "Bundle" || r.Root().Get("type").Text() != "transaction-response") {
		err = &fhir.Error{Code: fhir.Invalid, Detail: "the partner answered a transaction with something else"}
	}
	return r, err
}

// Put updates a resource at the version given. A partner that answers without a body
// has done it too: then the zero Resource is returned.
func (ch *Channel) Put(ctx context.Context, at exchange.Partner, r fhir.Resource, ifMatch int64) (fhir.Resource, error) {
	p, err := ch.peer(at)
	if err != nil {
		return fhir.Resource{}, err
	}
	h := http.Header{}
	if ifMatch > 0 {
		h.Set("If-Match", `W/"`+strconv.FormatInt(ifMatch, 10)+`"`)
	}
	return p.do(ctx, http.MethodPut, "/"+r.Key.String(), r.Body(), h)
}

// tokenAnswer is RFC 6749 section 5.1.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
}

// discovery is the part of smart-configuration that we use.
type discovery struct {
	TokenEndpoint string `json:"token_endpoint"`
}

func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return &fhir.Error{Code: fhir.Transient, Detail: "the partner's answer cannot be read", Err: err}
	}
	return nil
}
