package intake

import (
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/mapping/site"
)

// inTime reports whether the rows of a table are to be stored in the order of time
// rather than of lines: what follows from a response says how the score changed
// since the earlier ones, so these must be there.
func inTime(t *site.Table) bool { return slices.Contains(t.Emits, "response") }

// arrange sorts rows by when their responses were written. Those that cannot be
// mapped, or say no time, come first, in their order.
func (r *run) arrange(t *site.Table, rows []site.Row) {
	at := make(map[int]string, len(rows))
	for _, row := range rows {
		records, _, err := t.Map(row, r)
		if err != nil {
			continue
		}
		for _, rec := range records {
			if n, err := fhir.ParseNode(rec.JSON); err == nil && rec.Kind == "response" {
				at[row.Line] = n.Get("authored").Text()
			}
		}
	}
	// Moments are of one site's zone, so their texts sort as they do, but for the one
	// hour a year that is told twice, which the site mapping leaves out.
	slices.SortStableFunc(rows, func(a, b site.Row) int { return strings.Compare(at[a.Line], at[b.Line]) })
}
