package research_test

import "testing"

// A release of the invented practice, read as often as a release reads; a resource is one
// of the practice.
func BenchmarkRelease(b *testing.B) {
	rs, _ := consenting(b, practice(b))
	b.ReportAllocs()
	for b.Loop() {
		must(b)(run(b, newDesk().release(b), rs))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rs)), "ns/resource")
}
