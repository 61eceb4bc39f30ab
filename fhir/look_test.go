package fhir

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// paged is a Reader of so many matches; a search beyond fails is refused.
type paged struct {
	Reader
	of, fails int
	searches  int
}

func (p *paged) Search(_ context.Context, q Query) (s Set, err error) {
	if p.searches++; p.searches == p.fails {
		return s, Errorf(Forbidden, "", "no more")
	}
	from := 0
	if q.After != "" {
		if _, err := fmt.Sscan(q.After, &from); err != nil {
			return s, err
		}
	}
	to := min(from+q.Count, p.of)
	for i := from; i < to; i++ {
		s.Entries = append(s.Entries, Entry{Resource: Resource{Key: Key{Type: q.Type, ID: fmt.Sprint(i)}}})
	}
	s.Entries = append(s.Entries, Entry{Resource: Resource{Key: Key{Type: "Patient", ID: "with"}}, Mode: Included})
	if to < p.of {
		s.Next = fmt.Sprint(to)
	}
	return s, nil
}

func TestMatchesAreWalkedPageByPageUntilItIsEnough(t *testing.T) {
	for name, x := range map[string]struct {
		paged
		stop, want, searches int
		refused              bool
	}{
		"none":               {paged{of: 0}, -1, 0, 1, false},
		"one page":           {paged{of: 3}, -1, 3, 1, false},
		"pages":              {paged{of: 7}, -1, 7, 3, false},
		"enough":             {paged{of: 7}, 4, 5, 2, false},
		"refused":            {paged{of: 7, fails: 1}, -1, 0, 1, true},
		"refused in the end": {paged{of: 7, fails: 3}, -1, 6, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			var ids []string
			var failed error
			for r, err := range Matches(t.Context(), &x.paged, Query{Type: "Task", Count: 3}) {
				if failed = err; err != nil {
					continue
				}
				ids = append(ids, r.ID)
				if len(ids) == x.stop+1 {
					break
				}
			}
			if len(ids) != x.want || slices.Contains(ids, "with") || x.searches != x.paged.searches || Is(failed, Forbidden) != x.refused {
				t.Errorf("%v of %d searches, %v", ids, x.paged.searches, failed)
			}
			n := 0
			x.paged.searches = 0
			for _, err := range VisibleMatches(t.Context(), &x.paged, Query{Type: "Task", Count: 3}) {
				if n++; err != nil {
					t.Errorf("a refusal is told: %v", err)
				}
				if n == x.stop+1 {
					break
				}
			}
			if n != x.want {
				t.Errorf("%d are visible, want %d", n, x.want)
			}
		})
	}
}
