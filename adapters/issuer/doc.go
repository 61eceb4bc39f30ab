// Package issuer is the built-in authorisation server: SMART Backend Services for
// registered clients, and tokens for a developer at the command line.
//
//   - config.go: the clients, and what the gateway's own verifier must know of them.
//   - issuer.go: signing keys, tokens.
//   - endpoint.go: the token endpoint.
//   - discovery.go: what it publishes: discovery, keys, SMART configuration.
//
// # What it does
//
// POST /token with client_credentials and private_key_jwt (RS384, ES384) gives an access
// token of five minutes, signed ES256, typ at+jwt (RFC 9068). Each assertion works once:
// its jti is kept in the tenant's store until it would have expired anyway.
//
// # Limits
//
// No authorisation code flow, no users, no refresh tokens, no introspection: people sign
// in at an OpenID provider in front, for which see policy/token. No dynamic
// registration. Requests are not rationed here; the web adapter does that for all.
//
// # Decisions
//
// Signing keys are derived from the keyring: a restart and every replica have the same,
// and a rotation of the keyring rotates them. A key that was replaced is published
// for as long as a token can live, and an hour more in which replicas restart.
//
// What a token may do is decided by the verifier from the same configuration, not
// by what the token says: a stolen signing key aside, role, tenant and grants cannot be
// widened by a token.
//
// All that can be wrong with a client's authentication is invalid_client with one
// text: which client ids exist is nobody's business.
package issuer
