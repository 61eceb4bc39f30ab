package policy

import (
	"context"
	"slices"

	"rapport/fhir"
	"rapport/fhir/store"
)

// consentChanged computes the profiles anew of everyone that a Consent was or is
// about, in the transaction that changed it.
func (w *writer) consentChanged(ctx context.Context, k fhir.Key, were, are []fhir.Key) error {
	if k.Type != "Consent" {
		return nil
	}
	ks := slices.Concat(were, are)
	slices.SortFunc(ks, fhir.Key.Compare)
	for _, p := range slices.Compact(ks) {
		made, err := w.refresh(ctx, w.out, p)
		if err != nil {
			return err
		}
		if !slices.Contains(w.session.fresh.profiles, made) {
			w.session.fresh.profiles = append(w.session.fresh.profiles, made)
			clear(w.session.decisions)
		}
	}
	return nil
}

// refresh computes the profile of a patient from its current Consents.
func (g *Guard) refresh(ctx context.Context, tx store.Tx, patient fhir.Key) (fhir.Profile, error) {
	q := fhir.Query{Type: "Consent", Count: 200, Where: []fhir.Clause{{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patient}}}}}
	var refs []store.Ref
	for {
		page, err := tx.Find(ctx, fhir.Omniscient(), q)
		if err != nil {
			return "", err
		}
		for _, f := range page.Found {
			refs = append(refs, store.Ref{Key: f.Key, Version: f.Version})
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	rs, err := tx.Bodies(ctx, refs...)
	if err != nil {
		return "", err
	}
	// What a consent is about is what the facts say, not what the index found.
	rs = slices.DeleteFunc(rs, func(r fhir.Resource) bool { return r.IsZero() || !slices.Contains(g.factor.patients(r), patient) })
	p, until := reduce(rs, g.Clock())
	text := p.text()
	return text, tx.SetProfile(ctx, patient, text, until)
}

// Refresh computes the profiles of those patients anew whose consents began or
// ended by the clock. Until it has run, nothing that depends on the patient is
// visible to most; run it every few seconds. It returns how many it computed.
func (g *Guard) Refresh(ctx context.Context, tenant string) (int, error) {
	st, err := g.Store(tenant)
	if err != nil {
		return 0, err
	}
	ctx = store.Background(ctx)
	var due []fhir.Key
	q := fhir.Query{Type: "Consent", Count: 500}
	for {
		var next string
		err := st.View(ctx, func(r store.Reader) error {
			page, err := r.Find(ctx, fhir.Omniscient(), q)
			if err != nil {
				return err
			}
			next = page.Next
			var ks []fhir.Key
			for _, f := range page.Found {
				ks = append(ks, f.Patients...)
			}
			slices.SortFunc(ks, fhir.Key.Compare)
			ks = slices.Compact(ks)
			if len(ks) == 0 {
				return nil
			}
			fs, err := r.Patients(ctx, ks...)
			for _, f := range fs {
				if !f.Until.IsZero() && !g.Clock().Before(f.Until) && !slices.Contains(due, f.Patient) {
					due = append(due, f.Patient)
				}
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		if next == "" {
			break
		}
		q.After = next
	}
	for i, p := range due {
		if err := st.Update(ctx, func(tx store.Tx) error {
			_, err := g.refresh(ctx, tx, p)
			return err
		}); err != nil {
			return i, err
		}
	}
	return len(due), nil
}
