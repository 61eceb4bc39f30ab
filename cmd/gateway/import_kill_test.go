package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAnImportThatIsKilledAndRunAgainIsAsOneThatWasNot kills imports at several
// points of their way, told by how much they have written, and runs them again. Every
// run has the same keys, so ids are the same.
func TestAnImportThatIsKilledAndRunAgainIsAsOneThatWasNot(t *testing.T) {
	gateway := theGateway(t)
	upload, base := t.TempDir(), filepath.Join(t.TempDir(), "base")
	network(t, upload, 300)
	run := func(data, path string) *exec.Cmd {
		return exec.Command(gateway, "import", "--data", data, "--tenant", "PHN999", "--site", "pmhc-v4", path)
	}
	// The instance, with its keys and one organisation.
	first := t.TempDir()
	for _, name := range []string{"metadata.csv", "organisations.csv"} {
		b, err := os.ReadFile(filepath.Join(upload, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(first, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out, err := run(base, first).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	empty := sizeOf(t, base)
	copied := func() string {
		data := filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(data, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(data, "keyring.yaml"), 0o600); err != nil {
			t.Fatal(err)
		}
		return data
	}
	clean := copied()
	if out, err := run(clean, upload).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	grown := sizeOf(t, clean) - empty
	want := dumped(t, gateway, clean)

	killed := 0
	for _, percent := range []int64{5, 30, 60, 90} {
		t.Run(fmt.Sprintf("at %d percent", percent), func(t *testing.T) {
			data := copied()
			cmd := run(data, upload)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for done := false; !done; {
				select {
				case err := <-ended:
					if err != nil {
						t.Fatal(err)
					}
					done = true // it was quicker: the log of the store is smaller than that of the clean run
				case <-time.After(time.Millisecond):
					if sizeOf(t, data)-empty >= grown*percent/100 {
						_ = cmd.Process.Kill()
						<-ended
						killed++
						done = true
					}
				}
			}
			between := dumped(t, gateway, data)
			t.Logf("%d of %d resources were there", len(between), len(want))
			if out, err := run(data, upload).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := dumped(t, gateway, data)
			for k, body := range want {
				if got[k] != body {
					t.Errorf("%s is another one, or not there", k)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d resources, want %d", len(got), len(want))
			}
			if left, _ := filepath.Glob(filepath.Join(data, "*.sealed")); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
	if killed < 2 {
		t.Errorf("only %d imports were killed on their way", killed)
	}
}

// dumped is what `gateway dump` prints, by type and id, apart from what says when and
// by which run.
func dumped(t *testing.T, gateway, data string) map[string]string {
	t.Helper()
	out, err := exec.Command(gateway, "dump", "--data", data).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]any{"Provenance", "AuditEvent"}, r["resourceType"]) {
			continue
		}
		if meta, ok := r["meta"].(map[string]any); ok {
			delete(meta, "versionId")
			delete(meta, "lastUpdated")
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		all[fmt.Sprintf("%s/%s", r["resourceType"], r["id"])] = string(b)
	}
	return all
}
