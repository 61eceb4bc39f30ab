package policy

import "rapport/fhir"

// PrincipalOf returns whose gate g is; false for one that a Guard did not make. It is for
// the composition root, which starts work that goes on without a request.
func PrincipalOf(g fhir.Gate) (Principal, bool) {
	gt, ok := g.(*gate)
	if !ok {
		return Principal{}, false
	}
	return gt.caller.Principal, true
}
