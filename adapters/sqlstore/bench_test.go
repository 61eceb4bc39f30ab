package sqlstore

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"rapport/adapters/sqlstore/pgtest"
	"rapport/fhir"
	"rapport/fhir/store"
)

// A practice of the size that benchmarks and plans look at: what n-th Observations
// are, of whom, and who may see them.
const (
	practisePatients = 200
	practiseTies     = 20 // patients of each therapist
)

var began = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func patientKey(n int) fhir.Key { return fhir.Key{Type: "Patient", ID: fmt.Sprintf("p%05d", n)} }

func therapist(n int) fhir.Key {
	return fhir.Key{Type: "Practitioner", ID: fmt.Sprintf("t%03d", n)}
}

func observation(n int) (fhir.Resource, store.Record) {
	p := patientKey(n % practisePatients)
	at := began.Add(time.Duration(n) * 7 * time.Minute)
	r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","id":"o%07d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"44261-6","display":"PHQ-9 total score"}]},`+
		`"subject":{"reference":"%s"},"effectiveDateTime":"%s","valueInteger":%d,"note":[{"text":"Weekly measure, answered at the beginning of the session."}]}`, n, p, at.Format(time.RFC3339), n%28))
	if err != nil {
		panic(err)
	}
	code := []string{"44261-6", "69737-5", "70273-8"}[n%3]
	low := fhir.Micros(at)
	return r, store.Record{
		Facts: fhir.Facts{Class: "clinical||R", Patients: []fhir.Key{p}, When: at},
		Index: []fhir.Index{
			{Param: "code", Kind: fhir.Token, System: "http://loinc.org", Code: code},
			{Param: "status", Kind: fhir.Token, System: "http://hl7.org/fhir/observation-status", Code: "final"},
			{Param: "category", Kind: fhir.Token, System: "http://terminology.hl7.org/CodeSystem/observation-category", Code: "survey"},
			{Param: "identifier", Kind: fhir.Token, System: "urn:practice:score", Code: fmt.Sprint(n)},
			{Param: "subject", Kind: fhir.Reference, Ref: p}, {Param: "patient", Kind: fhir.Reference, Ref: p},
			{Param: "date", Kind: fhir.Date, Low: low, High: low + 999_999},
			{Param: "code-display", Kind: fhir.String, Text: "PHQ-9 total score"},
		},
	}
}

// practise fills a store: patients with a therapist each, and n Observations.
func practise(tb testing.TB, s store.Store, n int) {
	tb.Helper()
	batch := func(count int, f func(tx store.Tx, i int) error) {
		for from := 0; from < count; from += 500 {
			err := s.Update(tb.Context(), func(tx store.Tx) error {
				for i := from; i < min(from+500, count); i++ {
					if err := f(tx, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
	batch(practisePatients, func(tx store.Tx, i int) error {
		k, e := patientKey(i), fhir.Key{Type: "EpisodeOfCare", ID: fmt.Sprintf("e%05d", i)}
		for _, x := range []struct {
			k   fhir.Key
			rec store.Record
		}{
			{k, store.Record{Facts: fhir.Facts{Class: "contact||", Patients: []fhir.Key{k}}, Index: []fhir.Index{
				{Param: "identifier", Kind: fhir.Token, System: "urn:practice:client", Code: fmt.Sprint(i)}, {Param: "name", Kind: fhir.String, Text: fmt.Sprint("Name", i)}}}},
			{e, store.Record{Facts: fhir.Facts{Class: "frame||", Patients: []fhir.Key{k}}, Relations: []fhir.Relation{
				{Actor: e, Patient: k}, {Actor: therapist(i / practiseTies), Patient: k, Episode: e}}}},
		} {
			r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":%q,"id":%q}`, x.k.Type, x.k.ID))
			if err != nil {
				return err
			}
			if _, _, err := tx.Put(tb.Context(), r, x.rec, store.Condition{}); err != nil {
				return err
			}
		}
		return tx.SetProfile(tb.Context(), k, "consents", time.Time{})
	})
	batch(n, func(tx store.Tx, i int) error {
		r, rec := observation(i)
		_, _, err := tx.Put(tb.Context(), r, rec, store.Condition{})
		return err
	})
}

// caseload is what a therapist sees.
func caseload(n int) fhir.Sight {
	tied := func(class fhir.Class) fhir.Extent {
		return fhir.Some(
			fhir.Rule{Reach: fhir.Related, Actors: []fhir.Key{therapist(n)}, Classes: []fhir.Class{class}, Profiles: []fhir.Profile{"", "consents"}},
			fhir.Rule{Reach: fhir.Party, Actors: []fhir.Key{therapist(n)}, Classes: []fhir.Class{class}, Profiles: []fhir.Profile{"", "consents"}})
	}
	return fhir.SightOf(began, began.Add(-90*24*time.Hour), map[string]fhir.Extent{"Observation": tied("clinical||R"), "Patient": tied("contact||"), "EpisodeOfCare": tied("frame||")})
}

