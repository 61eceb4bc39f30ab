package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rapport/adapters/issuer"
	"rapport/fhir"
	"rapport/policy"
	"rapport/policy/token"
	"rapport/testdata"
)

// studied is a gateway with the invented practice and two research projects.
type studied struct {
	*testing.T
	i    *instance
	keys map[string]*token.SigningKey
}

func studies(t *testing.T) *studied {
	t.Helper()
	s := &studied{T: t, keys: map[string]*token.SigningKey{}}
	clients := map[string]issuer.Client{}
	for name, role := range map[string]policy.Role{"north": policy.Researcher, "south": policy.Researcher, "idle": policy.Researcher, "backend": policy.Integration} {
		key, err := token.GenerateSigningKey(name)
		if err != nil {
			t.Fatal(err)
		}
		purpose := "HRESCH"
		if role != policy.Researcher {
			purpose = "TREAT"
		}
		s.keys[name] = key
		clients[name] = issuer.Client{Tenant: clinicTenant, Role: role, Scope: "system/*.rs", Purpose: purpose, JWKS: public(key)}
	}
	s.i = instanceIn(t, t.TempDir(), func(c *Config) {
		c.Tenants = []Tenant{{ID: clinicTenant, System: "https://lindental.example/records"}}
		c.Clients = clients
		c.Projects = []Project{{ID: "north", Tenant: clinicTenant, Clients: []string{"north"}}, {ID: "south", Tenant: clinicTenant, Clients: []string{"south"}, Profile: "safe-harbor"}}
	})
	folder := filepath.Join(t.TempDir(), "export")
	if err := os.CopyFS(folder, testdata.Practice()); err != nil {
		t.Fatal(err)
	}
	sum, err := s.i.importFrom(t.Context(), clinicTenant, practiceSite, folder, nil)
	if err != nil || !sum.Complete() {
		t.Fatalf("%v\n%s", err, sum)
	}
	tn, err := s.i.tenant(clinicTenant)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = tn.exports.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return s
}

