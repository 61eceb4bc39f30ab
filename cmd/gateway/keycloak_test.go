package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rapport/adapters/issuer"
	"rapport/fhir/fixture"
	"rapport/policy"
	"rapport/policy/token"
)

// idp is a real Keycloak, which knows nothing of this gateway.
type idp struct {
	*testing.T
	issuer string
}

func startKeycloak(t *testing.T, audience string) idp {
	t.Helper()
	run := fixture.Path(t, "tools/keycloak/run")
	if os.Getenv("REQUIRE_SERVICES") == "" {
		t.Skip("Keycloak takes a minute to start; REQUIRE_SERVICES=1 runs it")
	}
	needs(t, "java", "mvn", "curl", "python3", "openssl")
	cmd := exec.Command(run, "--until-eof")
	cmd.Env = append(os.Environ(), "GATEWAY_URL="+audience)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	k := idp{T: t}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "issuer="); ok {
			k.issuer = strings.Trim(v, `'"`)
		}
		if strings.HasPrefix(lines.Text(), "log=") {
			return k
		}
	}
	t.Fatalf("Keycloak did not start\n%s", last(errs.Bytes(), 3000))
	return k
}

// form posts a form and reads one member of the answer.
func (k idp) form(endpoint, member string, v url.Values, basic ...string) string {
	k.Helper()
	req, err := http.NewRequestWithContext(k.Context(), http.MethodPost, endpoint, strings.NewReader(v.Encode()))
	if err != nil {
		k.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(basic) == 2 {
		req.SetBasicAuth(basic[0], basic[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.Fatal(err)
	}
	defer resp.Body.Close()
	var m map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		k.Fatal(err)
	}
	s, ok := m[member].(string)
	if !ok {
		k.Fatalf("no %s in %v", member, m)
	}
	return s
}

// user signs a person in.
func (k idp) user(client, name, scope string) string {
	k.Helper()
	return k.form(k.issuer+"/protocol/openid-connect/token", "access_token", url.Values{
		"grant_type": {"password"}, "client_id": {client}, "username": {name}, "password": {name + "-pw"}, "scope": {scope}})
}

// admin calls Keycloak's administration.
func (k idp) admin(method, path string, body, into any) {
	k.Helper()
	base, _, _ := strings.Cut(k.issuer, "/realms/")
	t := k.form(base+"/realms/master/protocol/openid-connect/token", "access_token", url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"test-only-admin"}})
	b, err := json.Marshal(body)
	if err != nil {
		k.Fatal(err)
	}
	req, err := http.NewRequestWithContext(k.Context(), method, base+"/admin/realms/practice/"+path, bytes.NewReader(b))
	if err != nil {
		k.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+t)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		msg, _ := io.ReadAll(resp.Body)
		k.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, msg)
	}
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			k.Fatal(err)
		}
	}
}

