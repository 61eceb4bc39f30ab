package intake

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"rapport/fhir"
	"rapport/mapping/practice"
	"rapport/mapping/site"
)

// run is one import on its way.
type run struct {
	Config
	held   map[string]*held // tables that rows are looked up in, by name
	files  map[string]string
	ledger *ledger
	links  *links
	tables map[string]*Counts
	lines  map[Lines][]int32 // of rows that were updated or unchanged
	kinds  map[string]*Counts
	types  map[string]*Counts
	sum    Summary
	order  []string
	batch  []*unit
	size   int // resources in batch
	done   int
	asked  questionnaires
	parts  parts
}

// unit is what one row gives: stored all or not at all.
type unit struct {
	row     site.Row
	table   *site.Table
	kinds   []string
	records []site.Record
	native  []practice.Record // per record
	fhir    [][]fhir.Resource // per record; the first is the record itself
	gone    []site.Ref        // records that the row takes back
}

// Run imports a source. It returns what became of every row, also together with an
// error. An error means that the run stopped: everything committed before it
// stays, nothing is half-written, and running again goes on where it stopped,
// since what is stored already is unchanged.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if cfg.Batch <= 0 {
		cfg.Batch = 200
	}
	r := &run{
		Config: cfg, held: map[string]*held{}, files: map[string]string{}, ledger: newLedger(), links: newLinks(),
		tables: map[string]*Counts{}, lines: map[Lines][]int32{}, kinds: map[string]*Counts{}, types: map[string]*Counts{},
	}
	r.sum = Summary{Source: cfg.Source.Name(), Digest: cfg.Source.Digest(), Mapping: cfg.Site.Version, Began: cfg.Clock()}
	err := r.all(ctx)
	r.sum.Ended = cfg.Clock()
	for _, name := range r.order {
		r.sum.Tables = append(r.sum.Tables, *r.tables[name])
		for _, o := range []Outcome{Updated, Unchanged, Removed} {
			k := Lines{Outcome: o, File: name}
			if lines := r.lines[k]; len(lines) > 0 {
				k.Lines = spans(lines)
				r.sum.Lines = append(r.sum.Lines, k)
			}
		}
	}
	r.sum.Kinds, r.sum.Resources = counts(r.kinds), counts(r.types)
	sort.SliceStable(r.sum.Failures, func(i, j int) bool {
		a, b := r.sum.Failures[i], r.sum.Failures[j]
		if a.File != b.File {
			return a.File < b.File
		}
		return a.Line < b.Line
	})
	return r.sum, err
}

func (r *run) all(ctx context.Context) error {
	if err := r.assign(); err != nil {
		return err
	}
	needed := map[string]*held{}
	for _, t := range r.Site.Tables {
		for _, rel := range t.Relation {
			h := needed[rel.Table]
			if h == nil {
				h = newHeld(r.Site.Table(rel.Table))
				needed[rel.Table] = h
			}
			h.need(rel)
		}
	}
	r.held = needed
	// What describes the upload is read first: a wrong version must stop all.
	for _, t := range r.Site.Tables {
		if t.About {
			if err := r.about(ctx, t); err != nil {
				return err
			}
		}
	}
	for _, t := range r.Site.Tables {
		if t.About {
			continue
		}
		if err := r.one(ctx, t); err != nil {
			return err
		}
	}
	for _, t := range r.Site.Tables {
		if h := r.held[t.Name]; h != nil && len(t.Emits) == 0 {
			r.settle(h)
		}
	}
	if err := r.untie(ctx); err != nil {
		return err
	}
	r.unknownFiles()
	if err := r.dangling(ctx); err != nil {
		return err
	}
	if r.Site.Times && r.Site.Zone == nil {
		r.note("the site file says timezone: unknown, so times of day were left out and only dates written; name the zone in a site file that extends this one")
	}
	if s := r.Source.Skipped(); len(s) > 0 {
		r.note("not read, since they are no CSV files: %s", strings.Join(s, ", "))
	}
	return nil
}

func (r *run) note(format string, args ...any) {
	r.sum.Notes = append(r.sum.Notes, fmt.Sprintf(format, args...))
}

// assign finds the file of each table.
func (r *run) assign() error {
	for _, f := range r.Source.Tables() {
		t := r.Site.Table(f)
		if t == nil {
			continue
		}
		if had := r.files[t.Name]; had != "" {
			return fhir.Errorf(fhir.Invalid, "", "%s and %s are both the table %s; which one is meant cannot be told", had, f, t.Name)
		}
		r.files[t.Name] = f
	}
	if len(r.files) == 0 {
		return fhir.Errorf(fhir.Invalid, "", "none of the files (%s) is a table of the site mapping %s", strings.Join(r.Source.Tables(), ", "), r.Site.Name)
	}
	for _, t := range r.Site.Tables {
		if t.About && r.files[t.Name] == "" {
			return fhir.Errorf(fhir.Required, "", "%s.csv is missing: it says what the upload is, and the site mapping %s needs it", t.Name, r.Site.Name)
		}
	}
	return nil
}

