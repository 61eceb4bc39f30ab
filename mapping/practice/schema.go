package practice

import (
	"bytes"
	"embed"
	"fmt"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"rapport/fhir"
)

//go:embed schema/*.json
var files embed.FS

// shared is the file of definitions that each schema gets a copy of.
const shared = "schema/defs.json"

// catalogue is every kind's schema, as text and compiled.
type catalogue map[string]struct {
	text  []byte
	judge *jsonschema.Schema
}

var schemas = sync.OnceValue(func() catalogue {
	c, err := compile()
	if err != nil { // embedded; a test compiles it
		panic(err)
	}
	return c
})

// Schema returns the JSON Schema (draft 2020-12) of a kind, complete in itself;
// nil for a kind that is none. The caller must not change it.
func Schema(kind string) []byte { return schemas()[kind].text }

func compile() (catalogue, error) {
	defs, err := files.ReadFile(shared)
	if err != nil {
		return nil, err
	}
	out := catalogue{}
	for _, kind := range Kinds() {
		own, err := files.ReadFile("schema/" + kind + ".json")
		if err != nil {
			return nil, err
		}
		root, err := fhir.ParseNode(own)
		if err != nil {
			return nil, fmt.Errorf("schema/%s.json: %w", kind, err)
		}
		text, err := fhir.Splice(own, fhir.Add(root, append([]byte(`"$defs": `), bytes.TrimSpace(defs)...)))
		if err != nil {
			return nil, fmt.Errorf("schema/%s.json: %w", kind, err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("schema/%s.json: %w", kind, err)
		}
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft2020)
		c.RegisterFormat(&jsonschema.Format{Name: "fhir-date", Validate: realDay})
		c.AssertFormat()
		id := root.Get("$id").Text()
		if err := c.AddResource(id, doc); err != nil {
			return nil, fmt.Errorf("schema/%s.json: %w", kind, err)
		}
		judge, err := c.Compile(id)
		if err != nil {
			return nil, fmt.Errorf("schema/%s.json: %w", kind, err)
		}
		e := out[kind]
		e.text, e.judge = text, judge
		out[kind] = e
	}
	return out, nil
}

// realDay refuses days that no month has; the shape is the pattern's business.
func realDay(v any) error {
	s, ok := v.(string)
	if !ok || len(s) < len(time.DateOnly) {
		return nil
	}
	_, err := time.Parse(time.DateOnly, s[:len(time.DateOnly)])
	return err
}