func (s *studied) as(client string) *caller {
	s.Helper()
	c, err := signIn(s.Context(), s.i.cfg.URL, s.i.issuer.TokenURL(), client, "system/*.rs", s.keys[client])
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// release exports as a client and returns the files by name.
func (s *studied) release(client string) map[string]string {
	s.Helper()
	c := s.as(client)
	m, err := c.export(s.Context(), "$export")
	if err != nil {
		s.Fatal(err)
	}
	folder := s.TempDir()
	if err := m.save(s.Context(), c, folder); err != nil {
		s.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range must(os.ReadDir(folder)) {
		out[e.Name()] = string(must(os.ReadFile(filepath.Join(folder, e.Name()))))
	}
	return out
}

var token5 = regexp.MustCompile(`[\p{L}\p{N}@.+_-]{5,}`)

// identifiers are the literal identifiers of the invented clients, as whole tokens.
func (s *studied) identifiers() map[string]bool {
	s.Helper()
	out := map[string]bool{}
	f := must(testdata.Practice().Open("clients.csv"))
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		s.Fatal(err)
	}
	for col, name := range rows[0] {
		switch name {
		case "client", "family", "given", "birth_date", "email", "phone", "postal_code", "city", "line":
			for _, r := range rows[1:] {
				for _, tok := range append(token5.FindAllString(r[col], -1), r[col]) {
					if len([]rune(tok)) >= 5 {
						out[tok] = true
					}
				}
			}
		}
	}
	return out
}

func TestWhatAResearcherGetsNamesNobodyAndNoProjectKnowsAnothersPeople(t *testing.T) {
	s := studies(t)
	north, south := s.release("north"), s.release("south")
	bad := s.identifiers()
	if len(bad) < 100 {
		t.Fatalf("only %d identifiers to look for", len(bad))
	}
	known := map[string]bool{}
	for project, files := range map[string]map[string]string{"north": north, "south": south} {
		for _, want := range []string{"scores.csv", "scores.parquet", "items.csv", "items.parquet", "dictionary.csv", "disclosure.json"} {
			if files[want] == "" {
				t.Errorf("%s: there is no %s", project, want)
			}
		}
		for name, text := range files {
			for _, tok := range token5.FindAllString(text, -1) {
				if bad[tok] {
					t.Errorf("%s: %s holds an identifier of a client", project, name)
				}
			}
			if !strings.HasSuffix(name, ".ndjson") {
				continue
			}
			for _, r := range resources(t, []byte(text)) {
				if project == "north" {
					known[r.ID] = true
				} else if known[r.ID] {
					t.Errorf("%s of one project is %s of another", name, r.Type)
				}
			}
		}
	}
	if n := strings.Count(north["people.csv"], "\n") - 1; n < 30 {
		t.Errorf("%d people are in it", n)
	}
	for name, text := range south {
		if m := regexp.MustCompile(`"\d{4}-\d{2}["-]`).FindString(text); m != "" && strings.HasSuffix(name, ".ndjson") {
			t.Errorf("safe harbor: %s tells more of a date than the year", name)
		}
	}
	again := s.release("north")
	if again["people.csv"] != north["people.csv"] {
		t.Error("the same project gets other pseudonyms the next time")
	}
}

func TestAResearcherHasTheExportAndNothingElse(t *testing.T) {
	s := studies(t)
	c := s.as("north")
	for _, path := range []string{"/Patient", "/Observation?_summary=count", "/Patient/_history", "/Patient/x/$everything"} {
		if a := must(c.do(t.Context(), http.MethodGet, fhirPath+path, nil)); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	// Forms and organisations are for everybody; of clients there is nothing among them.
	if a := must(c.do(t.Context(), http.MethodGet, fhirPath+"/_history?_count=1000", nil)); strings.Contains(string(a.body), "Patient/") {
		t.Error("the history of all tells of clients")
	}
	if a := must(c.do(t.Context(), http.MethodGet, fhirPath+"/$export?_since=2026-01-01T00:00:00Z", nil, "Prefer", "respond-async")); a.status/100 != 4 {
		t.Errorf("_since: %d", a.status)
	}
	if _, err := s.as("idle").export(t.Context(), "$export"); err == nil || !strings.Contains(err.Error(), "project") {
		t.Errorf("a researcher without a project: %v", err)
	}
	// What _type leaves out is read nevertheless: whom a release may hold depends on it.
	m, err := c.export(t.Context(), "$export?_type=QuestionnaireResponse")
	if err != nil || len(m.Output) != 1 {
		t.Errorf("%d files, %v", len(m.Output), err)
	}
	// Another's job is nobody's.
	m, err = c.export(t.Context(), "$export")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.files() {
		at := strings.TrimPrefix(f.URL, s.i.cfg.URL)
		for _, who := range []string{"south", "backend"} {
			if a := must(s.as(who).do(t.Context(), http.MethodGet, at, nil)); a.status != http.StatusNotFound {
				t.Errorf("%s takes a file of another: %d", who, a.status)
			}
		}
	}
}

func TestABackendsExportIsWhatItMayRead(t *testing.T) {
	s := studies(t)
	c := s.as("backend")
	files := s.release("backend")
	got := map[fhir.Key]bool{}
	for name, text := range files {
		if strings.HasSuffix(name, ".ndjson") {
			for _, r := range resources(t, []byte(text)) {
				got[r.Key] = true
			}
		}
	}
	for _, typ := range []string{"Patient", "EpisodeOfCare", "Goal", "Consent"} {
		b, err := c.get(t.Context(), typ+"?_total=accurate&_count=1000")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for k := range got {
			if k.Type == typ {
				n++
			}
		}
		if total := b.Root().Get("total").Decimal(); fmt.Sprint(n) != total {
			t.Errorf("%d %s are exported, %s are found", n, typ, total)
		}
	}
}
