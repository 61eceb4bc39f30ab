package exchange

import (
	"context"
	"errors"
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
	// Delivery is how packages go to it; "" is [Auto].
	Delivery Way
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
// [fhir.Conflict] after reading again; anything else needs a person. One that wraps
// [ErrUnsent] says that the request never left.
type Channel interface {
	// Transact posts a transaction Bundle and returns the transaction-response.
	Transact(ctx context.Context, to Partner, bundle fhir.Resource) (fhir.Resource, error)
	// Search returns the matches of one page.
	Search(ctx context.Context, at Partner, typ string, params url.Values) ([]fhir.Resource, error)
	// Look returns the matches of one page and whether they are all. It asks by POST:
	// what it asks for may name a person, and URLs are written down on the way.
	Look(ctx context.Context, at Partner, typ string, params url.Values) (rs []fhir.Resource, whole bool, err error)
	// Message posts a message Bundle to $process-message and returns the message that
	// answers it, the zero Resource where none came.
	Message(ctx context.Context, to Partner, bundle fhir.Resource) (fhir.Resource, error)
	// Create posts a resource and returns its key there; unless, where given, are the
	// criteria under which one that exists is returned instead.
	Create(ctx context.Context, to Partner, r fhir.Resource, unless string) (fhir.Key, error)
	// Capabilities returns the partner's CapabilityStatement.
	Capabilities(ctx context.Context, of Partner) (fhir.Resource, error)
	// Put updates a resource if it still is at the version given.
	Put(ctx context.Context, at Partner, r fhir.Resource, ifMatch int64) (fhir.Resource, error)
}

// ErrUnsent is the cause of an error of a [Channel] when the partner cannot have got
// the request: nothing needs to be looked for before it is sent again.
var ErrUnsent = errors.New("nothing was sent")
