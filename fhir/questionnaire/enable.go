package questionnaire

import "rapport/fhir"

const enableExpression = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"

// place is an item of the response with what stands around it.
type place struct {
	link   string
	item   fhir.Node
	parent *place
}

// occurrence is one place where an item of the response stands.
type occurrence struct {
	item   fhir.Node
	parent *place
}

// collect notes where each item stands, so that conditions can look it up.
func (v *visit) collect(parent fhir.Node, in *place, _ string) {
	if v.given == nil {
		v.given = map[string][]occurrence{}
	}
	for item := range parent.Get("item").Elements() {
		link := item.Get("linkId").Text()
		v.given[link] = append(v.given[link], occurrence{item, in})
		p := &place{link: link, item: item, parent: in}
		v.collect(item, p, link)
		for a := range item.Get("answer").Elements() {
			v.collect(a, p, link)
		}
	}
}

// conditional reports whether an item's being enabled cannot be told here.
func (v *visit) conditional(d *definition) bool {
	for ; d != nil; d = d.parent {
		if d.extension(enableExpression).Exists() {
			return true
		}
	}
	return false
}

// enabled evaluates enableWhen of an item whose parent stands at a place.
//
// Source: https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen
func (v *visit) enabled(d *definition, parent *place) bool {
	return v.enabledAt(d, parent, len(v.defs))
}

// enabledAt bounds how long a chain of conditions is followed: a circle of them
// enables nothing.
func (v *visit) enabledAt(d *definition, parent *place, depth int) bool {
	when := d.node.Get("enableWhen")
	if when.Len() == 0 {
		return true
	}
	if depth == 0 || !v.spend(1) {
		return false
	}
	all := d.node.Get("enableBehavior").Text() == "all"
	for c := range when.Elements() {
		if v.condition(c, parent, depth-1) != all {
			return !all
		}
	}
	return all
}

func (v *visit) condition(c fhir.Node, parent *place, depth int) bool {
	question := c.Get("question").Text()
	var answers []fhir.Node
	for _, o := range v.nearest(question, parent) {
		if d := v.defs[question]; d == nil || !v.enabledAt(d, o.parent, depth) {
			continue
		}
		for a := range o.item.Get("answer").Elements() {
			if val, _ := valueOf(a); val.Exists() {
				answers = append(answers, val)
			}
		}
	}
	op := c.Get("operator").Text()
	want, kind := prefixed(c, "answer")
	if op == "exists" {
		b, _ := want.Bool()
		return (len(answers) > 0) == b
	}
	if op == "!=" { // no answer is equal, also where there is none
		for _, a := range answers {
			if equal(kind, a, want) {
				return false
			}
		}
		return true
	}
	for _, a := range answers {
		if holds(op, kind, a, want) {
			return true
		}
	}
	return false
}

// maxWork bounds what conditions may cost: looking at one occurrence of a question
// is one. Forms stay below a thousandth of it; circles of conditions and responses
// that repeat an item without end do not.
const maxWork = 1_000_000

// spend counts work; false when there was too much.
func (v *visit) spend(work int) bool {
	v.work += work
	return v.work <= maxWork
}

// nearest returns the occurrences of a question that share the innermost item
// with a place: in a repeating group those of the same repetition.
func (v *visit) nearest(question string, parent *place) []occurrence {
	all := v.given[question]
	if !v.spend(len(all)) {
		return nil
	}
	for p := parent; p != nil; p = p.parent {
		if p.link == question {
			return []occurrence{{p.item, p.parent}}
		}
		if !v.spend(len(all)) {
			return nil
		}
		var here []occurrence
		for _, o := range all {
			for q := o.parent; q != nil; q = q.parent {
				if q.item == p.item {
					here = append(here, o)
					break
				}
			}
		}
		if len(here) > 0 {
			return here
		}
	}
	return all
}

func holds(op, kind string, a, want fhir.Node) bool {
	if op == "=" {
		return equal(kind, a, want)
	}
	n, known := compare(kind, a, want)
	if !known {
		return false
	}
	switch op {
	case ">":
		return n > 0
	case "<":
		return n < 0
	case ">=":
		return n >= 0
	case "<=":
		return n <= 0
	}
	return false
}
