package spec

import (
	"slices"
	"strconv"
	"strings"
)

// decodeType rebuilds a type: its own elements, and before them, at each level,
// those inherited unchanged that the file leaves out.
func (d *Definitions) decodeType(name string, line []byte) *Type {
	var l lineType
	decode(name, line, &l)
	t := &Type{Name: name, Kind: l.Kind, Base: l.Base, Abstract: l.Abstract, Profile: l.Profile, Regex: l.Regex, defs: d, byPath: map[string]*Element{}}
	own := map[string][]*Element{} // by the path of the parent
	for i := range l.Elements {
		e := t.element(&l.Elements[i])
		own[parent(e.Path)] = append(own[parent(e.Path)], e)
	}
	t.add(own[""][0], own)
	return t
}

// element makes an Element of a line's record.
func (t *Type) element(l *lineElement) *Element {
	e := &Element{Path: t.Name, Min: l.Min, constraints: l.Rules, Modifier: l.Modifier, Summary: l.Summary, ContentOf: l.Content, owner: t}
	if l.Path != "" {
		e.Path += "." + l.Path
	}
	e.Name = e.Path[strings.LastIndexByte(e.Path, '.')+1:]
	e.Max, e.List = Unbounded, l.Max != "0" && l.Max != "1"
	if l.Max != "*" {
		e.Max, _ = strconv.Atoi(l.Max)
	}
	for _, r := range l.Types {
		e.Types = append(e.Types, TypeRef{Code: r.Code, Bare: r.Bare, Profile: r.Profile, Targets: r.Targets})
	}
	if l.Strength != "" {
		e.Binding = &Binding{Strength: l.Strength, ValueSet: l.ValueSet}
	}
	return e
}

// add appends e and what stands below it to t.
func (t *Type) add(e *Element, own map[string][]*Element) {
	t.Elements = append(t.Elements, e)
	t.byPath[e.Path] = e
	base := ""
	switch {
	case parent(e.Path) == "":
		base = t.Base
	case len(e.Types) == 1 && (e.Types[0].Code == "BackboneElement" || e.Types[0].Code == "Element"):
		base = e.Types[0].Code
	}
	t.adopt(e, base, own)
}

// adopt fills e with its children: those of base, in its order, each replaced
// where own has one of the same name, then the other own ones.
func (t *Type) adopt(e *Element, base string, own map[string][]*Element) {
	mine := own[e.Path]
	var kids []*Element
	if base != "" && (len(mine) > 0 || parent(e.Path) == "") {
		b, ok := t.defs.Type(base)
		if !ok {
			panic("spec: " + t.Name + ": its base " + base + " is no type")
		}
		for _, c := range b.Root().order {
			if i := slices.IndexFunc(mine, func(m *Element) bool { return m.Name == c.Name }); i >= 0 {
				kids = append(kids, mine[i])
				mine = slices.Delete(slices.Clone(mine), i, i+1)
				continue
			}
			copied := *c
			copied.Path, copied.owner = e.Path+"."+c.Name, t
			kids = append(kids, &copied)
		}
	}
	kids = append(kids, mine...)
	if len(kids) == 0 {
		return
	}
	e.order = kids
	e.children = make(map[string]child, 2*len(kids))
	for _, k := range kids {
		t.add(k, own)
		if !k.Choice() {
			code := ""
			if len(k.Types) > 0 {
				code = k.Types[0].Code
			}
			e.children[k.Name] = child{k, code}
			continue
		}
		for _, r := range k.Types {
			e.children[k.JSONName(r.Code)] = child{k, r.Code}
		}
	}
}

func parent(path string) string {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return ""
	}
	return path[:i]
}
