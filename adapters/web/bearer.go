package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
	"rapport/policy"
)

// principal verifies the bearer token and answers the request when it cannot.
//
// Source: RFC 6750; two Authorization headers, or a token anywhere but in the
// header, are refused (cases A58, T12).
func (c *Config) principal(g *gin.Context) (policy.Principal, bool) {
	raw, err := bearer(g.Request)
	var p policy.Principal
	if err == nil {
		p, err = c.Verify.Verify(g.Request.Context(), raw)
	}
	if err == nil {
		g.Set(callerKey, p)
		return p, true
	}
	if login := fhir.Is(err, fhir.Login); login || raw == "" {
		if c.Refused != nil {
			c.Refused(g.Request.Context(), source(g.Request))
		}
		if login {
			g.Header("WWW-Authenticate", challenge(raw))
		}
	}
	c.fail(g, err)
	return policy.Principal{}, false
}

// challenge says what is wanted, and that a token was no good if there was one.
func challenge(raw string) string {
	if raw == "" {
		return "Bearer"
	}
	return `Bearer error="invalid_token"`
}

// bearer finds the token of a request.
func bearer(r *http.Request) (string, error) {
	if tokenInURL(r.URL) {
		return "", &fhir.Error{Code: fhir.Invalid, Detail: "A token belongs in the Authorization header, never in a URL. Consider this one disclosed."}
	}
	auth := r.Header.Values("Authorization")
	if len(auth) > 1 {
		return "", &fhir.Error{Code: fhir.Invalid, Detail: "Send one Authorization header."}
	}
	if len(auth) == 1 {
		scheme, credentials, _ := strings.Cut(auth[0], " ")
		if strings.EqualFold(scheme, "Bearer") && credentials != "" {
			if !isToken(credentials) {
				return credentials, &fhir.Error{Code: fhir.Login, Detail: "The token is not well-formed; get a new one."}
			}
			return credentials, nil
		}
	}
	return "", &fhir.Error{Code: fhir.Login, Detail: "Send a token: Authorization: Bearer …; /fhir/.well-known/smart-configuration says where to get one."}
}

// isToken reports whether s has the characters of a token alone (b64token, RFC 6750
// 2.1), so that nothing else costs any cryptography (case T13).
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~+/=", c)
	})
}

// tokenInURL reports whether a URL holds what looks like a token.
func tokenInURL(u *url.URL) bool {
	if looksLikeJWT(u.Path) || looksLikeJWT(u.RawQuery) {
		return true
	}
	for name, vs := range u.Query() {
		if strings.EqualFold(name, "access_token") || looksLikeJWT(name) {
			return true
		}
		for _, v := range vs {
			if looksLikeJWT(v) {
				return true
			}
		}
	}
	return false
}

// looksLikeJWT: three parts, the first of which is JSON in base64.
func looksLikeJWT(s string) bool {
	i := strings.Index(s, "eyJ")
	return i >= 0 && len(s)-i > 60 && strings.Count(s[i:], ".") >= 2
}
