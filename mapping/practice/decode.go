package practice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"rapport/fhir"
)

// maxIssues bounds what is said about one record, and maxFound what is looked for:
// each takes a search of the text.
const (
	maxIssues = 20
	maxFound  = 200
)

// Decode reads one record. It is strict: what the kind's schema does not know is
// refused. The caller must not change b while it runs.
//
// Errors, as [fhir.Errors] with a JSON Pointer in At and line and column in Detail,
// none of which repeats a value of the record: [fhir.TooLong] for more than any
// record holds; [fhir.Structure] for JSON that is
// none, or an unknown or wrongly typed member; [fhir.Required] for what is missing;
// [fhir.CodeInvalid] for what is none of the words allowed; [fhir.Value] for the
// rest; [fhir.NotSupported] for an unknown kind.
func Decode(kind string, b []byte) (Record, error) {
	r, ok := New(kind)
	if !ok {
		return nil, fhir.Errorf(fhir.NotSupported, "", "there is no such kind of record; there are %s", strings.Join(Kinds(), ", "))
	}
	root, err := fhir.ParseNode(b)
	if err != nil {
		return nil, err
	}
	if err := bounded(root); err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, &fhir.Error{Code: fhir.Structure, Detail: "the JSON cannot be read", Err: err}
	}
	s := schemas()[kind]
	if err := s.judge.Validate(doc); err != nil {
		var bad *jsonschema.ValidationError
		if !errors.As(err, &bad) {
			return nil, fmt.Errorf("practice: %s: %w", kind, err)
		}
		j := judgement{body: b, root: root, schema: s.text}
		j.take(bad)
		return nil, j.issues()
	}
	j := judgement{body: b, root: root}
	if j.ordered(root, ""); len(j.list) > 0 {
		return nil, j.issues()
	}
	if err := json.Unmarshal(b, r); err != nil {
		var whole *json.UnmarshalTypeError // 50.0 is an integer to JSON Schema and none to Go
		if errors.As(err, &whole) {
			return nil, fhir.Errorf(fhir.Structure, "/"+strings.ReplaceAll(whole.Field, ".", "/"), "must be a whole number, written without fraction and exponent")
		}
		return nil, fmt.Errorf("practice: the schema of %s lets pass what its type cannot hold: %w", kind, err)
	}
	return r, nil
}

// judgement turns what a validator found into issues.
type judgement struct {
	body   []byte
	root   fhir.Node
	schema []byte
	list   fhir.Errors
}

func (j *judgement) issues() error {
	if len(j.list) == 0 { // cannot be: an invalid document has a leaf that is wrong
		return fhir.Errorf(fhir.Structure, "", "the record does not fit its schema")
	}
	slices.SortStableFunc(j.list, func(a, b *fhir.Error) int { return strings.Compare(a.At[0], b.At[0]) })
	list := j.list[:0]
	for _, e := range j.list {
		if n := len(list); n == 0 || list[n-1].At[0] != e.At[0] || list[n-1].Detail != e.Detail {
			list = append(list, e)
		}
	}
	if len(list) > maxIssues {
		list = list[:maxIssues]
	}
	return list
}

// take walks to the leaves: those are what is wrong.
func (j *judgement) take(e *jsonschema.ValidationError) {
	if len(j.list) >= maxFound {
		return
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		if names := alternatives(e.Causes); names != nil {
			j.say(e, fhir.Required, "one of %s is needed", strings.Join(names, ", "))
			return
		}
	case *kind.Required:
		for _, name := range k.Missing {
			j.say(e, fhir.Required, "%s is missing", name)
		}
		return
	case *kind.DependentRequired:
		j.say(e, fhir.Required, "%s needs %s beside it", k.Prop, strings.Join(k.Missing, ", "))
		return
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		for _, name := range k.Properties[:min(len(k.Properties), maxIssues)] {
			j.say(e, fhir.Structure, "there is no field %s%s", plain(name), j.meant(e.InstanceLocation, name))
		}
		return
	case *kind.FalseSchema:
		j.say(e, fhir.BusinessRule, "cannot be said together with the others; see the schema")
		return
	case *kind.Type:
		j.say(e, fhir.Structure, "must be %s, not %s", strings.Join(k.Want, " or "), k.Got)
		return
	case *kind.Enum:
		words := make([]string, len(k.Want))
		for i, w := range k.Want {
			words[i] = fmt.Sprint(w)
		}
		j.say(e, fhir.CodeInvalid, "must be one of %s", strings.Join(words, ", "))
		return
	case *kind.Pattern, *kind.Format:
		j.say(e, fhir.Value, "does not have the form that is needed%s", j.form(e))
		return
	case *kind.MinLength:
		j.say(e, fhir.Value, "must not be empty; leave out what is not known")
		return
	case *kind.MaxLength:
		j.say(e, fhir.TooLong, "is longer than %d characters", k.Want)
		return
	case *kind.Minimum:
		j.say(e, fhir.Value, "must be at least %s", k.Want.RatString())
		return
	case *kind.Maximum:
		j.say(e, fhir.Value, "must be at most %s", k.Want.RatString())
		return
	case *kind.MinProperties:
		j.say(e, fhir.Required, "says too little: at least %d fields are needed", k.Want)
		return
	case *kind.MaxProperties:
		j.say(e, fhir.Value, "says too much: at most %d fields go together here", k.Want)
		return
	case *kind.MinItems:
		j.say(e, fhir.Value, "is an empty list; leave out what is not known")
		return
	case *kind.UniqueItems:
		j.say(e, fhir.Value, "lists the same twice")
		return
	}
	if len(e.Causes) == 0 {
		j.say(e, fhir.Value, "is not allowed by the schema")
		return
	}
	for _, c := range e.Causes {
		j.take(c)
	}
}

