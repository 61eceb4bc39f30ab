package token

import (
	"reflect"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/policy"
)

func TestWorkGoesOnAsConfigurationHasItNow(t *testing.T) {
	claims := map[string]any{"azp": "vendor", "fhirUser": nil, "roles": nil}
	idp := newIDP(t, jwk("es256"))
	g := newGateway(t, idp)
	p := verify(t, g, token("es256", g.therapist(claims)))
	vendor := issuerOf(idp).Clients["vendor"]
	for name, c := range map[string]struct {
		change func(*Issuer)
		code   fhir.Code
		want   func(*policy.Principal)
	}{
		"unchanged":    {want: func(*policy.Principal) {}},
		"removed":      {change: func(i *Issuer) { delete(i.Clients, "vendor") }, code: fhir.Forbidden},
		"another role": {change: func(i *Issuer) { c := vendor; c.Role = policy.Partner; i.Clients["vendor"] = c }, code: fhir.Forbidden},
		"another tenant": {change: func(i *Issuer) {
			c := vendor
			c.Tenant = map[string]string{"linden": "see", "see": "linden"}[p.Tenant]
			i.Clients["vendor"] = c
		}, code: fhir.Forbidden},
		"a lower ceiling": {change: func(i *Issuer) { c := vendor; c.Scope = "system/Patient.r"; i.Clients["vendor"] = c }, want: func(p *policy.Principal) {
			p.Scopes = Intersect(p.Scopes, []policy.Scope{{Context: "system", Type: "Patient", Read: true}})
		}},
		"another purpose": {change: func(i *Issuer) { c := vendor; c.Purpose = "HPAYMT"; i.Clients["vendor"] = c }, want: func(p *policy.Principal) { p.Purpose = "HPAYMT" }},
		"other grants": {change: func(i *Issuer) { c := vendor; c.Grants = []string{"Group/g1"}; i.Clients["vendor"] = c }, want: func(p *policy.Principal) {
			p.Grants = []fhir.Key{{Type: "Group", ID: "g1"}}
		}},
		"research by waiver": {change: func(i *Issuer) {
			c := vendor
			c.Role, c.Basis = policy.Researcher, policy.OnWaiver
			i.Clients["vendor"] = c
		}, code: fhir.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*Issuer)
			if c.change != nil {
				change = append(change, c.change)
			}
			now := newGateway(t, idp, change...)
			got, err := now.Again(t.Context(), p)
			if c.want == nil {
				if !fhir.Is(err, c.code) {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			want := p
			want.Expires = time.Time{}
			c.want(&want)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v (%v), want %+v", got, err, want)
			}
		})
	}
	other := p
	other.Issuer = "https://elsewhere.example"
	if _, err := g.Again(t.Context(), other); !fhir.Is(err, fhir.Forbidden) {
		t.Errorf("of an issuer that is none of ours: %v", err)
	}
}

func TestOnlyConfigurationGivesAProjectItsWaiver(t *testing.T) {
	idp := newIDP(t, jwk("es256"))
	for _, basis := range []policy.Basis{policy.OnConsent, policy.OnWaiver} {
		g := newGateway(t, idp, func(i *Issuer) {
			c := i.Clients["vendor"]
			c.Role, c.Basis, c.Purpose = policy.Researcher, basis, "HRESCH"
			i.Clients["vendor"] = c
		})
		p := verify(t, g, token("es256", g.therapist(map[string]any{"azp": "vendor", "fhirUser": nil, "roles": nil, "basis": "waiver"})))
		if p.Basis != basis {
			t.Errorf("%q, want %q", p.Basis, basis)
		}
	}
}
