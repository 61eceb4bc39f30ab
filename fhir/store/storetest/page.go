package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"rapport/fhir"
	"rapport/fhir/store"
)

// listed is a record of a Goal with a start date that several share, a code and a name.
func listed(n int) store.Record {
	at := fhir.Micros(epoch) + int64(n/7)*day
	return store.Record{Facts: fhir.Facts{Class: "c"}, Index: []fhir.Index{
		{Param: "start-date", Kind: fhir.Date, Low: at, High: at + day - 1},
		{Param: "code", Kind: fhir.Token, System: "urn:s", Code: fmt.Sprint(n % 3)},
		{Param: "name", Kind: fhir.String, Text: "Name " + id("", n/3)},
	}}
}

var sorts = map[string][]fhir.Order{
	"the store's own order":     nil,
	"date":                      {{Param: "start-date", Kind: fhir.Date}},
	"date downwards, then name": {{Param: "start-date", Kind: fhir.Date, Desc: true}, {Param: "name", Kind: fhir.String}},
	"code, then id downwards":   {{Param: "code", Kind: fhir.Token}, {Param: "_id", Desc: true}},
	"name":                      {{Param: "name", Kind: fhir.String}},
	"a parameter none has":      {{Param: "target-date", Kind: fhir.Date}},
	"time of change downwards":  {{Param: "_lastUpdated", Desc: true}},
}

var pages = []testCase{
	{"pages hold everything once while others write", func(t *testing.T, s store.Store) {
		const n = 90
		update(t, s, func(ctx context.Context, tx store.Tx) error {
			for i := range n {
				if _, _, err := tx.Put(ctx, made(key("Goal", id("g", i)), "x"), listed(i), store.Condition{}); err != nil {
					return err
				}
			}
			return nil
		})
		added := 0
		for name, order := range sorts {
			t.Run("by "+name, func(t *testing.T) {
				// Every third is written anew and every tenth removed meanwhile.
				untouched := func(i int) bool {
					return i%10 != 0 && (i%3 != 0 || len(order) == 0 || order[0].Param != "_lastUpdated")
				}
				for i := 0; i < n; i += 10 {
					put(t, s, key("Goal", id("g", i)), "x", listed(i))
				}
				count := map[fhir.Key]int{}
				q := fhir.Query{Type: "Goal", Sort: order, Count: 7}
				rnd := rand.New(rand.NewPCG(1, uint64(len(name))))
				for page := 0; ; page++ {
					if page > 100 {
						t.Fatal("the pages do not end")
					}
					p := find(t, s, all, q)
					ms, _ := keysOf(p)
					for _, k := range ms {
						count[k]++
					}
					if q.After = p.Next; p.Next == "" {
						break
					}
					if page < n/10 {
						remove(t, s, key("Goal", id("g", page*10)))
					}
					again := rnd.IntN(n/3) * 3
					if again%10 != 0 {
						put(t, s, key("Goal", id("g", again)), "y", listed(again))
					}
					added++
					put(t, s, key("Goal", id(string(rune('a'+rnd.IntN(26))), 1000+added)), "x", listed(rnd.IntN(n)))
				}
				for i := range n {
					if k := key("Goal", id("g", i)); untouched(i) && count[k] != 1 {
						t.Errorf("%s, which existed throughout, came %d times", k, count[k])
					}
				}
				for k, c := range count {
					if c > 1 && (len(order) == 0 || order[0].Param != "_lastUpdated") {
						t.Errorf("%s came %d times", k, c)
					}
				}
			})
		}
	}},
	{"the last page says that it is, full or not", func(t *testing.T, s store.Store) {
		for i := range 6 {
			put(t, s, key("Goal", id("g", i)), "x", listed(i))
		}
		for count, want := range map[int][]int{3: {3, 3}, 4: {4, 2}, 6: {6}, 7: {6}, 1: {1, 1, 1, 1, 1, 1}} {
			var sizes []int
			q := fhir.Query{Type: "Goal", Count: count}
			for len(sizes) < 10 {
				p := find(t, s, all, q)
				sizes = append(sizes, len(p.Found))
				if q.After = p.Next; p.Next == "" {
					break
				}
			}
			if !slices.Equal(sizes, want) {
				t.Errorf("of %d a page: %v, want %v", count, sizes, want)
			}
		}
	}},
	{"what a sight hides does not shorten a page", func(t *testing.T, s store.Store) {
		for i := range 30 {
			rec := listed(i)
			if i%4 != 0 {
				rec.Class = "hidden"
			}
			put(t, s, key("Goal", id("g", i)), "x", rec)
		}
		sight := fhir.SightOf(epoch, epoch, map[string]fhir.Extent{"Goal": fhir.Some(fhir.Rule{Reach: fhir.Loose, Classes: []fhir.Class{"c"}})})
		q := fhir.Query{Type: "Goal", Count: 5, Total: true, Sort: sorts["date"]}
		first := find(t, s, sight, q)
		q.After = first.Next
		second := find(t, s, sight, q)
		if len(first.Found) != 5 || first.Next == "" || len(second.Found) != 3 || second.Next != "" || *first.Total != 8 || *second.Total != 8 {
			t.Errorf("pages of %d and %d, totals %d and %d, next %q and %q", len(first.Found), len(second.Found), *first.Total, *second.Total, first.Next, second.Next)
		}
	}},
}
