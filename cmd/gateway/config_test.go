package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readmeConfig is the configuration that the README shows.
func readmeConfig(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the README shows no configuration")
	}
	return text
}

func loadText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadConfig(path)
}

func TestTheReadmesConfigurationIsReadWithDefaultsAndItsOwnFolder(t *testing.T) {
	c, err := loadText(t, readmeConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Store.SQLite; got != filepath.Join(filepath.Dir(c.path), "rapport.db") {
		t.Errorf("the store is %s", got)
	}
	if c.Tenants[1].System != "urn:rapport:seetal" || c.Caseload.Grace.Hours() != 720 || c.Partners[0].Name != "seespital" || len(c.Issuers) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestAMistakeInAConfigurationIsNamedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		says     []string
	}{
		"an unknown key":                        {"listen:", "lissten:", []string{"gateway.yaml:1:1:", "lissten"}},
		"an unknown key further down":           {"  reads: synced", "  read: synced", []string{"gateway.yaml:17:3:", "read"}},
		"an unknown key of a partner":           {"    client: lindenhof", "    clinet: lindenhof", []string{"gateway.yaml:64:5:", "clinet"}},
		"a key twice":                           {"keyring: keyring.yaml", "keyring: a\nkeyring: b", []string{"gateway.yaml:13:", "keyring"}},
		"a value of the wrong kind":             {"  grace: 720h", "  grace: long", []string{"gateway.yaml:", "long"}},
		"plain HTTP for everybody":              {"tls:\n  certificate: /etc/rapport/fullchain.pem\n  key: /etc/rapport/privkey.pem\n", "", []string{"listen", "loopback"}},
		"a plain address for callers elsewhere": {"https://fhir.example.org", "http://fhir.example.org", []string{"url", "https"}},
		"no keyring":                            {"keyring: keyring.yaml\n", "", []string{"keyring", "gateway keyring create"}},
		"two stores":                            {"  sqlite: rapport.db", "  sqlite: rapport.db\n  postgres: postgres://x", []string{"store", "one of"}},
		"no tenant":                             {"tenants:\n  - id: lindental\n    system: https://lindental.example/records\n    zone: Europe/Zurich\n    safety: Please ring our line for urgent matters, 555 0100; at night the emergency services.\n  - id: seetal\n", "tenants: []\n", []string{"tenants"}},
		"a tenant twice":                        {"  - id: seetal", "  - id: lindental", []string{"tenants[1].id"}},
		"a partner of nobody":                   {"  - tenant: lindental\n    name", "  - tenant: nobody\n    name", []string{"partners[0].tenant"}},
		"a project of another role":             {"    clients: [hochschule]", "    clients: [kartenwerk]", []string{"projects[0].clients", "researcher"}},
		"a profile that there is not":           {"    profile: expert", "    profile: nearly", []string{"projects[0].profile", "safe-harbor"}},
		"a zone that there is not":              {"    zone: Europe/Zurich", "    zone: Lindental", []string{"tenants[0].zone"}},
		"a way that there is not":               {"    delivery: auto", "    delivery: pigeon", []string{"partners[0]", "auto"}},
		"an issuer without an audience":         {"    audiences: [https://fhir.example.org/fhir]\n", "", []string{"issuers[0].audiences"}},
		"a person's role for a backend":         {"    role: ehr", "    role: therapist", []string{"clients.kartenwerk.role"}},
	} {
		t.Run(name, func(t *testing.T) {
			good := readmeConfig(t)
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatal("nothing was changed")
			}
			_, err := loadText(t, text)
			if err == nil {
				t.Fatal("nothing was said")
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it says\n%v\nnot %q", err, want)
				}
			}
		})
	}
}

func TestADevelopmentInstanceIsMadeOnceAndFoundAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mine")
	first, err := Development(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := developmentTenant(dir, "PHN999"); err != nil {
		t.Fatal(err)
	}
	first.serveAt("127.0.0.1:9999")
	if err := first.keepAddress(); err != nil {
		t.Fatal(err)
	}
	again, err := Development(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.URL != "http://127.0.0.1:9999" || len(again.Tenants) != 2 || again.Tenants[1].ID != "PHN999" || again.Keyring != first.Keyring {
		t.Errorf("%+v", again)
	}
}
