package keyring

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is a file of version 1. What follows from it must never change.
const golden = `version: 1
active: k2
stable: k1
keys:
  - id: k1
    made: 2026-03-01T09:00:00Z
    secret: AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=
  - id: k2
    made: 2026-06-01T09:00:00Z
    secret: ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=
`

func TestDerivationNeverChanges(t *testing.T) {
	r, err := parse([]byte(golden))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ tenant, purpose, id, key string }{
		{"lindenhof", IDs, "k1", goldenIDs},
		{"lindenhof", Cache, "k2", goldenCache},
	} {
		id, key := r.Key(c.tenant, c.purpose)
		if got := hex.EncodeToString(key[:]); id != c.id || got != c.key {
			t.Errorf("%s/%s: %s %s, want %s %s: ids and sealed values of existing installations would be lost", c.tenant, c.purpose, id, got, c.id, c.key)
		}
	}
}

func TestAJSONKeyringIsReadToo(t *testing.T) {
	doc := `{"version":1,"active":"a","stable":"a","keys":[{"id":"a","made":"2026-03-01T09:00:00Z","secret":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="}]}`
	if _, err := parse([]byte(doc)); err != nil {
		t.Error(err)
	}
}

func TestAFileThatOthersMayReadIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644, 0o601, 0o620} {
		path, _ := created(t)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	path, _ := created(t)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err != nil {
		t.Errorf("mode 400 is refused: %v", err)
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder is read as a keyring")
	}
}

func TestABrokenFileIsRefusedWithItsLineAndWithoutItsSecrets(t *testing.T) {
	const secret = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown key":            {"stable: k1\n", "stable: k1\nextra: 1\n", ":4: "},
		"unknown key of a key":   {"    made: 2026-03", "    note: x\n    made: 2026-03", ":6: "},
		"wrong case":             {"active:", "Active:", ":2: "},
		"doubled key":            {"active: k2\n", "active: k2\nactive: k1\n", ":3: "},
		"secret as a key":        {"    secret: " + secret, "    " + secret + ": x", ":"},
		"secret as a bare line":  {"  - id: k1", secret + "\n  - id: k1", ":"},
		"version 2":              {"version: 1", "version: 2", "version is 2"},
		"no version":             {"version: 1\n", "", "version is 0"},
		"unknown active":         {"active: k2", "active: k3", "active and stable"},
		"no stable":              {"stable: k1\n", "", "active and stable"},
		"same id":                {"id: k2", "id: k1", "occurs twice"},
		"same secret":            {"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=", secret, "that of another key"},
		"short secret":           {secret, "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==", "base64 of 32 bytes"},
		"zero secret":            {secret, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "all zero"},
		"sloppy base64":          {secret, "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB=", "base64 of 32 bytes"},
		"id with other letters":  {"id: k1", "id: K/1", "keys[0].id"},
		"made is no time":        {"2026-03-01T09:00:00Z", "yesterday", "keys[0].made"},
		"a second document":      {"version: 1", "version: 1\n---\nversion: 1", ":"},
		"keys that are not list": {"keys:", "keys: 1\nkeyz:", ":"},
		"nothing":                {golden, "", ":"},
		"binary":                 {golden, "\x00\x01\xff", ":"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(golden, c.from) {
				t.Fatal("the case changes nothing")
			}
			path := filepath.Join(t.TempDir(), "keyring.yaml")
			if err := os.WriteFile(path, []byte(strings.Replace(golden, c.from, c.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if err == nil {
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), path+":") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q does not hold %q", err, c.want)
			}
			if strings.Contains(err.Error(), secret[:16]) || strings.Contains(err.Error(), "ICEiIyQl") {
				t.Errorf("the error quotes a secret: %v", err)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(path, []byte(golden+strings.Repeat("# more\n", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a large file: %v", err)
	}
}

// Computed by an HKDF written in Python from RFC 5869.
const (
	goldenIDs   = "bdc025743df14ba438abbad85fffaf0da6d9f9cb6fe93527e51040f066c3f8b4"
	goldenCache = "40e90b7fe978a8ce36426e39b2606e1991ff6f597b6bf62c8d694d70d988214e"
)
