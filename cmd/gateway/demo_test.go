package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rapport/fhir"
)

// theGateway builds the program once for all tests that run it as a person would.
func theGateway(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// stage is a demo that stays up.
type stage struct {
	gateway, dir string
	commands     []string
	told         string
}

// raise starts the demo and reads its story to the end.
func raise(t *testing.T, args ...string) *stage {
	t.Helper()
	s := &stage{gateway: theGateway(t), dir: t.TempDir()}
	cmd := exec.Command(s.gateway, append([]string{"demo", "--keep", s.dir}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("after Ctrl-C: %v\n%s", err, errs.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		s.told += lines.Text() + "\n"
		if c, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "$ "); ok && !strings.HasPrefix(c, "alias ") {
			s.commands = append(s.commands, c)
		}
		if strings.HasPrefix(lines.Text(), "Both gateways stay up") {
			return s
		}
	}
	t.Fatalf("the demo ended early\n%s%s", s.told, errs.String())
	return nil
}

// run runs a command as it was shown.
func (s *stage) run(t *testing.T, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", command)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(s.gateway)+":"+os.Getenv("PATH"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s%s", command, err, out, errs.String())
	}
	return string(out)
}

func TestTheDemoTellsItsStoryAndItsCommandsWorkAsTheyStand(t *testing.T) {
	needs(t, "curl", "bash")
	s := raise(t)
	for _, step := range []string{"\na. ", "\nb. ", "\nc. ", "\nd. ", "\ne. ", "\nf. ", "Every step held"} {
		if !strings.Contains(s.told, step) {
			t.Errorf("the story has no %q", strings.TrimSpace(step))
		}
	}
	if len(s.commands) < 10 {
		t.Errorf("only %d commands are shown", len(s.commands))
	}
	for _, c := range s.commands {
		out := s.run(t, c)
		if strings.TrimSpace(out) == "" {
			t.Errorf("%s shows nothing", c)
		}
		if !strings.HasPrefix(c, "curl ") {
			continue
		}
		var r struct{ ResourceType string }
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Errorf("%s: %v\n%s", c, err, out)
		}
		// The one who is outside the vendor's grant is nobody; everything else is there.
		outside := strings.Contains(c, "vendor.curl") && strings.Contains(c, "/fhir/Patient/")
		if (r.ResourceType == "OperationOutcome") != outside {
			t.Errorf("%s shows a %s\n%s", c, r.ResourceType, out)
		}
	}
}

func TestTheDemoNamesTheStepThatDidNotHold(t *testing.T) {
	s := &story{out: io.Discard, dir: t.TempDir()}
	defer s.close()
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.open(ctx); err != nil {
		t.Fatal(err)
	}
	// The hospital is down before the referral is sent.
	if err := s.hospital.run.end(); err != nil {
		t.Fatal(err)
	}
	s.hospital.run = nil
	time.AfterFunc(2*time.Minute, cancel)
	if err := s.tell(ctx); err == nil || !strings.Contains(err.Error(), "step c") {
		t.Errorf("said %v", err)
	}
}

// needs skips what cannot run here, by name; where services are required it fails.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("REQUIRE_SERVICES") != "" {
			t.Fatalf("%s is not installed and REQUIRE_SERVICES is set", p)
		}
		t.Skipf("%s is not installed", p)
	}
}

// resources reads NDJSON.
func resources(t *testing.T, b []byte) (out []fhir.Resource) {
	t.Helper()
	for n, line := range bytes.Split(bytes.TrimSpace(b), []byte{'\n'}) {
		r, err := fhir.Parse(line)
		if err != nil {
			t.Fatal(fmt.Errorf("line %d: %w", n+1, err))
		}
		out = append(out, r)
	}
	return out
}
