package path

import (
	"strings"

	"rapport/fhir"
)

const baseProfile = "http://hl7.org/fhir/StructureDefinition/"

// fhirFunctions are those that FHIR adds.
//
// Source: https://hl7.org/fhir/R4/fhirpath.html#functions
func fhirFunctions() map[string]*function {
	return map[string]*function{
		"extension": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			url, ok, err := m.text(n.args[0], f)
			if err != nil || !ok {
				return dst, err
			}
			for _, it := range in {
				if it.el == nil {
					continue
				}
				fd := m.model.shape(it.el).byName["extension"]
				if fd == nil {
					continue
				}
				all := m.model.members(m.take(), it, fd)
				if err := m.spend(n, 1+len(all)); err != nil {
					return nil, err
				}
				for _, x := range all {
					if x.node.Get("url").Text() == url {
						dst = append(dst, x)
					}
				}
				m.give(all)
			}
			return dst, nil
		}},
		"resolve": {run: func(m *machine, _ *call, _ *frame, in, dst []Item) ([]Item, error) {
			for _, it := range in {
				ref, ok := it.Text()
				if !ok {
					ref = it.node.Get("reference").Text()
				}
				if x, ok := m.resolve(ref); ok {
					dst = append(dst, x)
				}
			}
			return dst, nil
		}},
		"conformsTo": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			it, ok, err := m.one(n, in)
			if err != nil || !ok {
				return dst, err
			}
			url, ok, err := m.text(n.args[0], f)
			if err != nil || !ok {
				return dst, err
			}
			if m.env.Conforms != nil {
				if yes, ok := m.env.Conforms(it, url); ok {
					return append(dst, Value(yes)), nil
				}
			}
			name, base := strings.CutPrefix(url, baseProfile)
			if _, ok := m.model.defs.Type(name); !base || !ok {
				return nil, m.fault(n, "this profile is not known here")
			}
			return append(dst, Value(m.model.defs.Is(it.code, name))), nil
		}},
		"memberOf": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			it, ok, err := m.one(n, in)
			if err != nil || !ok {
				return dst, err
			}
			url, ok, err := m.text(n.args[0], f)
			if err != nil || !ok {
				return dst, err
			}
			if m.env.MemberOf != nil {
				if member, ok := m.env.MemberOf(it, url); ok {
					return append(dst, Value(member)), nil
				}
			}
			return nil, m.fault(n, "this value set is not known here")
		}},
		"type": {run: func(_ *machine, _ *call, _ *frame, in, dst []Item) ([]Item, error) {
			for _, it := range in {
				t := TypeInfo{"FHIR", it.code}
				if it.code == "" {
					t = TypeInfo{"System", systemName(it.val)}
				}
				dst = append(dst, Value(t))
			}
			return dst, nil
		}},
		"htmlChecks": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			s, ok, err := m.oneText(n, in)
			if err != nil || !ok {
				return dst, err
			}
			return append(dst, Value(narrative(s))), m.textRoom(n, 8*len(s))
		}},
	}
}

// systemName is the name of a value's System type.
func systemName(v any) string {
	switch v := v.(type) {
	case bool:
		return "Boolean"
	case int64:
		return "Integer"
	case string:
		return "String"
	case Moment:
		return [...]string{"Date", "DateTime", "Time"}[v.kind]
	case Quantity:
		return "Quantity"
	case TypeInfo:
		return "SimpleTypeInfo"
	}
	return "Decimal"
}

// resolve finds what a reference names: a contained resource by itself, anything
// else through the environment.
func (m *machine) resolve(ref string) (Item, bool) {
	if ref == "" {
		return Item{}, false
	}
	if id, ok := strings.CutPrefix(ref, "#"); ok {
		root := m.rootResource()
		if id == "" {
			return root, true
		}
		for c := range root.node.Get("contained").Elements() {
			if c.Kind() == fhir.Obj && c.Get("id").Text() == id {
				return m.model.Resource(c)
			}
		}
		return Item{}, false
	}
	if m.env.Resolve == nil {
		return Item{}, false
	}
	return m.env.Resolve(ref)
}
