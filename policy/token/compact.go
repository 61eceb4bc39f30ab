package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a token.
const (
	MaxToken  = 8 << 10 // bytes
	maxNested = 12      // levels of JSON in header or payload
	maxKid    = 128
	maxSub    = 255 // bytes; OpenID Connect Core 2
	maxAud    = 16
)

// compact is a JWS in compact form, taken apart strictly. Nothing in it is
// verified yet.
type compact struct {
	raw    string
	alg    string
	typ    string // header typ, lower case, without "application/"
	kid    string
	jku    string
	claims claims

	iss, sub, jti string
	aud           []string
	exp, iat, nbf int64 // seconds; 0: absent
}

// claims is a decoded JSON object: string, json.Number, bool, nil, []any, map[string]any.
type claims map[string]any

// headerNames are the header members that are not refused. crit, b64, jwk, x5u, x5c,
// zip and whatever else could change what is verified with which key are.
var headerNames = []string{"alg", "typ", "kid", "x5t", "x5t#S256", "jku"}

// registered are the claims with a meaning here. A name that differs from one
// only in case, also by Unicode folding, is refused: some reader on the way might
// take it for the other (encoding/json does).
var registered = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "client_id", "scope", "scp", "typ", "cnf", "nonce",
	"at_hash", "c_hash", "s_hash", "events", "act", "may_act", "token_use"}

// parseCompact reads raw without verifying it. The reason it returns holds
// nothing of the token.
func parseCompact(raw string) (*compact, error) {
	if len(raw) > MaxToken {
		return nil, TooLong
	}
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return nil, Malformed
		}
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || parts[2] == "" {
		return nil, Malformed
	}
	c := &compact{raw: raw}
	h, err := decodePart(parts[0])
	if err != nil {
		return nil, err
	}
	if err := c.header(h); err != nil {
		return nil, err
	}
	if c.claims, err = decodePart(parts[1]); err != nil {
		return nil, err
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return nil, Malformed
	}
	return c, c.common()
}

func (c *compact) header(h claims) error {
	for name, v := range h {
		s, ok := v.(string)
		if !ok || !slices.Contains(headerNames, name) {
			return BadHeader
		}
		switch name {
		case "alg":
			c.alg = s
		case "typ":
			c.typ = strings.TrimPrefix(strings.ToLower(s), "application/")
		case "kid":
			c.kid = s
		case "jku":
			c.jku = s
		}
	}
	if !validKid(c.kid) {
		return BadKeyID
	}
	if _, ok := algorithms[c.alg]; !ok { // none, HS256 and all unknown ones
		return BadAlgorithm
	}
	return nil
}

// common reads the claims that every kind of token has in the same form.
func (c *compact) common() error {
	for name := range c.claims {
		for _, r := range registered {
			if name != r && strings.EqualFold(name, r) {
				return BadClaim
			}
		}
	}
	var ok [7]bool
	c.iss, ok[0] = c.claims.text("iss", 2048)
	c.sub, ok[1] = c.claims.text("sub", maxSub)
	c.jti, ok[2] = c.claims.text("jti", 512)
	c.exp, ok[3] = c.claims.seconds("exp")
	c.iat, ok[4] = c.claims.seconds("iat")
	c.nbf, ok[5] = c.claims.seconds("nbf")
	switch aud := c.claims["aud"].(type) {
	case nil:
		_, present := c.claims["aud"]
		ok[6] = !present
	case string:
		c.aud, ok[6] = []string{aud}, aud != ""
	case []any:
		c.aud, ok[6] = texts(aud)
		ok[6] = ok[6] && len(aud) <= maxAud
	}
	if slices.Contains(ok[:], false) {
		return BadClaim
	}
	return nil
}

// text returns a string claim: "" and true if it is absent; false if it is there
// and empty, too long, or holds control characters.
func (m claims) text(name string, max int) (string, bool) {
	v, present := m[name]
	if !present {
		return "", true
	}
	s, ok := v.(string)
	return s, ok && validText(s, max)
}

func validText(s string, max int) bool {
	return s != "" && len(s) <= max && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 })
}

// seconds returns a NumericDate that is a plain integer of at most 11 digits: no
// fraction, no exponent, no sign, no string. 0 and true if it is absent.
func (m claims) seconds(name string) (int64, bool) {
	v, present := m[name]
	if !present {
		return 0, true
	}
	n, ok := v.(json.Number)
	if !ok || len(n) > 11 || strings.Trim(string(n), "0123456789") != "" {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil && i > 0
}

// at follows a path: a claim's name, or a JSON Pointer (RFC 6901) when it begins with
// a slash.
func (m claims) at(path string) (any, bool) {
	if !strings.HasPrefix(path, "/") {
		v, ok := m[path]
		return v, ok
	}
	var v any = map[string]any(m)
	for part := range strings.SplitSeq(path[1:], "/") {
		o, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = o[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]; !ok {
			return nil, false
		}
	}
	return v, true
}

// texts returns a list of non-empty strings, false if it is anything else.
func texts(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok || s == "" {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}

// textOrTexts reads a claim that is a string or a list of strings.
func textOrTexts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, v != ""
	case []any:
		return texts(v)
	}
	return nil, false
}

// validKid keeps key ids to what cannot mean a path, a query or a log line.
func validKid(s string) bool {
	if s == "" || len(s) > maxKid || strings.Contains(s, "..") {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.=", rune(c)) {
			return false
		}
	}
	return true
}

func decodePart(part string) (claims, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, Malformed
	}
	m, err := decodeObject(b)
	if err != nil {
		return nil, Malformed
	}
	return m, nil
}

// decodeObject reads one JSON object and nothing behind it. Doubled members at any
// depth, invalid UTF-8, lone surrogates and deep nesting are errors; encoding/json
// alone would take the last member and mend the text.
func decodeObject(b []byte) (map[string]any, error) {
	if !utf8.Valid(b) || !json.Valid(b) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more behind the object")
	}
	return m, nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case string:
		return t, whole(t)
	case json.Delim:
		if depth >= maxNested {
			return nil, errors.New("nested too deeply")
		}
		if t == '[' {
			list := []any{}
			for d.More() {
				v, err := decodeValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := d.Token()
			return list, err
		}
		m := map[string]any{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			name, _ := k.(string)
			if _, twice := m[name]; twice || whole(name) != nil {
				return nil, errors.New("doubled or broken member name")
			}
			if m[name], err = decodeValue(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := d.Token()
		return m, err
	}
	return t, nil
}

// whole refuses the replacement character, which is what a lone surrogate becomes.
func whole(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return errors.New("broken text")
	}
	return nil
}
