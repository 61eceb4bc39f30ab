package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/store"
)

func changes(t *testing.T, s store.Store, sight fhir.Sight, of fhir.Scope, span fhir.Span) store.Changes {
	t.Helper()
	return ask(t, s, func(ctx context.Context, r store.Reader) (store.Changes, error) {
		return r.Changes(ctx, sight, of, span)
	})
}

func names(hs []store.Head) (out []string) {
	for _, h := range hs {
		out = append(out, fmt.Sprint(h.Key, "@", h.Version))
	}
	return out
}

var histories = []testCase{
	{"versions come newest first, of a resource, of a type, of everything", func(t *testing.T, s store.Store) {
		a, b, c := key("Goal", "a"), key("Goal", "b"), key("Task", "c")
		for _, k := range []fhir.Key{a, b, c, a} {
			put(t, s, k, "x", about("c"))
		}
		remove(t, s, b)
		for scope, want := range map[fhir.Scope][]string{
			{Type: "Goal", ID: "a"}:  {"Goal/a@2", "Goal/a@1"},
			{Type: "Goal"}:           {"Goal/b@2", "Goal/a@2", "Goal/b@1", "Goal/a@1"},
			{}:                       {"Goal/b@2", "Goal/a@2", "Task/c@1", "Goal/b@1", "Goal/a@1"},
			{Type: "Goal", ID: "no"}: nil,
		} {
			got := changes(t, s, all, scope, fhir.Span{Count: 20})
			if !slices.Equal(names(got.Heads), want) || got.Next != "" {
				t.Errorf("%v: %q next %q, want %q", scope, names(got.Heads), got.Next, want)
			}
		}
		if hs := changes(t, s, all, fhir.Scope{Type: "Goal", ID: "b"}, fhir.Span{}).Heads; !hs[0].Deleted || hs[1].Deleted {
			t.Errorf("the tombstone is not told: %+v", hs)
		}
	}},
	{"pages of a history neither repeat nor skip", func(t *testing.T, s store.Store) {
		k := key("Goal", "a")
		for range 7 {
			put(t, s, k, "x", about("c"))
		}
		var got []string
		span := fhir.Span{Count: 3}
		for page := 0; page < 5; page++ {
			c := changes(t, s, all, fhir.Scope{Type: "Goal", ID: "a"}, span)
			got = append(got, names(c.Heads)...)
			if page == 0 {
				put(t, s, k, "later", about("c"))
			}
			if span.After = c.Next; c.Next == "" {
				break
			}
		}
		if want := []string{"Goal/a@7", "Goal/a@6", "Goal/a@5", "Goal/a@4", "Goal/a@3", "Goal/a@2", "Goal/a@1"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	}},
	{"since leaves out what is older, at the moment itself not", func(t *testing.T, s store.Store) {
		k := key("Goal", "a")
		put(t, s, k, "1", about("c"))
		time.Sleep(3 * time.Millisecond)
		second, _ := put(t, s, k, "2", about("c"))
		time.Sleep(3 * time.Millisecond)
		put(t, s, k, "3", about("c"))
		got := changes(t, s, all, fhir.Scope{Type: "Goal"}, fhir.Span{Since: second.Updated})
		if want := []string{"Goal/a@3", "Goal/a@2"}; !slices.Equal(names(got.Heads), want) {
			t.Errorf("got %q, want %q", names(got.Heads), want)
		}
	}},
	{"a version is told only to whom both it and the current one are visible", func(t *testing.T, s store.Store) {
		k := key("Goal", "a")
		put(t, s, k, "1", about("open"))
		put(t, s, k, "2", about("closed"))
		put(t, s, k, "3", about("open"))
		open := fhir.SightOf(time.Now(), time.Now(), map[string]fhir.Extent{"Goal": fhir.Some(fhir.Rule{Reach: fhir.Loose, Classes: []fhir.Class{"open"}})})
		if got, want := names(changes(t, s, open, fhir.Scope{Type: "Goal", ID: "a"}, fhir.Span{Count: 9}).Heads), []string{"Goal/a@3", "Goal/a@1"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		put(t, s, k, "4", about("closed"))
		for _, scope := range []fhir.Scope{{Type: "Goal", ID: "a"}, {Type: "Goal"}, {}} {
			if got := changes(t, s, open, scope, fhir.Span{Count: 9}).Heads; len(got) != 0 {
				t.Errorf("%v: %q are told of what is now hidden", scope, names(got))
			}
		}
	}},
	{"a page of a history is not shortened by what is hidden in between", func(t *testing.T, s store.Store) {
		for i := range 20 {
			class := fhir.Class("closed")
			if i%5 == 0 {
				class = "open"
			}
			put(t, s, key("Goal", id("g", i)), "x", about(class))
		}
		open := fhir.SightOf(time.Now(), time.Now(), map[string]fhir.Extent{"Goal": fhir.Some(fhir.Rule{Reach: fhir.Loose, Classes: []fhir.Class{"open"}})})
		first := changes(t, s, open, fhir.Scope{Type: "Goal"}, fhir.Span{Count: 3})
		if len(first.Heads) != 3 || first.Next == "" {
			t.Fatalf("first page: %q next %q", names(first.Heads), first.Next)
		}
		second := changes(t, s, open, fhir.Scope{Type: "Goal"}, fhir.Span{Count: 3, After: first.Next})
		if len(second.Heads) != 1 || second.Next != "" {
			t.Errorf("second page: %q next %q", names(second.Heads), second.Next)
		}
	}},
}