// Tokens of a provider that others wrote are understood, its keys may change while
// the gateway runs, and what it does not say is not believed.
func TestTokensOfARealKeycloakWorkAlsoAfterItChangedItsKeys(t *testing.T) {
	const audience = "https://gateway.example/fhir"
	k := startKeycloak(t, audience)
	all := "user/*.cruds user/*.rs patient/*.rs system/*.rs"
	w := &world{T: t, i: instanceIn(t, t.TempDir(), func(c *Config) {
		c.Issuers = []token.Issuer{{
			URL: k.issuer, Audiences: []string{audience}, HeaderTypes: []string{"JWT"}, PayloadTypes: []string{"Bearer"},
			KeyTTL: time.Second, TokenTTL: time.Second,
			Tenant:  token.Tenant{Claim: "practice", Map: map[string]string{"lindenhof": "one", "seeblick": "two"}},
			Role:    token.RoleRule{Claim: "roles", Map: map[string]policy.Role{"therapist": policy.Therapist, "intake": policy.Intake, "patient": policy.Patient, "auditor": policy.Auditor}},
			User:    token.User{Claim: "fhirUser", Systems: map[string]string{"Practitioner": "urn:x:practitioner", "Patient": "urn:x:client"}},
			Patient: token.User{Claim: "patient", Type: "Patient", Systems: map[string]string{"Patient": "urn:x:client"}},
			Purpose: "TREAT",
			Clients: map[string]token.Client{
				"test-cli":   {Scope: all},
				"ehr-vendor": {Scope: all, Role: policy.EHR, Tenant: "one", Grants: []string{"Organization?identifier=urn:x:org|mira-lindqvist"}},
			},
		}}
	})}
	w.base = w.i.cfg.URL
	w.importer = w.as(issuer.Grant{Role: policy.Integration})
	// Their therapist treats one client and not the other; our ids are our own.
	w.a, w.b = w.admit("mira-lindqvist"), w.admit("birch")

	score := w.a.about["Observation"]
	therapist := &caller{base: w.base, token: k.user("test-cli", "therapist", "openid fhirUser user/*.cruds")}
	if a := w.send(therapist, http.MethodGet, "/"+score.String(), ""); a.status != http.StatusOK {
		t.Fatalf("the therapist reads a score of the own client: %d %s", a.status, a.body)
	}
	if a := w.send(therapist, http.MethodGet, "/"+w.b.about["Observation"].String(), ""); a.status != http.StatusNotFound {
		t.Errorf("and of another's: %d", a.status)
	}
	intake := &caller{base: w.base, token: k.user("test-cli", "intake", "openid fhirUser user/*.cruds")}
	if a := w.send(intake, http.MethodGet, "/"+score.String(), ""); a.status == http.StatusOK {
		t.Error("the desk reads a score")
	}
	if a := w.send(intake, http.MethodGet, "/"+w.a.patient.String(), ""); a.status != http.StatusOK {
		t.Errorf("the desk reads who comes: %d %s", a.status, a.body)
	}
	elsewhere := &caller{base: w.base, token: k.user("test-cli", "therapist-elsewhere", "openid fhirUser user/*.cruds")}
	if a := w.send(elsewhere, http.MethodGet, "/"+score.String(), ""); a.status < 400 {
		t.Errorf("a therapist of another practice: %d", a.status)
	}
	for name, client := range map[string]string{"without us in aud": "test-cli-no-aud", "a client that is not registered": "test-cli-es256"} {
		c := &caller{base: w.base, token: k.user(client, "therapist", "openid fhirUser user/*.cruds")}
		if a := w.send(c, http.MethodGet, "/"+score.String(), ""); a.status != http.StatusUnauthorized {
			t.Errorf("a token %s: %d", name, a.status)
		}
	}
	backend := &caller{base: w.base, token: k.form(k.issuer+"/protocol/openid-connect/token", "access_token",
		url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}, "ehr-vendor", "test-only-ehr-vendor-secret")}
	if a := w.send(backend, http.MethodGet, "/"+score.String(), ""); a.status != http.StatusNotFound {
		t.Errorf("a vendor without a consent: %d", a.status)
	}
	w.permit(w.a, w.a.org)
	if a := w.send(backend, http.MethodGet, "/"+score.String(), ""); a.status != http.StatusOK {
		t.Errorf("a vendor with a consent: %d %s", a.status, a.body)
	}

	// A new key signs from now on; then the old one is withdrawn.
	k.admin(http.MethodPost, "components", object{"name": "rsa-2", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
		"config": object{"priority": []string{"200"}, "algorithm": []string{"RS256"}, "keySize": []string{"2048"}}}, nil)
	after := &caller{base: w.base, token: k.user("test-cli", "therapist", "openid fhirUser user/*.cruds")}
	if a := w.send(after, http.MethodGet, "/"+score.String(), ""); a.status != http.StatusOK {
		t.Errorf("a token of the new key: %d %s", a.status, a.body)
	}
	if a := w.send(therapist, http.MethodGet, "/"+score.String(), ""); a.status != http.StatusOK {
		t.Errorf("a token of the old key, which is still published: %d", a.status)
	}
	var providers []map[string]any
	k.admin(http.MethodGet, "components?type=org.keycloak.keys.KeyProvider", nil, &providers)
	withdrawn := false
	for _, p := range providers {
		if p["name"] == "rsa-1" {
			p["config"].(map[string]any)["enabled"] = []string{"false"}
			k.admin(http.MethodPut, fmt.Sprint("components/", p["id"]), p, nil)
			withdrawn = true
		}
	}
	if !withdrawn {
		t.Fatal("Keycloak shows no rsa-1")
	}
	err := eventually(t.Context(), 30*time.Second, func() (bool, error) {
		return w.send(therapist, http.MethodGet, "/"+score.String(), "").status == http.StatusUnauthorized, nil
	})
	if err != nil {
		t.Errorf("a token of the withdrawn key: %v", err)
	}
}
