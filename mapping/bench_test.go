package mapping

import "testing"

func BenchmarkToFHIR(b *testing.B) {
	m := newMapper(b)
	for _, g := range goldens(b) {
		rec := decode(b, g)
		if rs, err := m.ToFHIR(rec); err != nil || g.want == nil || len(rs) == 0 {
			continue
		}
		b.Run(g.kind+"/"+g.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.ToFHIR(rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