// alternatives returns the fields of which one is needed, nil if the reason is
// another.
func alternatives(es []*jsonschema.ValidationError) (names []string) {
	for _, e := range es {
		k, ok := e.ErrorKind.(*kind.Required)
		if !ok {
			return nil
		}
		names = append(names, k.Missing...)
	}
	return names
}

// form says in words what a text must look like, where the schema says it.
func (j *judgement) form(e *jsonschema.ValidationError) string {
	switch {
	case strings.HasSuffix(e.SchemaURL, "/$defs/date"):
		return ": YYYY, YYYY-MM or YYYY-MM-DD"
	case strings.HasSuffix(e.SchemaURL, "/$defs/moment"):
		return ": a date, or a date and time with its zone such as 2026-03-05T10:30:00+01:00"
	case strings.HasSuffix(e.SchemaURL, "/$defs/system"), strings.HasSuffix(e.SchemaURL, "/$defs/uri"):
		return ": a URI"
	case strings.HasSuffix(e.SchemaURL, "/reference"):
		return ": Type/id"
	}
	return ""
}

// meant looks for a field that a misspelt one may stand for.
func (j *judgement) meant(at []string, name string) string {
	s, err := fhir.ParseNode(j.schema)
	if err != nil || len(at) > 0 {
		return ""
	}
	squeeze := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	for known := range s.Get("properties").Members() {
		if squeeze(known) == squeeze(name) || strings.TrimSuffix(squeeze(known), "s") == strings.TrimSuffix(squeeze(name), "s") {
			return "; " + known + " is meant?"
		}
	}
	return ""
}

// say adds an issue. Nothing of the record's values goes into it.
func (j *judgement) say(e *jsonschema.ValidationError, c fhir.Code, format string, args ...any) {
	n, path := j.root, ""
	for _, token := range e.InstanceLocation {
		if n.Kind() == fhir.Arr {
			i := 0
			for range token { // a decimal index
				i = i*10 + int(token[0]-'0')
				token = token[1:]
			}
			n = n.Index(i)
			path += fmt.Sprintf("/%d", i)
			continue
		}
		n = n.Get(token)
		path += pointer(token)
	}
	if path == "" {
		path = "/"
	}
	j.add(n, path, c, format, args...)
}

// add notes an issue about a value at a place.
func (j *judgement) add(n fhir.Node, path string, c fhir.Code, format string, args ...any) {
	line, col := 1, 1
	if n.Exists() {
		_, start, _ := n.Span()
		line = 1 + bytes.Count(j.body[:start], []byte{'\n'})
		col = start - bytes.LastIndexByte(j.body[:start], '\n')
	}
	j.list = append(j.list, fhir.Errorf(c, path, "line %d, column %d: "+format, append([]any{line, col}, args...)...))
}

// pointer is a member's name as a step of a JSON Pointer (RFC 6901 section 3).
func pointer(name string) string {
	return "/" + strings.ReplaceAll(strings.ReplaceAll(plain(name), "~", "~0"), "/", "~1")
}

// plain shows a member's name if it looks like one: anything else may be content
// that came to stand in the wrong place.
func plain(name string) string {
	if name == "" || len(name) > 40 {
		return "(not shown)"
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return "(not shown)"
		}
	}
	return name
}
