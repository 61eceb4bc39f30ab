package policy

import (
	"encoding/base64"
	"encoding/json"

	"rapport/fhir"
	"rapport/policy/keyring"
)

// A cursor carries the whole query, sealed so that no link that we mint shows a
// name or a date, and bound to tenant, principal and scopes: in other hands, or in
// the same ones with a narrower token, it is as good as random bytes (attack case A42).

// cursor is what a sealed link holds.
type cursor struct {
	Query *fhir.Query `json:"q,omitempty"`
	Scope *fhir.Scope `json:"h,omitempty"`
	Since string      `json:"s,omitempty"`
	Count int         `json:"n,omitempty"`
	Next  string      `json:"a"` // the store's own
}

// stale is the one answer to a cursor that is not the caller's own.
func stale() error {
	return &fhir.Error{Code: fhir.NotFound, Detail: "There is no such page, or not any more. Repeat the search from its beginning."}
}

func (g *gate) sealSearch(q fhir.Query, next string) string {
	return g.seal(cursor{Query: &q, Next: next})
}

func (g *gate) openSearch(s, typ string) (fhir.Query, error) {
	c, err := g.open(s)
	if err != nil {
		return fhir.Query{}, err
	}
	if c.Query == nil || c.Query.Type != typ {
		return fhir.Query{}, stale()
	}
	q := *c.Query
	q.After = c.Next
	return q, nil
}

func (g *gate) sealHistory(scope fhir.Scope, span fhir.Span, next string) string {
	c := cursor{Scope: &scope, Count: span.Count, Next: next}
	if !span.Since.IsZero() {
		c.Since = fhir.Instant(span.Since)
	}
	return g.seal(c)
}

func (g *gate) openHistory(s string, scope fhir.Scope) (fhir.Span, error) {
	c, err := g.open(s)
	if err != nil {
		return fhir.Span{}, err
	}
	if c.Scope == nil || *c.Scope != scope {
		return fhir.Span{}, stale()
	}
	span := fhir.Span{Count: c.Count, After: c.Next}
	if c.Since != "" {
		if span.Since, _, _ = moments(c.Since); span.Since.IsZero() {
			return fhir.Span{}, stale()
		}
	}
	return span, nil
}

// seal is deterministic: equal pages have equal links.
func (g *gate) seal(c cursor) string {
	b := g.Keys.SealDeterministic(g.caller.Tenant, keyring.Cursors, must(json.Marshal(c)), g.bound())
	return base64.RawURLEncoding.EncodeToString(b)
}

func (g *gate) open(s string) (cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return cursor{}, stale()
	}
	plain, err := g.Keys.Open(g.caller.Tenant, keyring.Cursors, b, g.bound())
	if err != nil {
		return cursor{}, stale()
	}
	var c cursor
	if err := json.Unmarshal(plain, &c); err != nil {
		return cursor{}, stale()
	}
	return c, nil
}

// bound is what a cursor is good for: everything about a principal that decides.
func (g *gate) bound() []byte { return []byte(g.caller.id) }
