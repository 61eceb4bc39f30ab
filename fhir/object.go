package fhir

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Object builds a JSON object whose members keep the order in which they were
// set. It leaves out what is empty, since FHIR knows no empty members: "", nil,
// an empty list, an Object without members. It is not safe for concurrent use.
type Object struct {
	body []byte
	n    int
}

// Decimal is a number as text, e.g. "1.00", that is written as it stands.
type Decimal string

// NewObject starts an element.
func NewObject() *Object { return &Object{body: []byte{'{'}} }

// NewResource starts a resource: resourceType and, where given, id.
func NewResource(k Key) *Object {
	return NewObject().Set("resourceType", k.Type).Set("id", k.ID)
}

// Len counts the members set.
func (o *Object) Len() int {
	if o == nil {
		return 0
	}
	return o.n
}

// Set adds a member. Values may be string, bool, int, int64, [Decimal],
// time.Time (as an instant), *Object, [Node], [Key] (as a Reference),
// json.RawMessage, or a slice of those. Empty values are left out; false and 0
// are not empty. Any other type panics: it is a fault of the program.
func (o *Object) Set(name string, v any) *Object {
	mark := len(o.body)
	if o.n > 0 {
		o.body = append(o.body, ',')
	}
	o.body = append(AppendQuote(o.body, name), ':')
	before := len(o.body)
	o.body = appendValue(o.body, v)
	if len(o.body) == before {
		o.body = o.body[:mark]
		return o
	}
	o.n++
	return o
}

// JSON returns the finished object.
func (o *Object) JSON() []byte {
	if o == nil {
		return []byte("{}")
	}
	return append(o.body[:len(o.body):len(o.body)], '}')
}

// Resource parses the finished object as a resource.
func (o *Object) Resource() (Resource, error) { return Parse(o.JSON()) }

// AppendQuote appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendQuote(to []byte, s string) []byte {
	out, err := jsontext.AppendQuote(to, s)
	if err != nil {
		out, _ = jsontext.AppendQuote(to, string([]rune(s)))
	}
	return out
}

func appendValue(to []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return to
	case string:
		if v == "" {
			return to
		}
		return AppendQuote(to, v)
	case bool:
		return strconv.AppendBool(to, v)
	case int:
		return strconv.AppendInt(to, int64(v), 10)
	case int64:
		return strconv.AppendInt(to, v, 10)
	case Decimal:
		return append(to, v...)
	case time.Time:
		if v.IsZero() {
			return to
		}
		return AppendQuote(to, Instant(v))
	case *Object:
		if v.Len() == 0 {
			return to
		}
		return append(append(to, v.body...), '}')
	case Node:
		return append(to, v.Raw()...)
	case Key:
		if v.IsZero() {
			return to
		}
		return appendValue(to, v.Reference())
	case json.RawMessage:
		return append(to, v...)
	case []string:
		return appendList(to, v)
	case []*Object:
		return appendList(to, v)
	case []Node:
		return appendList(to, v)
	case []Key:
		return appendList(to, v)
	case []json.RawMessage:
		return appendList(to, v)
	case []any:
		return appendList(to, v)
	}
	panic(fmt.Sprintf("fhir.Object: a value of type %T cannot be set", v))
}

func appendList[T any](to []byte, vs []T) []byte {
	mark := len(to)
	to = append(to, '[')
	for _, v := range vs {
		n := len(to)
		if n > mark+1 {
			to = append(to, ',')
		}
		before := len(to)
		if to = appendValue(to, v); len(to) == before {
			to = to[:n]
		}
	}
	if len(to) == mark+1 {
		return to[:mark]
	}
	return append(to, ']')
}

// Coding returns a Coding element.
func Coding(system, code, display string) *Object {
	return NewObject().Set("system", system).Set("code", code).Set("display", display)
}

// Concept returns a CodeableConcept of one coding.
func Concept(system, code, display string) *Object {
	return NewObject().Set("coding", []*Object{Coding(system, code, display)})
}
