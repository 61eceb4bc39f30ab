package bulk_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir/bulk"
	"rapport/policy/keyring"
)

// inOther is where a process that this test started finds its data; "" in the test itself.
const inOther = "RAPPORT_BULK_KILLED"

func atOnce(c *bulk.Config) {
	small(c)
	c.Clock = time.Now
	c.Limits.Lock = 300 * time.Millisecond
}

// A process of its own runs the job and is killed at random moments, without a chance
// to tidy; the next one goes on.
func TestAnExportSurvivesKill(t *testing.T) {
	dir := os.Getenv(inOther)
	other := dir != ""
	if !other {
		dir = t.TempDir()
		if _, err := keyring.Create(filepath.Join(dir, "keyring")); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := keyring.Open(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	open := func() (*world, func()) {
		w, db := worldOn(t, filepath.Join(dir, "store.db"), filepath.Join(dir, "exports"), keys, atOnce)
		w.now = time.Now()
		w.ids = int(time.Now().UnixNano() % 1e9) // unlike those of another process
		return w, func() { w.exports.Close(); db.Close() }
	}
	if other {
		w, _ := open()
		w.exports.CrashAt(func(string) error { time.Sleep(5 * time.Millisecond); return nil }) // so that it can be hit
		fmt.Println("ready")
		if err := w.exports.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	w, leave := open()
	w.load(practice()...)
	for n := range 20 {
		w.load(client(fmt.Sprintf("client-%02d", n))...)
	}
	want := w.reads("import")
	// A world's clock goes on by a millisecond whenever it is asked, the jobs' here is the
	// true one: what was stored after a job began, by its clock, is not in it.
	time.Sleep(time.Until(w.clock()))
	status := w.start("import", "GET $export")
	leave()
	killed := 0
	for range 60 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAnExportSurvivesKill$")
		cmd.Env = append(os.Environ(), inOther+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it is at work now
			t.Fatal(err)
		}
		time.Sleep(time.Duration(150+37*killed) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) {
			t.Fatal(err)
		}
		killed++
		time.Sleep(350 * time.Millisecond) // the lock of the dead runs out
		w, leave = open()
		done := w.ask("import", "GET "+status, "")
		if done.Status == 200 {
			m := w.manifest("import", status)
			if got := w.keys("import", m); !slices.Equal(got, want) {
				t.Errorf("killed %d times: %d resources, want %d", killed, len(got), len(want))
			}
			if files := w.files(); len(files) != 2*len(m.Output)+len(m.Error) {
				t.Errorf("files on disk: %s", strings.Join(files, "\n"))
			}
			t.Logf("killed %d times, %d files", killed, len(m.Output))
			return
		}
		if done.Status != 202 {
			t.Fatalf("%d %s", done.Status, done.Body)
		}
		leave()
	}
	t.Fatal("the export comes to no end")
}
