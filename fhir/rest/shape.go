package rest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// shape says which part of each resource a caller wants: _elements, _summary. It only
// ever takes away from what policy let through.
//
// Source: https://hl7.org/fhir/R4/search.html#elements and #summary
type shape struct {
	summary  string   // true, text, data, count; "" or false: all
	elements []string // names at the top of the resource; nil: all
}

// shapeOf takes _elements and _summary out of a query. typ is the type that the
// elements are of.
func shapeOf(vs url.Values, typ string) (s shape, rest url.Values, err error) {
	rest = vs
	for _, name := range []string{"_elements", "_summary"} {
		given, ok := vs[name]
		if !ok {
			continue
		}
		if len(given) > 1 {
			return s, nil, fhir.Errorf(fhir.Invalid, "", "%s may be given once.", name)
		}
		if name == "_elements" {
			s.elements, err = elementsOf(typ, given[0])
		} else {
			s.summary, err = summaryOf(given[0])
		}
		if err != nil {
			return s, nil, err
		}
	}
	if s.elements != nil && s.summary != "" {
		return s, nil, &fhir.Error{Code: fhir.Invalid, Detail: "_elements and _summary each say what to show; give one of them."}
	}
	if s.elements != nil || vs.Has("_summary") {
		rest = url.Values{}
		for name, v := range vs {
			if name != "_elements" && name != "_summary" {
				rest[name] = v
			}
		}
	}
	return s, rest, nil
}

func summaryOf(v string) (string, error) {
	switch v {
	case "true", "text", "data", "count":
		return v, nil
	case "false":
		return "", nil
	}
	return "", &fhir.Error{Code: fhir.Invalid, Detail: "_summary is true, text, data, count or false."}
}

// elementsOf reads "name,birthDate" or "Patient.name,…".
func elementsOf(typ, v string) ([]string, error) {
	t, ok := spec.R4().Type(typ)
	if !ok {
		return nil, fhir.Missing(fhir.Key{})
	}
	var out []string
	for name := range strings.SplitSeq(v, ",") {
		if of, after, dotted := strings.Cut(name, "."); dotted && of == typ {
			name = after
		}
		if _, ok := t.Root().Field(name); !ok {
			return nil, fhir.Errorf(fhir.Invalid, "", "_elements names an element that %s has not at its top; list names such as id,status, separated by commas.", typ)
		}
		out = append(out, name)
	}
	return out, nil
}

// query returns the parameters that say the same, for a link.
func (s shape) query() string {
	switch {
	case s.elements != nil:
		return "_elements=" + url.QueryEscape(strings.Join(s.elements, ","))
	case s.summary != "":
		return "_summary=" + s.summary
	}
	return ""
}

// of returns the body of a resource in this shape. What an included resource of
// another type has not is simply not there.
func (s shape) of(r fhir.Resource) []byte {
	if r.IsZero() || s.summary == "" && s.elements == nil {
		return r.Body()
	}
	t, ok := spec.R4().Type(r.Type)
	if !ok {
		return r.Body()
	}
	o := fhir.NewObject().Set("resourceType", r.Type)
	tagged := false
	for name, n := range r.Root().Members() {
		e, code, known := t.Root().Child(strings.TrimPrefix(name, "_"))
		switch {
		case name == "resourceType":
		case name == "meta":
			o.Set(name, subsetted(n))
			tagged = true
		case name == "id":
			o.Set(name, n)
		case !known || !s.keeps(e):
		case s.summary == "true":
			summarised(o, name, n, e, code)
		default:
			o.Set(name, n)
		}
	}
	if !tagged {
		o.Set("meta", subsetted(fhir.Node{}))
	}
	return o.JSON()
}

// keeps reports whether an element at the top stays. What is mandatory or changes the
// meaning of the rest always does.
func (s shape) keeps(e *spec.Element) bool {
	switch s.summary {
	case "true":
		return e.Summary || e.Min > 0 || e.Modifier
	case "data":
		return e.Name != "text"
	case "text":
		return e.Name == "text" || e.Min > 0 || e.Modifier
	}
	return e.Min > 0 || e.Modifier || slices.Contains(s.elements, e.Stem())
}

// summarised adds of a member what a summary shows of it.
func summarised(o *fhir.Object, name string, n fhir.Node, e *spec.Element, code string) {
	switch {
	case n.Kind() == fhir.Obj && name[0] != '_':
		o.Set(name, within(n, e.As(code)))
	case n.Kind() == fhir.Arr && n.Index(0).Kind() == fhir.Obj && name[0] != '_':
		var list []*fhir.Object
		for m := range n.Elements() {
			list = append(list, within(m, e.As(code)))
		}
		o.Set(name, list)
	default:
		o.Set(name, n)
	}
}

func within(n fhir.Node, of *spec.Element) *fhir.Object {
	o := fhir.NewObject()
	for name, m := range n.Members() {
		if e, code, ok := of.Child(strings.TrimPrefix(name, "_")); ok && (e.Summary || e.Min > 0 || e.Modifier) {
			summarised(o, name, m, e, code)
		}
	}
	return o
}

// whole refuses to write what says that it is a part: all that it leaves out would be lost.
func whole(r fhir.Resource) error {
	i := 0
	for t := range r.Root().At("meta", "tag").Elements() {
		if t.Get("system").Text() == observationValue && t.Get("code").Text() == "SUBSETTED" {
			return fhir.Errorf(fhir.BusinessRule, fmt.Sprintf("%s.meta.tag[%d]", r.Type, i), "This is a part of a resource, as _elements and _summary show it; writing it would erase the rest. Read the whole resource and change that.")
		}
		i++
	}
	return nil
}

const observationValue = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"

// subsetted is meta with the tag that says: this is not all, do not write it back.
//
// Source: https://hl7.org/fhir/R4/search.html#summary
func subsetted(meta fhir.Node) *fhir.Object {
	o := fhir.NewObject()
	var tags []any
	for name, n := range meta.Members() {
		if name != "tag" {
			o.Set(name, n)
			continue
		}
		for t := range n.Elements() {
			tags = append(tags, t)
		}
	}
	return o.Set("tag", append(tags, fhir.Coding(observationValue, "SUBSETTED", "")))
}
