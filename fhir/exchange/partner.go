package exchange

import (
	"context"
	"net/url"

	"rapport/fhir"
)

// Partner is another organisation's FHIR server that referrals go to or come from.
type Partner struct {
	Name string
	// Base is its FHIR base, absolute, without a trailing slash.
	Base string
	// System and Value are the identifier by which both sides know its Organization.
	System, Value string
}

// Is reports whether an Organization resource is this partner's.
func (p Partner) Is(org fhir.Node) bool {
	for id := range org.Get("identifier").Elements() {
		if id.Get("system").Text() == p.System && id.Get("value").Text() == p.Value {
			return true
		}
	}
	return false
}

// Channel speaks to partners' servers. Its errors are *fhir.Error: [fhir.Transient]
// and [fhir.Throttled] may be tried again as they are, [fhir.Stale] and
// [fhir.Conflict] after reading again; anything else needs a person.
type Channel interface {
	// Transact posts a transaction Bundle and returns the transaction-response.
	Transact(ctx context.Context, to Partner, bundle fhir.Resource) (fhir.Resource, error)
	// Search returns the matches of one page.
	Search(ctx context.Context, at Partner, typ string, params url.Values) ([]fhir.Resource, error)
	// Put updates a resource if it still is at the version given.
	Put(ctx context.Context, at Partner, r fhir.Resource, ifMatch int64) (fhir.Resource, error)
}
