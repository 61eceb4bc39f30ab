package instrument

import (
	"context"
	"fmt"
	"testing"

	"rapport/fhir"
)

func BenchmarkScoreOfAPHQ9OffTheTape(b *testing.B) {
	in := library(b).BySlug("phq-9")
	qr := response(b, in, "2222112001", Occasion{Author: therapist1})
	b.ReportAllocs()
	for b.Loop() {
		if s, err := in.Score(qr); err != nil || s.Total().Value == nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeriveAPHQ9(b *testing.B) {
	l := library(b)
	qr := response(b, l.BySlug("phq-9"), "2222112000", Occasion{Author: therapist1})
	d, s := NewDeriver(l), newShelf()
	b.ReportAllocs()
	for b.Loop() {
		if out, err := d.Derive(context.Background(), s, qr); err != nil || len(out) != 1 {
			b.Fatal(err)
		}
	}
}

// A year of weekly scores lies before it, or after it: then all are told anew.
func BenchmarkDeriveAPHQ9AmongFifty(b *testing.B) {
	for name, authored := range map[string]string{"newest": "2027-12-01", "oldest": "2025-12-01"} {
		b.Run(name, func(b *testing.B) {
			l := library(b)
			d, s := NewDeriver(l), newShelf()
			for i := range 50 {
				qr := response(b, l.BySlug("phq-9"), "2222112000", Occasion{ID: fmt.Sprintf("r%d", i), Author: therapist1, Authored: fmt.Sprintf("2026-%02d-%02d", 1+i/5, 1+i%5)})
				out, err := d.Derive(context.Background(), s, qr)
				if err != nil {
					b.Fatal(err)
				}
				s.put(qr)
				s.put(out...)
			}
			qr := response(b, l.BySlug("phq-9"), "2222112000", Occasion{ID: "new", Author: therapist1, Authored: authored})
			b.ReportAllocs()
			for b.Loop() {
				if out, err := d.Derive(context.Background(), s, qr); err != nil || len(out) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScoreOfAnSDQ(b *testing.B) {
	in := library(b).BySlug("sdq-pc101")
	qr, err := in.Response(full(in, 1), Occasion{Subject: fhir.Key{Type: "Patient", ID: "p"}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Score(qr); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(); err != nil {
			b.Fatal(err)
		}
	}
}