// about checks the rows that describe the upload; one that does not hold stops
// the run before anything is written.
func (r *run) about(ctx context.Context, t *site.Table) error {
	return r.read(ctx, t, func(row site.Row, fault string) error {
		if fault == "" {
			if refusal := t.Check(row); refusal != nil {
				fault = refusal.Error()
			}
		}
		if fault != "" {
			return fhir.Errorf(fhir.Invalid, "", "%s: %s; nothing was imported", row.Place, fault)
		}
		return nil
	})
}

// one imports a table.
func (r *run) one(ctx context.Context, t *site.Table) error {
	file := r.files[t.Name]
	if file == "" {
		return nil
	}
	r.count(file)
	h := r.held[t.Name]
	seen := map[mark]int{}
	var later []site.Row
	err := r.read(ctx, t, func(row site.Row, fault string) error {
		if fault == "" && t.Deletes(row) {
			return r.takesBack(ctx, t, row, seen)
		}
		if fault == "" {
			fault = r.refuse(t, row, seen)
		}
		if fault != "" {
			r.reject(t, h, row, fault)
			return nil
		}
		if len(t.Emits) > 0 {
			if h != nil {
				h.add(row)
			}
			if inTime(t) {
				later = append(later, row)
				return nil
			}
			return r.row(ctx, t, row)
		}
		if refusal := t.Check(row); refusal != nil {
			if r.wanted(row.Place) {
				r.fail(row.Place, Quarantined, refusal.Error())
			}
			h.lose(row)
			return nil
		}
		h.add(row)
		return nil
	})
	var whole *tableError
	if errors.As(err, &whole) {
		at := site.Place{File: file, Line: whole.line}
		r.fail(at, Rejected, whole.Error())
		r.ledger.suspect(at, t.Emits)
		if h != nil {
			h.doubt = at
		}
		err = nil
	}
	if err != nil {
		return err
	}
	r.arrange(t, later)
	for _, row := range later {
		if err := r.row(ctx, t, row); err != nil {
			return err
		}
	}
	return r.flush(ctx)
}

// wanted reports whether a row is one to be imported in this run.
func (r *run) wanted(p site.Place) bool { return r.Only == nil || r.Only[p] }

const otherTenant = "the row belongs to another tenant than the one that is imported to"

// refuse says why a row that can be read is not taken: it is another tenant's, has
// no key, or has one that stood before.
func (r *run) refuse(t *site.Table, row site.Row, seen map[mark]int) string {
	if r.Tenant != "" && t.HasTenant() && t.Tenant(row) != r.Tenant {
		return otherTenant
	}
	k, ok := t.Key(row.Values)
	if !ok {
		return t.KeyColumns() + ": is the key of the row and says nothing"
	}
	m := markOf("", k)
	if at, twice := seen[m]; twice {
		return fmt.Sprintf("%s: this key stands already in line %d; nothing is merged silently", t.KeyColumns(), at)
	}
	seen[m] = row.Line
	return ""
}

// row maps one row and puts what it gives into the batch.
func (r *run) row(ctx context.Context, t *site.Table, row site.Row) error {
	records, kinds, err := t.Map(row, r)
	if err != nil {
		r.quarantine(t, row, kinds, err.Error())
		return nil
	}
	if !r.wanted(row.Place) { // others may rest on it; it is not ours to write this time
		for _, rec := range records {
			r.ledger.keep(rec.Ref)
		}
		return nil
	}
	u, size := &unit{row: row, table: t, kinds: kinds, records: records}, 0
	if ref, p, lost := r.lost(u); lost {
		r.quarantine(t, row, kinds, missing(ref, p))
		return nil
	}
	for _, rec := range records {
		if r.ledger.has(rec.Ref) {
			r.quarantine(t, row, kinds, fmt.Sprintf("another row of this upload gave the %s with this key already; nothing is merged silently", rec.Kind))
			return nil
		}
		native, rs, err := r.convert(ctx, rec)
		if err != nil {
			r.quarantine(t, row, kinds, why(err))
			return nil
		}
		u.native, u.fhir, size = append(u.native, native), append(u.fhir, rs), size+len(rs)
	}
	r.size += size
	r.batch = append(r.batch, u)
	if r.size >= r.Batch {
		return r.flush(ctx)
	}
	return nil
}

// Rows implements site.Relations.
func (r *run) Rows(rel *site.Relation, key string) ([]site.Row, error) {
	h := r.held[rel.Table]
	if h == nil || r.files[rel.Table] == "" {
		if rel.Many {
			return nil, nil
		}
		return nil, &site.Refusal{Why: "the upload holds no table " + rel.Table + ", which this row needs"}
	}
	return h.find(rel, key)
}
