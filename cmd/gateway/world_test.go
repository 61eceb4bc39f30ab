package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/policy"
	"rapport/policy/token"
)

// world is a gateway as it is served, on a store of its own, with two clients in the
// care of two therapists at two organisations of one tenant.
type world struct {
	*testing.T
	i        *instance
	base     string
	a, b     client
	importer *caller
}

// client is one of the two, with all that is about them.
type client struct {
	mark                          string
	patient, org, doctor, episode fhir.Key
	about                         map[string]fhir.Key // by type
}

// instanceIn makes a development instance in a folder, changed by edit, and serves it.
func instanceIn(t *testing.T, dir string, edit func(*Config)) *instance {
	t.Helper()
	c := &Config{Tenants: []Tenant{{ID: "one"}, {ID: "two"}}}
	if edit != nil {
		edit(c)
	}
	if _, err := os.Stat(filepath.Join(dir, configFile)); err != nil {
		if err := makeDevelopment(dir, c); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	cfg, err := Development(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.serveAt(srv.Listener.Addr().String())
	i, err := build(context.Background(), cfg, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close)
	for _, tn := range cfg.Tenants {
		if err := i.prepare(context.Background(), tn.ID); err != nil {
			t.Fatal(err)
		}
	}
	srv.Config.Handler = i.handler()
	srv.Start()
	t.Cleanup(srv.Close)
	return i
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := token.GenerateSigningKey("vendor")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, i: instanceIn(t, t.TempDir(), func(c *Config) {
		c.Clients = map[string]issuer.Client{"vendor": {Tenant: "one", Role: policy.EHR, Scope: "system/*.rs", Purpose: "TREAT", JWKS: public(key),
			Grants: []string{"Organization?identifier=urn:x:org|alder"}},
			"hospital": {Tenant: "one", Role: policy.Partner, Scope: "system/*.cruds", Purpose: "TREAT", JWKS: public(key),
				Grants: []string{"Organization?identifier=urn:x:org|alder"}}}
	})}
	w.base = w.i.cfg.URL
	w.importer = w.as(issuer.Grant{Role: policy.Integration})
	w.a, w.b = w.admit("alder"), w.admit("birch")
	return w
}

// as is a caller with a token.
func (w *world) as(g issuer.Grant) *caller {
	w.Helper()
	s, err := w.i.mint(w.Context(), g)
	if err != nil {
		w.Fatal(err)
	}
	return &caller{base: w.base, token: s}
}

// admit makes a client, their organisation, therapist and episode, and one resource of
// each type that can be about them.
func (w *world) admit(mark string) client {
	w.Helper()
	c := client{mark: mark, about: map[string]fhir.Key{}}
	c.org = w.make(fmt.Sprintf(`{"resourceType":"Organization","name":"Practice %s","identifier":[{"system":"urn:x:org","value":%q}]}`, mark, mark))
	c.doctor = w.make(fmt.Sprintf(`{"resourceType":"Practitioner","name":[{"family":"Doctor%s"}],"identifier":[{"system":"urn:x:practitioner","value":%q}]}`, mark, mark))
	c.patient = w.make(fmt.Sprintf(`{"resourceType":"Patient","name":[{"family":"Family%s","given":["Given"]}],"birthDate":"1980-01-01","identifier":[{"system":"urn:x:client","value":%q}],"managingOrganization":{"reference":%q}}`, mark, mark, c.org))
	for _, f := range aboutAClient(w.T) {
		body := strings.NewReplacer("PATIENT", c.patient.String(), "ORG", c.org.String(), "DOCTOR", c.doctor.String(), "MARK", mark).Replace(string(f.Data))
		k := w.make(body)
		c.about[k.Type] = k
	}
	c.episode = c.about["EpisodeOfCare"]
	return c
}

func aboutAClient(t *testing.T) []txtar.File {
	t.Helper()
	a, err := txtar.ParseFile("../../testdata/attack/about-a-client.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return a.Files
}

// make creates a resource as the importer.
func (w *world) make(body string) fhir.Key {
	w.Helper()
	r, err := fhir.Parse([]byte(body))
	if err != nil {
		w.Fatal(err)
	}
	a := w.send(w.importer, http.MethodPost, "/"+r.Type, body)
	if a.status != http.StatusCreated {
		w.Fatalf("%s: %d %s", r.Type, a.status, a.body)
	}
	made, err := fhir.Parse(a.body)
	if err != nil {
		w.Fatal(err)
	}
	return made.Key
}

// permit lets an organisation have everything about a client.
func (w *world) permit(c client, to fhir.Key) fhir.Key {
	w.Helper()
	return w.make(fmt.Sprintf(`{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":%q},"dateTime":"2026-01-02",
"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]},
"provision":{"type":"permit","actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":{"reference":%q}}]}}`, c.patient, to))
}

// send sends a request below the FHIR base.
func (w *world) send(c *caller, method, path, body string, header ...string) answer {
	w.Helper()
	var b []byte
	if body != "" {
		b = []byte(body)
	}
	a, err := c.do(w.Context(), method, fhirPath+path, b, header...)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// entries are the keys in a Bundle that came back; matches alone if so asked.
func (w *world) entries(a answer, matches bool) (ks []fhir.Key) {
	w.Helper()
	if a.status != http.StatusOK {
		w.Fatalf("%d %s", a.status, a.body)
	}
	n, err := fhir.ParseNode(a.body)
	if err != nil {
		w.Fatal(err)
	}
	for e := range n.Get("entry").Elements() {
		if matches && e.At("search", "mode").Text() != "match" {
			continue
		}
		r := e.Get("resource")
		ks = append(ks, fhir.Key{Type: r.Get("resourceType").Text(), ID: r.Get("id").Text()})
	}
	return ks
}

// next is the link to the next page, below the base; "" if there is none.
func (w *world) next(a answer) string {
	w.Helper()
	n, err := fhir.ParseNode(a.body)
	if err != nil {
		w.Fatal(err)
	}
	for l := range n.Get("link").Elements() {
		if l.Get("relation").Text() == "next" {
			return strings.TrimPrefix(l.Get("url").Text(), w.base+fhirPath)
		}
	}
	return ""
}

// total is Bundle.total, -1 if there is none.
func (w *world) total(a answer) int {
	w.Helper()
	var b struct{ Total *int }
	if err := json.Unmarshal(a.body, &b); err != nil {
		w.Fatal(err)
	}
	if b.Total == nil {
		return -1
	}
	return *b.Total
}
