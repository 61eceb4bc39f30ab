package token

import (
	"errors"

	"rapport/fhir"
)

// Reason is why a token was refused: for the log and for metrics, never for the
// caller. It holds nothing of the token.
type Reason string

// The reasons.
const (
	NoToken         Reason = "no token"
	TwoTokens       Reason = "more than one Authorization header"
	TooLong         Reason = "longer than a token is"
	Malformed       Reason = "not a signed JWT in compact form"
	BadHeader       Reason = "a header member that is not allowed"
	BadKeyID        Reason = "no usable key id"
	BadAlgorithm    Reason = "algorithm not allowed"
	BadClaim        Reason = "a claim of the wrong form"
	MissingClaim    Reason = "a claim is missing"
	UnknownIssuer   Reason = "issuer not configured"
	WrongType       Reason = "not an access token"
	WrongAudience   Reason = "for another audience"
	Expired         Reason = "expired"
	NotYet          Reason = "not valid yet"
	LivesTooLong    Reason = "lives longer than allowed"
	Bound           Reason = "bound to a key, so no bearer token"
	UnknownKey      Reason = "key not known"
	BadSignature    Reason = "signature does not verify"
	UnknownClient   Reason = "client not registered"
	NoTenant        Reason = "no tenant, or another than the client's"
	NoRole          Reason = "no role, or several"
	NoUser          Reason = "user is not known here"
	TooManyScopes   Reason = "too many scopes, or of the wrong form"
	KeysUnavailable Reason = "keys of the issuer cannot be had"
	LookupFailed    Reason = "user could not be looked up"
)

func (r Reason) Error() string { return "token: " + string(r) }

// ReasonOf returns why err refused a token, "" if it did not.
func ReasonOf(err error) Reason {
	var r Reason
	errors.As(err, &r)
	return r
}

// refused is the one answer to whatever is wrong with a token.
func refused(cause error) error {
	return &fhir.Error{Code: fhir.Login, Detail: "The access token is not accepted here. Get a fresh one; /fhir/.well-known/smart-configuration says where.", Err: cause}
}

// unavailable is the answer while it cannot be known whether a token is good.
func unavailable(r Reason, cause error) error {
	return &fhir.Error{Code: fhir.Transient, Detail: "The access token cannot be checked at the moment. Try again shortly.", Err: errors.Join(r, cause)}
}
