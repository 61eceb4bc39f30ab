package partner

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rapport/fhir"
)

// access returns a token for the partner, another one than stale, which the partner
// refused; "" if none was.
//
// Source: https://hl7.org/fhir/smart-app-launch/backend-services.html
func (p *peer) access(ctx context.Context, stale string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.token != "" && p.token != stale && p.clock().Before(p.expires) {
		return p.token, nil
	}
	p.token = ""
	if p.endpoint == "" {
		var d discovery
		a, err := p.raw(ctx, http.MethodGet, p.Base+"/.well-known/smart-configuration", nil, http.Header{"Accept": {"application/json"}})
		if err != nil {
			return "", err
		}
		if err := decode(a.body, &d); err != nil {
			return "", err
		}
		if err := trusted(p.Base, d.TokenEndpoint); err != nil {
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
	a, err := p.raw(ctx, http.MethodPost, p.endpoint, []byte(form.Encode()), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}})
	if err != nil {
		if fhir.Is(err, fhir.Invalid) || fhir.Is(err, fhir.Login) {
			p.endpoint = p.Token // it may have moved
			return "", &fhir.Error{Code: fhir.Login, Detail: "no token: " + fhir.IssuesOf(err)[0].Detail + "; check client id, key and registration at the partner's issuer", Err: err}
		}
		return "", err
	}
	var t tokenAnswer
	if err := decode(a.body, &t); err != nil {
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
func trusted(base, endpoint string) error {
	b, err := url.Parse(base)
	if err != nil {
		return err
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.RawQuery != "" ||
		u.Scheme != "https" && (u.Scheme != b.Scheme || !loopback(u.Hostname())) {
		return &fhir.Error{Code: fhir.Login, Detail: "the partner's smart-configuration names no usable token endpoint"}
	}
	return nil
}
