package fhir

import (
	"slices"
	"strings"
)

// Meets reports whether the clause holds for a resource with head h and index
// ix. A chain and a _has ask about other resources: of this one alone they are
// never met.
func (c Clause) Meets(h Head, ix []Index) bool {
	if c.Chain != nil || c.Has != nil {
		return false
	}
	if c.Kind == Special {
		return slices.ContainsFunc(c.Any, func(o Operand) bool { return o.meetsHead(c.Param, h) })
	}
	has := func(meets func(Index) bool) bool {
		return slices.ContainsFunc(ix, func(x Index) bool { return x.Param == c.Param && x.Kind == c.Kind && meets(x) })
	}
	switch c.Modifier {
	case IsMissing:
		missing := !has(func(Index) bool { return true })
		return slices.ContainsFunc(c.Any, func(o Operand) bool { return o.Code == "true" && missing || o.Code == "false" && !missing })
	case Not:
		return !has(func(x Index) bool {
			return slices.ContainsFunc(c.Any, func(o Operand) bool { return o.Meets(NoModifier, x) })
		})
	}
	return has(func(x Index) bool {
		return slices.ContainsFunc(c.Any, func(o Operand) bool { return o.Meets(c.Modifier, x) })
	})
}

// meetsHead answers the parameters of kind [Special].
func (o Operand) meetsHead(param string, h Head) bool {
	switch param {
	case "_id":
		return o.Code == h.ID
	case "_lastUpdated":
		at := Micros(h.Updated)
		return o.Prefix.holds(at, at, o.Low, o.High)
	}
	return false
}

// Meets reports whether the operand finds an index entry of its own parameter.
// It is what a store's SQL must agree with. m is NoModifier, or Exact or Contains
// for a string; the other modifiers look at all entries: see [Clause.Meets].
//
//   - Token: the code is the same to the letter, and so is the system where one
//     is asked for ("" with HasSystem: there must be none).
//   - Reference: the same key, or the same id where no type was given; the same
//     URL, where one without a version finds every version.
//   - Date: see [Prefix]. String: what [Fold] leaves begins with, or contains,
//     what it leaves of the operand; an operand of which it leaves nothing finds
//     nothing. URI: the same.
//   - Number and Quantity are not served yet: never.
func (o Operand) Meets(m Modifier, x Index) bool {
	switch x.Kind {
	case Token:
		if o.HasSystem && o.System != x.System {
			return false
		}
		return o.Code == x.Code || o.Code == "" && o.HasSystem && o.System != ""
	case Reference:
		switch {
		case o.URL != "":
			return o.URL == x.URL || !strings.Contains(o.URL, "|") && strings.HasPrefix(x.URL, o.URL+"|")
		case o.Ref.Type == "":
			return o.Ref.ID != "" && o.Ref.ID == x.Ref.ID
		}
		return o.Ref == x.Ref
	case Date:
		return o.Prefix.holds(x.Low, x.High, o.Low, o.High)
	case String:
		if m == Exact {
			return o.Text == x.Text
		}
		asked := Fold(o.Text)
		if m == Contains {
			return asked != "" && strings.Contains(Fold(x.Text), asked)
		}
		return asked != "" && strings.HasPrefix(Fold(x.Text), asked)
	case URI:
		return o.URL == x.Code
	}
	return false
}

// holds compares the period low to high of a resource with the period that a
// search value denotes, ends included. Ge and Le take what overlaps the value as
// well: the specification's words leave out a period that begins before the value
// and ends within it, which is not what «on or after» says.
func (p Prefix) holds(low, high, valueLow, valueHigh int64) bool {
	switch p {
	case Eq, "eq":
		return valueLow <= low && high <= valueHigh
	case Ne:
		return low < valueLow || valueHigh < high
	case Gt:
		return high > valueHigh
	case Lt:
		return low < valueLow
	case Ge:
		return high >= valueLow
	case Le:
		return low <= valueHigh
	case Sa:
		return low > valueHigh
	case Eb:
		return high < valueLow
	}
	return false
}
