package main

import (
	"context"
	"net/http"

	"rapport/adapters/web"
	"rapport/fhir"
	"rapport/fhir/bulk"
	"rapport/fhir/rest"
	"rapport/mapping"
	"rapport/mapping/instrument"
	"rapport/mapping/monitoring"
)

// practice is what the routes below /practice need.
func (i *instance) practice() *web.Practice {
	return &web.Practice{
		Mapper: func(id string) (*mapping.Mapper, error) {
			t, err := i.tenant(id)
			if err != nil {
				return nil, err
			}
			return t.mapper, nil
		},
		Follow: func(id string) ([]fhir.Follow, error) {
			t, err := i.tenant(id)
			if err != nil {
				return nil, err
			}
			return t.follow, nil
		},
		Voiced: func(id string) *instrument.Library {
			t, err := i.tenant(id)
			if err != nil {
				return i.library
			}
			return t.voiced
		},
		Rules: func(id string) *monitoring.Rules {
			t, err := i.tenant(id)
			if err != nil {
				return &monitoring.Rules{Library: i.library}
			}
			return t.rules
		},
		Validate: i.valid, Library: i.library, About: i.guard.About, Notes: i.guard.Notes, Clock: i.clock,
	}
}

// metadata is the CapabilityStatement, which is the same for every tenant.
func (i *instance) metadata() []byte {
	rt := i.route(nil, new(bulk.Exports).Operations()...) // named and not run
	return rt.Serve(context.Background(), &rest.Request{Method: http.MethodGet, Path: "metadata"}).Body
}

// smart is the SMART configuration of the built-in issuer.
func (i *instance) smart() []byte {
	b, err := i.issuer.SMART()
	if err != nil {
		i.log.Error("the SMART configuration cannot be written", "err", err)
		return nil
	}
	return b
}

// security is what the CapabilityStatement says of signing in.
//
// Source: https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
func (i *instance) security() *fhir.Object {
	return fhir.NewObject().
		Set("service", []*fhir.Object{fhir.NewObject().Set("coding", []*fhir.Object{
			fhir.Coding("http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR", "")})}).
		Set("description", "A bearer token with SMART scopes; what it opens is decided by policy and consent.")
}
