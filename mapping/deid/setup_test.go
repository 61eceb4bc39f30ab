package deid_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"rapport/fhir"
	"rapport/fhir/spec"
	"rapport/fhir/validate"
	"rapport/mapping"
	"rapport/mapping/deid"
	"rapport/mapping/instrument"
)

// secret stands for one drawn at random: the tests want the same at every run.
func secret(k fhir.Key) deid.Secret { return sha256.Sum256([]byte("drawn for " + k.String())) }

// project is a Deidentifier that releases everybody, by default from a baseline.
func project(t testing.TB, profile, key string, changes ...func(*deid.Config)) *deid.Deidentifier {
	t.Helper()
	p, err := deid.Embedded(profile)
	if err != nil {
		t.Fatal(err)
	}
	l, err := instrument.Load()
	if err != nil {
		t.Fatal(err)
	}
	defs, err := mapping.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	systems, err := l.CodeSystems()
	if err != nil {
		t.Fatal(err)
	}
	c := deid.Config{
		Profile: p, Key: sha256.Sum256([]byte(key)), Instruments: l, Definitions: append(defs, systems...),
		Person: func(k fhir.Key) (*deid.Person, bool) {
			return &deid.Person{
				Secret: secret(k), Baseline: time.Date(2026, 1, 12, 0, 0, 0, 0, time.UTC),
				Gender: "female", Birth: "1980-1989", State: "MA", Start: "2026",
			}, true
		},
		Setting: func(k fhir.Key) (deid.Secret, bool) { return secret(k), true },
	}
	for _, f := range changes {
		f(&c)
	}
	d, err := deid.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parse(t testing.TB, s string) fhir.Resource {
	t.Helper()
	r, err := fhir.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// transformed is what leaves of a resource, the zero Resource for nothing.
func transformed(t testing.TB, d *deid.Deidentifier, r fhir.Resource) fhir.Resource {
	t.Helper()
	out, keep, err := d.Transform(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if keep == out.IsZero() {
		t.Fatalf("%s: keep is %v, and there is a resource: %v", r.Type, keep, !out.IsZero())
	}
	return out
}

// valid fails for what breaks R4's own rules.
func valid(t rapidlike, v *validate.Validator, r fhir.Resource) {
	t.Helper()
	if err := v.Check(context.Background(), r); err != nil {
		t.Errorf("%s is not valid: %v\n%s", r.Type, err, r.Body())
	}
}

type rapidlike interface {
	Helper()
	Errorf(string, ...any)
}

func validator() *validate.Validator { return validate.New(spec.R4()) }
