package sqlstore

import (
	"context"
	"strconv"

	"rapport/fhir"
	"rapport/fhir/store"
)

// table is a table with rows of resources that go with the next version.
type table int

const (
	aboutTable table = iota
	partyTable
	relationTable
	tokenTable
	refTable
	dateTable
	stringTable
	uriTable
	numberTable
	tables
)

// SQL to add a row and to remove those of a resource, by table. Every row is of
// one tenant ($1) and one resource ($2).
var (
	insertRow = [tables]string{
		aboutTable:    `INSERT INTO about (tenant, rid, patient, type) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		partyTable:    `INSERT INTO party (tenant, rid, actor, type) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		relationTable: `INSERT INTO relation (tenant, rid, patient, actor, n, episode, ended) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tokenTable:    `INSERT INTO ix_token (tenant, rid, type, param, code, system) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		refTable:      `INSERT INTO ix_ref (tenant, rid, type, param, target, url) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		dateTable:     `INSERT INTO ix_date (tenant, rid, type, param, low, high) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		stringTable:   `INSERT INTO ix_string (tenant, rid, type, param, folded, text) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		uriTable:      `INSERT INTO ix_uri (tenant, rid, type, param, url) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		numberTable:   `INSERT INTO ix_number (tenant, rid, type, param, num, system, code) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
	}
	deleteRows = [tables]string{
		aboutTable:    `DELETE FROM about WHERE tenant = $1 AND rid = $2`,
		partyTable:    `DELETE FROM party WHERE tenant = $1 AND rid = $2`,
		relationTable: `DELETE FROM relation WHERE tenant = $1 AND rid = $2`,
		tokenTable:    `DELETE FROM ix_token WHERE tenant = $1 AND rid = $2`,
		refTable:      `DELETE FROM ix_ref WHERE tenant = $1 AND rid = $2`,
		dateTable:     `DELETE FROM ix_date WHERE tenant = $1 AND rid = $2`,
		stringTable:   `DELETE FROM ix_string WHERE tenant = $1 AND rid = $2`,
		uriTable:      `DELETE FROM ix_uri WHERE tenant = $1 AND rid = $2`,
		numberTable:   `DELETE FROM ix_number WHERE tenant = $1 AND rid = $2`,
	}
)

// rows are what a resource has in each table, without tenant and rid.
type rows [tables][][]any

// held says which tables have rows, so that only those are looked at later.
func (ix *rows) held() (bits int64) {
	if ix == nil {
		return 0
	}
	for t, rs := range ix {
		if len(rs) > 0 {
			bits |= 1 << t
		}
	}
	return bits
}

// about counts the patients.
func (ix *rows) about() int {
	if ix == nil {
		return 0
	}
	return len(ix[aboutTable])
}

// patient is the only patient, 0 if there is none or are several.
func (ix *rows) patient() int64 {
	if ix.about() != 1 {
		return 0
	}
	return ix[aboutTable][0][0].(int64)
}

// entries turns a record into rows: texts and keys become numbers.
func (w *writer) entries(ctx context.Context, typ int64, rec store.Record) (*rows, error) {
	rids, err := w.enter(ctx, keysOf(rec))
	if err != nil {
		return nil, err
	}
	ix := &rows{}
	add := func(t table, row ...any) { ix[t] = append(ix[t], row) }
	for _, k := range rec.Patients {
		add(aboutTable, rids[k], typ)
	}
	for _, p := range rec.Parties {
		add(partyTable, rids[p.Actor], typ)
	}
	for n, r := range rec.Relations {
		add(relationTable, rids[r.Patient], rids[r.Actor], n, rids[r.Episode], until(r.Ended))
	}
	for _, x := range rec.Index {
		param, err := w.intern(ctx, x.Param)
		if err != nil {
			return nil, err
		}
		system, err := w.intern(ctx, x.System)
		if err != nil {
			return nil, err
		}
		clean := w.words().clean
		switch x.Kind {
		case fhir.Token:
			add(tokenTable, typ, param, clean(x.Code), system)
		case fhir.Reference:
			add(refTable, typ, param, rids[x.Ref], clean(x.URL))
		case fhir.Date:
			add(dateTable, typ, param, x.Low, x.High)
		case fhir.String:
			add(stringTable, typ, param, clean(fhir.Fold(x.Text)), clean(x.Text))
		case fhir.URI:
			add(uriTable, typ, param, clean(x.Code))
		case fhir.Number, fhir.Quantity:
			// As a float: only :missing and sorting look at it.
			f, err := strconv.ParseFloat(x.Num, 64)
			if err != nil {
				continue
			}
			add(numberTable, typ, param, f, system, clean(x.Code))
		}
	}
	return ix, nil
}

// keysOf lists the keys that a record names, each once.
func keysOf(rec store.Record) (ks []fhir.Key) {
	seen := map[fhir.Key]bool{{}: true}
	add := func(k fhir.Key) {
		if !seen[k] {
			seen[k] = true
			ks = append(ks, k)
		}
	}
	for _, k := range rec.Patients {
		add(k)
	}
	for _, p := range rec.Parties {
		add(p.Actor)
	}
	for _, r := range rec.Relations {
		add(r.Patient)
		add(r.Actor)
		add(r.Episode)
	}
	for _, x := range rec.Index {
		add(x.Ref)
	}
	return ks
}

func (w *writer) index(ctx context.Context, rid int64, ix *rows) error {
	for t, rs := range ix {
		for _, r := range rs {
			if err := w.exec(ctx, insertRow[t], append([]any{w.t.id, rid}, r...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) unindex(ctx context.Context, rid, held int64) error {
	for t := range tables {
		if held&(1<<t) != 0 {
			if err := w.exec(ctx, deleteRows[t], w.t.id, rid); err != nil {
				return err
			}
		}
	}
	return nil
}
