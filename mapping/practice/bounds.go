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
	var walk func(n fhir.Node, at string) error
	walk = func(n fhir.Node, at string) error {
		if left--; left < 0 {
			return fhir.Errorf(fhir.TooLong, "/", "a record may hold up to %d values", maxValues)
		}
		switch n.Kind() {
		case fhir.Num:
			if len(n.Raw()) > maxDigits || exponent(n.Raw()) > 3 {
				return fhir.Errorf(fhir.Value, orRoot(at), "is no number that a record may hold: up to %d characters, and an exponent of up to three digits", maxDigits)
			}
		case fhir.Obj:
			if n.Len() > maxMembers {
				return fhir.Errorf(fhir.TooLong, orRoot(at), "has more than %d fields", maxMembers)
			}
			for name, v := range n.Members() {
				if err := walk(v, at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(plain(name))); err != nil {
					return err
				}
			}
		case fhir.Arr:
			if n.Len() > maxMembers {
				return fhir.Errorf(fhir.TooLong, orRoot(at), "has more than %d items", maxMembers)
			}
			i := 0
			for v := range n.Elements() {
				if err := walk(v, fmt.Sprintf("%s/%d", at, i)); err != nil {
					return err
				}
				i++
			}
		}
		return nil
	}
	return walk(root, "")
}

// exponent counts the digits of a number's exponent.
func exponent(raw []byte) int {
	_, e, _ := strings.Cut(strings.ToLower(string(raw)), "e")
	return len(strings.TrimLeft(e, "+-"))
}

func orRoot(at string) string {
	if at == "" {
		return "/"
	}
	return at
}
