package token

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/policy"
)

// Known says whether a resource type exists and, when param is not empty, whether it
// has that search parameter. The composition root takes it from fhir/spec.
type Known func(typ, param string) bool

// ErrNotClinical is the error of scopes that say nothing of resources: openid, launch, …
var ErrNotClinical = errors.New("not a scope on resources")

const (
	maxScopes = 64  // in one token, in one ceiling
	maxScope  = 512 // bytes of one
	letters   = "cruds"
)

// ParseScope reads one SMART scope, version 2 or 1:
//
//	scope  = ("patient" / "user" / "system") "/" (Type / "*") "." rights [ "?" param *( "&" param ) ]
//	rights = 1*("c" "r" "u" "d" "s"), in this order, each at most once
//	       / "read" (rs) / "write" (cud) / "*" (cruds)
//	param  = name "=" value, both as in a search URL
//
// The whole text must match; nothing is cut off. Refused, so that they grant
// nothing: unknown types, other letter orders, doubled letters, modifiers, chains,
// _has, _include and other parameters that do not select by content, unknown
// parameters, an empty value, a further "?" or "=" that is not percent-encoded, and
// parameters on "*", since not every type has them.
//
// Source: https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
func ParseScope(s string, known Known) (policy.Scope, error) {
	var sc policy.Scope
	context, rest, ok := strings.Cut(s, "/")
	if !ok || context != "patient" && context != "user" && context != "system" {
		return sc, ErrNotClinical
	}
	if len(s) > maxScope {
		return sc, fmt.Errorf("longer than %d bytes", maxScope)
	}
	head, query, narrowed := strings.Cut(rest, "?")
	typ, rights, ok := strings.Cut(head, ".")
	if !ok {
		return sc, errors.New("no rights, such as .rs, behind the type")
	}
	if typ != "*" && (!fhir.ValidType(typ) || !known(typ, "")) {
		return sc, errors.New("no such resource type")
	}
	switch rights {
	case "read":
		rights = "rs"
	case "write":
		rights = "cud"
	case "*":
		rights = letters
	}
	if rights == "" {
		return sc, errors.New("no rights, such as .rs, behind the type")
	}
	sc.Context, sc.Type = context, typ
	at := -1
	for i := 0; i < len(rights); i++ {
		n := strings.IndexByte(letters, rights[i])
		if n <= at { // unknown, out of order or doubled
			return policy.Scope{}, errors.New("rights are letters of cruds in this order, or read, write, *")
		}
		at = n
		*right(&sc, n) = true
	}
	if narrowed {
		where, err := parseWhere(typ, query, known)
		if err != nil {
			return policy.Scope{}, err
		}
		sc.Where = where
	}
	return sc, nil
}

func right(s *policy.Scope, n int) *bool {
	return [...]*bool{&s.Create, &s.Read, &s.Update, &s.Delete, &s.Search}[n]
}

// selecting are the parameters with an underscore that select by content.
var selecting = []string{"_id", "_profile", "_security", "_tag"}

func parseWhere(typ, query string, known Known) ([]policy.Param, error) {
	if typ == "*" {
		return nil, errors.New("parameters need a type: not every type has them")
	}
	var where []policy.Param
	for part := range strings.SplitSeq(query, "&") {
		name, value, ok := strings.Cut(part, "=")
		if !ok || name == "" || strings.ContainsAny(value, "=?") {
			return nil, errors.New("a parameter is name=value")
		}
		if strings.HasPrefix(name, "_") && !slices.Contains(selecting, name) || strings.ContainsAny(name, ":.%+") || !known(typ, name) {
			return nil, errors.New("a plain search parameter of the type is needed: no modifier, chain, _has or _include")
		}
		value, err := url.QueryUnescape(value)
		if err != nil || strings.TrimSpace(value) == "" {
			return nil, errors.New("a parameter's value is empty or badly encoded")
		}
		where = append(where, policy.Param{Name: name, Value: value})
	}
	return where, nil
}

// FormatScope writes a scope in version 2. ParseScope reads it back.
func FormatScope(s policy.Scope) string {
	var b strings.Builder
	b.WriteString(s.Context + "/" + s.Type + ".")
	for i := range letters {
		if *right(&s, i) {
			b.WriteByte(letters[i])
		}
	}
	for i, p := range s.Where {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(p.Name + "=" + url.QueryEscape(p.Value))
	}
	return b.String()
}

// parseScopes reads what a token grants. What does not parse grants nothing;
// more scopes than anyone needs are refused as a whole.
func parseScopes(texts []string, known Known) ([]policy.Scope, bool) {
	var out []policy.Scope
	n := 0
	for _, text := range texts {
		for s := range strings.FieldsSeq(text) {
			if n++; n > maxScopes {
				return nil, false
			}
			if sc, err := ParseScope(s, known); err == nil {
				out = append(out, sc)
			}
		}
	}
	return out, true
}

// ParseCeiling reads the scopes that a client is registered with. Unlike a token's,
// each must parse.
func ParseCeiling(text string, known Known) ([]policy.Scope, error) {
	var out []policy.Scope
	for s := range strings.FieldsSeq(text) {
		sc, err := ParseScope(s, known)
		if err != nil {
			return nil, fmt.Errorf("scope %q: %w", s, err)
		}
		out = append(out, sc)
	}
	if len(out) == 0 {
		return nil, errors.New("no scopes: a client without a ceiling may do nothing; write what it may ask for at most, such as user/*.cruds")
	}
	if len(out) > maxScopes {
		return nil, fmt.Errorf("more than %d scopes", maxScopes)
	}
	return out, nil
}

// Intersect returns what both sides allow: for each pair of the same context the
// narrower type, the common rights, and the parameters of both. A patient scope is
// never covered by a user or system one: whose data it means differs.
func Intersect(granted, ceiling []policy.Scope) []policy.Scope {
	var out []policy.Scope
	for _, g := range granted {
		for _, c := range ceiling {
			if s, ok := meet(g, c); ok && !slices.ContainsFunc(out, func(o policy.Scope) bool { return covers(o, s) }) {
				out = append(slices.DeleteFunc(out, func(o policy.Scope) bool { return covers(s, o) }), s)
			}
		}
	}
	return out
}

func meet(a, b policy.Scope) (policy.Scope, bool) {
	s := a
	switch {
	case a.Context != b.Context:
		return s, false
	case a.Type == "*":
		s.Type = b.Type
	case b.Type != "*" && b.Type != a.Type:
		return s, false
	}
	any := false
	for i := range letters {
		r := right(&s, i)
		*r = *r && *right(&b, i)
		any = any || *r
	}
	s.Where = slices.Concat(a.Where, b.Where)
	slices.SortFunc(s.Where, func(x, y policy.Param) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Value, y.Value))
	})
	s.Where = slices.Compact(s.Where)
	return s, any
}

// covers reports whether whatever b allows, a allows.
func covers(a, b policy.Scope) bool {
	if a.Context != b.Context || a.Type != "*" && a.Type != b.Type {
		return false
	}
	for i := range letters {
		if *right(&b, i) && !*right(&a, i) {
			return false
		}
	}
	for _, p := range a.Where {
		if !slices.Contains(b.Where, p) {
			return false
		}
	}
	return true
}
