package fhir

import (
	"strings"
)

// Key names a resource within one tenant. It prints as "Goal/17".
type Key struct{ Type, ID string }

// String returns "Type/ID", the empty string for the zero Key.
func (k Key) String() string {
	if k == (Key{}) {
		return ""
	}
	return k.Type + "/" + k.ID
}

// IsZero reports whether k names nothing.
func (k Key) IsZero() bool { return k == Key{} }

// Compare orders keys by type, then id.
func (k Key) Compare(o Key) int {
	if c := strings.Compare(k.Type, o.Type); c != 0 {
		return c
	}
	return strings.Compare(k.ID, o.ID)
}

// ParseKey reads a relative literal reference of exactly the form "Type/id".
// A version, a fragment, a query or a base URL makes it fail: such references
// never confer membership in a compartment (attack case A21).
func ParseKey(s string) (Key, bool) {
	t, id, ok := strings.Cut(s, "/")
	if !ok || !ValidType(t) || !ValidID(id) {
		return Key{}, false
	}
	return Key{Type: t, ID: id}, true
}

// ValidID reports whether s is a FHIR id: 1–64 of A–Z a–z 0–9 - . and neither
// "." nor "..", which URL handling would swallow.
//
// Source: https://hl7.org/fhir/R4/datatypes.html#id
func ValidID(s string) bool {
	if len(s) < 1 || len(s) > 64 || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}

// ValidType reports whether s has the shape of a resource type name. Whether
// such a type exists is fhir/spec's business.
func ValidType(s string) bool {
	if len(s) < 2 || len(s) > 64 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
