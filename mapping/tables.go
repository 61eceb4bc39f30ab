package mapping

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"rapport/fhir"
)

//go:embed tables/*.json
var tableFiles embed.FS

// extensionTable is the one file that is no resource: it lists what extensions
// there are.
const extensionTable = "tables/extensions.json"

// tables are the code systems and ConceptMaps that records are told in.
type tables struct {
	systems map[string][]fhir.Node // slug → concepts, in the order of their file
	maps    map[string]fhir.Node   // slug of the source system → the ConceptMap's group

	resources  []fhir.Resource // the files themselves
	extensions []fhir.Resource // StructureDefinitions
}

// target is what a ConceptMap says for a code.
type target struct{ System, Code, Display string }

func loadTables() (*tables, error) {
	names, err := fs.Glob(tableFiles, "tables/*.json")
	if err != nil {
		return nil, err
	}
	t := &tables{systems: map[string][]fhir.Node{}, maps: map[string]fhir.Node{}}
	for _, name := range names {
		b, err := tableFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if name == extensionTable {
			if t.extensions, err = extensionDefinitions(b); err != nil {
				return nil, fmt.Errorf("mapping: %s: %w", name, err)
			}
			continue
		}
		r, err := fhir.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("mapping: %s: %w", name, err)
		}
		t.resources = append(t.resources, r)
		switch r.Type {
		case "CodeSystem":
			t.systems[r.ID] = slices.Collect(r.Root().Get("concept").Elements())
		case "ConceptMap":
			for g := range r.Root().Get("group").Elements() {
				t.maps[g.Get("source").Text()] = g
			}
		}
	}
	for _, f := range []*form{notebook(t), exerciseReport()} {
		q, err := f.questionnaire(t)
		if err != nil {
			return nil, fmt.Errorf("mapping: form %s: %w", f.slug, err)
		}
		t.resources = append(t.resources, q)
	}
	return t, nil
}

// display returns how a code of ours is called; false for one that is none.
func (t *tables) display(system, code string) (string, bool) {
	for _, c := range t.systems[system] {
		if c.Get("code").Text() == code {
			return c.Get("display").Text(), true
		}
	}
	return "", false
}

// concepts lists the codes of a system of ours.
func (t *tables) concepts(system string) (out []string) {
	for _, c := range t.systems[system] {
		out = append(out, c.Get("code").Text())
	}
	return out
}

// mapped lists what a code of ours is in other systems. Where a target depends on
// something else (an individual session), what is the case must say so.
func (t *tables) mapped(system, code string, is map[string]string) (out []target) {
	g := t.maps[systemURL(system)]
	for e := range g.Get("element").Elements() {
		if e.Get("code").Text() != code {
			continue
		}
		for to := range e.Get("target").Elements() {
			holds := true
			for d := range to.Get("dependsOn").Elements() {
				holds = holds && is[d.Get("property").Text()] == d.Get("value").Text()
			}
			if holds {
				out = append(out, target{g.Get("target").Text(), to.Get("code").Text(), to.Get("display").Text()})
			}
		}
	}
	return out
}
