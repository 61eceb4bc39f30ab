package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/policy"
	"rapport/policy/token"
)

const (
	maxForm       = 32 << 10 // bytes of a request
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	usedOnce      = "issuer/jti" // memo space
	clockSkew     = 30 * time.Second
)

// oauthError is an error of the token endpoint.
//
// Source: RFC 6749, 5.2
type oauthError struct {
	status int
	Code   string `json:"error"`
	Text   string `json:"error_description"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Text }

func badRequest(text string) error {
	return &oauthError{http.StatusBadRequest, "invalid_request", text}
}

// notAuthenticated is the one answer to any authentication that fails.
func notAuthenticated() error {
	return &oauthError{http.StatusUnauthorized, "invalid_client", "The client is not registered here, or its assertion does not hold: iss and sub are the client id, aud is this token endpoint, exp at most five minutes ahead, jti never used before, signed RS384 or ES384 with a registered key that kid names."}
}

type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
}

// serveToken is the token endpoint.
//
// Source: https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html; RFC 7523
func (s *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	answer, err := s.token(r)
	if err != nil {
		var oe *oauthError
		if !errors.As(err, &oe) {
			s.opts.Log.Error("no token could be issued", "err", err)
			oe = &oauthError{http.StatusServiceUnavailable, "temporarily_unavailable", "No token can be issued at the moment. Try again shortly, with a fresh assertion."}
			w.Header().Set("Retry-After", "5")
		}
		writeJSON(w, oe.status, oe)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Issuer) token(r *http.Request) (granted, error) {
	form, err := readForm(r)
	if err != nil {
		return granted{}, err
	}
	if form["grant_type"] != "client_credentials" {
		return granted{}, &oauthError{http.StatusBadRequest, "unsupported_grant_type", "grant_type is client_credentials here."}
	}
	id, c, err := s.authenticate(r.Context(), form)
	if err != nil {
		return granted{}, err
	}
	scope, err := s.grant(form["scope"], c.ceiling)
	if err != nil {
		return granted{}, err
	}
	raw, err := s.sign(claims{Subject: id, Client: id, Tenant: c.Tenant, Role: c.Role, Scope: scope}, TokenLife)
	if err != nil {
		return granted{}, err
	}
	if len(raw) > token.MaxToken {
		return granted{}, &oauthError{http.StatusBadRequest, "invalid_scope", "A token of all these scopes would be too long to be accepted; ask for fewer, or for system/*.rs."}
	}
	s.opts.Log.Info("token issued", "client", id) // not the scope: it may hold a query
	return granted{raw, "bearer", int(TokenLife / time.Second), scope}, nil
}

// readForm reads the parameters: from the body alone, each once.
func readForm(r *http.Request) (map[string]string, error) {
	if r.URL.RawQuery != "" {
		return nil, badRequest("Parameters belong in the body, never in the URL.")
	}
	if len(r.Header.Values("Authorization")) > 0 {
		return nil, badRequest("Clients authenticate by client_assertion alone; send no Authorization header.")
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return nil, badRequest("The body is application/x-www-form-urlencoded.")
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, badRequest("The body is no form of at most 32 KiB.")
	}
	form := map[string]string{}
	for name, vs := range r.PostForm {
		if len(vs) != 1 {
			return nil, badRequest("A parameter occurs twice.")
		}
		form[name] = vs[0]
	}
	return form, nil
}

// authenticate finds out which client asks, and uses up its assertion.
func (s *Issuer) authenticate(ctx context.Context, form map[string]string) (string, client, error) {
	if form["client_assertion_type"] != assertionType || form["client_assertion"] == "" {
		return "", client{}, badRequest("Send client_assertion, with client_assertion_type=" + assertionType + ".")
	}
	if _, there := form["client_secret"]; there {
		return "", client{}, badRequest("Clients authenticate by client_assertion alone; send no secret, and consider this one disclosed.")
	}
	raw := form["client_assertion"]
	checks := token.Assertions{Audiences: []string{s.TokenURL()}, Clock: s.opts.Clock, Skew: clockSkew}
	id, err := checks.Client(raw)
	if err != nil {
		return "", client{}, s.failed("", err)
	}
	c, ok := s.clients[id]
	if said, there := form["client_id"]; !ok || there && said != id {
		return "", client{}, s.failed("", token.UnknownClient)
	}
	jti, until, err := checks.Check(ctx, raw, id, c.JWKSURL, c.keys)
	if token.ReasonOf(err) == token.KeysUnavailable || errors.Is(err, context.Canceled) {
		return "", client{}, err
	}
	if err != nil {
		return "", client{}, s.failed(id, err)
	}
	return id, c, s.useUp(ctx, id, c, jti, until)
}

func (s *Issuer) failed(id string, err error) error {
	s.opts.Log.Warn("client not authenticated", "client", id, "reason", string(token.ReasonOf(err)))
	return notAuthenticated()
}

// useUp lets a jti through once, whatever number of replicas is asked at the same time.
func (s *Issuer) useUp(ctx context.Context, id string, c client, jti string, until time.Time) error {
	memos, err := s.opts.Memos(c.Tenant)
	if err != nil {
		return err
	}
	hash := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(id), id, jti)) // of any length to one length
	key := hex.EncodeToString(hash[:])
	m, err := memos.Memo(ctx, usedOnce, key)
	if err != nil {
		return err
	}
	if m.Version != 0 {
		return s.failed(id, errUsed)
	}
	// A second longer than the assertion: no store's rounding may set it free early.
	err = memos.SetMemo(ctx, fhir.Memo{Space: usedOnce, Key: key, Value: []byte{1}, Expires: until.Add(time.Second)})
	if fhir.Is(err, fhir.Conflict) {
		return s.failed(id, errUsed)
	}
	return err
}

const errUsed = token.Reason("assertion used before")

// grant returns what of the scopes asked for the client may have: as it was written where
// all of it is allowed, else the part that is.
func (s *Issuer) grant(asked string, ceiling []policy.Scope) (string, error) {
	var out []string
	n := 0
	for text := range strings.FieldsSeq(asked) {
		if n++; n > 64 {
			return "", &oauthError{http.StatusBadRequest, "invalid_scope", "More than 64 scopes."}
		}
		sc, err := token.ParseScope(text, s.opts.Known)
		if errors.Is(err, token.ErrNotClinical) {
			continue
		}
		if err != nil {
			return "", &oauthError{http.StatusBadRequest, "invalid_scope", "A scope is not one of SMART's, such as system/Observation.rs: " + err.Error() + "."}
		}
		whole := token.FormatScope(token.Intersect([]policy.Scope{sc}, []policy.Scope{sc})[0])
		for _, part := range token.Intersect([]policy.Scope{sc}, ceiling) {
			if got := token.FormatScope(part); got == whole {
				out = append(out, text)
			} else {
				out = append(out, got)
			}
		}
	}
	if len(out) == 0 {
		return "", &oauthError{http.StatusBadRequest, "invalid_scope", "None of these scopes is registered for this client. Ask for some of those that are, such as system/Observation.rs."}
	}
	return strings.Join(out, " "), nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone if this fails
}

// path returns the path of the issuer's URL, "" for none.
func (s *Issuer) path() string {
	u, err := url.Parse(s.URL)
	if err != nil { // validated
		return ""
	}
	return u.Path
}
