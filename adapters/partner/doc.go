// Package partner speaks to partners' FHIR servers: it is the exchange.Channel
// over HTTP, with SMART Backend Services tokens of the partner's own issuer.
//
//   - channel.go: Transact, Search, Put.
//   - access.go: discovery of the token endpoint, and tokens.
//   - http.go: one hardened client, its limits, and what an answer means.
//
// # Decisions
//
// A token goes to the origin of the partner's base and to no other: redirects are
// not followed, and links in answers are not either. The token endpoint may lie
// elsewhere (many do), but only where the partner's own smart-configuration, read
// from that base over the same kind of transport, says so; the assertion sent
// there is good for that endpoint alone.
//
// Plain HTTP is for loopback only.
//
// A breaker per partner: after five failures in a row nothing is sent for half a
// minute, then one request tries. What meets a closed door is tried later, as after
// any failure; exchange gives up by age, never by the number of attempts.
//
// Of a refusal the status is told and the codes of its issues, never a text: it may
// quote what was sent.
//
// A Channel is one tenant's: its partners have names of their own, and tokens that
// another tenant must not use.
package partner
