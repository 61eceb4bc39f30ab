package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/policy"
)

func open(t *testing.T, folder string, st *fakeStore, ids fhir.NewIDs) *Journal {
	t.Helper()
	j, err := Open(Config{Folder: folder, Keys: newTestKeys(1), IDs: ids, Clock: time.Now,
		Store: func(context.Context, string) (store.Store, error) { return st, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func read1(id string) policy.Record {
	return policy.Record{ID: id, At: start, Tenant: "lindenhof", Interaction: fhir.Read, Type: "Goal", Target: "17",
		Decision: policy.Permit, Outcome: policy.Success, Who: policy.Who{Subject: "anna"}}
}

func TestRecordsOfReadsEndUpSealedInTheStore(t *testing.T) {
	st, folder := &fakeStore{}, t.TempDir()
	j := open(t, folder, st, counter("w"))
	ctx := context.Background()
	for i := range 10 {
		if err := j.Before(ctx, "lindenhof", read1(fmt.Sprintf("r%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(ctx); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(ctx, st, newTestKeys(1), "lindenhof", nil)
	if err != nil || len(r.Faults) > 0 || r.Sealed != 10 || r.Unsealed != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	left, err := segments(folder)
	if err != nil || len(left) > 1 {
		t.Errorf("segments left: %v, %v", left, err)
	}
}

func TestWhatAnEarlierProcessDidNotShipIsShippedByTheNext(t *testing.T) {
	folder := t.TempDir()
	st := &fakeStore{down: errors.New("down")}
	j := open(t, folder, st, counter("first"))
	ctx := context.Background()
	if err := j.Before(ctx, "lindenhof", read1("r1"), read1("r2")); err != nil {
		t.Fatal(err)
	}
	// It dies without Close; half a line was being written.
	j.stop()
	j.idle.Wait()
	j.file.Close()
	f, err := os.OpenFile(j.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("0123abc"); err != nil {
		t.Fatal(err)
	}
	f.Close()

	st.down = nil
	next := open(t, folder, st, counter("second"))
	if err := next.Before(ctx, "lindenhof", read1("r3")); err != nil {
		t.Fatal(err)
	}
	if err := next.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if len(st.entries) != 3 {
		t.Fatalf("%d records in the store", len(st.entries))
	}
	if st.entries[0].Writer == st.entries[2].Writer {
		t.Error("the records of two processes are in one chain")
	}
}

func TestAProcessBesideAnotherLeavesItsSegmentsAlone(t *testing.T) {
	st, folder, ctx := &fakeStore{down: errors.New("down")}, t.TempDir(), context.Background()
	serving := open(t, folder, st, counter("serving"))
	if err := serving.Before(ctx, "lindenhof", read1("r1")); err != nil {
		t.Fatal(err)
	}
	other := &fakeStore{}
	beside := open(t, folder, other, counter("beside"))
	if err := beside.Before(ctx, "lindenhof", read1("r2")); err != nil {
		t.Fatal(err)
	}
	if err := beside.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if len(other.entries) != 1 {
		t.Errorf("the one beside shipped %d records, want its own", len(other.entries))
	}
	if _, err := os.Stat(serving.path); err != nil {
		t.Errorf("the segment of the serving process: %v", err)
	}
	st.down = nil
	if err := serving.Close(ctx); err != nil || len(st.entries) != 1 {
		t.Errorf("%d records shipped, %v", len(st.entries), err)
	}
}

func TestAJournalThatCannotWriteGivesNoRecord(t *testing.T) {
	j := open(t, t.TempDir(), &fakeStore{}, counter("w"))
	j.file.Close()
	os.RemoveAll(j.Folder)
	if err := j.Before(context.Background(), "lindenhof", read1("r1")); err == nil {
		t.Error("a record that was not written was reported as kept")
	}
	j.stop()
}

func TestConcurrentRecordsMakeOneUnbrokenChain(t *testing.T) {
	st, folder := &fakeStore{}, t.TempDir()
	j := open(t, folder, st, counter("w"))
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 50 {
				r := read1(fmt.Sprintf("r%d-%d", g, i))
				r.Synced = i%10 == 0
				if err := j.Before(ctx, "lindenhof", r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var local Report
	if err := VerifyLocal(folder, &local); err != nil || len(local.Faults) > 0 {
		t.Errorf("%+v, %v", local, err)
	}
	if err := j.Close(ctx); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(ctx, st, newTestKeys(1), "lindenhof", nil)
	if err != nil || len(r.Faults) > 0 || r.Sealed != 800 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRefusedRequestsMakeOneRecordForEachSourceAndMinute(t *testing.T) {
	st := &fakeStore{}
	now := start
	j, err := Open(Config{Folder: t.TempDir(), Keys: newTestKeys(1), IDs: counter("w"), Clock: func() time.Time { return now },
		Store: func(context.Context, string) (store.Store, error) { return st, nil }})
	if err != nil {
		t.Fatal(err)
	}
	j.stop() // the clock is ours alone now
	j.idle.Wait()
	ctx := context.Background()
	for range 500 {
		j.Refused(ctx, "192.0.2.1")
	}
	j.Refused(ctx, "192.0.2.2")
	j.tellRefused(ctx, false)
	now = now.Add(2 * time.Minute)
	j.tellRefused(ctx, false)
	j.ship(ctx)
	if len(st.entries) != 2 || !strings.Contains(string(st.entries[0].Body)+string(st.entries[1].Body), "500 times") {
		t.Errorf("%d records", len(st.entries))
	}
}

func TestRefusedRequestsOfTheLastMinuteAreRecordedAtTheEnd(t *testing.T) {
	st, ctx := &fakeStore{}, context.Background()
	j := open(t, t.TempDir(), st, counter("w"))
	j.Refused(ctx, "192.0.2.1")
	j.Refused(ctx, "192.0.2.1")
	if err := j.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if len(st.entries) != 1 || !strings.Contains(string(st.entries[0].Body), "2 times") {
		t.Errorf("%d records", len(st.entries))
	}
}

// TestEveryRecordThatWasKeptSurvivesKill starts a process that keeps records and
// says so line by line, and kills it.
func TestEveryRecordThatWasKeptSurvivesKill(t *testing.T) {
	if folder := os.Getenv("AUDIT_TEST_FOLDER"); folder != "" {
		j := open(t, folder, &fakeStore{down: errors.New("no store")}, counter("child"))
		for i := 0; ; i++ {
			if err := j.Before(context.Background(), "lindenhof", read1(fmt.Sprintf("r%d", i))); err != nil {
				t.Fatal(err)
			}
			fmt.Printf("kept r%d\n", i)
		}
	}
	folder := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestEveryRecordThatWasKeptSurvivesKill$")
	cmd.Env = append(os.Environ(), "AUDIT_TEST_FOLDER="+folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "kept "); ok {
			kept[id] = true
		}
		if len(kept) == 300 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	files, err := segments(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, err := readSegment(f.path, nil, func(_ int, l local) error { delete(kept, l.ID); return nil }); err != nil && !errors.Is(err, errTorn) {
			t.Error(err)
		}
	}
	if len(kept) > 0 {
		t.Errorf("%d records were reported as kept and are gone", len(kept))
	}
}

func FuzzASegmentOfAnyBytesIsReadWithoutPanic(f *testing.F) {
	body := []byte(`{"tenant":"t","id":"r1","at":1,"body":{"id":"r1"}}`)
	f.Add(appendLine(nil, chain(make([]byte, 32), body), body))
	f.Add([]byte("torn"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "w-000001"+suffix)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		if _, err := readSegment(path, make([]byte, 32), func(int, local) error { n++; return nil }); err == nil && n == 0 && len(b) > 0 {
			t.Error("bytes that are no record were read as nothing")
		}
	})
}

func BenchmarkBefore(b *testing.B) {
	j, err := Open(Config{Folder: b.TempDir(), Keys: newTestKeys(1), IDs: counter("w"), Clock: time.Now,
		Store: func(context.Context, string) (store.Store, error) { return &fakeStore{}, nil }})
	if err != nil {
		b.Fatal(err)
	}
	j.stop()
	ctx := context.Background()
	r := read1("r")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := j.Before(ctx, "lindenhof", r); err != nil {
				b.Error(err)
			}
		}
	})
}