func asked(param, system, code string) fhir.Clause {
	return fhir.Clause{Param: param, Kind: fhir.Token, Any: []fhir.Operand{{System: system, HasSystem: true, Code: code}}}
}

func ofPatient(n int) fhir.Clause {
	return fhir.Clause{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patientKey(n)}}}
}

// searches are what clients ask most.
var searches = map[string]fhir.Query{
	"one patient's scores of a code, newest first": {Type: "Observation", Count: 20, Where: []fhir.Clause{ofPatient(3), asked("code", "http://loinc.org", "44261-6")},
		Sort: []fhir.Order{{Param: "date", Kind: fhir.Date, Desc: true}}},
	"by identifier": {Type: "Observation", Count: 2, Where: []fhir.Clause{asked("identifier", "urn:practice:score", "203")}},
	"of a code":     {Type: "Observation", Count: 20, Where: []fhir.Clause{asked("code", "http://loinc.org", "44261-6")}},
	"of a patient found by identifier": {Type: "Observation", Count: 20, Where: []fhir.Clause{{Param: "subject", Kind: fhir.Reference,
		Chain: &fhir.Chain{Type: "Patient", Where: asked("identifier", "urn:practice:client", "3")}}}},
	"patients who have a score": {Type: "Patient", Count: 20, Where: []fhir.Clause{{Has: &fhir.Has{Type: "Observation", Param: "subject",
		Where: asked("identifier", "urn:practice:score", "203")}}}},
	"in a week": {Type: "Observation", Count: 20, Where: []fhir.Clause{ofPatient(3), {Param: "date", Kind: fhir.Date,
		Any: []fhir.Operand{{Prefix: fhir.Ge, Low: fhir.Micros(began), High: fhir.Micros(began)}}}}},
	"patients by name": {Type: "Patient", Count: 20, Where: []fhir.Clause{{Param: "name", Kind: fhir.String, Any: []fhir.Operand{{Text: "name1"}}}}},
	"newest first":     {Type: "Observation", Count: 20, Sort: []fhir.Order{{Param: "date", Kind: fhir.Date, Desc: true}}},
	"changed lately":   {Type: "Observation", Count: 20, Sort: []fhir.Order{{Param: "_lastUpdated", Desc: true}}},
	"page of a type":   {Type: "Observation", Count: 20},
}

func benchmarks(b *testing.B, open func(b *testing.B) *DB) {
	const n = 10_000
	db := open(b)
	s := opened(b, db, "t")
	practise(b, s, n)
	ctx := context.Background()
	view := func(b *testing.B, f func(r store.Reader) error) {
		if err := s.View(ctx, f); err != nil {
			b.Fatal(err)
		}
	}
	var at atomic.Int64
	at.Store(n)
	create := func(b *testing.B) {
		r, rec := observation(int(at.Add(1)))
		err := s.Update(ctx, func(tx store.Tx) error {
			_, _, err := tx.Put(ctx, r, rec, store.Condition{Absent: true})
			return err
		})
		if err != nil {
			b.Error(err)
		}
	}
	b.Run("create, one after the other", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			create(b)
		}
	})
	b.Run("create, 32 at once", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				create(b)
			}
		})
	})
	b.Run("read a head, judged, and its body", func(b *testing.B) {
		b.ReportAllocs()
		sight := caseload(0)
		i := 0
		for b.Loop() {
			i = (i + practisePatients) % n // the first patient's
			view(b, func(r store.Reader) error {
				hs, err := r.Heads(ctx, sight, fhir.Key{Type: "Observation", ID: fmt.Sprintf("o%07d", i)})
				if err != nil || len(hs) != 1 {
					return fmt.Errorf("%d heads, %w", len(hs), err)
				}
				_, err = r.Bodies(ctx, store.Ref{Key: hs[0].Key, Version: hs[0].Version})
				return err
			})
		}
	})
	for name, q := range searches {
		b.Run("search "+name, func(b *testing.B) {
			b.ReportAllocs()
			sight := caseload(0)
			for b.Loop() {
				view(b, func(r store.Reader) error {
					p, err := r.Find(ctx, sight, q)
					if err == nil && len(p.Found) == 0 {
						err = fmt.Errorf("nothing found")
					}
					return err
				})
			}
		})
	}
}

func BenchmarkSQLite(b *testing.B) {
	benchmarks(b, func(b *testing.B) *DB {
		return openSQLite(b, filepath.Join(b.TempDir(), "store.db"), Options{})
	})
}

func BenchmarkPostgres(b *testing.B) {
	dsn := pgtest.Start(b)
	benchmarks(b, func(b *testing.B) *DB { return openPostgres(b, dsn, Options{}) })
}
