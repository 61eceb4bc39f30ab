package deid

import (
	"maps"
	"slices"
	"strings"

	"rapport/fhir/spec"
)

// action is what is done with an element.
type action uint8

const (
	drop   action = iota
	inside        // an element with rules for what is inside it
	keep
	date
	beginning // a date, before which there was no such record
	ending    // a date, before which the record said other things
	concept
	coding
	quantity
	reference
	pseudonym
	person
	form
	answers
	masked
	asItIs // keep or concept, and not counted
)

var actions = map[string]action{
	"keep": keep, "date": date, "beginning": beginning, "ending": ending, "concept": concept, "coding": coding, "quantity": quantity, "reference": reference,
	"pseudonym": pseudonym, "person": person, "form": form, "answers": answers, "masked": masked, "as-it-is": asItIs,
}

// rule is what a profile says of one element.
type rule struct {
	do    action
	at    string          // "Condition.code"; of an extension its URL
	plain bool            // told however few people have it
	vital bool            // without it the resource, or the part of a list that it stands in, is dropped
	codes map[string]bool // keep: the only codes that are kept; nil for what is no code
	typ   string          // of a date: date, dateTime, instant
	list  bool
	to    []string // of a reference: the types that it may name; nil: any
	bound bool     // of a concept or coding: R4 requires one of its value set
	bit   uint64   // its place among its siblings
	// inside:
	members map[string]*rule
	must    []required
	needs   uint64   // bits of members without which it is dropped
	person  []string // members that are told of the person
	// of a resource:
	of      []string        // where the patient is named
	begins  [][]string      // dates before which there was none
	ends    [][]string      // dates before which it said other things:
	was     string          // its status
	atEnd   map[string]bool // elements and extensions that it had not
	outcome map[string]bool // statuses that it had not
}

// required is an element that R4 wants.
type required struct {
	bits      uint64 // of the members that it may stand as
	name      string // under which it is told that it is withheld
	primitive bool
	list      bool
}

// kept are the primitive types that cannot hold what people write.
var kept = []string{"boolean", "integer", "decimal", "positiveInt", "unsignedInt"}

// fits says which datatypes an action is for.
var fits = map[action][]string{
	date: {"date", "dateTime", "instant"}, beginning: {"date", "dateTime", "instant"}, ending: {"date", "dateTime", "instant"}, concept: {"CodeableConcept"}, coding: {"Coding"},
	quantity: {"Quantity", "Duration", "Age"}, reference: {"Reference"}, form: {"canonical"},
}

// compiler turns what a file says into rules, with R4's definitions as the judge.
type compiler struct {
	*source
	defs *spec.Definitions
}

func (c compiler) resource(t *spec.Type, n *node) *rule {
	if !n.dict {
		c.fault(n, "the rules of a type are a map of its elements, not %s", n.what())
		return &rule{}
	}
	r := c.inside(t.Root(), n, t.Name)
	if of := n.key("of"); of != nil {
		r.of = strings.Split(c.word(n, "of"), ".")
		if _, _, ok := t.Root().Child(r.of[0]); !ok {
			c.fault(of, "%s has no element %s", t.Name, r.of[0])
		}
	}
	r.note(r.members)
	c.atEnd(r, n.key("at-end"))
	if id := r.members["id"]; id == nil || id.do != pseudonym {
		c.fault(n, "the id of a %s is missing: its rule is pseudonym", t.Name)
	}
	return r
}

// note collects the dates by which a resource began and ended.
func (r *rule) note(members map[string]*rule) {
	for _, m := range members {
		path := strings.Split(m.at, ".")
		switch m.do {
		case beginning:
			r.begins = append(r.begins, path[1:])
		case ending:
			r.ends = append(r.ends, path[1:])
		case inside:
			r.note(m.members)
		}
	}
}

// atEnd compiles what a resource says since its end alone.
func (c compiler) atEnd(r *rule, n *node) {
	if n == nil {
		return
	}
	if len(r.ends) == 0 {
		c.fault(n, "at-end is for what has an ending")
	}
	c.known(n, "status", "was", "with")
	r.was, r.outcome, r.atEnd = c.word(n, "was"), map[string]bool{}, map[string]bool{}
	for _, code := range c.words(n.key("status")) {
		r.outcome[code] = true
	}
	for _, name := range c.words(n.key("with")) {
		if r.members[name] == nil && !strings.Contains(name, "://") {
			c.fault(n.key("with"), "%s has no rule by which it could leave at the end", name)
		}
		r.atEnd[name] = true
	}
}

