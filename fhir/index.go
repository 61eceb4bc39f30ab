package fhir

import (
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// ParamKind is the type of a search parameter.
//
// Source: https://hl7.org/fhir/R4/search.html#ptypes
type ParamKind uint8

// The kinds that are indexed. Special is for parameters that the store answers
// from the resource's row itself: _id, _lastUpdated.
const (
	Special ParamKind = iota
	Token
	Reference
	Date
	String
	Number
	Quantity
	URI
)

// Index is one entry of the search index: what one parameter finds a resource
// by. fhir/search makes them from a resource, a store keeps them, and
// [Operand.Meets] says which of them an operand finds.
type Index struct {
	Param  string    // the parameter's code: "code", "subject", "_tag"
	Kind   ParamKind // says which of the fields below are set
	System string    // Token, Quantity (unit system): "" = none
	Code   string    // Token (case as written), Quantity (unit), URI
	Text   string    // String: as written; Token: the display or text, for :text
	Ref    Key       // Reference: a relative literal one
	URL    string    // Reference: absolute or canonical, as written, with version
	Low    int64     // Date: first microsecond since 1970 in UTC of the period meant
	High   int64     // Date: last microsecond, inclusive; MaxInt64 when open
	Num    string    // Number, Quantity: the decimal as written
}

// Fold is how string search compares: without case, accents and punctuation,
// inner white space as one blank.
//
// Source: https://hl7.org/fhir/R4/search.html#string
func Fold(s string) string {
	var b strings.Builder
	space := false
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsSpace(r) || unicode.IsPunct(r):
			space = b.Len() > 0
		default:
			if space {
				b.WriteByte(' ')
				space = false
			}
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// Micros is t in microseconds since 1970, the unit in which the index and the
// stores keep time.
func Micros(t time.Time) int64 { return t.UnixMicro() }
