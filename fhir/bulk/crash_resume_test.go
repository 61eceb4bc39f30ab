package bulk_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rapport/fhir"
	"rapport/fhir/bulk"
)

// small limits make many checkpoints of little data.
func small(c *bulk.Config) {
	c.Limits.Page, c.Limits.Checkpoint, c.Limits.File, c.Limits.Sort = 3, 600, 1500, 700
}

// killed runs a job with a process that dies at its n-th crash point, again and again,
// each time started anew, until the job is done. Each third process lives a bit longer:
// a release is made as a whole, so one that always dies early would never be done.
func (w *world) killed(status, as string, every int) (deaths int) {
	w.Helper()
	for range 500 {
		w.serve(small)
		n := 0
		w.exports.CrashAt(func(string) error {
			if n++; n == every+deaths/3 {
				return bulk.ErrCrash
			}
			return nil
		})
		for {
			done, err := w.exports.Once(w.Context())
			if err != nil {
				deaths++
				break
			}
			if done == 0 {
				break
			}
		}
		if w.ask(as, "GET "+status, "").Status != 202 {
			return deaths
		}
		w.move(time.Minute) // the lock of the dead runs out
	}
	w.Fatal("the job comes to no end")
	return 0
}

func TestAKilledExportGoesOnWithoutGapsAndRepeats(t *testing.T) {
	onBoth(t, func(t *testing.T, newWorld func(...func(*bulk.Config)) *world) {
		w := newWorld(small)
		w.load(practice()...)
		for n := range 20 {
			w.load(client(fmt.Sprintf("client-%02d", n))...)
		}
		want := w.reads("import")
		for every := 2; every <= 6; every += 2 {
			status := w.start("import", "GET $export")
			deaths := w.killed(status, "import", every)
			m := w.manifest("import", status)
			if got := w.keys("import", m); !slices.Equal(got, want) {
				t.Errorf("killed %d times: %d resources, want %d", deaths, len(got), len(want))
			}
			if every < 4 && deaths < 5 {
				t.Errorf("it died %d times only", deaths)
			}
			// Nothing of what the dead had begun is left.
			files := len(w.files())
			if known := 2*len(m.Output) + len(m.Error); files != known {
				t.Errorf("%d files on disk, %d of the job", files, known)
			}
			w.ask("import", "DELETE "+status, "")
		}
	})
}

func TestAJobIsRunByOneProcessAtATime(t *testing.T) {
	held := func(c *bulk.Config) {
		atOnce(c)
		c.Limits.Lock = 2 * time.Second // a busy machine may be late by one of them
	}
	w := newWorld(t, held)
	w.load(practice()...)
	w.now = time.Now()
	status := w.start("import", "GET $export")
	first := w.exports
	w.serve(held)
	second := w.exports
	inside := 0
	first.CrashAt(func(point string) error {
		if inside++; inside == 1 {
			time.Sleep(3 * time.Second) // longer than the lock, which is kept up
			w.move(4 * time.Second)
			n, err := second.Once(t.Context())
			if err != nil || n != 1 {
				t.Errorf("the work did not come up again: %d %v", n, err)
			}
			if got := w.ask("import", "GET "+status, ""); got.Status != 202 {
				t.Errorf("another process did it meanwhile: %d", got.Status)
			}
		}
		return nil
	})
	if _, err := first.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := w.keys("import", w.manifest("import", status)), w.reads("import"); !slices.Equal(got, want) {
		t.Errorf("%d resources, want %d", len(got), len(want))
	}
}

// A process that was held up for longer than its lock comes back to a job that another
// one has taken up: it must not write into it.
func TestAProcessThatCameTooLateHarmsNothing(t *testing.T) {
	w := newWorld(t, small)
	w.load(practice()...)
	status := w.start("import", "GET $export")
	first := w.exports
	w.serve(small)
	second := w.exports
	inside := 0
	first.CrashAt(func(string) error {
		if inside++; inside == 2 {
			w.move(time.Minute)
			for {
				if n, err := second.Once(t.Context()); n == 0 || err != nil {
					break
				}
			}
			if got := w.ask("import", "GET "+status, ""); got.Status != 200 {
				t.Errorf("the other process did not do it: %d", got.Status)
			}
		}
		return nil
	})
	if _, err := first.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := w.keys("import", w.manifest("import", status)), w.reads("import"); !slices.Equal(got, want) {
		t.Errorf("%d resources, want %d", len(got), len(want))
	}
}

