package practice

import "strings"

// Plural is what several records of a kind are called, in addresses and lists:
// "sessions", "notebook-entries". It is "" for a kind that is none.
func Plural(kind string) string {
	if _, ok := New(kind); !ok {
		return ""
	}
	if stem, ok := strings.CutSuffix(kind, "y"); ok {
		return stem + "ies"
	}
	return kind + "s"
}

// FromPlural returns the kind that a plural names; false for none.
func FromPlural(plural string) (string, bool) {
	for _, k := range kinds {
		if Plural(k.name) == plural {
			return k.name, true
		}
	}
	return "", false
}
