package practice

import (
	"fmt"
	"strings"

	"rapport/fhir"
)

// The most that one record may hold. A schema cannot say it: a validator judges
// every item of a list that is too long, in time that grows with the square of its
// length, and works out a power of ten for 1e999999.
const (
	maxMembers = 1000  // of one object or list
	maxValues  = 20000 // of all of them
	maxDigits  = 40    // characters of a number
)

// bounded refuses a record that is out of all proportion before it costs anything.
func bounded(root fhir.Node) error {
	left := maxValues
	at, wrong := disproportion(root, &left)
	if wrong == nil {
		return nil
	}
	if left < 0 || at == "" {
		at = "/"
	}
	wrong.At = []string{at}
	return wrong
}

// disproportion finds the first thing in n that is out of proportion. Every record
// comes by here, so its place is put together only once there is something wrong.
func disproportion(n fhir.Node, left *int) (at string, wrong *fhir.Error) {
	if *left--; *left < 0 {
		return "", fhir.Errorf(fhir.TooLong, "", "a record may hold up to %d values", maxValues)
	}
	switch n.Kind() {
	case fhir.Num:
		if len(n.Raw()) > maxDigits || exponent(n.Raw()) > 3 {
			return "", fhir.Errorf(fhir.Value, "", "is no number that a record may hold: up to %d characters, and an exponent of up to three digits", maxDigits)
		}
	case fhir.Obj:
		if n.Len() > maxMembers {
			return "", fhir.Errorf(fhir.TooLong, "", "has more than %d fields", maxMembers)
		}
		for name, v := range n.Members() {
			if at, wrong := disproportion(v, left); wrong != nil {
				return pointer(name) + at, wrong
			}
		}
	case fhir.Arr:
		if n.Len() > maxMembers {
			return "", fhir.Errorf(fhir.TooLong, "", "has more than %d items", maxMembers)
		}
		i := 0
		for v := range n.Elements() {
			if at, wrong := disproportion(v, left); wrong != nil {
				return fmt.Sprintf("/%d%s", i, at), wrong
			}
			i++
		}
	}
	return "", nil
}

// exponent counts the digits of a number's exponent.
func exponent(raw []byte) int {
	_, e, _ := strings.Cut(strings.ToLower(string(raw)), "e")
	return len(strings.TrimLeft(e, "+-"))
}
