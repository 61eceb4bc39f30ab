package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rapport/fhir/store"
)

// sealed returns a store with two writers' chains: 6 records, checkpoints at 3 and 6.
func sealed(t *testing.T) *fakeStore {
	st := &fakeStore{}
	ctx := context.Background()
	for _, w := range []string{"one", "two"} {
		j := &Journal{Config: Config{Keys: newTestKeys(1), Clock: func() time.Time { return start }, IDs: counter(w),
			Store: func(context.Context, string) (store.Store, error) { return st, nil }}, writer: w}
		for batch := range 2 {
			for i := range 3 {
				e, err := j.entry(read1(fmt.Sprintf("%s%d", w, batch*3+i+1)))
				if err != nil {
					t.Fatal(err)
				}
				if err := st.Append(ctx, store.Synced, e); err != nil {
					t.Fatal(err)
				}
			}
			s := j.sealer("lindenhof")
			if err := j.sealWriter(ctx, st, s, w, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return st
}

func (s *fakeStore) at(id string) *store.Entry {
	return &s.entries[slices.IndexFunc(s.entries, func(e store.Entry) bool { return e.ID == id })]
}

func TestVerifyNamesTheFirstRecordThatIsNotAsItWasSealed(t *testing.T) {
	rehash := func(s *fakeStore, writer string) {
		hash := make([]byte, 32)
		for i := range s.entries {
			if e := &s.entries[i]; e.Writer == writer {
				hash = chain(hash, e.Body)
				e.Hash = hash
			}
		}
	}
	for name, c := range map[string]struct {
		tamper func(*fakeStore)
		says   string
	}{
		"nothing was done": {func(*fakeStore) {}, ""},
		"a record was edited": {func(s *fakeStore) {
			s.at("one2").Body = bytes.Replace(s.at("one2").Body, []byte("anna"), []byte("emil"), 1)
		}, "writer one: record 2"},
		"a record was deleted":      {func(s *fakeStore) { s.entries = slices.Delete(s.entries, 3, 4) }, "writer one: record 4 is missing"},
		"two records were swapped":  {func(s *fakeStore) { a, b := s.at("two4"), s.at("two5"); a.Body, b.Body = b.Body, a.Body }, "writer two: record 4"},
		"the end was cut":           {func(s *fakeStore) { s.entries = s.entries[:10] }, "writer two: records 5 to 6 are missing at the end"},
		"a whole chain was removed": {func(s *fakeStore) { s.entries = s.entries[6:]; s.checkpoints = s.checkpoints[2:] }, "writer one: records 1 to 6 are missing"},
		"the chain was rewritten": {func(s *fakeStore) {
			s.at("one1").Body = bytes.Replace(s.at("one1").Body, []byte("anna"), []byte("emil"), 1)
			rehash(s, "one")
		}, "writer one: between records 1 and 3"},
		"a record's id was changed": {func(s *fakeStore) { s.at("one3").ID = "other" }, "writer one: record 3"},
		"a checkpoint was forged": {func(s *fakeStore) {
			s.checkpoints[0].Body = bytes.Replace(s.checkpoints[0].Body, []byte(`"n":3`), []byte(`"n":2`), 1)
			s.checkpoints[0].N = 2
		}, "writer one, checkpoint at record 2"},
		"a checkpoint was moved":        {func(s *fakeStore) { s.checkpoints[0].Writer = "two" }, "writer two, checkpoint at record 3"},
		"the last checkpoint is gone":   {func(s *fakeStore) { s.checkpoints = s.checkpoints[:3] }, "writer two: records 4 to 6 stand under no checkpoint"},
		"a record was added at the end": {func(s *fakeStore) { e := *s.at("two6"); e.N, e.ID = 7, "two7"; s.entries = append(s.entries, e) }, "writer two: record 7"},
	} {
		t.Run(name, func(t *testing.T) {
			st := sealed(t)
			c.tamper(st)
			r, err := Verify(context.Background(), st, newTestKeys(1), "lindenhof", nil)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(r.Faults, "\n")
			if c.says == "" && got != "" || !strings.Contains(got, c.says) {
				t.Errorf("said %q, want %q", got, c.says)
			}
		})
	}
}

func TestAnAnchorKeptElsewhereShowsACutEndAndItsCheckpointsGone(t *testing.T) {
	st := sealed(t)
	ctx := context.Background()
	anchor, err := Checkpoint(ctx, st, "lindenhof")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(anchor)
	if err != nil {
		t.Fatal(err)
	}
	anchor = Anchor{}
	if err := json.Unmarshal(b, &anchor); err != nil {
		t.Fatal(err)
	}
	st.entries = st.entries[:9]
	st.checkpoints = st.checkpoints[:3]
	without, err := Verify(ctx, st, newTestKeys(1), "lindenhof", nil)
	if err != nil || len(without.Faults) > 0 {
		t.Errorf("%+v, %v", without, err)
	}
	with, err := Verify(ctx, st, newTestKeys(1), "lindenhof", &anchor)
	if err != nil || len(with.Faults) != 1 || !strings.Contains(with.Faults[0], "writer two: records 4 to 6 are missing at the end: the anchor knows them") {
		t.Errorf("%+v, %v", with, err)
	}
}

func TestAKeyOfSomebodyElseProvesNothing(t *testing.T) {
	r, err := Verify(context.Background(), sealed(t), newTestKeys(2), "lindenhof", nil)
	if err != nil || len(r.Faults) < 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestVerifyNamesWhatWasDoneToSegments(t *testing.T) {
	write := func(t *testing.T) (folder string, paths []string) {
		folder = t.TempDir()
		hash := make([]byte, 32)
		for n := 1; n <= 3; n++ {
			var b []byte
			for i := range 3 {
				id := fmt.Sprintf("r%d-%d", n, i)
				body := []byte(fmt.Sprintf(`{"tenant":"t","id":%q,"at":1,"body":{"id":%q}}`, id, id))
				hash = chain(hash, body)
				b = appendLine(b, hash, body)
			}
			p := folder + "/" + segmentName("w", n)
			if err := os.WriteFile(p, b, 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, p)
		}
		return folder, paths
	}
	edit := func(t *testing.T, path string, f func([]byte) []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	swap := func(t *testing.T, a, b string) {
		for _, m := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
			if err := os.Rename(m[0], m[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		tamper func(t *testing.T, paths []string)
		says   string
	}{
		"nothing was done": {func(*testing.T, []string) {}, ""},
		"a record was edited": {func(t *testing.T, p []string) {
			edit(t, p[1], func(b []byte) []byte { return bytes.Replace(b, []byte(`"t"`), []byte(`"u"`), 1) })
		}, "w-000002.journal:1"},
		"a record was deleted": {func(t *testing.T, p []string) {
			edit(t, p[1], func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] })
		}, "w-000002.journal:1"},
		"two segments were swapped":     {func(t *testing.T, p []string) { swap(t, p[0], p[1]) }, "w-000001.journal:1"},
		"a segment was deleted":         {func(t *testing.T, p []string) { os.Remove(p[1]) }, "w-000002.journal is missing"},
		"a segment was cut":             {func(t *testing.T, p []string) { edit(t, p[0], func(b []byte) []byte { return b[:len(b)-20] }) }, "w-000001.journal: the last line"},
		"the last line is not whole":    {func(t *testing.T, p []string) { edit(t, p[2], func(b []byte) []byte { return b[:len(b)-20] }) }, ""},
		"shipped segments were removed": {func(t *testing.T, p []string) { os.Remove(p[0]) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder, paths := write(t)
			c.tamper(t, paths)
			var r Report
			if err := VerifyLocal(folder, &r); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(r.Faults, "\n")
			if c.says == "" && got != "" || !strings.Contains(got, c.says) {
				t.Errorf("said %q, want %q", got, c.says)
			}
		})
	}
}

// busy is a store in which more is sealed between two of Verify's looks at it.
type busy struct {
	*fakeStore
	more func()
}

func (b *busy) Entries(ctx context.Context, q store.Entries) ([]store.Entry, string, error) {
	if b.more != nil {
		b.more()
		b.more = nil
	}
	return b.fakeStore.Entries(ctx, q)
}

func TestWhatIsSealedWhileVerifyReadsIsNoFault(t *testing.T) {
	st := sealed(t)
	es, cs := st.entries, st.checkpoints
	st.entries, st.checkpoints = slices.Clone(es[:9]), slices.Clone(cs[:3]) // the last of writer two is yet to come
	b := &busy{fakeStore: st, more: func() { st.entries, st.checkpoints = es, cs }}
	r, err := Verify(context.Background(), b, newTestKeys(1), "lindenhof", nil)
	if err != nil || len(r.Faults) > 0 || r.Sealed != 12 {
		t.Errorf("%+v, %v", r, err)
	}
}
