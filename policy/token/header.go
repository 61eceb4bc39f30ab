package token

import (
	"strings"

	"rapport/fhir"
)

// Header takes the token out of the values of the Authorization header: exactly one
// value, the scheme Bearer in any case, one space, a token of at most 8 KiB. What is
// none of that is [fhir.Login], more than one header [fhir.Invalid].
//
// Source: RFC 6750, 2.1; RFC 9110, 11.4
func Header(authorization []string) (raw string, err error) {
	switch len(authorization) {
	case 0:
		return "", &fhir.Error{Code: fhir.Login, Err: NoToken,
			Detail: "Send a token: Authorization: Bearer …; /fhir/.well-known/smart-configuration says where to get one."}
	case 1:
	default:
		return "", &fhir.Error{Code: fhir.Invalid, Detail: "Send one Authorization header.", Err: TwoTokens}
	}
	scheme, raw, ok := strings.Cut(authorization[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return "", &fhir.Error{Code: fhir.Login, Err: NoToken,
			Detail: "Send the token as: Authorization: Bearer …; no other scheme is served."}
	}
	if len(raw) > MaxToken {
		return "", refused(TooLong)
	}
	return raw, nil
}
