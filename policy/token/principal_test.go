package token

import (
	"testing"

	"rapport/fhir"
	"rapport/policy"
)

func TestWhoATokenNames(t *testing.T) {
	key := func(s string) fhir.Key { k, _ := fhir.ParseKey(s); return k }
	for _, c := range []struct {
		name   string
		issuer func(*Issuer)
		claims map[string]any
		want   policy.Principal // Tenant, Role, User, Patient, Client, Purpose alone
	}{
		{name: "role as one text", claims: map[string]any{"roles": "therapist"}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "values that are no role of ours are ignored", claims: map[string]any{"roles": []string{"uma_authorization", "auditor", "default-roles"}, "fhirUser": nil},
			want: policy.Principal{Role: policy.Auditor}},
		{name: "two values that come to one role", issuer: func(i *Issuer) { i.Role.Map["psychologist"] = policy.Therapist }, claims: map[string]any{"roles": []string{"psychologist", "therapist"}},
			want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "several roles by precedence", issuer: func(i *Issuer) { i.Role.Precedence = []policy.Role{policy.Intake, policy.Therapist} }, claims: map[string]any{"roles": []string{"therapist", "auditor", "intake"}},
			want: policy.Principal{Role: policy.Intake, User: key("Practitioner/p1")}},
		{name: "roles behind a JSON Pointer", issuer: func(i *Issuer) { i.Role.Claim = "/realm_access/ro~1les" }, claims: map[string]any{"realm_access": map[string]any{"ro/les": []string{"therapist"}}, "roles": "auditor"},
			want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "a claim whose name is a URL", issuer: func(i *Issuer) { i.Role.Claim = "https://idp.example/roles" }, claims: map[string]any{"https://idp.example/roles": "auditor", "fhirUser": nil},
			want: policy.Principal{Role: policy.Auditor}},
		{name: "an auditor whom the practice does not list", claims: map[string]any{"roles": "auditor", "fhirUser": "Practitioner/nils"}, want: policy.Principal{Role: policy.Auditor}},
		{name: "the other tenant's Practitioner", claims: map[string]any{"practice": "seeblick"}, want: policy.Principal{Tenant: "see", Role: policy.Therapist, User: key("Practitioner/p9")}},
		{name: "tenant in a list of one", claims: map[string]any{"practice": []string{"lindenhof"}}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "fixed tenant", issuer: func(i *Issuer) { i.Tenant = Tenant{Fixed: "see"} }, want: policy.Principal{Tenant: "see", Role: policy.Therapist, User: key("Practitioner/p9")}},
		{name: "tenant by its own name", issuer: func(i *Issuer) { i.Tenant.Map = nil }, claims: map[string]any{"practice": "linden"}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "fhirUser as the issuer's own URL", claims: map[string]any{"fhirUser": "https://ehr.example/fhir/Practitioner/mira"}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "a bare staff number", issuer: func(i *Issuer) { i.User.Claim, i.User.Type = "staff", "Practitioner" }, claims: map[string]any{"staff": "mira", "fhirUser": nil},
			want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "ids of our own issuer", issuer: func(i *Issuer) {
			i.User, i.Patient = User{Claim: "fhirUser", Own: true}, User{Claim: "patient", Own: true}
		},
			claims: map[string]any{"fhirUser": "Practitioner/any-id", "patient": "c9"}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/any-id"), Patient: key("Patient/c9")}},
		{name: "a patient about itself", claims: map[string]any{"roles": "patient", "fhirUser": "Patient/ada", "patient": "Patient/ada"},
			want: policy.Principal{Role: policy.Patient, User: key("Patient/c1"), Patient: key("Patient/c1")}},
		{name: "a therapist with a patient in context", claims: map[string]any{"patient": "ben"}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1"), Patient: key("Patient/c2")}},
		{name: "fhirUser never stands in for a patient in context", claims: map[string]any{"roles": "patient", "fhirUser": "Patient/ada", "scope": "patient/*.rs"},
			want: policy.Principal{Role: policy.Patient, User: key("Patient/c1")}},
		{name: "client_id and azp that agree", claims: map[string]any{"client_id": "app"}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "a backend's own tenant in the token", claims: map[string]any{"azp": "vendor", "fhirUser": nil, "roles": nil}, want: policy.Principal{Role: policy.EHR, Client: "vendor", Purpose: "HOPERAT"}},
		{name: "header type in capitals and in full", issuer: func(i *Issuer) { i.HeaderTypes = []string{"JWT", "at+jwt"} }, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "payload type as configured", issuer: func(i *Issuer) { i.PayloadTypes = []string{"Bearer"} }, claims: map[string]any{"typ": "Bearer"}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
		{name: "no jti where that is allowed", issuer: func(i *Issuer) { i.NoJTI = true }, claims: map[string]any{"jti": nil}, want: policy.Principal{Role: policy.Therapist, User: key("Practitioner/p1")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var change []func(*Issuer)
			if c.issuer != nil {
				change = append(change, c.issuer)
			}
			g := newGateway(t, newIDP(t, jwk("es256")), change...)
			p := verify(t, g, token("es256", g.therapist(c.claims)))
			for _, d := range []struct{ have, want *string }{{&p.Tenant, &c.want.Tenant}, {&p.Client, &c.want.Client}, {&p.Purpose, &c.want.Purpose}} {
				if *d.want == "" {
					*d.want = map[*string]string{&c.want.Tenant: "linden", &c.want.Client: "app", &c.want.Purpose: "TREAT"}[d.want]
				}
				if *d.have != *d.want {
					t.Errorf("%q, want %q", *d.have, *d.want)
				}
			}
			if p.Role != c.want.Role || p.User != c.want.User || p.Patient != c.want.Patient {
				t.Errorf("%s %v %v, want %s %v %v", p.Role, p.User, p.Patient, c.want.Role, c.want.User, c.want.Patient)
			}
			if p.Patient.IsZero() {
				for _, s := range p.Scopes {
					if s.Context == "patient" {
						t.Errorf("scope %s without a patient in context", FormatScope(s))
					}
				}
			}
		})
	}
}

func TestAPayloadTypeThatIsAskedForMustBeThere(t *testing.T) {
	g := newGateway(t, newIDP(t, jwk("es256")), func(i *Issuer) { i.HeaderTypes, i.PayloadTypes = []string{"JWT", "at+jwt"}, []string{"Bearer"} })
	for typ, want := range map[any]Reason{nil: WrongType, "ID": WrongType, "Refresh": WrongType, "Offline": WrongType, "Logout": WrongType, "DPoP": Bound, "bearer": WrongType, true: WrongType} {
		if _, err := g.Verify(t.Context(), token("es256", g.therapist(map[string]any{"typ": typ}))); ReasonOf(err) != want {
			t.Errorf("typ %v: %v, want %q", typ, err, want)
		}
	}
}

func TestATenantThatIsNotServedHereIsNone(t *testing.T) {
	g := newGateway(t, newIDP(t, jwk("es256")), func(i *Issuer) { i.Tenant.Map["closed"] = "closed" })
	if _, err := g.Verify(t.Context(), token("es256", g.therapist(map[string]any{"practice": "closed"}))); ReasonOf(err) != NoTenant {
		t.Error(err)
	}
}
