package monitoring

import (
	"cmp"
	"context"
	"slices"
	"time"

	"rapport/fhir"
)

// Ask narrows a list; its zero value asks for everything that is due or overdue in
// sight.
type Ask struct {
	Therapist  fhir.Key // only what is this therapist's to follow up
	Client     fhir.Key
	Instrument string // slug
	State      State  // Due or Overdue alone; "": both
	Count      int    // of plans to look at for a page, 1 to 200; 0: 100
	After      string // [Page.Next] of the page before
}

// Page is a part of a list.
type Page struct {
	Items []Item // the longest due first
	Next  string // sealed for its receiver; "" on the last page. A page may be empty and not the last
}

// The bounds of a page: a client with several plans costs several searches.
const (
	defaultPlans = 100
	maxPlans     = 200
)

// Due lists what is due and overdue by the plans that r shows, as of now. What r does
// not show does not count: neither a plan, nor a course of therapy, nor a response.
//
// Errors are those of r; [fhir.Forbidden] for a caller that may not search CarePlans.
func (u *Rules) Due(ctx context.Context, r fhir.Reader, now time.Time, a Ask) (Page, error) {
	q := fhir.Query{Type: "CarePlan", Where: []fhir.Clause{coded("status", "active")}, Count: min(cmp.Or(a.Count, defaultPlans), maxPlans), After: a.After}
	if !a.Client.IsZero() {
		q.Where = append(q.Where, about(a.Client))
	}
	set, err := r.Search(ctx, q)
	if err != nil {
		return Page{}, err
	}
	page := Page{Items: []Item{}, Next: set.Next}
	done := map[fhir.Key]bool{}
	for _, e := range set.Entries {
		who := subject(e.Resource)
		if who.Type != "Patient" || done[who] || !asks(e.Resource) {
			continue
		}
		done[who] = true
		items, first, err := u.client(ctx, r, who, now)
		if err != nil {
			return Page{}, err
		}
		if !slices.ContainsFunc(set.Entries, func(x fhir.Entry) bool { return x.Key == first }) {
			continue // they are listed on the page that has their first plan
		}
		for _, it := range items {
			if a.takes(it) {
				page.Items = append(page.Items, it)
			}
		}
	}
	slices.SortFunc(page.Items, byDue)
	return page, nil
}

func (a Ask) takes(it Item) bool {
	switch {
	case it.State == Later,
		a.State != "" && it.State != a.State,
		a.Instrument != "" && it.Instrument != a.Instrument,
		!a.Therapist.IsZero() && it.owner != a.Therapist:
		return false
	}
	return true
}
