package exchange

import (
	"context"
	"slices"

	"rapport/fhir"
)

// Corrections that consent keeps back are noted under their client, and set going again
// when a Consent of that client changes. What permits them by the clock alone is noticed
// then, or when the resource changes once more.
const withheldSpace = "referral-withheld"

// withheldOf returns the resources about a client, ours, of which a version was kept back
// from a partner at some time; what they are shared in says of which it still is.
func (c *Courier) withheldOf(ctx context.Context, patient fhir.Key) ([]string, error) {
	ks, _, err := recalled[[]string](ctx, c.Memos, withheldSpace, patient.String())
	return ks, err
}

// withhold notes that a version of a resource was kept back from a partner.
func (c *Courier) withhold(ctx context.Context, task string, now fhir.Head, to Partner) error {
	if err := c.share(ctx, now.Key, to, func(s *share) { s.Withheld = now.Version }); err != nil {
		return err
	}
	var patient fhir.Key
	err := c.Gate.View(ctx, fhir.Act{Interaction: fhir.Read, Type: "Task", ID: task}, func(in fhir.Reader) error {
		r, err := readable(in.Read(ctx, fhir.Key{Type: "Task", ID: task}))
		patient, _ = r.Root().Get("for").Ref()
		return err
	})
	if err != nil || patient.ID == "" {
		return err
	}
	return revise(ctx, c.Memos, withheldSpace, patient.String(), func(ks *[]string) (bool, error) {
		if slices.Contains(*ks, now.Key.String()) {
			return false, nil
		}
		*ks = append(*ks, now.Key.String())
		return true, nil
	})
}

// permitted returns what is withheld of those whom a Consent that has changed is or was
// about.
func (c *Courier) permitted(ctx context.Context, consent fhir.Change) (all []outdated, err error) {
	clients := slices.Clone(consent.Facts.Patients)
	switch was, err := c.wasAbout(ctx, consent.Head); {
	case err != nil:
		return nil, err
	case !was.IsZero() && !slices.Contains(clients, was):
		clients = append(clients, was)
	}
	for _, patient := range clients {
		ks, err := c.withheldOf(ctx, patient)
		if err != nil {
			return nil, err
		}
		for _, text := range ks {
			k, _ := fhir.ParseKey(text)
			s, err := c.sharesOf(ctx, k)
			if err != nil {
				return nil, err
			}
			for name, x := range s {
				if x.Withheld > x.Version && c.serves(name) { // else it has gone since
					all = append(all, outdated{name, x, k, consent.Head})
				}
			}
		}
	}
	return all, nil
}

// wasAbout returns the client of the version that a Consent had before: what it denied of
// somebody by mistake, it denies no more.
func (c *Courier) wasAbout(ctx context.Context, consent fhir.Head) (patient fhir.Key, err error) {
	if consent.Version == 1 {
		return patient, nil
	}
	err = c.Gate.View(ctx, fhir.Act{Interaction: fhir.VRead, Type: consent.Type, ID: consent.ID}, func(in fhir.Reader) error {
		r, err := readable(in.ReadVersion(ctx, consent.Key, consent.Version-1))
		patient, _ = r.Root().Get("patient").Ref()
		return err
	})
	return patient, err
}

func (c *Courier) serves(name string) bool {
	return slices.ContainsFunc(c.Partners, func(p Partner) bool { return p.Name == name })
}
