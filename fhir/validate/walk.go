package validate

import (
	"rapport/fhir"
	"rapport/fhir/spec"
)

// role is where a resource stands.
type role uint8

const (
	inner     role = iota // the document itself, an entry of a Bundle, a parameter
	contained             // in another resource
)

// resource judges a resource at the current place.
func (w *walk) resource(n fhir.Node, as role) {
	if w.ctx.Err() != nil {
		w.add(fhir.Errorf(fhir.Timeout, "", "The validation was given up: the request took too long or was cancelled. Send it again."))
		w.full = true
		return
	}
	if n.Kind() != fhir.Obj {
		w.say(fhir.Structure, "A resource is an object, not %s.", kindName(n.Kind()))
		return
	}
	name := n.Get("resourceType").Text()
	s := w.v.shapeOfType(name)
	if s == nil {
		w.add(fhir.Errorf(fhir.Structure, w.expression("resourceType"), "This must be the name of a resource type of FHIR R4 (4.0.1)."))
		return
	}
	if len(w.path) == 0 {
		w.path = append(w.steps[:0], step{name: name})
	}
	if as == contained {
		w.object(n, s, as)
		return
	}
	container, bundled := w.container, w.bundled
	w.container, w.bundled = n, w.bundled || name == "Bundle"
	w.object(n, s, as)
	w.container, w.bundled = container, bundled
}

// pick is the type that was chosen for an element with a choice of types.
type pick struct {
	number uint8
	name   string
}

// object judges the members of an object. alone says that it has an id and
// nothing else.
func (w *walk) object(n fhir.Node, s *shape, as role) (alone bool) {
	var seen uint64
	var room [6]pick
	picked := room[:0]
	size := 0
	for m := range n.Fields() {
		if w.full {
			return false
		}
		size++
		f := s.fields[string(m.NameBytes())]
		if f == nil {
			if s.resource && m.Name() == "resourceType" {
				continue
			}
			w.unknown(m, s)
			continue
		}
		seen |= 1 << f.number
		if f.choice {
			picked = w.choose(picked, f)
		}
		w.push(f.name)
		switch {
		case f.max == 0:
			w.say(fhir.Structure, "This element is not allowed here. Leave it out.")
		case f.list:
			w.list(n, m, f, as)
		case m.Kind() == fhir.Arr:
			w.say(fhir.Structure, "This element does not repeat: send its value itself, without an array.")
		default:
			w.one(n, m, f, as)
		}
		w.pop()
	}
	for _, f := range s.required {
		if seen&(1<<f.number) == 0 {
			w.missing(f)
		}
	}
	switch {
	case size == 0:
		w.say(fhir.Structure, "An object must not be empty. Leave it out, or fill it.")
	case s.extension:
		hasValue, hasExt := seen&(1<<s.value) != 0, seen&(1<<s.ext) != 0
		if hasValue == hasExt {
			w.say(fhir.Invariant, "ext-1: an extension has either a value or extensions of its own, one of the two.")
		}
	case s.period && endsEarly(n):
		w.say(fhir.Invariant, "per-1: a period ends before it starts. Mend its start or its end, or leave one of them out.")
	}
	if s.resource {
		w.rules(n, as)
	}
	return size == 1 && seen == 1<<s.id
}

// choose notes which type was chosen for an element and reports a second one.
func (w *walk) choose(picked []pick, f *field) []pick {
	for _, p := range picked {
		if p.number == f.number {
			if !samePick(p, f) {
				w.push(f.name)
				w.say(fhir.Structure, "Only one of %s and %s can be there. Keep the one that is meant.", p.name, f.name)
				w.pop()
			}
			return picked
		}
	}
	return append(picked, pick{number: f.number, name: f.name})
}

// samePick reports whether one of the two is the companion of the other.
func samePick(p pick, f *field) bool {
	return p.name == "_"+f.name || f.name == "_"+p.name
}

func (w *walk) missing(f *field) {
	name := f.name
	if f.choice {
		name = stem(f)
	}
	w.add(fhir.Errorf(fhir.Required, w.expression(name), "This element is required. Add it."))
}

func stem(f *field) string {
	n := len(f.name) - len(f.code)
	return f.name[:n]
}

// list judges the items of an element that repeats.
func (w *walk) list(n, m fhir.Node, f *field, as role) {
	if m.Kind() != fhir.Arr {
		w.say(fhir.Structure, "This element repeats: send an array, also for a single value, not %s.", kindName(m.Kind()))
		return
	}
	if f.companion {
		w.align(n, m, f)
	}
	nulls := f.companion || f.prim != nil && n.Get("_"+f.name).Kind() == fhir.Arr // align judges them
	i := 0
	w.pushIndex(0)
	for item := range m.Elements() {
		if w.full {
			break
		}
		w.at(i)
		i++
		if item.Kind() == fhir.Null {
			if nulls {
				continue
			}
			w.say(fhir.Structure, "null may stand only in an array of primitive values, where the same place of the array with \"_\" holds extensions. Leave it out.")
			continue
		}
		w.one(n, item, f, as)
	}
	w.pop()
	switch {
	case i == 0:
		w.say(fhir.Structure, "An array must not be empty. Leave the element out, or fill it.")
	case f.max != spec.Unbounded && i > f.max:
		w.say(fhir.Structure, "At most %d are allowed.", f.max)
	}
}

// align judges an array of companions beside the array of their values.
func (w *walk) align(n, m fhir.Node, f *field) {
	values := n.Get(f.name[1:])
	valued := values.Exists()
	if !valued {
		values = m // each companion then stands alone
	} else if values.Kind() != fhir.Arr {
		return // reported with the values
	}
	if values.Len() != m.Len() {
		w.say(fhir.Structure, "This array and the one without \"_\" must be of one length: put null where there is nothing.")
		return
	}
	alone := make([]bool, 0, 8)
	for v := range values.Elements() {
		alone = append(alone, !valued || v.Kind() == fhir.Null)
	}
	i := 0
	for c := range m.Elements() {
		if alone[i] && !c.Get("extension").Exists() {
			w.pushIndex(i)
			w.say(fhir.Structure, "Here is neither a value nor an extension. Leave both places out, or fill one.")
			w.pop()
			if w.full {
				return
			}
		}
		i++
	}
}

// one judges one value of an element.
func (w *walk) one(n, m fhir.Node, f *field, as role) {
	switch {
	case f.prim != nil:
		w.primitive(m, f)
	case f.anything:
		if f.name == "contained" {
			w.contained(m, as)
			return
		}
		w.resource(m, inner)
	case m.Kind() != fhir.Obj:
		w.say(fhir.Structure, "This element is an object, not %s.", kindName(m.Kind()))
	default:
		alone := w.object(m, w.v.inside(f), as)
		switch {
		case f.companion:
			if alone && !f.list && !n.Get(f.name[1:]).Exists() {
				w.say(fhir.Structure, "Here is neither a value nor an extension. Leave it out, or fill one.")
			}
		case alone:
			w.say(fhir.Structure, "There is an id and nothing else. Leave it out, or add elements or extensions.")
		case f.code == "Reference":
			w.reference(m, f)
		case f.codes != nil && f.code == "CodeableConcept":
			w.concept(m, f)
		case f.modifier:
			w.add(&fhir.Error{Code: fhir.NotSupported, Warn: true, At: []string{w.expression("")},
				Detail: "This modifier extension is kept but not understood here: whatever reads this resource must know it."})
		}
	}
}
