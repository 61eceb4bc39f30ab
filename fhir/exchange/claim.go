package exchange

import (
	"context"
	"slices"

	"rapport/fhir"
)

// claim makes this referral's parcel the one that creates a resource at the partner, so
// that what two referrals of a client carry is there once. done: another one's does or
// did, and its key there is as good here; the zero Key if the partner does not want it.
//
// It is called when the parcel says that the resource is sent: whoever finds the claim
// of another finds in that one's parcel what became of it, if anything did. It is written
// each time, so that of two who claim at once one looks again. sought: this one has
// looked at the partner and found nothing, so a create of which nobody knows what became
// of it does not bar the way for ever.
func (d *delivery) claim(ctx context.Context, r fhir.Resource, sought bool) (k fhir.Key, done bool, err error) {
	if !slices.Contains(corrected, r.Type) || r.Version == 0 {
		return fhir.Key{}, false, nil // made for this referral
	}
	err = revise(ctx, d.Memos, shareSpace, r.Key.String(), func(all *shares) (bool, error) {
		s := (*all)[d.to.Name]
		was, err := d.elsewhere(ctx, r, s)
		if err != nil {
			return false, err
		}
		lost := was.State == unknown && sought && d.Clock().Sub(was.At) >= underWay
		if was.State != "" && !lost {
			done = true
			k, err = d.adopt(ctx, r, was)
			return false, err
		}
		s.By = d.memo.Key
		all.set(d.to, s)
		return true, nil
	})
	return k, done, err
}

// elsewhere returns what is known of a resource in the parcel that creates it, if that is
// another one.
func (d *delivery) elsewhere(ctx context.Context, r fhir.Resource, s share) (posted, error) {
	if s.By == "" || s.By == d.memo.Key {
		return posted{}, nil
	}
	other := &delivery{Courier: d.Courier}
	err := other.load(ctx, s.By)
	return other.Posted[r.Key.String()], err
}

// decided takes over what became, by now, of a resource that another referral brings.
func (d *delivery) decided(ctx context.Context, r fhir.Resource) (k fhir.Key, done bool, err error) {
	all, err := d.sharesOf(ctx, r.Key)
	if err != nil {
		return fhir.Key{}, false, err
	}
	was, err := d.elsewhere(ctx, r, all[d.to.Name])
	if err != nil || was.State == "" || was.State == unknown {
		return fhir.Key{}, false, err
	}
	k, err = d.adopt(ctx, r, was)
	return k, true, err
}

// adopt takes over what is known of a resource that another referral brings.
func (d *delivery) adopt(ctx context.Context, r fhir.Resource, was posted) (fhir.Key, error) {
	if err := d.put(ctx, r.Key, was); err != nil {
		return fhir.Key{}, err
	}
	if was.State == unknown {
		return fhir.Key{}, &fhir.Error{Code: fhir.Transient, Detail: "another referral is bringing a " + r.Type + " of the same client"}
	}
	k, _ := fhir.ParseKey(was.Remote) // none of what was refused
	return k, nil
}
