package path

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rapport/fhir"
	"rapport/fhir/spec"
)

// readResource reads a resource from a file, JSON or XML.
func readResource(t testing.TB, file string) fhir.Node {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(file) == ".xml" {
		var x tag
		if err := xml.Unmarshal(b, &x); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if b, err = json.Marshal(x.resource(t)); err != nil {
			t.Fatal(err)
		}
	}
	n, err := fhir.ParseNode(b)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return n
}

// tag is an XML element of a resource. The suite's inputs are XML, and some of
// them say what no JSON twin says.
type tag struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []tag      `xml:",any"`
	Inner    string     `xml:",innerxml"`
}

func (x tag) attr(name string) (string, bool) {
	for _, a := range x.Attrs {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

func (x tag) resource(t testing.TB) map[string]any {
	typ, ok := spec.R4().Type(x.XMLName.Local)
	if !ok {
		t.Fatalf("there is no type %s", x.XMLName.Local)
	}
	out := x.object(t, typ.Root())
	out["resourceType"] = typ.Name
	return out
}

// object makes the JSON object of a complex element.
func (x tag) object(t testing.TB, e *spec.Element) map[string]any {
	out := map[string]any{}
	for _, name := range []string{"id", "url"} {
		if v, ok := x.attr(name); ok {
			out[name] = v
		}
	}
	for _, c := range x.Children {
		name := c.XMLName.Local
		child, code, ok := e.Child(name)
		if !ok {
			t.Fatalf("%s has no member %s", e.Path, name)
		}
		v, side := c.value(t, child, code)
		if !child.List {
			out[name] = v
			if side != nil {
				out["_"+name] = side
			}
			continue
		}
		vs, _ := out[name].([]any)
		out[name] = append(vs, v)
		sides, had := out["_"+name].([]any)
		if side != nil || had {
			for len(sides) < len(vs) {
				sides = append(sides, nil)
			}
			out["_"+name] = append(sides, side)
		}
	}
	for name, v := range out {
		if v == nil {
			delete(out, name)
		}
	}
	return out
}

func (x tag) value(t testing.TB, e *spec.Element, code string) (v, side any) {
	if code == "Resource" {
		return x.Children[0].resource(t), nil
	}
	if code == "xhtml" {
		return `<div xmlns="` + xhtml + `">` + x.Inner + `</div>`, nil
	}
	typ, ok := spec.R4().Type(code)
	if !ok || typ.Kind != spec.Primitive {
		return x.object(t, e.As(code)), nil
	}
	if text, ok := x.attr("value"); ok {
		v = text
		switch code {
		case "boolean", "integer", "positiveInt", "unsignedInt", "decimal":
			v = json.RawMessage(text)
		}
	}
	if id, ok := x.attr("id"); ok || len(x.Children) > 0 {
		s := x.object(t, typ.Root())
		if ok {
			s["id"] = id
		}
		side = s
	}
	return v, side
}

func parsed(t testing.TB, src string) fhir.Node {
	t.Helper()
	n, err := fhir.ParseNode(bytes.TrimSpace([]byte(src)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// shown writes a collection as the suite writes what it expects.
func shown(c Collection) string {
	var parts []string
	for _, it := range c {
		s, _ := toText(it.Value()).(string)
		if m, ok := it.Value().(Moment); ok {
			s = "@" + map[bool]string{true: "T"}[m.kind == Time] + s
		}
		if it.Value() == nil {
			s = string(it.node.Raw())
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}
