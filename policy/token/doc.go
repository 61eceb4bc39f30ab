// Package token turns a bearer token into a [policy.Principal], or refuses it.
//
//   - header.go, compact.go: from the Authorization header to claims, strictly, before any
//     cryptography.
//   - keys.go, source.go, fetch.go: public keys: which are usable, how long they are
//     trusted, how they are fetched.
//   - config.go: issuers and their clients.
//   - verify.go, principal.go: the checks, and who it is.
//   - scope.go: SMART scopes, versions 1 and 2, and their intersection with a ceiling.
//   - assertion.go: client assertions (private_key_jwt), made and checked.
//   - reason.go: why a token was refused, for us alone.
//
// # What is checked
//
// Compact form, base64url without slack, at most 8 KiB. JSON without doubled members at
// any depth, claim names in their own case. In the header only alg, typ, kid and
// thumbprints. alg among the issuer's, never from discovery; typ as configured. iss
// exactly; aud names this gateway; exp, iat, nbf integers, at most 60 s of skew; a
// lifetime within limits; jti. No cnf (a bound token is no bearer token), no nonce,
// at_hash, events, act. The key by kid, for signatures, of the algorithm and strong
// enough. The client (client_id, azp) registered. Tenant, role, user, patient and
// purpose from claims or configuration, never from the request.
//
// # Rules that one may want to know
//
// Several roles: never added up. Without a precedence in configuration such a token is
// refused. The same sub at two issuers is two principals. A client's fixed role and
// tenant win over claims; a tenant claim that contradicts it refuses the token.
//
// Scopes: the union of what a token holds, versions and contexts mixed at will (the
// guide allows it), met with the client's ceiling. What does not parse grants nothing
// and does not spoil the rest. patient/ scopes without a patient claim are dropped;
// fhirUser never stands in for it.
//
// A key that its issuer withdraws is refused at the latest after its TTL, remembered
// tokens included; a new one is taken at its first token. While the issuer is down the
// last keys go on for MaxStale; then 503, not 401, so that clients do not throw their
// tokens away.
//
// # Limits
//
// A token that its issuer revokes is good until it expires: there is no introspection
// and no opaque token yet, no DPoP and no mTLS. A changed user (looked up by
// identifier) is noticed after TokenTTL. ECDSA signatures are malleable: the same token
// may come with two signatures; nothing here takes a token's text for its identity.
// Keys on another host than the issuer need their address configured.
//
// # Decisions
//
// go-oidc reads discovery and verifies as a second opinion, with our keys: alone it
// accepts ID tokens, claims in any case, unbounded lifetimes, bound tokens, keys for
// encryption, and trusts a withdrawn key for ever.
//
// Tokens are remembered under their SHA-256, not as they are, and only as long as the
// set of keys that verified them is unchanged and fresh.
//
// An unknown key id is answered with 401 also while fetching is rationed, so that a
// flood of invented ids does not look like an outage; a real new key waits at most 10 s
// then. While the issuer cannot be reached it is 503.
//
// ID tokens without nonce and at_hash differ from access tokens in nothing but aud and
// typ: hence at+jwt by default.
package token
