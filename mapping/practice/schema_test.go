package practice

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rapport/fhir"
)

// TestSchemasAndTypesSayTheSame compares them member by member, down to the last
// list.
func TestSchemasAndTypesSayTheSame(t *testing.T) {
	for _, kind := range Kinds() {
		root, err := fhir.ParseNode(Schema(kind))
		if err != nil {
			t.Fatal(err)
		}
		r, _ := New(kind)
		if got := root.Get("title").Text(); got != kind {
			t.Errorf("the schema of %s calls itself %s", kind, got)
		}
		compare(t, kind, root, root, reflect.TypeOf(r).Elem())
	}
}

func compare(t *testing.T, at string, root, schema fhir.Node, typ reflect.Type) {
	t.Helper()
	for schema.Get("$ref").Exists() {
		name := strings.TrimPrefix(schema.Get("$ref").Text(), "#/$defs/")
		next := root.At("$defs", name)
		if !next.Exists() {
			t.Errorf("%s: there is no definition %s", at, name)
			return
		}
		schema = next
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ == reflect.TypeFor[Ref](): // three forms; see TestAReferenceHasThreeForms
	case typ.Kind() == reflect.Slice:
		if schema.Get("type").Text() != "array" {
			t.Errorf("%s: a list in the type, not in the schema", at)
			return
		}
		compare(t, at+"[]", root, schema.Get("items"), typ.Elem())
	case typ.Kind() == reflect.Struct:
		have := map[string]reflect.Type{}
		members(typ, have)
		for name := range schema.Get("properties").Members() {
			if have[name] == nil {
				t.Errorf("%s: the schema's %s has no place in the type", at, name)
			}
		}
		for name, f := range have {
			p := schema.Get("properties").Get(name)
			if !p.Exists() {
				t.Errorf("%s: the type's %s is not in the schema", at, name)
				continue
			}
			compare(t, at+"."+name, root, p, f)
		}
		if more, ok := schema.Get("additionalProperties").Bool(); !ok || more {
			t.Errorf("%s: the schema lets pass what it does not know", at)
		}
	default:
		want := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Map: "object"}[typ.Kind()]
		if typ == reflect.TypeFor[json.Number]() {
			want = "number"
		}
		got := schema.Get("type").Text()
		if schema.Get("enum").Exists() {
			got = "string"
		}
		if got != want {
			t.Errorf("%s: %s in the schema, %s in the type", at, got, want)
		}
	}
}

func members(typ reflect.Type, to map[string]reflect.Type) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Anonymous {
			members(f.Type, to)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		to[name] = f.Type
	}
}

func TestEveryWordListIsClosed(t *testing.T) {
	for _, kind := range Kinds() {
		root, err := fhir.ParseNode(Schema(kind))
		if err != nil {
			t.Fatal(err)
		}
		if s := root.Get("properties").Get("status"); s.Exists() && !s.Get("enum").Exists() && !s.Get("$ref").Exists() {
			t.Errorf("%s: any word is a status", kind)
		}
		var required []string
		for r := range root.Get("required").Elements() {
			required = append(required, r.Text())
		}
		if !slices.Contains(required, "key") {
			t.Errorf("%s: the business key may be missing", kind)
		}
	}
}
