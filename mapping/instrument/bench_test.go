package instrument

import (
	"context"
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
