package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rapport/policy/keyring"
)

func TestTokensAndDumpsAreForDevelopmentInstancesAlone(t *testing.T) {
	gateway, dir := theGateway(t), t.TempDir()
	if _, err := keyring.Create(filepath.Join(dir, "keyring.yaml")); err != nil {
		t.Fatal(err)
	}
	text := "keyring: keyring.yaml\nstore: {sqlite: rapport.db}\ntenants: [{id: lindental}]\n" +
		"issuers: [{url: https://login.example.org, audiences: [x], tenant: {fixed: lindental}, clients: {a: {role: ehr, scope: system/*.rs}}}]\n"
	c, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"token", "--role", "admin"}, {"dump"}} {
		out, err := exec.Command(gateway, append(command, "--config", c.path)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "development instance") {
			t.Errorf("%s: %v\n%s", command[0], err, out)
		}
	}
	mine := filepath.Join(dir, "mine")
	out, err := exec.Command(gateway, "token", "--data", mine, "--role", "admin").Output()
	if err != nil || strings.Count(string(out), "\n") != 1 || strings.Count(string(out), ".") != 2 {
		t.Errorf("it prints something else than a token: %v\n%s", err, out)
	}
}
