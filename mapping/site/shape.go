package site

import (
	"slices"
	"strings"

	"rapport/fhir"
)

// shape compares the fields of a record with its kind's JSON Schema: a misspelt
// field is found when the file is loaded, not when the first row is read.
func (c *compiler) shape(kind *node, fields *node) {
	s, ok := c.schema(kind.text)
	switch {
	case slices.Contains(never, kind.text):
		c.fs.add(kind, "%s is never imported: its author writes it", kind.text)
		return
	case !ok:
		c.fs.add(kind, "there is no kind of record called %s%s", kind.text, didYouMean(kind.text, c.knownKinds()))
		return
	}
	c.members(s, s, fields, kind.text)
	for _, r := range requiredOf(s.Get("required")) {
		if r != "key" && fields.key(r) == nil {
			c.fs.add(kind, "%s needs the field %s", kind.text, r)
		}
	}
}

func requiredOf(n fhir.Node) (out []string) {
	for r := range n.Elements() {
		out = append(out, r.Text())
	}
	return out
}

// members checks the keys of a map of fields against the properties of a schema.
func (c *compiler) members(root, s fhir.Node, fields *node, what string) {
	props := s.Get("properties")
	if fields.shape != dict || props.Kind() != fhir.Obj {
		return
	}
	var known []string
	for name := range props.Members() {
		known = append(known, name)
	}
	slices.Sort(known)
	for i, k := range fields.keys {
		p := props.Get(k.text)
		switch {
		case what != "" && k.text == "key" && !strings.Contains(what, "."):
			c.fs.add(k, "key is written by the engine: say key beside fields")
		case !p.Exists():
			c.fs.add(k, "%s has no field %s%s", what, k.text, didYouMean(k.text, known))
		default:
			c.field(root, resolve(root, p), fields.items[i], what+"."+k.text)
		}
	}
}

// field checks one field's own fields, through lists and conditions.
func (c *compiler) field(root, s fhir.Node, n *node, what string) {
	items := resolve(root, s.Get("items"))
	switch {
	case n.key("fields") != nil:
		c.members(root, s, n.key("fields"), what)
	case n.key("each") != nil:
		c.field(root, items, n.key("each"), what)
	case n.key("list").list() != nil:
		for _, i := range n.key("list").list() {
			if each := i.key("each"); each != nil {
				i = each
			}
			c.field(root, items, i, what)
		}
	}
}

// resolve follows a local $ref.
func resolve(root, s fhir.Node) fhir.Node {
	for range 8 {
		r, ok := strings.CutPrefix(s.Get("$ref").Text(), "#/")
		if !ok {
			return s
		}
		s = root
		for p := range strings.SplitSeq(r, "/") {
			s = s.Get(p)
		}
	}
	return s
}