// inside compiles the rules of an element's children.
func (c compiler) inside(e *spec.Element, n *node, at string) *rule {
	r := &rule{do: inside, members: map[string]*rule{}, list: e.List}
	for i, k := range n.keys {
		v := n.items[i]
		if k.text == "needs" || (k.text == "of" || k.text == "at-end") && !strings.Contains(at, ".") {
			continue
		}
		child, code, ok := e.Child(k.text)
		if !ok {
			c.fault(k, "%s has no element %s", at, k.text)
			continue
		}
		if len(r.members) == 64 {
			c.fault(k, "more than 64 elements have rules here")
			break
		}
		m := c.rule(child, code, v, at+"."+k.text)
		m.bit = 1 << len(r.members)
		if m.do == person {
			r.person = append(r.person, k.text)
		}
		r.members[k.text] = m
	}
	if needs := n.key("needs"); needs != nil {
		for _, need := range c.words(needs) {
			if r.members[need] == nil {
				c.fault(needs, "%s.%s is needed, but has no rule by which it could leave", at, need)
				continue
			}
			r.needs |= r.members[need].bit
			r.members[need].vital = true
		}
	}
	for _, child := range e.Children() {
		if child.Min > 0 {
			r.must = append(r.must, c.required(child, r))
		}
	}
	return r
}

// required says how an element is told to be withheld: as the first of its types
// that has a rule, else as its first type.
func (c compiler) required(e *spec.Element, r *rule) required {
	out := required{list: e.List, name: e.Name}
	for _, t := range e.Types {
		name := e.JSONName(t.Code)
		m := r.members[name]
		if out.bits == 0 && (m != nil || t.Code == e.Types[0].Code) {
			out.name, out.primitive = name, c.primitive(t.Code)
		}
		if m != nil {
			out.bits |= m.bit
		}
	}
	if m := r.members[e.Name]; m != nil {
		out.bits |= m.bit
	}
	return out
}

func (c compiler) primitive(code string) bool {
	t, ok := c.defs.Type(code)
	return ok && t.Kind == spec.Primitive
}

func (c compiler) rule(e *spec.Element, code string, n *node, at string) *rule {
	switch {
	case n.dict:
		if c.primitive(code) {
			c.fault(n, "%s is a %s and has nothing inside", at, code)
			return &rule{}
		}
		r := c.inside(e.As(code), n, at)
		r.list = e.List
		return r
	case n.list:
		r := &rule{do: keep, at: at, list: e.List, codes: map[string]bool{}}
		if code != "code" {
			c.fault(n, "a list of codes is for a code; %s is a %s", at, code)
		}
		for _, w := range c.words(n) {
			r.codes[w] = true
		}
		return r
	}
	do, ok := actions[n.text]
	if !ok {
		c.fault(n, "%q is no rule; rules are %s", n.text, strings.Join(slices.Sorted(maps.Keys(actions)), ", "))
		return &rule{}
	}
	r := &rule{do: do, at: at, list: e.List, typ: code}
	if do == asItIs {
		r.plain, r.do = true, keep
		if code == "CodeableConcept" {
			r.do = concept
		}
		do = r.do
	}
	if c.primitive(code) && e.List && do != keep {
		c.fault(n, "%s is a list; this rule is for a single value", at)
	}
	_, r.bound = e.Required()
	if ref, ok := e.Type("Reference"); ok && do == reference && !slices.Contains(ref.Targets, "Resource") {
		r.to = ref.Targets
	}
	switch do {
	case keep:
		c.keeps(r, e, code, n, at)
	case pseudonym:
		if strings.Count(at, ".") != 1 || e.Name != "id" {
			c.fault(n, "a pseudonym is for the id of a resource alone")
		}
	case person:
		if !slices.Contains([]string{"Patient.gender", "Patient.birthDate", "Patient.address", "Patient.extension"}, at) {
			c.fault(n, "person is for gender, birthDate, address and extension of a Patient")
		}
	case answers:
		if at != "QuestionnaireResponse.item" {
			c.fault(n, "answers is for QuestionnaireResponse.item")
		}
	default:
		if types := fits[do]; types != nil && !slices.Contains(types, code) {
			c.fault(n, "%s is for a %s; %s is a %s", n.text, strings.Join(types, " or "), at, code)
		}
	}
	return r
}

// keeps judges whether an element can be kept as it is.
func (c compiler) keeps(r *rule, e *spec.Element, code string, n *node, at string) {
	if slices.Contains(kept, code) {
		return
	}
	if url, bound := e.Required(); bound && code == "code" {
		if vs, ok := c.defs.Codes(url); ok && !vs.Open {
			r.codes = map[string]bool{}
			for _, v := range vs.Codes() {
				r.codes[v] = true
			}
			return
		}
	}
	c.fault(n, "%s is a %s that may hold any text and cannot be kept; list the codes that may leave, or drop it", at, code)
}

// extension compiles the rule of an extension by the member that holds its value.
func (c compiler) extension(k, n *node) *rule {
	if !n.dict || len(n.keys) != 1 || !strings.HasPrefix(n.keys[0].text, "value") {
		c.fault(k, "an extension's rule is a map with the one value[x] that may leave")
		return &rule{}
	}
	t, _ := c.defs.Type("Extension")
	child, code, ok := t.Root().Child(n.keys[0].text)
	if !ok {
		c.fault(n.keys[0], "an extension has no %s", n.keys[0].text)
		return &rule{}
	}
	v := c.rule(child, code, n.items[0], "Extension."+n.keys[0].text)
	v.bit, v.at = 1, k.text
	return &rule{do: inside, members: map[string]*rule{n.keys[0].text: v}, needs: 1}
}
