package rest

import (
	"net/http"
	"strings"

	"rapport/fhir"
)

// preference is what a caller would like, as far as it concerns us.
//
// Source: https://hl7.org/fhir/R4/http.html#ops, RFC 7240
type preference struct {
	lenient bool   // handling=lenient: parameters that are not served are left out
	give    string // return=: minimal, representation, OperationOutcome; "" if not said
}

// prefers reads the Prefer headers. Preferences that we do not know are none of ours
// (RFC 7240 section 2); of one given twice the first counts.
func prefers(h http.Header) preference {
	var p preference
	handling := ""
	for part := range strings.FieldsFuncSeq(strings.Join(h.Values("Prefer"), ","), func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "handling":
			if handling == "" {
				handling = value
			}
		case "return":
			if p.give == "" {
				p.give = value
			}
		}
	}
	p.lenient = handling == "lenient"
	return p
}

// shown is the body of an answer to a write.
func (p preference) shown(w fhir.Written) []byte {
	switch p.give {
	case "minimal":
		return nil
	case "OperationOutcome":
		return told(did[w.Effect])
	}
	return w.Resource.Body()
}

var did = map[fhir.Effect]string{
	fhir.Created: "The resource was created.", fhir.Updated: "The resource was updated.", fhir.Removed: "The resource was deleted.",
	fhir.Unchanged: "Nothing had to be changed.", fhir.Existing: "A resource that meets the criteria was there already; nothing was changed.",
}
