package token

import (
	"strings"
	"testing"

	"rapport/fhir"
)

func TestTheAuthorizationHeaderHoldsOneBearerToken(t *testing.T) { // T13
	for _, c := range []struct {
		name string
		in   []string
		raw  string
		code fhir.Code
	}{
		{"as usual", []string{"Bearer a.b.c"}, "a.b.c", 0}, {"scheme in lower case", []string{"bearer a.b.c"}, "a.b.c", 0},
		{"none", nil, "", fhir.Login}, {"empty", []string{""}, "", fhir.Login}, {"scheme alone", []string{"Bearer"}, "", fhir.Login}, {"no token", []string{"Bearer "}, "", fhir.Login},
		{"two headers", []string{"Bearer a.b.c", "Bearer a.b.c"}, "", fhir.Invalid}, {"Basic", []string{"Basic dXNlcjpwdw=="}, "", fhir.Login}, {"DPoP", []string{"DPoP a.b.c"}, "", fhir.Login},
		{"a tab", []string{"Bearer\ta.b.c"}, "", fhir.Login}, {"100 KB", []string{"Bearer " + strings.Repeat("a", 100_000)}, "", fhir.Login},
	} {
		raw, err := Header(c.in)
		if raw != c.raw || (err == nil) != (c.code == 0) || err != nil && !fhir.Is(err, c.code) {
			t.Errorf("%s: %q %v", c.name, raw, err)
		}
	}
	// What Header lets through, the pre-parser refuses without any cryptography.
	for _, raw := range []string{" a.b.c", "a.b.c ", "a.b.c, Bearer d.e.f", "a.b.\x00", "é.b.c", "a.b.c\r\nX: y"} {
		if got, err := Header([]string{"Bearer " + raw}); err == nil {
			if _, err := parseCompact(got); err == nil {
				t.Errorf("%q is parsed", raw)
			}
		}
	}
}
