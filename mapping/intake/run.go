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
	asked  questionnaires
	parts  parts
	ending []*unit // rows that take back records, until all else is stored
	spill  *spill
	now    Progress
}

// unit is what one row gives: stored all or not at all.
type unit struct {
	row     site.Row
	table   *site.Table
	kinds   []string
	records []site.Record
	native  []practice.Record // per record
	fhir    [][]fhir.Resource // per record; the first is the record itself
	wrong   string            // why one of them cannot be made
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
		Config: cfg, held: map[string]*held{}, files: map[string]string{}, ledger: newLedger(), links: newLinks(), parts: newParts(),
		tables: map[string]*Counts{}, lines: map[Lines][]int32{}, kinds: map[string]*Counts{}, types: map[string]*Counts{},
	}
	r.sum = Summary{Source: cfg.Source.Name(), Digest: cfg.Source.Digest(), Mapping: cfg.Site.Version, Began: cfg.Clock()}
	sweep(cfg.Spill)
	r.spill = newSpill(cfg.Spill)
	defer r.spill.close()
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
				h = newHeld(r.Site.Table(rel.Table), r.files[rel.Table], r.spill)
				needed[rel.Table] = h
			}
			h.need(rel)
		}
	}
	r.held = needed
	if r.Progress != nil {
		if err := r.measure(ctx); err != nil {
			return err
		}
	}
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
	if err := r.end(ctx); err != nil {
		return err
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
	if s := r.skipped(); len(s) > 0 {
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

// one imports a table: its rows are read and mapped here, and stored behind that in
// their order, at the same time.
func (r *run) one(ctx context.Context, t *site.Table) error {
	if r.files[t.Name] == "" {
		return nil
	}
	r.count(r.files[t.Name])
	line := begin(ctx)
	return line.end(r.table(line.ctx, t, line))
}

func (r *run) table(ctx context.Context, t *site.Table, line *line) error {
	file, h, seen, later := r.files[t.Name], r.held[t.Name], map[mark]int32{}, waiting{spill: r.spill}
	if h != nil {
		defer h.ready()
	}
	err := r.read(ctx, t, func(row site.Row, fault string) error {
		if fault == "" && t.Deletes(row) {
			return line.put(func(ctx context.Context) error { return r.takesBack(ctx, t, row, seen) })
		}
		if fault == "" {
			fault = r.refuse(t, row, seen)
		}
		if fault != "" {
			return line.put(func(context.Context) error { r.reject(t, h, row, fault); return nil })
		}
		if len(t.Emits) == 0 {
			return r.joined(t, h, row, line)
		}
		if h != nil {
			if err := h.add(row); err != nil {
				return err
			}
		}
		records, kinds, err := t.Map(row, r)
		var refusal *site.Refusal
		switch {
		case errors.As(err, &refusal):
			return line.put(func(context.Context) error {
				r.tick(row.Place)
				r.quarantine(t, row, kinds, err.Error())
				return nil
			})
		case err != nil:
			return err
		case inTime(t):
			return later.add(row, records)
		}
		return r.row(ctx, t, row, records, line)
	})
	var whole *tableError
	if errors.As(err, &whole) {
		at := site.Place{File: file, Line: whole.line}
		if h != nil {
			h.doubt = at
		}
		err = line.put(func(context.Context) error {
			r.fail(at, Rejected, whole.Error())
			r.ledger.suspect(at, t.Emits)
			return nil
		})
	}
	if err != nil {
		return err
	}
	err = later.each(file, func(row site.Row, records []site.Record) error { return r.row(ctx, t, row, records, line) })
	if err != nil {
		return err
	}
	return line.put(r.flush)
}

// joined keeps a row that goes into records of others.
func (r *run) joined(t *site.Table, h *held, row site.Row, line *line) error {
	refusal := t.Check(row)
	if refusal == nil {
		if err := h.add(row); err != nil {
			return err
		}
	}
	return line.put(func(context.Context) error {
		if refusal != nil {
			if r.wanted(row.Place) {
				r.fail(row.Place, Quarantined, refusal.Error())
			}
			h.lose(row)
		}
		r.tick(row.Place)
		return nil
	})
}

// wanted reports whether a row is one to be imported in this run.
func (r *run) wanted(p site.Place) bool { return r.Only == nil || r.Only[p] }

const otherTenant = "the row belongs to another tenant than the one that is imported to; name its own with --tenant"

// refuse says why a row that can be read is not taken: it is another tenant's, has
// no key, or has one that stood before.
func (r *run) refuse(t *site.Table, row site.Row, seen map[mark]int32) string {
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
	seen[m] = int32(row.Line)
	return ""
}

// row makes FHIR of what a row gives and hands it on to be stored.
func (r *run) row(ctx context.Context, t *site.Table, row site.Row, records []site.Record, line *line) error {
	kinds := make([]string, len(records))
	for i, rec := range records {
		kinds[i] = rec.Kind
	}
	u := &unit{row: row, table: t, kinds: kinds, records: records}
	if r.wanted(row.Place) {
		for _, rec := range records {
			native, rs, err := r.convert(ctx, rec)
			if err != nil {
				u.wrong = why(err)
				break
			}
			u.native, u.fhir = append(u.native, native), append(u.fhir, rs)
		}
	}
	return line.put(func(ctx context.Context) error {
		r.tick(row.Place)
		return r.take(ctx, u)
	})
}

// take puts a unit into the batch, unless what it rests on is not there.
func (r *run) take(ctx context.Context, u *unit) error {
	if !r.wanted(u.row.Place) { // others may rest on it; it is not ours to write this time
		for _, rec := range u.records {
			r.ledger.keep(rec.Ref)
		}
		return nil
	}
	if ref, p, lost := r.lost(u); lost {
		r.quarantine(u.table, u.row, u.kinds, missing(ref, p))
		return nil
	}
	for _, rec := range u.records {
		if r.ledger.has(rec.Ref) {
			r.quarantine(u.table, u.row, u.kinds, fmt.Sprintf("another row of this upload gave the %s with this key already; nothing is merged silently", rec.Kind))
			return nil
		}
	}
	if u.wrong != "" {
		r.quarantine(u.table, u.row, u.kinds, u.wrong)
		return nil
	}
	for _, rs := range u.fhir {
		r.size += len(rs)
	}
	r.batch = append(r.batch, u)
	if r.size >= r.Batch {
		return r.flush(ctx)
	}
	return nil
}

// Rows implements site.Relations. A table that is not there says nothing of its rows,
// not that there are none: what is stored by an earlier upload would be emptied.
func (r *run) Rows(rel *site.Relation, key string) ([]site.Row, error) {
	h := r.held[rel.Table]
	switch {
	case h != nil && r.files[rel.Table] != "":
		return h.find(rel, key)
	case rel.Many:
		return nil, &site.Refusal{Why: "the upload holds no table " + rel.Table + ", whose rows go into what this row gives; upload them together, and its header alone where there are none"}
	}
	return nil, &site.Refusal{Why: "the upload holds no table " + rel.Table + ", which this row needs; upload them together"}
}