func TestACancelledJobStops(t *testing.T) {
	w := newWorld(t, small)
	w.load(practice()...)
	status := w.start("import", "GET $export")
	w.exports.CrashAt(func(point string) error {
		if point == "checkpoint" {
			w.ask("import", "DELETE "+status, "")
		}
		return nil
	})
	w.work()
	if r := w.ask("import", "GET "+status, ""); r.Status != 404 {
		t.Errorf("%d", r.Status)
	}
	w.move(time.Minute)
	w.work()
	if left := w.files(); len(left) > 0 {
		t.Errorf("on disk there are still %q", left)
	}
}

func TestWhoLosesAccessWhileAnExportRunsGetsNoMore(t *testing.T) {
	t.Run("a client that is configured no more", func(t *testing.T) {
		w := newWorld(t, small)
		w.load(practice()...)
		status := w.start("ehr", "GET $export")
		w.revoked["ehr"] = true
		w.work()
		r := w.ask("ehr", "GET "+status, "")
		if r.Status != 403 || !strings.Contains(string(r.Body), "not registered") || len(w.files()) > 0 {
			t.Errorf("%d %s, on disk %q", r.Status, r.Body, w.files())
		}
		w.start("ehr", "GET $export") // the place is free again
	})
	t.Run("a consent withdrawn before the job runs", func(t *testing.T) {
		w := newWorld(t, small)
		w.load(practice()...)
		status := w.start("ehr", "GET Patient/$export")
		w.load(agreed("anna", "patient-privacy", "deny"))
		w.work()
		if got := w.keys("ehr", w.manifest("ehr", status)); len(got) > 0 {
			t.Errorf("%q", got)
		}
	})
	t.Run("a consent withdrawn before the download", func(t *testing.T) {
		w := newWorld(t, small)
		w.load(practice()...)
		status := w.start("ehr", "GET $export?_type=Patient,Goal,Organization")
		w.work()
		m := w.manifest("ehr", status)
		w.remove("Goal", "anna-goal") // gone is not withdrawn
		if got := w.keys("ehr", m); len(got) != 3 {
			t.Errorf("%q", got)
		}
		w.load(agreed("anna", "patient-privacy", "deny"))
		for _, i := range m.Output {
			want := 410
			if i.Type == "Organization" {
				want = 200
			}
			if r := w.ask("ehr", "GET "+i.URL, ""); r.Status != want {
				t.Errorf("%s: %d, want %d", i.Type, r.Status, want)
			}
		}
	})
	t.Run("a label set before the download", func(t *testing.T) {
		w := newWorld(t, small)
		w.load(practice()...)
		status := w.start("ehr", "GET $export?_type=Observation")
		w.work()
		m := w.manifest("ehr", status)
		score := client("anna")[2]
		w.load(strings.Replace(score, `"status"`, `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"NOAUTH"}]},"status"`, 1))
		if r := w.ask("ehr", "GET "+m.Output[0].URL, ""); r.Status != 410 {
			t.Errorf("%d", r.Status)
		}
	})
}

// The files hold what was there when the job began: nothing newer, nothing left out.
func TestTheFilesAreOfTheirTransactionTime(t *testing.T) {
	w := newWorld(t, small)
	w.load(practice()...)
	status := w.start("import", "GET $export?_type=Goal,Patient")
	changed := false
	w.exports.CrashAt(func(point string) error {
		if !changed {
			changed = true
			w.load(strings.Replace(client("anna")[1], "sleep", "walk", 1), strings.Replace(client("bert")[1], "bert-goal", "bert-new", 1))
		}
		return nil
	})
	w.work()
	m := w.manifest("import", status)
	got := strings.Join(w.lines("import", m.Output), "\n")
	if !changed || !strings.Contains(got, "anna-goal") || strings.Contains(got, "walk") || strings.Contains(got, "bert-new") {
		t.Errorf("%s", got)
	}
	at, err := time.Parse(time.RFC3339Nano, m.TransactionTime)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range w.lines("import", m.Output) {
		r, _ := fhir.Parse([]byte(l))
		if r.Updated.After(at) {
			t.Errorf("%s is newer than the transaction time", r)
		}
	}
	// Whoever comes back with it gets the rest, and only that.
	w.remove("Goal", "cara-goal")
	w.remove("Patient", "bert") // and is there again
	w.load(client("bert")[0])
	status = w.start("import", "GET $export?_type=Goal,Patient&_since="+m.TransactionTime)
	w.work()
	m = w.manifest("import", status)
	if got := w.keys("import", m); !slices.Equal(got, []string{"Goal/anna-goal", "Goal/bert-new", "Patient/bert"}) {
		t.Errorf("since then: %q", got)
	}
	if got := strings.Join(w.lines("import", m.Deleted), "\n"); strings.Count(got, "DELETE") != 1 || !strings.Contains(got, `"Goal/cara-goal"`) {
		t.Errorf("deleted since then: %s", got)
	}
}

