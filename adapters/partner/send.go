package partner

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/exchange"
)

// metadata is where a server says what it serves.
const metadata = "/metadata"

// Capabilities returns the partner's CapabilityStatement, asked for without a token.
func (ch *Channel) Capabilities(ctx context.Context, of exchange.Partner) (fhir.Resource, error) {
	p, err := ch.peer(of)
	if err != nil {
		return fhir.Resource{}, err
	}
	return p.do(ctx, http.MethodGet, metadata, nil, nil)
}

// Message posts a message Bundle. A partner that answers later, or not at all, has an
// empty answer now: then the zero Resource is returned.
//
// Source: https://hl7.org/fhir/R4/messageheader-operation-process-message.html
func (ch *Channel) Message(ctx context.Context, to exchange.Partner, bundle fhir.Resource) (fhir.Resource, error) {
	p, err := ch.peer(to)
	if err != nil {
		return fhir.Resource{}, err
	}
	a, err := p.ask(ctx, http.MethodPost, "/$process-message", bundle.Body(), nil)
	if err != nil || len(a.body) == 0 {
		return fhir.Resource{}, err
	}
	r, err := a.resource()
	if err == nil && r.Type == "OperationOutcome" { // received, and nothing else to say
		return fhir.Resource{}, nil
	}
	return r, err
}

// Create posts a resource. The key is that of its Location, else of the body.
func (ch *Channel) Create(ctx context.Context, to exchange.Partner, r fhir.Resource, unless string) (fhir.Key, error) {
	p, err := ch.peer(to)
	if err != nil {
		return fhir.Key{}, err
	}
	h := http.Header{}
	if unless != "" {
		h.Set("If-None-Exist", unless)
	}
	a, err := p.ask(ctx, http.MethodPost, "/"+r.Type, r.Body(), h)
	if err != nil {
		return fhir.Key{}, err
	}
	for _, name := range []string{"Location", "Content-Location"} {
		parts := strings.Split(a.header.Get(name), "/")
		if i := slices.Index(parts, r.Type); i >= 0 && i+1 < len(parts) && fhir.ValidID(parts[i+1]) {
			return fhir.Key{Type: r.Type, ID: parts[i+1]}, nil
		}
	}
	if made, err := fhir.Parse(a.body); err == nil && made.Type == r.Type && made.ID != "" {
		return made.Key, nil
	}
	// It is there, but not where: who looks for it finds it.
	return fhir.Key{}, &fhir.Error{Code: fhir.Transient, Detail: "the partner does not say where what it created is"}
}
