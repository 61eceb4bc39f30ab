package partner

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rapport/fhir"
)

// access returns a token for the partner, a fresh one where again is true.
//
// Source: https://hl7.org/fhir/smart-app-launch/backend-services.html
func (p *peer) access(ctx context.Context, again bool) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !again && p.token != "" && p.clock().Before(p.expires) {
		return p.token, nil
	}
	if p.endpoint == "" {
		var d discovery
		b, err := p.raw(ctx, http.MethodGet, p.Base+"/.well-known/smart-configuration", nil, http.Header{"Accept": {"application/json"}})
		if err != nil {
			return "", err
		}
		if err := decode(b, &d); err != nil {
			return "", err
		}
		if err := p.trusted(d.TokenEndpoint); err != nil {
			return "", err
		}
		p.endpoint = d.TokenEndpoint
	}
	assertion, err := p.assert(p.Client, p.endpoint)
	if err != nil {
		return "", err
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"scope":                 {p.Scope},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	b, err := p.raw(ctx, http.MethodPost, p.endpoint, []byte(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}})
	if err != nil {
		if fhir.Is(err, fhir.Invalid) || fhir.Is(err, fhir.Login) {
			p.endpoint = "" // it may have moved
			return "", &fhir.Error{Code: fhir.Login, Detail: "the partner's issuer does not accept us; check client id, key and registration there", Err: err}
		}
		return "", err
	}
	var t tokenAnswer
	if err := decode(b, &t); err != nil {
		return "", err
	}
	if t.AccessToken == "" || !strings.EqualFold(t.TokenType, "bearer") {
		return "", &fhir.Error{Code: fhir.Login, Detail: "the partner's issuer gave no bearer token"}
	}
	life := time.Duration(t.ExpiresIn) * time.Second
	p.token, p.expires = t.AccessToken, p.clock().Add(life-min(life/4, 30*time.Second))
	return p.token, nil
}

// trusted refuses a token endpoint on a weaker transport than the base's.
func (p *peer) trusted(endpoint string) error {
	base, _ := url.Parse(p.Base)
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" ||
		u.Scheme != "https" && (u.Scheme != base.Scheme || !loopback(u.Hostname())) {
		return &fhir.Error{Code: fhir.Login, Detail: "the partner's smart-configuration names no usable token endpoint"}
	}
	return nil
}