func TestWhatLiesOnDiskIsSealed(t *testing.T) {
	w := newWorld(t, small)
	w.load(practice()...)
	w.start("import", "GET Group/arm/$export")
	w.work()
	secrets := []string{"anna", "bert", "Family", "Patient", "resourceType"}
	files := w.files()
	for _, p := range files {
		for _, s := range secrets {
			if strings.Contains(contents(t, p), s) || strings.Contains(strings.TrimPrefix(p, w.folder), s) {
				t.Errorf("%s shows %q", p, s)
			}
		}
		if i := info(t, p); i.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", p, i.Mode())
		}
	}
	if len(files) < 5 {
		t.Errorf("only %q", files)
	}
}

func TestAFileThatWasChangedOnDiskIsNotGiven(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	status := w.start("import", "GET $export?_type=Patient,Goal")
	w.work()
	m := w.manifest("import", status)
	var data []string
	for _, p := range w.files() {
		if strings.HasSuffix(p, ".data") {
			data = append(data, p)
		}
	}
	if len(data) != 2 {
		t.Fatalf("%q", data)
	}
	a, second := contents(t, data[0]), contents(t, data[1])
	for name, put := range map[string]func(){
		"swapped": func() { overwrite(t, data[0], second); overwrite(t, data[1], a) },
		"cut":     func() { overwrite(t, data[0], a[:len(a)-1]) },
		"edited":  func() { overwrite(t, data[0], a[:len(a)-1]+string(a[len(a)-1]^1)) },
		"empty":   func() { overwrite(t, data[0], "") },
	} {
		put()
		r := w.ask("import", "GET "+m.Output[0].URL, "")
		var b strings.Builder
		if r.Status == 200 && r.Stream(&b) == nil || strings.Contains(b.String(), "anna") {
			t.Errorf("%s: it was given: %s", name, &b)
		}
		overwrite(t, data[0], a)
		overwrite(t, data[1], second)
	}
}

// A file that another job wrote is none of this one's, be it as long.
func TestAFileIsBoundToItsJob(t *testing.T) {
	w := newWorld(t)
	w.load(practice()...)
	var status, data [2]string
	for n, verb := range []string{"sleep", "dance"} {
		w.load(strings.Replace(client("anna")[1], "sleep", verb, 1))
		status[n] = w.start("import", "GET Group/arm/$export?_type=Goal")
		w.work()
		for _, p := range w.files() {
			if strings.HasSuffix(p, ".data") && p != data[0] {
				data[n] = p
			}
		}
	}
	overwrite(t, data[1], contents(t, data[0]))
	r := w.ask("import", "GET "+w.manifest("import", status[1]).Output[0].URL, "")
	var b strings.Builder
	if err := r.Stream(&b); err == nil || b.Len() > 0 {
		t.Errorf("it was given: %s", &b)
	}
}

// Whoever exports a random practice gets the union of its searches.
func TestAnExportIsTheUnionOfSearches(t *testing.T) {
	onBoth(t, func(t *testing.T, newWorld func(...func(*bulk.Config)) *world) {
		w := newWorld(small)
		w.load(setting()...)
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			for range rapid.IntRange(1, 4).Draw(rt, "clients") {
				n++
				name := fmt.Sprintf("random-%d", n)
				w.load(client(name)[:rapid.IntRange(1, 5).Draw(rt, "resources")]...)
				if rapid.Bool().Draw(rt, "speaks") {
					w.load(agreed(name, "patient-privacy", rapid.SampledFrom([]string{"permit", "deny"}).Draw(rt, "effect")))
				}
			}
			if n > 40 {
				return // enough of a practice: reading all of it again shows nothing new
			}
			for _, as := range []string{"import", "ehr"} {
				status := w.start(as, "GET $export")
				w.work()
				if got, want := w.keys(as, w.manifest(as, status)), w.reads(as); !slices.Equal(got, want) {
					rt.Fatalf("%s exports %q, finds %q", as, got, want)
				}
				w.ask(as, "DELETE "+status, "")
			}
		})
	})
}
