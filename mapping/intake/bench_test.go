package intake_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"rapport/fhir"
	"rapport/mapping/intake"
	"rapport/mapping/site"
)

// discard is a gate that says of every write that it is new and keeps none.
type discard struct{}

func (discard) View(_ context.Context, _ fhir.Act, f func(fhir.Reader) error) error {
	return f(discardTx{})
}
func (discard) Update(_ context.Context, _ fhir.Act, f func(fhir.Tx) error) error {
	return f(discardTx{})
}

type discardTx struct{ *memoryTx }

func (t discardTx) As(fhir.Act) fhir.Tx { return t }

func (discardTx) Read(_ context.Context, k fhir.Key) (fhir.Resource, error) {
	return fhir.Resource{Key: k}, nil
}

func (discardTx) Put(_ context.Context, r fhir.Resource, _ fhir.Condition) (fhir.Written, error) {
	return fhir.Written{Head: fhir.Head{Key: r.Key, Version: 1}, Effect: fhir.Created, Resource: r}, nil
}

func (discardTx) Search(context.Context, fhir.Query) (fhir.Set, error) { return fhir.Set{}, nil }

// many writes a practice of n sessions of one client.
func many(t testing.TB, n int) string {
	t.Helper()
	dir := practiceWith(t)
	for _, name := range []string{"sessions.csv", "responses.csv"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(dir, "sessions.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "organisation,session,episode,client,therapist,date,time,minutes,status,modality,format,phase,techniques,reason")
	for i := range n {
		fmt.Fprintf(w, "lindenhof,N-%07d,E-LH-01,LH-01,T-01,2026-01-12,09:00,50,held,in-person,individual,acute,cognitive exposure,One of many\n", i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func BenchmarkRows(b *testing.B) {
	s, err := site.Embedded("practice-csv")
	if err != nil {
		b.Fatal(err)
	}
	c := config(b, discard{}, s, many(b, b.N), "")
	c.Follow, c.Instruments = nil, nil
	b.ResetTimer()
	sum, err := intake.Run(context.Background(), c)
	if err != nil || sum.Table("sessions.csv").Created != b.N {
		b.Fatalf("%v\n%s", err, sum)
	}
}

// A run keeps a mark for each row and each record, and what the references of its
// resources name; not the rows.
func TestARunKeepsLittleOfEachRow(t *testing.T) {
	s, err := site.Embedded("practice-csv")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 6_000
	var before, most runtime.MemStats
	c := config(t, discard{}, s, many(t, rows), "")
	c.Follow, c.Instruments = nil, nil
	told := 0
	c.Progress = func(p intake.Progress) {
		if p.Table != "sessions.csv" {
			return
		}
		told++
		if p.Rows == 1000 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
		if p.Rows == rows {
			runtime.GC()
			runtime.ReadMemStats(&most)
		}
	}
	if _, err := intake.Run(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	if told != rows/1000 {
		t.Errorf("progress was told %d times", told)
	}
	each := (int64(most.HeapAlloc) - int64(before.HeapAlloc)) / (rows - 1000)
	if t.Logf("%d bytes a row", each); each > 600 {
		t.Errorf("a run keeps %d bytes of each row", each)
	}
}
