package issuer

import (
	"encoding/json"
	"net/http"
)

// Handler serves the issuer's endpoints below the path of its URL:
//
//	GET  /.well-known/openid-configuration
//	GET  /jwks
//	POST /token
func (s *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+s.path()+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		writeJSON(w, http.StatusOK, s.discovery())
	})
	mux.HandleFunc("GET "+s.path()+"/jwks", func(w http.ResponseWriter, _ *http.Request) {
		b, err := s.JWKS()
		if err != nil {
			s.opts.Log.Error("keys cannot be published", "err", err)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		writeJSON(w, http.StatusOK, json.RawMessage(b))
	})
	mux.HandleFunc("POST "+s.path()+"/token", s.serveToken)
	return mux
}

var (
	authMethods = []string{"private_key_jwt"}
	authAlgs    = []string{"RS384", "ES384"}
	grantTypes  = []string{"client_credentials"}
)

// discovery is the issuer's metadata.
//
// Source: OpenID Connect Discovery 1.0, 3; RFC 8414, 2
func (s *Issuer) discovery() map[string]any {
	return map[string]any{
		"issuer": s.URL, "token_endpoint": s.TokenURL(), "jwks_uri": s.URL + "/jwks",
		"grant_types_supported": grantTypes, "response_types_supported": []string{}, "subject_types_supported": []string{"public"},
		"token_endpoint_auth_methods_supported": authMethods, "token_endpoint_auth_signing_alg_values_supported": authAlgs,
		"id_token_signing_alg_values_supported": []string{"ES256"},
	}
}

// SMART returns what the FHIR base serves at .well-known/smart-configuration while this
// issuer is the one in front. It names what is enforced and nothing else; issuer and
// jwks_uri belong to sign-in by OpenID Connect, which is not here.
//
// Source: https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html
func (s *Issuer) SMART() ([]byte, error) {
	return json.Marshal(map[string]any{
		"token_endpoint": s.TokenURL(), "grant_types_supported": grantTypes,
		"token_endpoint_auth_methods_supported": authMethods, "token_endpoint_auth_signing_alg_values_supported": authAlgs,
		"scopes_supported":                 []string{"system/*.cruds", "system/*.rs"},
		"code_challenge_methods_supported": []string{"S256"}, // required, whatever the grant types
		"capabilities":                     []string{"client-confidential-asymmetric", "permission-v1", "permission-v2"},
	})
}
