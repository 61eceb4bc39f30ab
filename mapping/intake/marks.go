package intake

import (
	"hash/maphash"
	"slices"
)

// mark is a key shortened to eight bytes: a run keeps one for each row and record,
// and no business key in memory longer than its row. The seed is the process's own,
// so nobody can make two keys that fall together; by chance two of a million do in
// one run of 37 million.
type mark uint64

var seed = maphash.MakeSeed()

func markOf(kind, key string) mark {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(kind)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(key)
	return mark(h.Sum64())
}

// marks is a set of marks that takes eight bytes for each but the last few, a third of
// a map. Each sorted run is longer than all that came after it, so that there are few
// to look through.
type marks struct {
	recent map[mark]struct{}
	sorted [][]mark // the longest first
}

// maxRecent is how many marks are looked up in a map before they are sorted.
const maxRecent = 8192

func (s *marks) has(m mark) bool {
	if _, ok := s.recent[m]; ok {
		return true
	}
	for _, run := range s.sorted {
		if _, ok := slices.BinarySearch(run, m); ok {
			return true
		}
	}
	return false
}

func (s *marks) add(m mark) {
	if s.has(m) {
		return
	}
	if s.recent == nil {
		s.recent = make(map[mark]struct{}, maxRecent)
	}
	s.recent[m] = struct{}{}
	if len(s.recent) < maxRecent {
		return
	}
	run := make([]mark, 0, maxRecent)
	for m := range s.recent {
		run = append(run, m)
	}
	clear(s.recent)
	slices.Sort(run)
	for n := len(s.sorted); n > 0 && len(s.sorted[n-1]) <= len(run); n = len(s.sorted) {
		run = merge(s.sorted[n-1], run)
		s.sorted = s.sorted[:n-1]
	}
	s.sorted = append(s.sorted, run)
}

// merge makes one run of two that share no mark.
func merge(a, b []mark) []mark {
	out := make([]mark, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
