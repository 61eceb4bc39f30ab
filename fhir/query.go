package fhir

import (
	"encoding/json"
	"slices"
	"time"
)

// Query is a search on one type, parsed and complete: what is not in it does not
// influence the answer. fhir/search makes it from a URL; a [Gate] answers it.
// It marshals to JSON and back without loss; [Query.Canonical] is that JSON.
type Query struct {
	Type       string    `json:"type"`
	Where      []Clause  `json:"where,omitempty"` // all must hold
	Include    []Include `json:"include,omitempty"`
	RevInclude []Include `json:"revinclude,omitempty"`
	Sort       []Order   `json:"sort,omitempty"`  // then by the store's own stable order
	Count      int       `json:"count,omitempty"` // matches a page; 0: none, only the total
	Total      bool      `json:"total,omitempty"` // count all matches that are visible
	// After continues behind the page whose [Set.Next] it is. A gate accepts only
	// its own, for the same principal; the rest of the Query is then ignored in
	// favour of the sealed one.
	After string `json:"-"`
}

// Clause is one condition on a resource. Exactly one of Any, Chain and Has is set.
type Clause struct {
	Param    string    `json:"param,omitempty"` // code of the search parameter; "" with Has
	Kind     ParamKind `json:"kind,omitempty"`
	Modifier Modifier  `json:"mod,omitempty"`
	Any      []Operand `json:"any,omitempty"`   // one of them must hold
	Chain    *Chain    `json:"chain,omitempty"` // Param is a Reference; the resource it names satisfies the chain
	Has      *Has      `json:"has,omitempty"`   // some other resource refers to this one
}

// Modifier changes how operands are compared. A search names only those that
// capability.json serves; a store refuses the others with [NotSupported].
type Modifier string

// The modifiers. NoModifier compares as the parameter's kind does by itself.
const (
	NoModifier Modifier = ""
	Exact      Modifier = "exact"    // String: case and accents count
	Contains   Modifier = "contains" // String: anywhere
	IsMissing  Modifier = "missing"  // Operand.Code "true" or "false"
	Not        Modifier = "not"      // Token: no index entry of the parameter meets any operand
)

// Prefix compares dates and numbers.
//
// Source: https://hl7.org/fhir/R4/search.html#prefix
type Prefix string

// The prefixes; the empty one is Eq.
const (
	Eq Prefix = ""
	Ne Prefix = "ne"
	Gt Prefix = "gt"
	Lt Prefix = "lt"
	Ge Prefix = "ge"
	Le Prefix = "le"
	Sa Prefix = "sa"
	Eb Prefix = "eb"
)

// Operand is one value asked for. Which fields count depends on the clause's kind.
type Operand struct {
	Prefix    Prefix `json:"prefix,omitempty"`    // Date, Number, Quantity
	System    string `json:"system,omitempty"`    // Token: with HasSystem
	HasSystem bool   `json:"hasSystem,omitempty"` // Token: "sys|code" or "|code"; false: any system
	Code      string `json:"code,omitempty"`      // Token: "" with HasSystem: any code of the system. _id: the id
	Text      string `json:"text,omitempty"`      // String: as asked; the store folds it
	Ref       Key    `json:"ref,omitzero"`        // Reference; Type "" where only an id was given
	URL       string `json:"url,omitempty"`       // Reference (absolute, canonical), URI
	Low       int64  `json:"low,omitempty"`       // Date: first microsecond of the period that the value denotes
	High      int64  `json:"high,omitempty"`      // Date: last microsecond, inclusive
	Num       string `json:"num,omitempty"`       // Number, Quantity
}

// Chain is the condition behind the dot: subject:Patient.identifier=…
type Chain struct {
	Type  string `json:"type"` // the target type, always named
	Where Clause `json:"where"`
}

// Has is _has:Observation:patient:code=…: a resource of Type whose reference
// parameter Param names this one and which satisfies Where.
type Has struct {
	Type  string `json:"type"`
	Param string `json:"param"`
	Where Clause `json:"where"`
}

// Include adds resources that matches refer to (Query.Include: Source is the
// match's type) or that refer to matches (Query.RevInclude: Source is theirs).
type Include struct {
	Source string `json:"source"`
	Param  string `json:"param"`
	Target string `json:"target,omitempty"` // "" : any type that the parameter may name
}

// Order sorts by a parameter. Resources without the parameter come last in
// ascending order and first in descending order.
type Order struct {
	Param string    `json:"param"`
	Kind  ParamKind `json:"kind,omitempty"`
	Desc  bool      `json:"desc,omitempty"`
}

// Types lists every type the query touches, its own, chains, _has and
// includes; "" stands for an include without a named target.
func (q Query) Types() []string {
	ts := []string{q.Type}
	var walk func(c Clause)
	walk = func(c Clause) {
		if c.Chain != nil {
			ts = append(ts, c.Chain.Type)
			walk(c.Chain.Where)
		}
		if c.Has != nil {
			ts = append(ts, c.Has.Type)
			walk(c.Has.Where)
		}
	}
	for _, c := range q.Where {
		walk(c)
	}
	for _, i := range q.Include {
		ts = append(ts, i.Target)
	}
	for _, i := range q.RevInclude {
		ts = append(ts, i.Source)
	}
	slices.Sort(ts)
	return slices.Compact(ts)
}

// Scope says whose history is asked for: one resource (both fields), a type
// (only Type) or everything (neither).
type Scope struct{ Type, ID string }

// Span bounds a history or another run over changes.
type Span struct {
	Since time.Time // only what was written at or after it
	Count int       // at most so many; 0: the store's own limit
	After string    // continue behind a page; see [Query.After]
}

// Canonical returns the query as JSON, equal for equal queries, for cache keys
// and sealed cursors. It holds what was asked for: PHI, never to be logged.
func (q Query) Canonical() []byte {
	b, err := json.Marshal(q)
	if err != nil { // only strings, numbers and slices of them
		panic(err)
	}
	return b
}

// ParseQuery reads what Canonical wrote.
func ParseQuery(b []byte) (Query, error) {
	var q Query
	err := json.Unmarshal(b, &q)
	return q, err
}
