package mapping

import (
	"context"
	"slices"

	"rapport/fhir"
	"rapport/mapping/practice"
)

// Mistaken returns what a record gives that is entered in error and stands as an
// Appointment: a session that was booked, or did not take place, is marked as what it
// is, and no Encounter is made of it. The record does not say what it was, what is
// stored does. now is what [Mapper.ToFHIR] made of the record; nil: that holds.
func (m *Mapper) Mistaken(ctx context.Context, tx fhir.Tx, rec practice.Record, now []fhir.Resource) (instead []fhir.Resource, err error) {
	if !slices.ContainsFunc(now, func(r fhir.Resource) bool {
		return r.Type == "Encounter" && r.Root().Get("status").Text() == "entered-in-error"
	}) {
		return nil, nil
	}
	any := false
	var failed error
	instead, err = m.toFHIR(rec, func(k fhir.Key) bool {
		r, err := fhir.Look(ctx, tx.As(fhir.Act{Interaction: fhir.Read, Type: k.Type, ID: k.ID}), k)
		if err != nil {
			failed = err
		}
		there := !r.IsZero()
		any = any || there
		return there
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil || !any:
		return nil, err
	}
	return instead, nil
}
