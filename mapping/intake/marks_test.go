package intake

import (
	"math/rand/v2"
	"testing"
)

func TestASetOfMarksHoldsWhatWasAddedAndNothingElse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var s marks
		want := map[mark]struct{}{}
		for range r.IntN(10 * maxRecent) {
			m := mark(r.Uint64N(1 << 18)) // some come twice
			if _, ok := want[m]; s.has(m) != ok {
				t.Fatalf("has(%d) = %v with %d marks", m, !ok, len(want))
			}
			s.add(m)
			want[m] = struct{}{}
		}
		n := len(s.recent)
		for i, run := range s.sorted {
			n += len(run)
			if i > 0 && len(run) >= len(s.sorted[i-1]) {
				t.Fatalf("run %d has %d marks, the one before it %d", i, len(run), len(s.sorted[i-1]))
			}
		}
		if n != len(want) {
			t.Fatalf("it holds %d marks of %d", n, len(want))
		}
		for m := range mark(1 << 18) {
			if _, ok := want[m]; s.has(m) != ok {
				t.Fatalf("has(%d) = %v", m, !ok)
			}
		}
	}
}
