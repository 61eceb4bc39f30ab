package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rapport/fhir"
	"rapport/fhir/store"
)

// id numbers ids so that they sort as they count.
func id(prefix string, n int) string { return fmt.Sprintf("%s%04d", prefix, n) }

var versions = []testCase{
	{"a version comes back as it was stored, stamped and otherwise byte for byte", func(t *testing.T, s store.Store) {
		in, err := fhir.Parse([]byte(`{"resourceType":"Goal","id":"1" , "_language":{"extension":[{"url":"urn:x","valueDecimal":1.00}]},"note":[{"text":"Käse\u00fc\n"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		var h store.Head
		var out fhir.Resource
		update(t, s, func(ctx context.Context, tx store.Tx) (err error) {
			h, out, err = tx.Put(ctx, in, about("c"), store.Condition{})
			return err
		})
		if h.Version != 1 || h.Key != in.Key || h.Deleted || h.Updated.IsZero() {
			t.Errorf("head %+v", h)
		}
		if out.Version != 1 || !out.Updated.Equal(h.Updated) {
			t.Errorf("stamped as %s at %s, head says %s", out, out.Updated, h.Updated)
		}
		if !bytes.Contains(out.Body(), []byte(`"_language":{"extension":[{"url":"urn:x","valueDecimal":1.00}]},"note":[{"text":"Käse\u00fc\n"}]`)) {
			t.Errorf("bytes changed: %s", out.Body())
		}
		got := bodies(t, s, store.Ref{Key: in.Key, Version: 1})
		if len(got) != 1 || !bytes.Equal(got[0].Body(), out.Body()) {
			t.Errorf("read back %v, want what Put returned", got)
		}
	}},
	{"facts come back as they were given", func(t *testing.T, s store.Store) {
		rec := store.Record{Facts: fhir.Facts{
			Class: "clinical|R|x", Patients: []fhir.Key{key("Patient", "a"), key("Patient", "b")},
			Parties: []fhir.Named{{Role: fhir.Author, Actor: key("Practitioner", "p")}, {Role: fhir.Recipient, Actor: key("Organization", "o")}},
			When:    time.Date(1957, 3, 4, 5, 6, 7, 123456000, time.UTC),
		}}
		put(t, s, key("Goal", "1"), "a", rec)
		put(t, s, key("Goal", "2"), "a", about("c"))
		hs := heads(t, s, all, key("Goal", "1"), key("Goal", "2"))
		if len(hs) != 2 {
			t.Fatalf("%d heads", len(hs))
		}
		same(t, rec.Facts, hs[0].Facts)
		if !hs[1].When.IsZero() || len(hs[1].Patients)+len(hs[1].Parties) > 0 {
			t.Errorf("facts that were not given: %+v", hs[1].Facts)
		}
	}},
	{"versions count from 1 without gaps, also across tombstones", func(t *testing.T, s store.Store) {
		k := key("Goal", "1")
		for want := int64(1); want <= 5; want++ {
			var h store.Head
			if want == 3 {
				h = remove(t, s, k)
			} else {
				h, _ = put(t, s, k, fmt.Sprint("v", want), about("c"))
			}
			if h.Version != want || h.Deleted != (want == 3) {
				t.Errorf("got version %d, deleted %v, want %d", h.Version, h.Deleted, want)
			}
		}
		refs := []store.Ref{{Key: k, Version: 5}, {Key: k, Version: 3}, {Key: k, Version: 9}, {Key: k, Version: 1}, {Key: key("Goal", "no"), Version: 1}, {Key: k, Version: 5}}
		got := bodies(t, s, refs...)
		texts := make([]string, len(got))
		for i, r := range got {
			texts[i] = textOf(r)
		}
		if want := []string{"v5", "", "", "v1", "", "v5"}; !slices.Equal(texts, want) {
			t.Errorf("bodies %q, want %q: in the order asked for, zero for a tombstone and for nothing", texts, want)
		}
	}},
	{"heads come in the order asked for, without what is not there", func(t *testing.T, s store.Store) {
		for _, n := range []string{"1", "2", "3"} {
			put(t, s, key("Goal", n), n, about("c"))
		}
		remove(t, s, key("Goal", "2"))
		var got []string
		for _, h := range heads(t, s, all, key("Goal", "3"), key("Goal", "no"), key("Task", "1"), key("Goal", "2"), key("Goal", "1")) {
			got = append(got, fmt.Sprintf("%s@%d %v", h.ID, h.Version, h.Deleted))
		}
		if want := []string{"3@1 false", "2@2 true", "1@1 false"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := heads(t, s, all); len(got) != 0 {
			t.Errorf("nothing asked for, %d answered", len(got))
		}
	}},
	{"a tombstone keeps the facts of the last version and is found by no search", func(t *testing.T, s store.Store) {
		k := key("Goal", "1")
		rec := identified("x")
		rec.Patients = []fhir.Key{key("Patient", "a")}
		put(t, s, k, "a", rec)
		h := remove(t, s, k)
		same(t, rec.Facts, h.Facts)
		same(t, rec.Facts, heads(t, s, all, k)[0].Facts)
		if p := find(t, s, all, byIdentifier("Goal", "x")); len(p.Found) != 0 {
			t.Errorf("found %+v", p.Found)
		}
	}},
	{"deleting what is deleted or was never there says so without an error", func(t *testing.T, s store.Store) {
		if h := remove(t, s, key("Goal", "no")); h.Version != 0 {
			t.Errorf("never there: %+v", h)
		}
		if got := current(t, s, key("Goal", "no")); got != 0 {
			t.Errorf("a tombstone of what never was: version %d", got)
		}
		put(t, s, key("Goal", "1"), "a", about("c"))
		first := remove(t, s, key("Goal", "1"))
		if again := remove(t, s, key("Goal", "1")); again.Version != first.Version || !again.Deleted || !again.Updated.Equal(first.Updated) {
			t.Errorf("again: %+v, want the tombstone %+v", again, first)
		}
	}},
	{"a new version replaces the index entries of the old one", func(t *testing.T, s store.Store) {
		k := key("Goal", "1")
		put(t, s, k, "a", identified("old"))
		put(t, s, k, "a", identified("new"))
		if p := find(t, s, all, byIdentifier("Goal", "old")); len(p.Found) != 0 {
			t.Error("found by what it no longer says")
		}
		if p := find(t, s, all, byIdentifier("Goal", "new")); len(p.Found) != 1 || p.Found[0].Version != 2 {
			t.Errorf("found %+v", p.Found)
		}
	}},
	{"ids and types are told apart by case and by type", func(t *testing.T, s store.Store) {
		put(t, s, key("Goal", "a"), "lower", about("c"))
		put(t, s, key("Goal", "A"), "upper", about("c"))
		put(t, s, key("Task", "a"), "task", about("c"))
		got := bodies(t, s, store.Ref{Key: key("Goal", "A"), Version: 1}, store.Ref{Key: key("Task", "a"), Version: 1}, store.Ref{Key: key("Goal", "a"), Version: 1})
		if textOf(got[0]) != "upper" || textOf(got[1]) != "task" || textOf(got[2]) != "lower" {
			t.Errorf("got %q %q %q", textOf(got[0]), textOf(got[1]), textOf(got[2]))
		}
	}},
}

// loosely compares values: no list is an empty one, times are moments.
var loosely = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0)}

func same(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, loosely); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
