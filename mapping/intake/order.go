package intake

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"rapport/fhir"
	"rapport/mapping/site"
)

// inTime reports whether the rows of a table are to be stored in the order of time
// rather than of lines: what follows from a response says how the score changed
// since the earlier ones, so these should be there.
func inTime(t *site.Table) bool { return slices.Contains(t.Emits, "response") }

// waiting are rows of such a table, mapped, until all are read. They lie in the
// spill; what is kept of each is when it was written and where it is.
type waiting struct {
	spill *spill
	list  []due
}

type due struct{ at, tie, place uint64 }

// add keeps a row. Rows of one moment follow each other by their keys, whatever
// their order in the file.
func (w *waiting) add(row site.Row, records []site.Record) error {
	d := due{tie: tie(records)}
	for _, rec := range records {
		if n, err := fhir.ParseNode(rec.JSON); err == nil && rec.Kind == "response" {
			d.at = moment(n.Get("authored").Text())
		}
	}
	var p packed
	p.row(row)
	p.records(records)
	var err error
	d.place, err = w.spill.add(p)
	w.list = append(w.list, d)
	return err
}

// each yields the rows in the order of time; those that say none come first.
func (w *waiting) each(file string, f func(site.Row, []site.Record) error) error {
	slices.SortFunc(w.list, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.tie, b.tie), cmp.Compare(a.place, b.place))
	})
	for _, d := range w.list {
		b, err := w.spill.get(d.place)
		if err != nil {
			return err
		}
		u := unpacking(b)
		row := u.row(file)
		if err := f(row, u.records()); err != nil {
			return err
		}
	}
	return nil
}

// moment makes of a FHIR dateTime a number that sorts as it does. Moments are of one
// site's zone, so that their digits sort as they do, but for the one hour a year that
// is told twice, which the site mapping leaves out.
func moment(s string) (n uint64) {
	digits := 0
	for _, c := range []byte(s) {
		if digits == 14 || c == '.' || c == '+' || c == 'Z' {
			break
		}
		if c >= '0' && c <= '9' {
			n, digits = n*10+uint64(c-'0'), digits+1
		}
	}
	for ; digits > 0 && digits < 14; digits++ {
		n *= 10
	}
	return n
}

func tie(rs []site.Record) uint64 {
	if len(rs) == 0 {
		return 0
	}
	h := sha256.Sum256([]byte(rs[0].Key))
	return binary.BigEndian.Uint64(h[:])
}
