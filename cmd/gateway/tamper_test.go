package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver" // registers the engine

	"rapport/adapters/issuer"
	"rapport/policy"
	"rapport/policy/audit"
)

// Whoever can write the store with tools of their own cannot do so unseen: verify
// names what was edited, deleted or swapped under a checkpoint that is kept, and with
// one kept elsewhere also an end that was cut off (promise 4).
func TestVerifyNamesWhatOutsideToolsDidToTheJournal(t *testing.T) {
	gateway := theGateway(t)
	dir := t.TempDir()
	i := instanceIn(t, dir, nil)
	w := &world{T: t, i: i, base: i.cfg.URL}
	w.importer = w.as(issuer.Grant{Role: policy.Integration, Tenant: "one"})
	c := w.admit("alder")
	for range 5 {
		w.send(w.importer, http.MethodGet, "/"+c.patient.String(), "")
	}
	i.close() // ships and seals
	anchor := filepath.Join(t.TempDir(), "anchor.json")
	out, err := exec.Command(gateway, "audit", "checkpoint", "--data", dir, "--tenant", "one").Output()
	if err != nil {
		t.Fatal(err)
	}
	var kept audit.Anchor
	if err := json.Unmarshal(out, &kept); err != nil || len(kept.Checkpoints) == 0 {
		t.Fatalf("no checkpoint: %v\n%s", err, out)
	}
	if err := os.WriteFile(anchor, out, 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(dir string, args ...string) (string, bool) {
		out, err := exec.Command(gateway, append([]string{"audit", "verify", "--data", dir, "--tenant", "one"}, args...)...).CombinedOutput()
		return string(out), err == nil
	}
	if said, whole := verify(dir, "--anchor", anchor); !whole {
		t.Fatalf("before anything was done: %s", said)
	}
	writer := "(SELECT writer FROM entry WHERE place > 0 GROUP BY tenant, writer ORDER BY count(*) DESC LIMIT 1)"
	end := "(SELECT max(place) FROM entry WHERE writer = " + writer + ")"
	for name, c := range map[string]struct {
		sql    string
		anchor bool
		says   string
	}{
		"a record edited":  {"UPDATE entry SET body = replace(body, 'permit', 'deny  ') WHERE place = 3 AND writer = " + writer, false, "record 3"},
		"a record deleted": {"DELETE FROM entry WHERE place = 3 AND writer = " + writer, false, "record 3 is missing"},
		"two records swapped": {`UPDATE entry SET body = (SELECT o.body FROM entry o WHERE o.writer = entry.writer AND o.tenant = entry.tenant AND o.place = 7 - entry.place)
			WHERE place IN (3, 4) AND writer = ` + writer, false, "record 3"},
		"the end cut with its checkpoints": {"DELETE FROM checkpoint WHERE writer = " + writer + " AND place > 1; DELETE FROM entry WHERE writer = " + writer + " AND place > (SELECT coalesce(max(place), 0) FROM checkpoint WHERE writer = " + writer + ")", true, "missing at the end"},
		"the last record deleted":          {"DELETE FROM entry WHERE writer = " + writer + " AND place = " + end, false, "missing at the end"},
	} {
		t.Run(name, func(t *testing.T) {
			copied := t.TempDir()
			if err := os.CopyFS(filepath.Join(copied, "x"), os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			copied = filepath.Join(copied, "x")
			if err := os.Chmod(filepath.Join(copied, keyringFile), 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := sqlite3.Open("file:" + filepath.Join(copied, "rapport.db"))
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Exec(c.sql); err != nil {
				t.Fatal(err)
			}
			if db.Changes() == 0 {
				t.Fatal("nothing was done")
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			var args []string
			if c.anchor {
				args = []string{"--anchor", anchor}
			}
			said, whole := verify(copied, args...)
			if whole || !strings.Contains(said, c.says) {
				t.Errorf("verify says, whole %v:\n%s", whole, said)
			}
		})
	}
}
