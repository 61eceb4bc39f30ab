package bulk_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"rapport/fhir"
	"rapport/fhir/bulk"
)

// BenchmarkExport reports resources a second, from kick-off to files on disk, with
// authorisation, records and sealing on, of a store on disk.
func BenchmarkExport(b *testing.B) {
	const n = 20000
	w, _ := worldOn(b, filepath.Join(b.TempDir(), "store.db"), b.TempDir(), parts().keys, func(c *bulk.Config) { c.Limits.Open, c.Limits.OpenOfOne = 1e6, 1e6 })
	w.load(practice()...)
	g := w.guard.For(who("import"))
	for i := 0; i < n; i += 500 {
		err := g.Update(w.Context(), fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
			for j := i; j < i+500; j++ {
				r, err := fhir.Parse([]byte(fmt.Sprintf(`{"resourceType":"Observation","id":"o-%06d","subject":{"reference":"Patient/anna"},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"survey"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"44261-6","display":"Patient Health Questionnaire 9 item total score"}]},"effectiveDateTime":"2026-02-01T08:00:00Z","valueInteger":%d}`, j, j%27)))
				if err != nil {
					return err
				}
				if _, err := tx.As(fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}).Put(w.Context(), r, fhir.Condition{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, as := range []string{"import", "ehr"} {
		b.Run(as, func(b *testing.B) {
			for b.Loop() {
				w.start(as, "GET $export?_type=Observation")
				w.work()
				w.records.kept = nil
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
		})
	}
}
